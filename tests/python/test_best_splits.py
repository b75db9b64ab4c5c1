"""The best splits of words: against Hugging Face's, word by word, and against all splits."""

import itertools
import random
import tracemalloc

import numpy as np
import pytest
from tokenizers import Tokenizer as Rust
from tokenizers.models import Unigram

from bertr.text import best_splits
from bertr.text.best_splits import BestSplits

UNKNOWN = 2
PENALTY = 10.0


@pytest.fixture(params=["waves", "walk", "walk in steps"])
def way(request, monkeypatch):
    """Every way to find the best splits, whatever the words."""
    monkeypatch.setattr(best_splits, "WIDE", 0 if request.param == "waves" else 10**9)
    monkeypatch.setattr(best_splits, "ROOM", 7 if request.param == "walk in steps" else best_splits.ROOM)


def vocabulary(rng, letters, values):
    strings = ["".join(rng.choices(letters, k=rng.randrange(1, 6))) for _ in range(60)]
    return {piece: rng.choice(values) for piece in ["<s>", "</s>", "?", *strings]}


def make(pieces):
    ids = {piece: i for i, piece in enumerate(pieces)}
    return BestSplits(ids, list(pieces.values()), UNKNOWN, min(pieces.values()) - PENALTY)


def split(best, words):
    """[(id, start, end), ...] of each word."""
    out = [None] * len(words)
    for found in best(words):
        rows, at = iter(zip(found.ids.tolist(), found.starts.tolist(), found.ends.tolist(), strict=True)), 0
        for number, count in zip(found.words.tolist(), found.counts.tolist(), strict=True):
            assert out[number] is None
            out[number] = [(i, start - at, end - at) for i, start, end in itertools.islice(rows, count)]
            at += len(words[number])
    return out


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "values", [[-1.0, -2.0, -3.0], [-0.1, -0.2, -0.3], [-5.0, 0.0], [-3.1, -4.7, -8.9, -9.3]], ids=str
)
def test_ties_and_unknown_characters(values):
    """Few different scores: many splits are equally good, or differ by the order of the sum. "x" is no piece, "?" is
    the unknown one itself."""
    for seed in range(20):
        rng = random.Random(seed)
        pieces = vocabulary(rng, "ab\u4e2d\U0001f600", values)
        rust = Rust(Unigram(list(pieces.items()), UNKNOWN, False))
        words = ["".join(rng.choices("ab\u4e2d\U0001f600x\u00e9?", k=rng.randrange(1, 25))) for _ in range(80)]
        for word, got in zip(words, split(make(pieces), words), strict=True):
            theirs = rust.encode(word)
            assert got == [(i, *place) for i, place in zip(theirs.ids, theirs.offsets, strict=True)], ascii(word)


@pytest.mark.usefixtures("way")
def test_no_split_is_better():
    rng = random.Random(0)
    pieces = vocabulary(rng, "abc", [-1.0, -2.5, -3.0, -7.0])
    words = ["".join(rng.choices("abcx", k=rng.randrange(1, 10))) for _ in range(60)]
    names = list(pieces)
    for word, got in zip(words, split(make(pieces), words), strict=True):
        scores = [pieces[names[i]] if i != UNKNOWN else (end - start) * -17.0 for i, start, end in got]
        assert sum(scores) == max(map(sum, all_scores(pieces, word))), word


def all_scores(pieces, word):
    """The scores of the pieces of every split."""
    if not word:
        yield []
    for end in range(1, len(word) + 1):
        if word[:end] in pieces or end == 1:
            yield from ([pieces.get(word[:end], -17.0), *rest] for rest in all_scores(pieces, word[end:]))


def test_no_words_and_empty_words():
    best = make({"<s>": 0.0, "</s>": 0.0, "?": 0.0, "a": -1.0})
    assert list(best([])) == []
    assert split(best, ["", "a", "", "xx"]) == [[], [(3, 0, 1)], [], [(2, 0, 2)]]


def test_long_words_take_time_and_memory_by_their_length():
    """Quadratic: for ever."""
    best = make({"<s>": 0.0, "</s>": 0.0, "?": 0.0, "a": -2.0, "aa": -3.0, "aaa": -5.5, "\u4e2d": -1.0})
    words = ["a" * 10**5 + "\u4e2d", "xa" * 10**4, "x" * 10**4]
    tracemalloc.start()
    try:
        got = list(best(words))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 500 * sum(map(len, words))  # bytes
    counts = {int(word): int(n) for found in got for word, n in zip(found.words, found.counts, strict=True)}
    assert counts == {0: 50_001, 1: 2 * 10**4, 2: 1}
    longest = next(found for found in got if 0 in found.words)
    assert np.unique(longest.ids).tolist() == [4, 6]
