"""Attention with dropout, of which a training step keeps one number for each pair of tokens instead of two and a mark:
with long texts these are most of what it keeps."""

from keras import ops

from .custom_gradient import custom_gradient, once_there
from .dropout import kept


def _gradient(upstream, signed, value):  # [batch, heads, queries, size], [.., queries, keys], [.., keys, size]
    signed = once_there(upstream, signed)
    dropped = ops.relu(signed)
    of_value = ops.matmul(ops.transpose(dropped, (0, 1, 3, 2)), upstream)
    weighted = ops.matmul(upstream, ops.transpose(value, (0, 1, 3, 2))) * dropped
    return weighted - ops.abs(signed) * ops.sum(weighted, axis=-1, keepdims=True), of_value


@custom_gradient(_gradient, inputs=2)
def attend_dropped(scores, value, rate, seed):
    """The softmax of `scores` [batch, heads, queries, keys], of which a share `rate` is dropped, times `value`
    [batch, heads, keys, size]. The caller makes up for what is dropped: a scaled `value` would be one more copy of it
    that is kept."""
    probs = ops.softmax(scores, axis=-1)
    signed = ops.where(kept(probs, rate, seed), probs, -probs)  # the sign marks what is dropped
    return ops.matmul(ops.relu(signed), value), (signed, value)
