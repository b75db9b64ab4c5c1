"""Gradients written out by hand, where the chain rule's own would pass over the largest tensors more often.

Not by TensorFlow's `tf.custom_gradient`: that enters every use in a table which lives as long as the process and
holds the whole graph, so that the weights of every fit would stay in memory for good.
"""

import functools

import keras

from .backend import BACKEND


def custom_gradient(backward, inputs=1):
    """Decorates `forward(x, ...)`, which gives a value and a tuple of what `backward(upstream, *kept)` needs for the
    gradient of `x`; nothing else is differentiated. With `inputs` above 1 `backward` gives a tuple: the gradients of so
    many first arguments."""
    return functools.partial(_with_gradient, backward, inputs)


if BACKEND == "tensorflow":
    import tensorflow as tf

    def _with_gradient(backward, inputs, forward):
        name = f"Bertr.{forward.__qualname__}"

        @tf.RegisterGradient(name)
        def gradient(op, upstream, *_):  # inputs are value, those to be differentiated and what was kept
            kept = op.inputs[1 + inputs:]
            given = backward(upstream, *kept)
            return [None, *([given] if inputs == 1 else given), *[None] * len(kept)]

        @functools.wraps(forward)
        def call(*args):
            value, kept = forward(*args)
            if tf.executing_eagerly():  # the chain rule does it
                return value
            with tf.compat.v1.get_default_graph().gradient_override_map({"IdentityN": name}):
                return tf.identity_n([value, *args[:inputs], *kept])[0]

        return call

    def once_there(upstream, x):
        """`x`, but only once `upstream` is there: what a gradient makes of `x` alone TensorFlow would else make on the
        way forward, and it would lie in memory until it is used."""
        with tf.control_dependencies([upstream]):
            return tf.identity(x)

else:

    def _with_gradient(backward, inputs, forward):
        @functools.wraps(forward)
        def call(*args):
            @keras.ops.custom_gradient
            def of_first(*xs):
                value, kept = forward(*xs, *args[inputs:])
                return value, lambda upstream: backward(upstream, *kept)

            return of_first(*args[:inputs])

        return call

    def once_there(upstream, x):
        return x
