"""LayerNorm (Ba, Kiros and Hinton 2016): the last axis with mean 0 and variance 1, scaled and shifted.

oneDNN has in one kernel what takes TensorFlow seven operations, each a pass over memory. It keeps nothing of what a
gradient needs, so it is for scoring: in training, working that out once more takes all that the kernel saves.
"""

from keras import ops

from . import onednn
from .backend import BACKEND
from .custom_gradient import custom_gradient


def _unscaled_gradient(upstream, normal, inverse):
    mean, slope = (ops.mean(v, axis=-1, keepdims=True) for v in (upstream, upstream * normal))
    return inverse * (upstream - mean - normal * slope)


def _normal(x, eps):
    """`x` with mean 0 and variance 1, and 1 by its deviation; the variance is the biased one, as in every BERT."""
    centred = x - ops.mean(x, axis=-1, keepdims=True)
    inverse = ops.rsqrt(ops.mean(ops.square(centred), axis=-1, keepdims=True) + eps)
    return centred * inverse, inverse


@custom_gradient(_unscaled_gradient)
def _normalise(x, eps):
    normal, inverse = _normal(x, eps)
    return normal, (normal, inverse)


def layer_norm(x, gamma, beta, eps, training):
    """`x` [..., hidden] normalised, times `gamma` plus `beta`, both [hidden]. `training` tells which way is the faster
    one: both give the same, and the same gradients."""
    if not training and _in_one(x):
        return _layer_norm(x, gamma, beta, eps)
    return _normalise(x, eps) * gamma + beta


if BACKEND == "tensorflow":
    import tensorflow as tf

    # TensorFlow's own optimiser puts it in the place of LayerNorms in forms that it knows, of which ours is none
    KERNEL = "_MklLayerNorm"

    def _in_one(x):
        return len(x.shape) in (2, 3) and onednn.takes(x) and onednn.has(KERNEL)

    def _gradient(upstream, x, gamma, eps):
        normal, inverse = _normal(x, eps)
        down = tuple(range(len(x.shape) - 1))
        return (_unscaled_gradient(upstream * gamma, normal, inverse), ops.sum(upstream * normal, axis=down),
                ops.sum(upstream, axis=down))

    @custom_gradient(_gradient, inputs=3)
    def _layer_norm(x, gamma, beta, eps):
        attributes = {"epsilon": tf.compat.v1.AttrValue(f=eps)}
        out = onednn.operation(KERNEL, [x, gamma, beta], attributes, "layer_norm")
        return out, (x, gamma, eps)

else:

    def _in_one(x):
        return False
