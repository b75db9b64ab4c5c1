"""Dense layers.

oneDNN's fastest product wants its weights laid out in blocks. TensorFlow lets it have them so only where they are part
of the graph, since what it makes of them at the first call it keeps: such a graph takes long to make. Where weights are
known to be final we call the operation that TensorFlow would then, and tell it so. The blocks lie in memory beside the
weights, and serve about as many rows as the first call had: few rows want other ones, which are made each time.
"""

import contextlib
import contextvars

from keras import ops

from . import onednn
from .activations import activation
from .backend import BACKEND

_final = contextvars.ContextVar("final", default=False)


@contextlib.contextmanager
def final_weights(final):
    """If they are final, a graph traced in here may keep what it makes of them."""
    token = _final.set(final)
    try:
        yield
    finally:
        _final.reset(token)


def dense(x, kernel, bias, then="linear", plus=None):
    """`x @ kernel + bias`, x [..., in], kernel [in, out], bias [out]; then an activation by its name, or the sum with
    `plus` [..., out]."""
    if _final.get() and _in_one(x, then):
        return _dense(x, kernel, bias, then, plus)
    out = activation(then)(ops.add(ops.matmul(x, kernel), bias))
    return out if plus is None else plus + out


if BACKEND == "tensorflow":
    import tensorflow as tf

    KERNEL = "_MklNativeFusedMatMul"
    ACTIVATIONS = {"linear": [], "gelu_erf": [b"GeluExact"], "gelu_tanh": [b"GeluApproximate"], "relu": [b"Relu"]}

    def can_keep_weights():
        """Whether graphs of final weights are different ones here."""
        return onednn.has(KERNEL, ["is_filter_const"])

    def _in_one(x, then):
        return then in ACTIVATIONS and len(x.shape) == 2 and onednn.takes(x) and can_keep_weights()

    def _dense(x, kernel, bias, then, plus):  # [rows, in] -> [rows, out]
        fused = [b"BiasAdd", *ACTIVATIONS[then], *([] if plus is None else [b"Add"])]
        others = [bias] if plus is None else [bias, plus]
        value = tf.compat.v1.AttrValue
        attributes = {"is_filter_const": value(b=True), "num_args": value(i=len(others)),
                      "fused_ops": value(list=value.ListValue(s=fused)), "_kernel": value(s=b"MklNameChangeOp")}
        return onednn.operation(KERNEL, [x, kernel, *others], attributes, "dense")

else:

    def can_keep_weights():
        return False

    def _in_one(x, then):
        return False
