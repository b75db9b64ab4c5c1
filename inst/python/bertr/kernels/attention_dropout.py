"""Attention with dropout that stores one number per pair of tokens for the backward pass, instead of two and a mask.
With long texts these dominate the memory of a training step."""

from typing import Any

from keras import ops

from .custom_gradient import custom_gradient, once_there
from .dropout import kept


def _gradient(upstream, signed, value):  # [batch, heads, queries, size], [.., queries, keys], [.., keys, size]
    signed = once_there(upstream, signed)
    dropped = ops.relu(signed)
    of_value = ops.matmul(ops.transpose(dropped, (0, 1, 3, 2)), upstream)
    of_dropped = ops.matmul(upstream, ops.transpose(value, (0, 1, 3, 2)))
    signed, dropped, of_dropped = (ops.cast(x, "float32") for x in (signed, dropped, of_dropped))
    weighted = of_dropped * dropped
    return weighted - ops.abs(signed) * ops.sum(weighted, axis=-1, keepdims=True), of_value


@custom_gradient(_gradient, inputs=2)
def attend_dropped(scores: Any, value: Any, rate: float, seed: Any) -> Any:
    """Softmax of `scores`, float32 [batch, heads, queries, keys], with a share `rate` dropped, times `value` [batch,
    heads, keys, size] of any float type. The caller rescales by 1 / (1 - rate): a scaled `value` in here would be
    stored as another copy."""
    probs = ops.cast(ops.softmax(scores, axis=-1), value.dtype)
    signed = ops.where(kept(probs, rate, seed), probs, -probs)  # a negative sign marks dropped entries
    return ops.matmul(ops.relu(signed), value), (signed, value)
