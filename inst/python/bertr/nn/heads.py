"""Heads: the layers on top of the encoder."""

from typing import Any

import keras
import numpy as np
from keras import ops

from ..kernels.dropout import dropout
from .unit import unit

SCALES = np.geomspace(1.0, 1000.0, 61)
SCALE_MEDIAN, SCALE_SD = 30.0, 2.0  # log-normal prior: few separable rows would have the highest scale
ACTIVATIONS = ("relu", "gelu", "tanh", "sigmoid", "elu", "selu", "silu", "softplus")  # of hidden layers, as in Keras


class PrototypeHead(keras.layers.Layer):
    """A linear classifier on features scaled to length 1, initialized with each class's mean feature.

    It then starts as the nearest-mean classifier (imprinted weights, Qi et al. 2018), and even the first steps move
    rows towards their class and away from the others. A random head would damage the features first.
    """

    def __init__(self, classes: int, dropout: float, initializer_range: float, seed: int, **kwargs: Any):
        super().__init__(dtype="float32", **kwargs)
        self.classes, self.rate = classes, dropout
        self.initializer = keras.initializers.TruncatedNormal(stddev=initializer_range, seed=seed)
        self.generator = keras.random.SeedGenerator(seed)

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], self.classes), initializer=self.initializer, name="kernel")
        self.bias = self.add_weight(shape=(self.classes,), initializer="zeros", name="bias")
        # not trained: the sharpness of the softmax, so that one learning rate suits kernel and encoder
        self.scale = self.add_weight(shape=(), initializer="ones", trainable=False, name="scale")
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:  # [batch, hidden] -> [batch, classes]
        x = dropout(unit(x), self.rate, self.generator, training)
        return self.scale * ops.matmul(x, self.kernel) + self.bias

    def start(self, features: np.ndarray, label_ids: np.ndarray) -> None:
        """Initializes from features [rows, hidden] and classes `label_ids` [rows]; every class has at least one row."""
        means, scale = nearest_means(ops.convert_to_numpy(unit(features)), label_ids, self.classes)
        self.kernel.assign(means.T)
        self.scale.assign(scale)
        self.bias.assign(-0.5 * scale * np.square(means).sum(axis=1))

    def start_from(self, other: "PrototypeHead", index: list[int], scale: Any, shift: Any) -> None:
        """As `DenseHead.start_from`, for classes, whose outputs keep their scale."""
        self.kernel.assign(ops.take(other.kernel, index, axis=1))
        self.bias.assign(ops.take(other.bias, index))
        self.scale.assign(other.scale)


def nearest_means(x: np.ndarray, label_ids: np.ndarray, classes: int) -> tuple[np.ndarray, float]:
    """Class means, and the maximum a posteriori scale s of softmax(-s / 2 * squared distance), from the leave-one-out
    cross-entropy and a prior.

    Args:
        x: float [rows, hidden].
        label_ids: int [rows], classes from 0.
        classes: number of classes.

    Returns:
        (float [classes, hidden], float).
    """
    counts = np.bincount(label_ids, minlength=classes)
    sums = np.zeros((classes, x.shape[1]), x.dtype)
    np.add.at(sums, label_ids, x)
    means = sums / np.maximum(counts, 1)[:, None]
    squared = np.square(x).sum(axis=1)[:, None] + np.square(means).sum(axis=1) - 2.0 * x @ means.T  # [rows, classes]
    rows, n = np.arange(len(x)), counts[label_ids]
    squared[rows, label_ids] *= np.square(n / np.maximum(n - 1, 1))  # its distance to the mean of the others
    usable = n > 1  # leave-one-out needs a second row of the class
    return means, min(
        SCALES,
        key=lambda s: (
            _cross_entropy(-0.5 * s * squared[usable], label_ids[usable])
            + 0.5 * np.square(np.log(s / SCALE_MEDIAN) / SCALE_SD)
        ),
    )


def _cross_entropy(z, label_ids):
    z = z - z.max(axis=1, keepdims=True)
    return float(np.sum(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), label_ids]))


