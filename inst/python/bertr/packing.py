"""Between padded rows `[batch, length, ...]` and real tokens only `[tokens, ...]`.

Half of a batch of natural texts is padding; leaving it out of every dense layer is where the speed comes from.
XLA (JAX, GPU compilation) needs shapes known beforehand: there the rows stay padded and packing is a reshape.
"""

import keras
from keras import ops

from .gradients import written_out
from .layers import MASKED

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

TILE = 16  # tokens: oneDNN makes a kernel for each number of them and keeps a thousand, so they come in fewer numbers


def packing_for(mask, dtype):
    """The packing of a batch with this mask, [batch, length] of 0 / 1, on the backend in use."""
    cls = TensorflowPacking if keras.backend.backend() == "tensorflow" else PaddedPacking
    return cls(mask, dtype)


class PaddedPacking:
    """Every position is a token: shapes stay static, the mask alone keeps padding out of attention."""

    def __init__(self, mask, dtype):
        self.batch, self.length = ops.shape(mask)
        self.mask = ops.cast(mask, dtype)  # [batch, length]
        self.key_bias = ((1.0 - self.mask) * MASKED)[:, None, None, :]

    def positions(self):  # [tokens]
        return ops.tile(ops.arange(self.length), (self.batch,))

    def pack(self, x):  # [batch, length, ...] -> [tokens, ...]
        return ops.reshape(x, (self.batch * self.length, *x.shape[2:]))

    def unpack(self, x):  # [tokens, ...] -> [batch, length, ...]
        return ops.reshape(x, (self.batch, self.length, *x.shape[1:]))

    def first(self, x):  # [tokens, hidden] -> [batch, hidden], of the first token of each row
        return self.unpack(x)[:, 0]

    def pad(self, x):  # [tokens, hidden] -> [batch, length, hidden], zero at padding
        return self.unpack(x) * self.mask[:, :, None]


class TensorflowPacking(PaddedPacking):
    """Gathers real tokens, and a few of padding (see TILE), by TensorFlow's dynamic shapes (no other backend has any).

    `pack` and `unpack` are each other's transpose, so each one's gradient is written as the other: two gathers
    instead of the scatter that automatic differentiation would make.
    """

    def __init__(self, mask, dtype):
        super().__init__(mask, dtype)
        taken = _filled_up(tf.reshape(tf.cast(mask, tf.int32), (-1,)))  # [batch * length]
        self.index = tf.cast(tf.where(taken)[:, 0], tf.int32)  # [tokens]: where each token lies
        self.inverse = tf.maximum(tf.cumsum(taken) - 1, 0)  # [batch * length]: which token lies there
        self.taken = tf.cast(taken, self.mask.dtype)[:, None]  # [batch * length, 1]

    def positions(self):
        return self.index % self.length

    def pack(self, x):
        flat = ops.reshape(x, (self.batch * self.length, *x.shape[2:]))
        return _pack(flat, self.index, self.inverse, self.taken if len(flat.shape) == 2 else self.taken[:, 0])

    def first(self, x):
        return tf.gather(x, tf.reshape(self.inverse, (self.batch, self.length))[:, 0])

    def unpack(self, x):
        """Padding repeats a neighbouring token: attention masks it as a key and `pack` drops it as a query."""
        return ops.reshape(_unpack(x, self.index, self.inverse), (self.batch, self.length, *x.shape[1:]))


def _filled_up(real):
    """Marks, [batch * length], of tokens: the real ones, and so many places of padding that they are a multiple of TILE
    together, as far as there are any. What is computed there is looked at by none: as a key it is masked, it is dropped
    in the end, and so its gradients are zero."""
    padding = 1 - real
    lacking = -tf.reduce_sum(real) % TILE
    return real + padding * tf.cast(tf.cumsum(padding) <= lacking, tf.int32)


def _pack_gradient(upstream, inverse, taken):
    return tf.gather(upstream, inverse) * taken


@written_out(_pack_gradient)
def _pack(flat, index, inverse, taken):  # [batch * length, ...] -> [tokens, ...]
    return tf.gather(flat, index), (inverse, taken)


def _unpack_gradient(upstream, index):
    return tf.gather(upstream, index)


@written_out(_unpack_gradient)
def _unpack(packed, index, inverse):  # [tokens, ...] -> [batch * length, ...]
    return tf.gather(packed, inverse), (index,)
