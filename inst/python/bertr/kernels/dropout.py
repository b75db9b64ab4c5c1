"""Dropout (Srivastava et al. 2014); the same seed gives the same zeros in every session."""

import keras
from keras import ops

from .backend import BACKEND


def dropout(x, rate, generator, training):
    """`x` with a share `rate` of its numbers zero and the others larger. The layer that owns `generator` has it as an
    attribute, so that Keras carries its state along."""
    if not training or rate == 0:
        return x
    return ops.where(kept(x, rate, generator.next()), x * (1.0 / (1.0 - rate)), ops.zeros((), x.dtype))


if BACKEND == "tensorflow":
    import tensorflow as tf

    def kept(x, rate, seed):
        """Which numbers of `x` stay. 16 random bits a number instead of 32, the rate to within 1e-5: half of what
        random numbers cost."""
        seed = tf.cast(seed, tf.int64)  # in older Keras it is of a type that TensorFlow does not take
        size = tf.size(x)
        bits = tf.random.stateless_uniform([(size + 1) // 2], seed, minval=None, maxval=None, dtype=tf.uint32)
        bits = tf.reshape(tf.reshape(tf.bitcast(bits, tf.uint16), [-1])[:size], tf.shape(x))
        return bits >= tf.constant(round(rate * 2**16), tf.uint16)

else:

    def kept(x, rate, seed):
        return keras.random.uniform(ops.shape(x), seed=seed) >= rate