class DenseHead(keras.layers.Layer):
    """Hidden layers, each followed by dropout, then a linear output."""

    def __init__(
        self,
        outputs: int,
        units: list[int],
        dropout: float,
        seed: int,
        activation: str = ACTIVATIONS[0],
        bias: list[float] | None = None,
        **kwargs: Any,
    ):
        """`activation`: of the hidden layers, one of ACTIVATIONS; `bias`: initial output bias, [outputs]; zeros by
        default."""
        super().__init__(dtype="float32", **kwargs)
        self.rate, self.bias = dropout, bias
        self.generator = keras.random.SeedGenerator(seed)
        self.stack = [
            keras.layers.Dense(
                n,
                function,
                kernel_initializer=keras.initializers.GlorotUniform(seed + 1 + i),
                name=f"dense_{i}",
                dtype=self.dtype_policy,
            )
            for i, (n, function) in enumerate([*((n, activation) for n in units), (outputs, None)])
        ]

    def build(self, shape: tuple[int | None, ...]) -> None:
        width = shape[-1]
        for layer in self.stack:
            layer.build((None, width))
            width = layer.units
        if self.bias is not None:
            self.stack[-1].bias.assign(self.bias)
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:  # [..., hidden] -> [..., outputs]
        for layer in self.stack[:-1]:
            x = dropout(layer(x), self.rate, self.generator, training)
        return self.stack[-1](x)

    def start_from(self, other: "DenseHead", index: list[int], scale: Any, shift: Any) -> None:
        """Takes the weights of another head with the same hidden layers.

        Args:
            other: a head of the same class.
            index: for each output the number of the other head's output that it starts as.
            scale, shift: what that output is multiplied by, and what is then added; numbers, or float [outputs].
        """
        for layer, theirs in zip(self.stack[:-1], other.stack[:-1], strict=True):
            layer.set_weights(theirs.get_weights())
        kernel, bias = other.stack[-1].get_weights()
        self.stack[-1].set_weights([kernel[:, index] * scale, bias[index] * scale + shift])


class RegressionHead(DenseHead):
    """Without hidden layers it is like BERT's original heads: dropout, then an output with small initial weights. Large
    ones would damage the features first."""

    def __init__(
        self, outputs: int, units: list[int], dropout: float, seed: int, initializer_range: float, **kwargs: Any
    ):
        super().__init__(outputs, units, dropout, seed, **kwargs)
        if not units:
            start = keras.initializers.TruncatedNormal(stddev=initializer_range, seed=seed + 1)
            self.stack[-1].kernel_initializer = start

    def call(self, x: Any, training: bool = False) -> Any:
        if len(self.stack) == 1:
            x = dropout(x, self.rate, self.generator, training)
        return super().call(x, training=training)


class CosineHead(keras.layers.Layer):
    """One number from two vectors: their cosine, scaled and shifted. Initialized by linear regression on the untrained
    encoder's cosines (as in Sentence-BERT, Reimers & Gurevych 2019, but in the units of the outcome)."""

    def __init__(self, **kwargs: Any):
        super().__init__(dtype="float32", **kwargs)

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.slope = self.add_weight(shape=(), initializer="ones", name="slope")
        self.bias = self.add_weight(shape=(), initializer="zeros", name="bias")
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:  # [batch, 2 * hidden] -> [batch, 1]
        return self.slope * self.cosine(x) + self.bias

    def cosine(self, x: Any) -> Any:
        """The cosine of both vectors: [batch, 2 * hidden] -> [batch, 1]."""
        a, b = ops.split(x, 2, axis=-1)
        return ops.sum(unit(a) * unit(b), axis=-1, keepdims=True)

    def start(self, features: np.ndarray, targets: np.ndarray) -> None:
        """Initializes from features [rows, 2 * hidden] and targets [rows, 1]."""
        cosine = ops.convert_to_numpy(self.cosine(features))[:, 0].astype(np.float64)
        y = targets[:, 0]
        varies = cosine.std() > 1e-6
        slope = float(np.cov(cosine, y, bias=True)[0, 1] / cosine.var()) if varies else 1.0
        self.slope.assign(slope)
        self.bias.assign(float(y.mean() - slope * cosine.mean()))
