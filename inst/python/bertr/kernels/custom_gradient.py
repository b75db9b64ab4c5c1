"""Custom gradients where automatic differentiation would pass over the largest tensors more often.

`tf.custom_gradient` is not used: it registers every use in a global table that holds the whole graph, so the weights of
every fit would stay in memory until the process ends.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras

from .backend import BACKEND

_plain = contextvars.ContextVar("plain", default=False)


@contextlib.contextmanager
def plain_gradients() -> Iterator[None]:
    """In this context every operation has its ordinary gradient, so that any tape differentiates it and a SavedModel
    can hold it."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def are_plain() -> bool:
    """Whether the context is `plain_gradients()`."""
    return _plain.get()


def custom_gradient(backward: Callable[..., Any], inputs: int = 1) -> Callable[[Callable], Callable]:
    """Decorator for `forward(x, ...)`, which returns a value and a tuple `saved`; `backward(upstream, *saved)` returns
    the gradient of `x`. Only `x` is differentiated, or with `inputs` > 1 the first `inputs` arguments: then `backward`
    returns a tuple of gradients."""
    return functools.partial(_with_gradient, backward, inputs)


if BACKEND == "tensorflow":
    import tensorflow as tf

    def _with_gradient(backward, inputs, forward):
        name = f"Bertr.{forward.__qualname__}"

        @tf.RegisterGradient(name)
        def gradient(op, upstream, *_):  # op.inputs: value, differentiated arguments, saved tensors
            saved = op.inputs[1 + inputs :]
            gradients = backward(upstream, *saved)
            return [None, *([gradients] if inputs == 1 else gradients), *[None] * len(saved)]

        @functools.wraps(forward)
        def call(*args):
            value, saved = forward(*args)
            if tf.executing_eagerly() or are_plain():  # differentiated automatically
                return value
            with tf.compat.v1.get_default_graph().gradient_override_map({"IdentityN": name}):
                return tf.identity_n([value, *args[:inputs], *saved])[0]

        return call

    def once_there(upstream: Any, x: Any) -> Any:
        """`x`, available only after `upstream` is computed. Otherwise TensorFlow might compute what a gradient derives
        from `x` alone during the forward pass and hold it in memory until it is used."""
        with tf.control_dependencies([upstream]):
            return tf.identity(x)

else:

    def _with_gradient(backward, inputs, forward):
        @functools.wraps(forward)
        def call(*args):
            @keras.ops.custom_gradient
            def of_first(*xs):
                value, saved = forward(*xs, *args[inputs:])
                return value, lambda upstream: backward(upstream, *saved)

            return of_first(*args[:inputs])

        return call

    def once_there(upstream: Any, x: Any) -> Any:
        return x
