"""Activation functions of BERT checkpoints."""

import math
from collections.abc import Callable
from typing import Any

from keras import ops

from .custom_gradient import custom_gradient


def activation(name: str) -> Callable[[Any], Any]:
    """The function for a name that is a value of `checkpoints.config.ACTIVATIONS`."""
    return gelu if name == "gelu_erf" else _OTHERS[name]


# As in transformers' `activations.py`
_OTHERS = {
    "gelu_tanh": lambda x: 0.5 * x * (1.0 + ops.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x))),
    "relu": ops.relu,
    "tanh": ops.tanh,
    "linear": lambda x: x,
    "gelu_10": lambda x: ops.clip(gelu(x), -10.0, 10.0),
    "hardswish": ops.hard_silu,
    "laplace": lambda x: 0.5 * (1.0 + ops.erf((x - 0.707107) / (0.282095 * math.sqrt(2.0)))),
    "leaky_relu": lambda x: ops.leaky_relu(x, 0.01),
    "mish": lambda x: x * ops.tanh(ops.softplus(x)),
    "quick_gelu": lambda x: x * ops.sigmoid(1.702 * x),
    "relu2": lambda x: ops.square(ops.relu(x)),
    "relu6": ops.relu6,
    "sigmoid": ops.sigmoid,
    "silu": ops.silu,
    "sqrtsoftplus": lambda x: ops.sqrt(ops.softplus(x)),
}


def _gelu_gradient(upstream, x, phi):
    density = ops.exp(-0.5 * ops.square(x)) * (1.0 / math.sqrt(2.0 * math.pi))
    return upstream * (phi + x * density)


@custom_gradient(_gelu_gradient)
def gelu(x: Any) -> Any:
    """x Phi(x)."""
    wide = ops.cast(x, "float32")  # in half precision 1 + erf(x) would cancel
    phi = 0.5 * (1.0 + ops.erf(wide * (1.0 / math.sqrt(2.0))))  # explicit: `keras.activations.gelu` has no ONNX export
    return ops.cast(wide * phi, x.dtype), (x, ops.cast(phi, x.dtype))
