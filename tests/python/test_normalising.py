"""Both implementations of LayerNorm against torch's."""

import numpy as np
import pytest
import tensorflow as tf
import torch

from bertr.kernels import layer_norm, onednn

EPS = 1e-12
WAYS = pytest.mark.parametrize("training", [True, False])
SHAPES = pytest.mark.parametrize("shape", [(7, 24), (3, 5, 24), (1, 8), (5, 33)])


def _drawn(shape):
    draw = np.random.default_rng(1).normal
    x, gamma, beta = (draw(size=s).astype(np.float32) for s in (shape, shape[-1:], shape[-1:]))
    return x * 3 + 5, gamma, beta


def _graph(training, gradients_for=None):
    def call(x, gamma, beta):
        out = layer_norm.layer_norm(x, gamma, beta, EPS, training)
        if gradients_for is None:
            return out
        return tf.gradients(tf.reduce_sum(out * gradients_for), (x, gamma, beta))

    return tf.function(call, autograph=False)


def _torch(x, gamma, beta):
    return torch.nn.functional.layer_norm(x, gamma.shape, gamma, beta, EPS)


@WAYS
@SHAPES
def test_values_are_torchs(shape, training):
    drawn = _drawn(shape)
    expected = _torch(*map(torch.tensor, drawn))
    np.testing.assert_allclose(_graph(training)(*drawn), expected, atol=1e-5)
    np.testing.assert_allclose(layer_norm.layer_norm(*drawn, EPS, training), expected, atol=1e-5)  # eagerly


@WAYS
@SHAPES
def test_gradients_are_torchs(shape, training):
    drawn = _drawn(shape)
    upstream = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    theirs = [torch.tensor(v, requires_grad=True) for v in drawn]
    (_torch(*theirs) * torch.tensor(upstream)).sum().backward()
    for ours, reference in zip(_graph(training, upstream)(*drawn), theirs, strict=True):
        np.testing.assert_allclose(ours, reference.grad, atol=1e-5, rtol=1e-5)


@WAYS
def test_a_row_of_equal_numbers_is_beta(training):
    _, gamma, beta = _drawn((4, 24))
    out = _graph(training)(np.full((4, 24), 2.0, np.float32), gamma, beta)
    np.testing.assert_allclose(out, np.tile(beta, (4, 1)), atol=1e-5)


def _operations(training):
    return {op.type for op in _graph(training).get_concrete_function(*_drawn((7, 24))).graph.get_operations()}


def test_scoring_has_one_operation_where_tensorflow_has_it(monkeypatch):
    there = len(onednn.kernels.get_registered_kernels_for_op(layer_norm.KERNEL).kernel) > 0
    assert (layer_norm.KERNEL in _operations(False)) == (there and onednn.port.IsMklEnabled())
    assert layer_norm.KERNEL not in _operations(True) and "IdentityN" in _operations(True)  # the gradient written out
    with monkeypatch.context() as m:
        m.setattr(onednn.port, "IsMklEnabled", lambda: False)
        assert layer_norm.KERNEL not in _operations(False)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [kind])
    assert layer_norm.KERNEL not in _operations(False)
