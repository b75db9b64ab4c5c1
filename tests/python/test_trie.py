"""The strings of a vocabulary at all places of a text, against a search by slices."""

import random

import numpy as np
import pytest

from bertr.text import pair_table
from bertr.text.pair_table import NONE
from bertr.text.trie import Trie, code_points


def found_in(ids, texts):
    """(text, start, length, id) of all matches, sorted."""
    codes = np.concatenate([[*code_points(text), NONE] for text in texts]).astype(np.int64)
    text, offset = np.array([(i, j) for i, text in enumerate(texts) for j in range(len(text) + 1)]).T
    matches = Trie(ids).matches(codes, np.arange(len(codes)))
    return sorted(
        (int(text[at]), int(offset[at]), length, int(i))
        for length, (starts, found) in enumerate(matches, 1)
        for at, i in zip(starts, found, strict=True)
    )


def sliced(ids, texts):
    return sorted(
        (number, start, end - start, ids[text[start:end]])
        for number, text in enumerate(texts)
        for start in range(len(text))
        for end in range(start + 1, len(text) + 1)
        if text[start:end] in ids
    )


@pytest.mark.parametrize("letters", ["ab", "abcdefgh", "a\u0301\u4e2d\U0001f600\U0010ffff\0\ud800\udfff"])
def test_all_matches(letters):
    rng = random.Random(0)
    strings = ["".join(rng.choices(letters, k=rng.randrange(9))) for _ in range(3000)]  # "" among them
    ids = {string: i for i, string in enumerate(dict.fromkeys(strings[:1500]))}
    assert found_in(ids, strings) == sliced(ids, strings)


def test_equal_hashes_do_no_harm(monkeypatch):
    """All edges want the same slot: the search goes on to the next ones, round the end of the table."""
    monkeypatch.setattr(pair_table, "_MIX", np.uint64(0))
    rng = random.Random(0)
    strings = ["".join(rng.choices("abcd", k=rng.randrange(5))) for _ in range(200)]
    ids = {string: i for i, string in enumerate(dict.fromkeys(strings[:60]))}
    assert found_in(ids, strings) == sliced(ids, strings)
    monkeypatch.setattr(pair_table, "_MIX", np.uint64(2**64 - 1))
    assert found_in(ids, strings) == sliced(ids, strings)


def test_a_table_as_full_as_can_be():
    """Strings without common starts, one edge fewer than slots."""
    ids = {chr(0x4E00 + i): i for i in range(1023)}
    assert found_in(ids, ["".join(ids) + "x"]) == [(0, i, 1, i) for i in range(1023)]


def test_one_long_string():
    ids = {"a" * 5000: 7, "a": 1}
    assert found_in(ids, ["a" * 5001]) == sorted(
        [(0, i, 1, 1) for i in range(5001)] + [(0, i, 5000, 7) for i in (0, 1)]
    )
