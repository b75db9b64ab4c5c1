"""The heads: the prototype start against brute force, the dense stack against numpy."""

import math

import numpy as np
import pytest
import scipy.stats

from bertr.nn.heads import ACTIVATIONS, SCALES, DenseHead, PrototypeHead, RegressionHead, nearest_means


@pytest.fixture
def clusters():
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(4, 16))
    codes = np.repeat(np.arange(4), [3, 5, 2, 6])
    x = centres[codes] + 0.7 * rng.normal(size=(16, 16))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), codes


def test_means_and_scale_by_brute_force(clusters):
    x, codes = clusters
    means, scale = nearest_means(x, codes, 4)
    np.testing.assert_allclose(means, [x[codes == k].mean(axis=0) for k in range(4)], atol=1e-6)
    losses = []
    for s in SCALES:
        total = -scipy.stats.norm.logpdf(np.log(s), np.log(30.0), 2.0)
        for i in range(len(x)):  # leave row i out of its class's mean
            others = np.arange(len(x)) != i
            z = [
                -0.5 * s * np.square(x[i] - x[others & (codes == k)].mean(axis=0)).sum()
                if k == codes[i]
                else -0.5 * s * np.square(x[i] - means[k]).sum()
                for k in range(4)
            ]
            total += np.log(np.exp(z).sum()) - z[codes[i]]
        losses.append(total)
    assert scale == SCALES[int(np.argmin(losses))]
    assert SCALES[0] < scale < SCALES[-1]


def test_a_class_of_one_row_is_allowed():
    x = np.eye(3, dtype=np.float32)
    means, scale = nearest_means(x, np.arange(3), 3)
    assert np.array_equal(means, x) and abs(np.log(scale / 30.0)) < 0.06  # the prior's median, nearest in the grid


def test_few_separable_rows_are_not_certain():
    """The likelihood alone has the highest scale of all; many rows outweigh the prior."""
    codes = np.repeat([0, 1, 2], 4)
    x = np.eye(16, dtype=np.float32)[15] + 0.3 * np.eye(16, dtype=np.float32)[codes]
    x[np.arange(12), 3 + np.arange(12) % 4] = 0.1
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    scales = [nearest_means(np.tile(x, (n, 1)), np.tile(codes, n), 3)[1] for n in (1, 10, 1000)]
    assert 25.0 < scales[0] < 100.0 and scales[0] < scales[1] < scales[2]


def test_started_head_is_the_nearest_mean_classifier(clusters):
    x, codes = clusters
    head = PrototypeHead(4, 0.1, 0.02, seed=0)
    head.build((None, 16))
    head.start(3.0 * x, codes)
    z = np.asarray(head(3.0 * x))
    means, scale = nearest_means(x, codes, 4)
    distances = np.square(x[:, None] - means).sum(axis=2)
    expected = -0.5 * scale * distances
    np.testing.assert_allclose(z - z[:, :1], expected - expected[:, :1], atol=1e-3)


ELU = 1.6732632423543772  # alpha of SELU, and its scale (Klambauer et al. 2017)
SCALE = 1.0507009873554805
BY_HAND = {
    "relu": lambda x: np.maximum(0, x),
    "gelu": lambda x: x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "selu": lambda x: SCALE * np.where(x > 0, x, ELU * (np.exp(x) - 1)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "softplus": lambda x: np.log(1 + np.exp(x)),
}


def test_every_activation_is_computed_by_hand():
    assert set(BY_HAND) == set(ACTIVATIONS)


@pytest.mark.parametrize("activation", BY_HAND)
def test_dense_head_by_hand(activation):
    head = DenseHead(3, (5, 4), 0.5, seed=2, activation=activation)
    head.build((None, 6))
    x = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    h = x
    for layer in head.stack[:2]:
        h = BY_HAND[activation](h @ np.asarray(layer.kernel) + np.asarray(layer.bias))
    expected = h @ np.asarray(head.stack[2].kernel) + np.asarray(head.stack[2].bias)
    np.testing.assert_allclose(np.asarray(head(x)), expected, atol=1e-5)
    assert not np.allclose(np.asarray(head(x, training=True)), expected)


def test_regression_head_is_berts_own():
    head = RegressionHead(40, (), 0.5, seed=2, initializer_range=0.02)
    head.build((None, 60))
    kernel = np.asarray(head.stack[0].kernel)
    assert abs(kernel.std() - 0.88 * 0.02) < 0.001 and abs(kernel).max() <= 0.04001  # normal, cut at two deviations
    x = np.ones((500, 60), np.float32)
    np.testing.assert_allclose(np.asarray(head(x)), x @ kernel, atol=1e-5)
    dropped = np.asarray(head(x, training=True))
    assert not np.allclose(dropped, x @ kernel)
    np.testing.assert_allclose(dropped.mean(axis=0), kernel.sum(axis=0), atol=5 * 0.02 * np.sqrt(60 / 500))
