"""Rows of different lengths, one after the other in a flat array."""

import numpy as np

ROOM = np.int64(2**32)  # more than any row is long


def splits(lengths):
    """Where rows of these lengths begin, and where the last one ends: int64 [n + 1]."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def row_numbers(lengths):
    """The row of each entry: int64 [total]."""
    return np.repeat(np.arange(len(lengths)), lengths)


def positions(lengths):
    """The place of each entry in its row, from 0: int64 [total]."""
    return runs(np.zeros(len(lengths), np.int64), lengths)


def runs(starts, lengths):
    """starts[0], starts[0] + 1, ... as many as lengths[0], then the same of the next: int64 [total]."""
    ends = np.cumsum(lengths, dtype=np.int64)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


def sort_keys(rows, places):
    """One number for each (row, place), int64, in the order of rows and then of places."""
    return np.asarray(rows, np.int64) * ROOM + places
