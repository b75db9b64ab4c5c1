"""Conversion between padded rows `[batch, length, ...]` and packed real tokens `[tokens, ...]`.

Half of a batch of natural texts is padding; skipping it in every dense layer is the main source of speed.
XLA (JAX, GPU compilation) needs static shapes: there the rows stay padded and packing is a reshape.
"""

from typing import Any

from keras import ops

from ..kernels.backend import BACKEND
from ..kernels.custom_gradient import custom_gradient

if BACKEND == "tensorflow":
    import tensorflow as tf

MASKED = -1e9  # finite, so that a row with no real token stays finite
# Token counts are rounded up to a multiple of TILES[0], above FEW tokens of TILES[1]: oneDNN builds kernels of 0.25 to
# 0.67 MB for each distinct count and caches a thousand of them
TILES, FEW = (16, 64), 4096


def packing_for(mask: Any, dtype: str, heads: int) -> "PaddedPacking":
    """The packing for a batch with this mask, 0 / 1 [batch, length], on the current backend; `dtype` is the float type
    of what is packed."""
    cls = TensorflowPacking if BACKEND == "tensorflow" else PaddedPacking
    return cls(mask, dtype, heads)


class PaddedPacking:
    """Every position counts as a token: shapes stay static, and only the mask keeps padding out of attention."""

    def __init__(self, mask: Any, dtype: str, heads: int):
        self.batch, self.length = ops.shape(mask)
        self.heads = heads
        self.dtype = dtype
        self.mask = ops.cast(mask, "float32")  # [batch, length]
        self.key_bias = ((1.0 - self.mask) * MASKED)[:, None, None, :]  # of scores, which are float32
        self.score_bias: Any = None  # of `Embeddings.score_bias`, [1, heads, length, length]

    def positions(self) -> Any:  # [tokens]
        return ops.tile(ops.arange(self.length), (self.batch,))

    def pack(self, x: Any) -> Any:  # [batch, length, ...] -> [tokens, ...]
        return ops.reshape(x, (self.batch * self.length, *x.shape[2:]))

    def unpack(self, x: Any) -> Any:  # [tokens, ...] -> [batch, length, ...]
        return ops.reshape(x, (self.batch, self.length, *x.shape[1:]))

    def split(self, x: Any) -> Any:  # [tokens, 3 * heads * size] -> [3, batch, heads, length, size]
        x = ops.reshape(x, (self.batch, self.length, 3, self.heads, x.shape[-1] // (3 * self.heads)))
        return ops.transpose(x, (2, 0, 3, 1, 4))

    def merge(self, x: Any) -> Any:  # [batch, heads, length, size] -> [tokens, heads * size]
        x = ops.transpose(x, (0, 2, 1, 3))
        return ops.reshape(x, (self.batch * self.length, x.shape[2] * x.shape[3]))

    def first(self, x: Any) -> Any:  # [tokens, hidden] -> [batch, hidden], of the first token of each row
        return self.unpack(x)[:, 0]

    def pad(self, x: Any) -> Any:  # [tokens, hidden] -> float32 [batch, length, hidden], zero at padding
        return self.unpack(ops.cast(x, "float32")) * self.mask[:, :, None]


class TensorflowPacking(PaddedPacking):
    """Gathers real tokens, and a little padding (see TILES), with TensorFlow's dynamic shapes.

    `split` and `merge` gather per head: one pass instead of a gather and a transpose. Padding positions repeat a
    neighbouring token: as keys they are masked, and as queries `merge` drops them. The two gathers are each other's
    transpose, so each is the other's gradient, instead of the scatter that automatic differentiation would use.
    """

    def __init__(self, mask: Any, dtype: str, heads: int):
        super().__init__(mask, dtype, heads)
        taken = _filled_up(tf.reshape(tf.cast(mask, tf.int32), (-1,)))  # [batch * length]
        self.index = tf.cast(tf.where(taken)[:, 0], tf.int32)  # [tokens]: position of each token
        self.inverse = tf.maximum(tf.cumsum(taken) - 1, 0)  # [batch * length]: token at each position
        # computed once for all layers: for contexts, and for fused queries, keys and values
        self.rows_of_one, self.rows_of_three = self._head_rows(1), self._head_rows(3)
        taken = tf.tile(tf.reshape(tf.cast(taken, dtype), (self.batch, 1, self.length)), (1, heads, 1))
        self.taken = tf.reshape(taken, (-1, 1))  # [batch * heads * length, 1]

    def positions(self) -> Any:
        return self.index % self.length

    def pack(self, x: Any) -> Any:
        return tf.gather(super().pack(x), self.index)

    def split(self, x: Any) -> Any:
        size = x.shape[-1] // (3 * self.heads)
        places = _unpack(tf.reshape(x, (-1, size)), *self.rows_of_three)  # [3 * batch * heads * length, size]
        return tf.reshape(places, (3, self.batch, self.heads, self.length, size))

    def merge(self, x: Any) -> Any:
        size = x.shape[-1]
        pieces = _pack(tf.reshape(x, (-1, size)), *self.rows_of_one, self.taken)  # [tokens, 1, heads, size]
        return tf.reshape(pieces, (-1, self.heads * size))

    def _head_rows(self, parts):
        """Gather indices from [parts, batch, heads, length] to [tokens, parts, heads], and back."""
        # `expand_dims()`, unlike indexing with None, lets shape inference see one and the same token count. Without it
        # TensorFlow does not fuse the residual addition after attention into the preceding product
        row, place = (
            tf.expand_dims(tf.expand_dims(x, 1), 2) for x in (self.index // self.length, self.index % self.length)
        )
        part, head = tf.range(parts)[:, None], tf.range(self.heads)
        to_tokens = ((part * self.batch + row) * self.heads + head) * self.length + place  # [tokens, parts, heads]
        token = tf.reshape(self.inverse, (self.batch, 1, self.length))
        # [parts, batch, heads, length]
        to_heads = (token * parts + part[:, :, None, None]) * self.heads + head[:, None]
        return to_tokens, tf.reshape(to_heads, (-1,))

    def first(self, x: Any) -> Any:
        return tf.gather(x, tf.reshape(self.inverse, (self.batch, self.length))[:, 0])

    def unpack(self, x: Any) -> Any:
        return ops.reshape(_unpack(x, self.index, self.inverse), (self.batch, self.length, *x.shape[1:]))


def _filled_up(real):
    """0 / 1 [batch * length]: real tokens, plus enough padding to reach a multiple of a tile, if there is enough.

    Padding results are never read: padding is masked as a key and dropped at the end, so its gradients are zero."""
    padding = 1 - real
    count = tf.maximum(tf.reduce_sum(real), 1)  # a batch without any token gets one
    lacking = tf.math.floormod(-count, tf.where(count > FEW, TILES[1], TILES[0]))
    return real + padding * tf.cast(tf.cumsum(padding) <= lacking, tf.int32)


def _rows(x):  # [..., size] -> [rows, size]
    return tf.reshape(x, (-1, x.shape[-1]))


def _pack_gradient(upstream, inverse, taken):
    return tf.gather(_rows(upstream), inverse) * taken


@custom_gradient(_pack_gradient)
def _pack(flat, index, inverse, taken):  # [places, size] -> [tokens, 1, heads, size]
    return tf.gather(flat, index), (inverse, taken)


def _unpack_gradient(upstream, index):
    return _rows(tf.gather(upstream, index))


@custom_gradient(_unpack_gradient)
def _unpack(packed, index, inverse):  # [tokens, size] -> [places, size]; padding repeats a neighbour
    return tf.gather(packed, inverse), (index,)
