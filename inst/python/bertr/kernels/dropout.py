"""Dropout (Srivastava et al. 2014), reproducible across sessions for the same seed."""

from typing import Any

import keras
from keras import ops

from .backend import BACKEND


def dropout(x: Any, rate: float, generator: Any, training: bool) -> Any:
    """`x` with a share `rate` of its entries set to zero and the others scaled by 1 / (1 - rate). `generator` must be
    an attribute of the calling layer, so that Keras tracks its state."""
    if not training or rate == 0:
        return x
    return ops.where(kept(x, rate, generator.next()), x * (1.0 / (1.0 - rate)), ops.zeros((), x.dtype))


if BACKEND == "tensorflow":
    import tensorflow as tf

    def kept(x: Any, rate: float, seed: Any) -> Any:
        """Bool, shape of `x`: which entries stay. 16 random bits per entry instead of 32 halve the cost; the rate is
        accurate to 1e-5."""
        seed = tf.cast(seed, tf.int64)  # older Keras versions use a dtype that TensorFlow rejects
        size = tf.size(x)
        words = [(size + 1) // 2]
        # None for all integers of the dtype, which TensorFlow's types do not know
        bits = tf.random.stateless_uniform(words, seed, minval=None, maxval=None, dtype=tf.uint32)  # pyright: ignore[reportArgumentType]
        bits = tf.reshape(tf.reshape(tf.bitcast(bits, tf.uint16), [-1])[:size], tf.shape(x))
        return bits >= tf.constant(round(rate * 2**16), tf.uint16)

else:

    def kept(x: Any, rate: float, seed: Any) -> Any:
        return keras.random.uniform(ops.shape(x), seed=seed) >= rate
