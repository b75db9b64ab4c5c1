"""Gradients written out by hand, where the chain rule's own would pass over the largest tensors more often.

Not by TensorFlow's `tf.custom_gradient`: that enters every use in a table which lives as long as the process and
holds the whole graph, so that the weights of every fit would stay in memory for good.
"""

import functools

import keras


def written_out(backward):
    """Decorates `forward(x, ...)`, which gives a value and a tuple of what `backward(upstream, *kept)` needs for the
    gradient of `x`; nothing else is differentiated."""
    return functools.partial(_with_gradient, backward)


if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    def _with_gradient(backward, forward):
        name = f"Bertr.{forward.__qualname__}"

        @tf.RegisterGradient(name)
        def gradient(op, upstream, *_):  # inputs are value, x and what was kept
            return [None, backward(upstream, *op.inputs[2:]), *[None] * (len(op.inputs) - 2)]

        @functools.wraps(forward)
        def call(x, *args):
            value, kept = forward(x, *args)
            if tf.executing_eagerly():  # the chain rule does it
                return value
            with tf.compat.v1.get_default_graph().gradient_override_map({"IdentityN": name}):
                return tf.identity_n([value, x, *kept])[0]

        return call

else:

    def _with_gradient(backward, forward):
        @functools.wraps(forward)
        def call(x, *args):
            @keras.ops.custom_gradient
            def of_x(x):
                value, kept = forward(x, *args)
                return value, lambda upstream: backward(upstream, *kept)

            return of_x(x)

        return call
