"""Pads arrays to one of a few lengths, where each shape is compiled separately."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .backend import BACKEND

# Lengths are rounded up to one of these, longer ones to a multiple of LONG: six graphs up to 512 tokens. A graph of
# BERT-base takes many seconds to compile, more than most fits gain from less padding
SHORT, LONG = np.array([32, 64, 128, 256]), 128


def bucketed(lengths: Any) -> Any:
    """Lengths after padding to a bucket.

    Args:
        lengths: an int, or int [rows].

    Returns:
        The same, rounded up to one of few numbers if the backend compiles each shape.
    """
    if BACKEND == "tensorflow":
        return lengths
    short = SHORT[np.minimum(np.searchsorted(SHORT, lengths), len(SHORT) - 1)]
    return np.where(lengths <= SHORT[-1], short, -(-lengths // LONG) * LONG)


def static_shapes(arrays: Sequence[np.ndarray], rows: int) -> Sequence[np.ndarray]:
    """Arrays padded to a bucketed length and to `rows` rows if the backend compiles each shape.

    Args:
        arrays: ids, segments and mask, [batch, length] each.
        rows: the least number of rows of the result.

    Returns:
        The arrays, padded with zeros: [at least `rows`, bucketed length] each.
    """
    if BACKEND == "tensorflow":
        return arrays
    length = int(bucketed(arrays[0].shape[1]))
    out = []
    for a in arrays:
        padded = np.zeros((max(rows, len(a)), length), a.dtype)
        padded[: a.shape[0], : a.shape[1]] = a
        out.append(padded)
    return tuple(out)
