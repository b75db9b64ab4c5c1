"""Cosine similarities of many vectors: all pairs, or the highest per row, computed in blocks."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

CELLS = 2**24  # similarities in memory at once: 64 MB


def both(
    x: list[np.ndarray],
    x_rows: Sequence[int] | np.ndarray,
    y: list[np.ndarray] | None,
    y_rows: Sequence[int] | np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """The selected vectors of both sides.

    Args:
        x, y: lists of float32 blocks [rows, width], which are concatenated in place; y None: the same as x.
        x_rows, y_rows: int, rows to select, from 0. y_rows is None if y is.

    Returns:
        (float32 [rows of x, width], float32 [rows of y, width]).
    """
    left = _rows(x, x_rows)
    return left, left if y is None else _rows(y, y_rows)


def _rows(blocks, rows):
    if len(blocks) > 1:
        blocks[:] = [np.concatenate(blocks)]
    every = len(rows) == len(blocks[0]) and np.array_equal(rows, np.arange(len(rows)))
    return blocks[0] if every else blocks[0][np.asarray(rows)]


def cosines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cosine similarities of all pairs.

    Args:
        x, y: float32 [rows, width], unit vectors.

    Returns:
        float32 [rows of x, rows of y].
    """
    return np.clip(x @ y.T, -1.0, 1.0)


def nearest(
    x: np.ndarray, y: np.ndarray, k: int, itself: bool, progress: Callable[[int], Any]
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` rows of `y` with the highest similarities, for each row of `x`; ties in the order of `y`.

    Args:
        x, y: float32 [rows, width], unit vectors.
        k: int.
        itself: whether `y` is `x`; then no row matches itself.
        progress: a function of the number of rows done.

    Returns:
        (places int32, similarities float32), both [rows of x, k], best first.
    """
    distinct, which = _distinct(y)
    across = ops.convert_to_tensor(np.ascontiguousarray(distinct.T))  # [width, distinct rows]
    places, similarities = np.empty((len(x), k), np.int32), np.empty((len(x), k), np.float32)
    size = max(1, CELLS // len(y))
    for start in range(0, len(x), size):
        block = slice(start, min(start + size, len(x)))
        scores = ops.matmul(x[block], across)
        if which is not None:
            scores = ops.take(scores, which, axis=1)  # [block, rows of y]
        found = ops.top_k(scores, k + itself)  # ties: the first, on every backend
        values, at = (ops.convert_to_numpy(v) for v in found)
        if itself:
            others = _others(at, np.arange(block.start, block.stop))
            values, at = (v[others].reshape(-1, k) for v in (values, at))
        places[block], similarities[block] = at, np.clip(values, -1.0, 1.0)
        progress(block.stop)
    return places, similarities


def _distinct(y):
    """(distinct rows of `y`, index of each row among them, or None if all are distinct).

    Matrix products may round equal rows differently at different positions; this way equal rows get equal scores."""
    whole = np.ascontiguousarray(y).view(np.dtype((np.void, y.itemsize * y.shape[1])))[:, 0]
    _, first, which = np.unique(whole, return_index=True, return_inverse=True)
    return (y, None) if len(first) == len(y) else (y[first], which.reshape(-1))


def _others(at, own):
    """Bool [rows, k + 1]: entries of `at` that are not the row itself, or all but the last if it is not among them."""
    is_own = at == own[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    return ~is_own
