"""Attention with dropout against torch's chain rule, and what a training step keeps in memory."""

import numpy as np
import tensorflow as tf
import torch
from memory import most_during

from bertr.kernels.attention_dropout import attend_dropped
from bertr.kernels.dropout import kept

RATE, SEED = 0.3, np.array([7, 11], np.uint32)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


SCORES, VALUE, WEIGHTS = numbers(2, 3, 5, 7) * 3, numbers(2, 3, 7, 4, seed=1), numbers(2, 3, 5, 4, seed=2)


def torchs(stay):
    """The context and the gradients of its weighted sum, of scores and value."""
    scores, value = (torch.tensor(x, requires_grad=True) for x in (SCORES, VALUE))
    context = (torch.softmax(scores, -1) * torch.tensor(stay)) @ value
    (context * torch.tensor(WEIGHTS)).sum().backward()
    return context.detach().numpy(), scores.grad.numpy(), value.grad.numpy()


def test_what_is_dropped_and_its_gradient_are_torchs():
    @tf.function(autograph=False)
    def ours(scores, value):
        context = attend_dropped(scores, value, RATE, SEED)
        return context, *tf.gradients(tf.reduce_sum(context * WEIGHTS), [scores, value])

    stay = np.asarray(kept(tf.constant(SCORES), RATE, SEED))
    assert 0.6 < stay.mean() < 0.8
    for a, b in zip(ours(tf.constant(SCORES), tf.constant(VALUE)), torchs(stay), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


ON_JAX = """
import jax, keras, numpy as np
from bertr.kernels.attention_dropout import attend_dropped
from bertr.kernels.dropout import kept
scores, value, weights = (np.array(x, "f") for x in values)
seed = keras.random.SeedGenerator(7).next()
of = lambda s, v: (attend_dropped(s, v, 0.3, seed) * weights).sum()
out = [kept(scores, 0.3, seed), attend_dropped(scores, value, 0.3, seed), *jax.grad(of, (0, 1))(scores, value)]
out = [np.asarray(x).tolist() for x in out]
"""


def test_the_same_on_jax(on_jax):
    stay, *ours = map(np.array, on_jax(ON_JAX, *(x.tolist() for x in (SCORES, VALUE, WEIGHTS))))
    assert 0.6 < stay.mean() < 0.8
    for a, b in zip(ours, torchs(stay), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_step_keeps_one_number_a_pair_of_tokens():
    """Bytes per pair of tokens in each of ten layers; automatic differentiation would store nine (two floats and a
    mask)."""
    layers, length = 10, 512

    @tf.function(autograph=False)
    def gradient(value):
        x = value  # [1, heads, length, size]
        for i in range(layers):
            x = attend_dropped(tf.matmul(x, x, transpose_b=True), x, RATE, SEED + np.uint32(i))
        return tf.gradients(tf.reduce_sum(x), value)[0]

    value = tf.constant(numbers(1, 4, length, 8))
    gradient(value)
    pairs = 4 * length**2
    assert most_during(lambda: gradient(value)) / pairs < (4 + 2) * layers
