"""Rows of different lengths, concatenated in a flat array."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

ROOM = np.int64(2**32)  # larger than any row length


def splits(lengths: np.ndarray) -> np.ndarray:
    """Row boundaries, starts and the last end: int64 [n + 1]."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def row_numbers(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """The row of each entry: int64 [total]."""
    return np.repeat(np.arange(len(lengths)), lengths)


def positions(lengths: np.ndarray) -> np.ndarray:
    """The position of each entry in its row, from 0: int64 [total]."""
    return runs(np.zeros(len(lengths), np.int64), lengths)


def runs(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Concatenated ranges starts[i], starts[i] + 1, ... of lengths[i] entries: int64 [total]."""
    ends = np.cumsum(lengths, dtype=np.int64)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


def row_bytes(values: np.ndarray, lengths: np.ndarray) -> list[bytes]:
    """The bytes of each row of `values`, contiguous [total, ...]."""
    data, bounds = values.tobytes(), (splits(lengths) * values.strides[0]).tolist()
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


def sort_keys(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """One int64 key per (row, place) that sorts by row, then by place."""
    return np.asarray(rows, np.int64) * ROOM + places


def alike(lengths: np.ndarray, room: int) -> Iterator[np.ndarray]:
    """The numbers of all rows, the longest first, in groups that have at most `room` entries if padded, or one row."""
    order, at = np.argsort(-lengths, kind="stable"), 0
    while at < len(order):
        longest = max(1, int(lengths[order[at]]))
        group = order[at : at + max(1, room // longest)]
        at += len(group)
        yield group
