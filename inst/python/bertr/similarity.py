"""Cosine similarities of many vectors: all of them, or for each row the highest, found a block at a time."""

import numpy as np
from keras import ops

CELLS = 2**24  # similarities in memory at once: 64 MB


def unit(values):
    """Rows scaled to length 1, float32 [rows, width] in C order; a row of zeros stays so."""
    lengths = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64))
    out = np.empty(values.shape, np.float32)
    return np.divide(values, np.maximum(lengths, 1e-12)[:, None], out=out, casting="same_kind")


def both(x, x_rows, y, y_rows):
    """The vectors [rows, width] of both sides, from lists of blocks of vectors and the rows of them that are meant;
    without `y` the same twice."""
    left = _rows(x, x_rows)
    return left, left if y is None else _rows(y, y_rows)


def _rows(blocks, rows):
    if len(blocks) > 1:
        blocks[:] = [np.concatenate(blocks)]
    every = len(rows) == len(blocks[0]) and np.array_equal(rows, np.arange(len(rows)))
    return blocks[0] if every else blocks[0][np.asarray(rows)]


def cosines(x, y):
    """Of every row of `x` with every row of `y`, [rows of x, rows of y]."""
    return np.clip(x @ y.T, -1.0, 1.0)


def nearest(x, y, k, itself, progress):
    """For each row of `x` the `k` rows of `y` with the highest similarities, equal ones in their order: places int32
    and similarities, both [rows of x, k]. `itself`: `y` is `x`, and no row is its own match."""
    distinct, which = _distinct(y)
    across = ops.convert_to_tensor(np.ascontiguousarray(distinct.T))  # [width, distinct rows]
    places, similarities = np.empty((len(x), k), np.int32), np.empty((len(x), k), np.float32)
    size = max(1, CELLS // len(y))
    for start in range(0, len(x), size):
        block = slice(start, min(start + size, len(x)))
        scores = ops.matmul(x[block], across)
        if which is not None:
            scores = ops.take(scores, which, axis=1)  # [block, rows of y]
        found = ops.top_k(scores, k + itself)  # of equal scores the first, on every backend
        values, at = (ops.convert_to_numpy(v) for v in found)
        if itself:
            kept = _others(at, np.arange(block.start, block.stop))
            values, at = (v[kept].reshape(-1, k) for v in (values, at))
        places[block], similarities[block] = at, np.clip(values, -1.0, 1.0)
        progress(block.stop)
    return places, similarities


def _distinct(y):
    """The distinct rows of `y`, and which of them each row is; None where no row comes twice.

    Matrix products round the same row differently from place to place: only so do equal rows get equal scores."""
    whole = np.ascontiguousarray(y).view(np.dtype((np.void, y.itemsize * y.shape[1])))[:, 0]
    _, first, which = np.unique(whole, return_index=True, return_inverse=True)
    return (y, None) if len(first) == len(y) else (y[first], which.reshape(-1))


def _others(at, own):
    """Where in `at` [rows, k + 1] stands another row than one's `own`; the last is left out if own is not there."""
    mine = at == own[:, None]
    mine[~mine.any(axis=1), -1] = True
    return ~mine
