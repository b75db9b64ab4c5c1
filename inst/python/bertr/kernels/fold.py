"""A loop over the first axis, whose length may be dynamic."""

from keras import ops

from .backend import BACKEND

if BACKEND == "tensorflow":
    import tensorflow as tf

    def fold(step, start, steps):
        """Not `ops.scan`, which fails in a graph if the number of steps is dynamic."""
        return tf.foldl(step, steps, start)

else:

    def fold(step, start, steps):
        return ops.scan(lambda state, at: (step(state, at), None), start, steps)[0]
