"""Dense layers.

oneDNN's fastest product needs its weights in a blocked layout. TensorFlow caches that layout only for constants of a
graph, and a graph with constant weights takes long to build. For final weights we therefore call the fused operation
that TensorFlow would use and declare its filter constant. The blocked copy stays in memory next to the weights. It
suits about as many rows as the first call had: few rows need another layout, which is then rebuilt at every call.
"""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

from keras import ops

from . import onednn
from .activations import activation
from .backend import BACKEND

_final = contextvars.ContextVar("final", default=False)


@contextlib.contextmanager
def final_weights(final: bool) -> Iterator[None]:
    """If `final`, graphs traced in this context may cache reordered weights."""
    token = _final.set(final)
    try:
        yield
    finally:
        _final.reset(token)


def dense(x: Any, kernel: Any, bias: Any, then: str = "linear", plus: Any = None) -> Any:
    """`x @ kernel + bias` with x [..., in], kernel [in, out] and bias [out], followed by the activation named `then` or
    by adding `plus` [..., out]."""
    if _final.get() and _in_one(x, then):
        return _dense(x, kernel, bias, then, plus)
    out = activation(then)(ops.add(ops.matmul(x, kernel), bias))
    return out if plus is None else plus + out


if BACKEND == "tensorflow":
    import tensorflow as tf

    KERNEL = "_MklNativeFusedMatMul"
    ACTIVATIONS = {"linear": [], "gelu_erf": [b"GeluExact"], "gelu_tanh": [b"GeluApproximate"], "relu": [b"Relu"]}

    def can_keep_weights() -> bool:
        """Whether `final_weights` makes a difference here."""
        return onednn.has(KERNEL, ["is_filter_const"])

    def _in_one(x, then):
        return then in ACTIVATIONS and len(x.shape) == 2 and onednn.takes(x) and can_keep_weights()

    def _dense(x, kernel, bias, then, plus):  # [rows, in] -> [rows, out]
        fused = [b"BiasAdd", *ACTIVATIONS[then], *([] if plus is None else [b"Add"])]
        others = [bias] if plus is None else [bias, plus]
        value = tf.compat.v1.AttrValue
        attributes = {
            "is_filter_const": value(b=True),
            "num_args": value(i=len(others)),
            "fused_ops": value(list=value.ListValue(s=fused)),
            "_kernel": value(s=b"MklNameChangeOp"),
        }
        return onednn.operation(KERNEL, [x, kernel, *others], attributes, "dense")

else:

    def can_keep_weights() -> bool:
        return False

    def _in_one(x, then):
        return False
