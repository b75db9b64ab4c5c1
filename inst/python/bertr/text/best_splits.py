"""Splits words into the pieces with the highest sum of scores (Viterbi), many words at once.

Words stand one after another in one array, each followed by NONE. A place is an index in this array; a piece leads
from its first place to that after its last. In waves, all pieces that begin at the first character of a word are tried,
then those at the second, and so on. Pieces of one wave that belong to the same word end at different places, so that a
wave is free of conflicts.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .pair_table import NONE
from .ragged import alike, positions, row_numbers, splits
from .trie import Trie, code_points

ROOM = 2**16  # places of words that are split together; more no longer fit into the processor's cache
WIDE = 32  # words; below, a wave takes longer than a loop over its pieces


@dataclasses.dataclass
class Splits:
    """The pieces of some words."""

    words: np.ndarray  # int64 [words]: their numbers
    counts: np.ndarray  # int64 [words]: pieces of each
    ids: np.ndarray  # int32 [pieces]
    starts: np.ndarray  # int64 [pieces]: first character in the concatenated words
    ends: np.ndarray  # int64 [pieces], exclusive


class BestSplits:
    """Of equally good splits that with the longest first pieces wins, as Hugging Face's tokenizer replaces a path only
    by a better one.

    Args:
        index: the id of each piece.
        scores: of each id.
        unknown_id: the id of characters that are no piece; adjacent ones become one piece.
        unknown_score: of each.
    """

    def __init__(self, index: dict[str, int], scores: Sequence[float], unknown_id: int, unknown_score: float):
        self._trie = Trie(index)
        self._scores = np.append(np.asarray(scores, np.float64), unknown_score)
        self._unknown = unknown_id

    def __call__(self, words: list[str]) -> Iterator[Splits]:
        """Splits of all words, words of similar lengths together."""
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        for group in alike(lengths + 1, ROOM):
            yield self._split([words[i] for i in group.tolist()], lengths[group], group)

    def _split(self, words, lengths, numbers):
        last = np.cumsum(lengths + 1) - 1
        first = last - lengths
        codes = code_points("\0".join(words) + "\0")  # [places]
        codes[last] = NONE
        score = np.full(len(codes), -np.inf)  # of the best split up to each place
        score[first] = 0
        if len(codes) > WIDE * lengths[0]:
            offsets = positions(lengths + 1).astype(np.min_scalar_type(int(lengths[0])))  # from the start of each word
            back, ids = self._waves(codes, offsets, score)
        else:
            back, ids = self._walk(codes, score)
        ends = _path(first, last, back, lengths[0])
        return self._fused(ids[ends], back[ends], ends, first, numbers)

    def _waves(self, codes, offsets, score):
        """(where the last piece of the best split up to each place begins, its id). Places at the start of words lead
        to themselves."""
        starts, ends, pieces = self._pieces(codes, 0, len(codes))
        wave = offsets[starts]
        order = np.argsort(wave, kind="stable")
        starts, ends, pieces = starts[order], ends[order], pieces[order]
        scores = self._scores[pieces]
        bounds = splits(np.bincount(wave)).tolist()
        best = np.full(len(codes), len(starts))  # the number of the last piece of the best split up to each place
        for begin, stop in itertools.pairwise(bounds):
            total, end = score[starts[begin:stop]] + scores[begin:stop], ends[begin:stop]
            better = np.flatnonzero(total > score[end])
            end = end[better]
            score[end], best[end] = total[better], better + begin
        some = best < len(starts)
        return np.where(some, np.append(starts, 0)[best], np.arange(len(codes))), np.append(pieces, np.int32(-1))[best]

    def _walk(self, codes, score):
        """As `_waves`, one piece after another, for few long words."""
        found: Any = np.arange(len(codes)), np.full(len(codes), -1, np.int32)
        back, ids = map(memoryview, found)
        score = memoryview(score)
        for at in range(0, len(codes), ROOM):
            starts, ends, pieces = self._pieces(codes, at, at + ROOM)
            order = np.argsort(starts, kind="stable")
            columns = starts, ends, pieces, self._scores[pieces]
            for start, end, piece, value in zip(*(column[order].tolist() for column in columns), strict=True):
                total = score[start] + value
                if total > score[end]:
                    score[end], back[end], ids[end] = total, start, piece
        return found

    def _pieces(self, codes, start, stop):
        """(starts, ends, ids) of all pieces that begin at these places, the shorter first, then of unknown characters,
        with the id -1."""
        alone = codes[start:stop] != NONE
        places = start + np.flatnonzero(alone)
        found = list(self._trie.matches(codes, places))
        for known, _ in found[:1]:  # pieces of one character
            alone[known - start] = False
        found.append((start + np.flatnonzero(alone), np.full(alone.sum(), -1, np.int32)))
        starts, ids = map(np.concatenate, zip(*found, strict=True))
        lengths = np.repeat([*range(1, len(found)), 1], [len(at) for at, _ in found])
        return starts, starts + lengths, ids

    def _fused(self, ids, starts, ends, first, numbers):
        """The Splits of pieces in the order of the text."""
        ids = np.where(ids < 0, self._unknown, ids)
        unknown = ids == self._unknown
        begins = np.ones(len(ids), bool)
        begins[1:] = ~(unknown[1:] & unknown[:-1] & (starts[1:] == ends[:-1]))
        stops = np.append(begins[1:], True)[: len(ids)]
        ids, starts, ends = ids[begins], starts[begins], ends[stops]
        counts = np.diff(np.append(np.searchsorted(starts, first), len(starts)))
        before = row_numbers(counts)  # words, each followed by NONE
        return Splits(numbers, counts, ids, starts - before, ends - before)


def _path(first, last, back, longest):
    """The places, sorted, where the pieces of the best splits end. All steps from the ends of words back to their
    starts take as many rounds as the number of steps has bits: every round doubles the steps that a jump makes."""
    on = np.zeros(len(back), bool)
    on[last] = True
    for _ in range(int(longest).bit_length()):
        on[back[np.flatnonzero(on)]] = True
        back = back[back]
    on[first] = False
    return np.flatnonzero(on)
