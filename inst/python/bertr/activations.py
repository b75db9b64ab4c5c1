"""The activation functions BERTs have."""

import math

from keras import ops

from .gradients import written_out


def activation(name):
    """The activation function of a name in `config.ACTIVATIONS`."""
    if name == "gelu_erf":
        return gelu
    if name == "gelu_tanh":
        return lambda x: 0.5 * x * (1.0 + ops.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))
    return {"relu": ops.relu, "tanh": ops.tanh, "linear": lambda x: x}[name]


def _gelu_gradient(upstream, x, phi):
    density = ops.exp(-0.5 * ops.square(x)) * (1.0 / math.sqrt(2.0 * math.pi))
    return upstream * (phi + x * density)


@written_out(_gelu_gradient)
def gelu(x):
    """x Phi(x)."""
    phi = 0.5 * (1.0 + ops.erf(x * (1.0 / math.sqrt(2.0))))  # written out: `keras.activations.gelu` has no ONNX export
    return x * phi, (x, phi)
