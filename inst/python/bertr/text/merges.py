"""Merges the symbols of many words at once (byte pair encoding)."""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from .pair_table import NONE, PairTable
from .ragged import alike, runs, splits

ROOM = 2**16  # symbols of words that are merged together
_NEVER = 2**31 - 1  # the rank of a pair that is not merged


@dataclasses.dataclass
class Merged:
    """The pieces of some words."""

    words: np.ndarray  # int64 [words]: their numbers
    counts: np.ndarray  # int64 [words]: pieces of each
    ids: np.ndarray  # int64 [pieces]
    starts: np.ndarray  # int64 [pieces]: the first of the symbols of all words
    ends: np.ndarray  # int64 [pieces], exclusive


class Merges:
    """In each round, of every word that pair of neighbours is merged whose merge comes first, the leftmost of several.
    The time grows with the square of a word's length.

    Args:
        merges: (rank, id of the merged symbol) of pairs of ids.
    """

    def __init__(self, merges: dict[tuple[int, int], tuple[int, int]]):
        left, right = _columns(merges)
        rank, merged = _columns(merges.values())
        self._pairs = PairTable(2 * len(merges))
        self._ranks = np.full(self._pairs.size, _NEVER, np.int32)
        self._ranks[self._pairs.add(left, right)] = rank
        self._merged = np.zeros(rank.max(initial=-1) + 1, np.int64)
        self._merged[rank] = merged

    def __call__(self, ids: np.ndarray, counts: np.ndarray) -> Iterator[Merged]:
        """The pieces of all words, words of similar lengths together.

        Args:
            ids: of the symbols of all words, int64 [symbols].
            counts: symbols of each word, int64 [words].
        """
        firsts = splits(counts)
        for words in alike(counts, ROOM):
            real = np.arange(counts[words].max()) < counts[words, None]  # [words, longest]
            places = runs(firsts[words], counts[words])
            symbols = np.full((len(words), real.shape[1] + 2), NONE, np.int64)  # one before and one after
            symbols[:, 1:-1][real] = ids[places]
            self._merge(symbols)
            merged = symbols[:, 1:-1][real]
            starts = np.flatnonzero(merged != NONE)  # the first symbol of a word always begins a piece
            ends = np.append(starts[1:], len(merged))[: len(starts)]
            pieces = (symbols != NONE).sum(1)
            yield Merged(words, pieces, merged[starts], places[starts], places[ends - 1] + 1)

    def _merge(self, symbols):
        """Replaces pairs by a merged symbol and NONE."""
        rank = self._rank(symbols[:, :-1].ravel(), symbols[:, 1:].ravel()).reshape(len(symbols), -1)
        before = np.tile(np.arange(-1, symbols.shape[1] - 1), (len(symbols), 1))
        after = before + 2
        rows = np.arange(len(symbols))
        while len(rows):
            at = rank[rows].argmin(1)
            best = rank[rows, at]
            some = np.flatnonzero(best != _NEVER)
            rows, at, merged = rows[some], at[some], self._merged[best[some]]
            right = after[rows, at]
            previous, following = before[rows, at], after[rows, right]
            symbols[rows, at], symbols[rows, right] = merged, NONE
            after[rows, at], before[rows, following] = following, at
            rank[rows, at] = self._rank(merged, symbols[rows, following])
            rank[rows, right] = _NEVER
            rank[rows, previous] = self._rank(symbols[rows, previous], merged)

    def _rank(self, left, right):
        slots, known = self._pairs.find(left, right)
        return np.where(known, self._ranks[slots], _NEVER)


def _columns(pairs):
    return np.fromiter(itertools.chain.from_iterable(pairs), np.int64).reshape(-1, 2).T
