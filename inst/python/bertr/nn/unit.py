"""Vectors scaled to length 1: for cosines, embeddings, and heads that learn from them."""

from typing import Any

import numpy as np
from keras import ops

LEAST = 1e-12  # shorter vectors are not scaled to length 1, so that one of zeros stays zero


def unit(x: Any) -> Any:
    """Rows scaled to length 1, with a finite gradient everywhere.

    Args:
        x: float tensor or array [..., width].

    Returns:
        Tensor [..., width].
    """
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=-1, keepdims=True), LEAST**2))


def unit_rows(values: np.ndarray) -> np.ndarray:
    """The same for many vectors outside of a graph, with lengths in float64.

    Args:
        values: float [rows, width].

    Returns:
        float32 [rows, width] in C order.
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64))
    out = np.empty(values.shape, np.float32)
    return np.divide(values, np.maximum(lengths, LEAST)[:, None], out=out, casting="same_kind")
