"""LayerNorm (Ba, Kiros and Hinton 2016): the last axis with mean 0 and variance 1, scaled and shifted.

oneDNN has one kernel for what takes TensorFlow seven operations, each a pass over memory. The kernel saves nothing for
the gradient, so it is used for scoring only: in training, recomputing those values would cost as much as it gains.
"""

from typing import Any

from keras import ops

from . import onednn
from .backend import BACKEND
from .custom_gradient import custom_gradient


def _unscaled_gradient(upstream, normal, inverse):
    mean, slope = (ops.mean(v, axis=-1, keepdims=True) for v in (upstream, upstream * normal))
    return inverse * (upstream - mean - normal * slope)


def _normal(x, eps):
    """`x` with mean 0 and variance 1, and its inverse standard deviation; the variance is biased, as in every BERT."""
    centred = x - ops.mean(x, axis=-1, keepdims=True)
    inverse = ops.rsqrt(ops.mean(ops.square(centred), axis=-1, keepdims=True) + eps)
    return centred * inverse, inverse


@custom_gradient(_unscaled_gradient)
def _normalise(x, eps):
    normal, inverse = _normal(x, eps)
    return normal, (normal, inverse)


def layer_norm(x: Any, gamma: Any, beta: Any, eps: float, training: bool) -> Any:
    """Normalised `x` [..., hidden] times `gamma` plus `beta`, both [hidden]. `training` only selects the faster of two
    implementations with the same results and gradients."""
    if not training and _in_one(x):
        return _layer_norm(x, gamma, beta, eps)
    if x.dtype != "float32":  # half precision: squares overflow in float16, and it has no number as small as eps
        return ops.cast(_normalise(ops.cast(x, "float32"), eps), x.dtype) * gamma + beta
    return _normalise(x, eps) * gamma + beta


if BACKEND == "tensorflow":
    import tensorflow as tf

    # TensorFlow's graph optimizer inserts it for certain LayerNorm patterns; ours is not among them
    KERNEL = "_MklLayerNorm"

    def _in_one(x):
        return len(x.shape) in (2, 3) and onednn.takes(x) and onednn.has(KERNEL)

    def _gradient(upstream, x, gamma, eps):
        normal, inverse = _normal(x, eps)
        down = tuple(range(len(x.shape) - 1))
        return (
            _unscaled_gradient(upstream * gamma, normal, inverse),
            ops.sum(upstream * normal, axis=down),
            ops.sum(upstream, axis=down),
        )

    @custom_gradient(_gradient, inputs=3)
    def _layer_norm(x, gamma, beta, eps):
        attributes = {"epsilon": tf.compat.v1.AttrValue(f=eps)}
        out = onednn.operation(KERNEL, [x, gamma, beta], attributes, "layer_norm")
        return out, (x, gamma, eps)

else:

    def _in_one(x):
        return False
