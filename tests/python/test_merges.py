"""Merges of many words at once, against Hugging Face's, word by word."""

import random

import numpy as np
import pytest
from tokenizers import Tokenizer as Rust
from tokenizers.models import BPE

from bertr.text import merges
from bertr.text.merges import Merges


def made(rng, letters, n):
    """(vocabulary, merges in random order: what a merge joins may be made by a later one)"""
    vocab, pairs = list(letters), []
    while len(pairs) < n:
        left, right = rng.choices(vocab, k=2)
        if len(left + right) < 8 and (left, right) not in pairs:
            pairs.append((left, right))
            vocab += [left + right] * (left + right not in vocab)
    rng.shuffle(pairs)
    return {token: i for i, token in enumerate(vocab)}, pairs


def pieces(ours, words, index):
    """[(id, start, end), ...] of each word."""
    counts = np.array([len(word) for word in words])
    ids = np.array([index[char] for word in words for char in word], np.int64)
    firsts = np.cumsum(counts) - counts
    out = [None] * len(words)
    for found in ours(ids, counts):
        at = np.cumsum(found.counts) - found.counts
        for word, start, n in zip(found.words, at, found.counts, strict=True):
            assert out[word] is None
            rows = np.stack([found.ids, found.starts - firsts[word], found.ends - firsts[word]], 1)
            out[word] = list(map(tuple, rows[start : start + n].tolist()))
    return out


@pytest.mark.parametrize("room", [1, 50, 2**16])
def test_the_first_merge_of_the_leftmost_pair(monkeypatch, room):
    monkeypatch.setattr(merges, "ROOM", room)
    for seed in range(20):
        rng = random.Random(seed)
        index, pairs = made(rng, "abc", 30)
        rust = Rust(BPE(index, pairs))
        ours = Merges({(index[a], index[b]): (rank, index[a + b]) for rank, (a, b) in enumerate(pairs)})
        words = ["".join(rng.choices("abc", k=rng.randrange(20))) for _ in range(100)]
        for word, got in zip(words, pieces(ours, words, index), strict=True):
            theirs = rust.encode(word)
            assert got == [(i, *place) for i, place in zip(theirs.ids, theirs.offsets, strict=True)], word


def test_no_merges_and_no_words():
    assert pieces(Merges({}), ["ab", "", "a"], {"a": 0, "b": 1}) == [[(0, 0, 1), (1, 1, 2)], [], [(0, 0, 1)]]
    assert pieces(Merges({(0, 0): (0, 1)}), [], {}) == []
