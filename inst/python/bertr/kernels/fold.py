"""A loop over the first axis, in a graph whose number of steps may be open."""

from keras import ops

from .backend import BACKEND

if BACKEND == "tensorflow":
    import tensorflow as tf

    def fold(step, start, steps):
        """`ops.scan` fails in a graph where the number of steps is open."""
        return tf.foldl(step, steps, start)

else:

    def fold(step, start, steps):
        return ops.scan(lambda state, at: (step(state, at), None), start, steps)[0]
