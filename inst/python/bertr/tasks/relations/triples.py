"""Triples (head, relation, tail) of texts: conversion from characters to tokens of encoded rows and back. Positions are
0-based; ends are exclusive for characters, inclusive for tokens.
"""

from typing import TYPE_CHECKING

import numpy as np

from ...text.ragged import ROOM, row_numbers, runs, sort_keys

if TYPE_CHECKING:
    from ...text.encodings import Encodings

COLUMNS = ("head_start", "head_end", "relation", "tail_start", "tail_end")


class Triples:
    """Training targets. `tokens`: int32 [n, 5], grouped by encoded row (`splits`). `truth`: int64 [triples, 6], text
    and characters of each distinct triple. `n_lost`, `n_snapped`: triples in no row, spans widened to whole tokens."""

    def __init__(self, tokens: np.ndarray, splits: np.ndarray, truth: np.ndarray, n_lost: int, n_snapped: int):
        self.tokens, self.splits, self.truth = tokens, splits, truth
        self.n_lost, self.n_snapped = n_lost, n_snapped

    def of(self, row: int) -> np.ndarray:
        """The triples of an encoded row."""
        return self.tokens[self.splits[row] : self.splits[row + 1]]  # [triples, 5]

    def padded(self, rows: np.ndarray | list[int]) -> np.ndarray:
        """[len(rows), most triples of a row, 5], padded with -1. The size is rounded up to a power of 2, so that few
        distinct shapes occur."""
        counts = self.splits[np.asarray(rows) + 1] - self.splits[rows]
        most = 1 << max(0, int(counts.max()) - 1).bit_length()
        out = np.full((len(rows), most, 5), -1, np.int32)
        out[np.arange(most) < counts[:, None]] = np.concatenate([self.of(row) for row in rows])
        return out


def to_triples(text: np.ndarray, columns: np.ndarray, encodings: "Encodings") -> Triples:
    """The Triples of texts.

    Args:
        text: int [n], the text of each triple.
        columns: int [n, 5], characters and relation as in COLUMNS.
        encodings: an Encodings with offsets.

    Returns:
        A Triples.
    """
    truth = np.unique(np.column_stack([text, columns]).astype(np.int64).reshape(-1, 6), axis=0)
    first, last = _rows_of_texts(truth[:, 0], encodings)
    heads, moved_heads = _tokens_of(first, last, truth[:, 1], truth[:, 2], encodings)
    tails, moved_tails = _tokens_of(first, last, truth[:, 4], truth[:, 5], encodings)
    moved = np.concatenate([truth[:, [0, 1, 2]][moved_heads], truth[:, [0, 4, 5]][moved_tails]])
    which, row = _pairs(first, last)
    inside = (heads >= 0).all(axis=1) & (tails >= 0).all(axis=1)  # [pairs of triple and row]
    which, row = which[inside], row[inside]
    found = np.column_stack([row, heads[inside], truth[which, 3], tails[inside]])
    found = np.unique(found.astype(np.int64).reshape(-1, 6), axis=0)  # sorted by row
    splits = np.searchsorted(found[:, 0], np.arange(len(encodings) + 1))
    n_lost = len(truth) - len(np.unique(which))
    return Triples(found[:, 1:].astype(np.int32), splits, truth, n_lost, len(np.unique(moved, axis=0)))


def _rows_of_texts(text, encodings):
    """(first encoded row, end) of each triple's text."""
    if encodings.owner is None:
        return text, text + 1
    return np.searchsorted(encodings.owner, text), np.searchsorted(encodings.owner, text, "right")


def _pairs(first, last):
    """(triple, row) for every triple and every row of its text."""
    counts = last - first
    return row_numbers(counts), runs(first, counts)


def _tokens_of(first, last, start, end, encodings):
    """First and last token that cover each span in each row of its text, [pairs, 2], -1 if the row does not contain the
    whole span; and bool [spans], whether a span does not begin and end at token boundaries."""
    ordinary = np.flatnonzero(encodings.end > 0)  # neither [CLS] nor [SEP]
    starts, ends = (
        sort_keys(encodings.row[ordinary], x[ordinary])  # ascending
        for x in (encodings.start, encodings.end)
    )
    which, row = _pairs(first, last)
    i = np.searchsorted(ends, sort_keys(row, start[which]), "right")  # the first token that ends after the start
    j = np.searchsorted(starts, sort_keys(row, end[which]), "left") - 1  # the last one that starts before the end
    some = i <= j
    which, i, j = which[some], i[some], j[some]
    # a row that truncates a span covers less of it than all rows together
    low, high = np.full(len(start), ROOM), np.full(len(start), -1, np.int64)
    np.minimum.at(low, which, starts[i] % ROOM)
    np.maximum.at(high, which, ends[j] % ROOM)
    whole = (starts[i] % ROOM == low[which]) & (ends[j] % ROOM == high[which])
    out = np.full((len(some), 2), -1, np.int64)
    at = np.flatnonzero(some)[whole]
    out[at] = np.column_stack([ordinary[i[whole]], ordinary[j[whole]]]) - encodings.row_splits[row[at]][:, None]
    return out, (high >= 0) & ((low != start) | (high != end))


def to_characters(
    found: list[tuple[int, np.ndarray, np.ndarray]], encodings: "Encodings"
) -> tuple[np.ndarray, np.ndarray]:
    """Distinct triples of texts, from those of encoded rows.

    Args:
        found: list of (row, int [n, 5], triples of its tokens, float [n], scores).
        encodings: an Encodings with offsets.

    Returns:
        (int64 [m, 6] as in `Triples.truth`, ordered by text and position; float64 [m], the best score of each).
    """
    rows = np.repeat([row for row, _, _ in found], [len(s) for _, _, s in found]).astype(np.int64)
    tokens = np.concatenate([np.zeros((0, 5), np.int64), *(t for _, t, _ in found)]).astype(np.int64)
    scores = np.concatenate([np.zeros(0), *(s for _, _, s in found)])
    at = encodings.row_splits[rows][:, None] + tokens
    text = rows if encodings.owner is None else encodings.owner[rows].astype(np.int64)
    out = np.column_stack(
        [
            text,
            encodings.start[at[:, 0]],
            encodings.end[at[:, 1]],
            tokens[:, 2],
            encodings.start[at[:, 3]],
            encodings.end[at[:, 4]],
        ]
    )
    order = np.lexsort((-scores, out[:, 3], *out[:, [5, 4, 2, 1, 0]].T))
    out, scores = out[order], scores[order]
    new = np.ones(len(out), bool)  # neighbouring windows may contain the same triple
    new[1:] = (out[1:] != out[:-1]).any(axis=1)
    return out[new], scores[new]
