"""One step of a small classifier on an encoder, ours and torch's: the loss and every gradient must agree."""

import copy

import numpy as np
import tensorflow as tf
import torch
from checkpoints import canonical_tensors

from bertr.nn.heads import DenseHead
from bertr.nn.network import Network
from bertr.tasks import find_task

TARGETS = np.array([0, 2, 1, 2], np.int32)


def our_step(encoder, inputs, kernel, pool):
    """The loss, and the gradients by canonical names, with query, key and value separate."""
    task = find_task("classification")({"levels": ["a", "b", "c"]})
    network = Network(encoder, DenseHead(3, (), 0.0, 0), task, {"pool": pool, "pair": "joint", "long": "truncate"})
    network.head.stack[0].kernel.assign(kernel)
    variables = encoder._variables()

    @tf.function(autograph=False)  # as in training: gradients are written out in graphs only
    def loss_and_gradients():
        loss = tf.reduce_mean(task.loss(TARGETS, network(*inputs, training=True), network.head))
        return loss, [
            None if g is None else tf.convert_to_tensor(g)
            for g in tf.gradients(loss, [v.value for v, _ in variables.values()])
        ]

    loss, gradients = loss_and_gradients()
    return float(loss), {
        name: g if columns is None else g[..., columns]
        for (name, (_, columns)), g in zip(variables.items(), gradients, strict=True)
    }


def their_step(encoder, inputs, kernel, pool, config):
    """As above, of transformers' encoder, without variables that have no gradient."""
    ids, segments, mask = map(torch.tensor, inputs)
    encoder.zero_grad()
    kinds = {"token_type_ids": segments.long()} if config.num_segments else {}
    out = encoder(ids.long(), attention_mask=mask.long(), **kinds)
    dtype = out.last_hidden_state.dtype
    real = mask[:, :, None].to(dtype)
    vector = {
        "mean": (out.last_hidden_state * real).sum(1) / real.sum(1),
        "cls": out.last_hidden_state[:, 0],
        "pooler": getattr(out, "pooler_output", None),
    }[pool]
    loss = torch.nn.functional.cross_entropy(vector @ torch.tensor(kernel).to(dtype), torch.tensor(TARGETS).long())
    loss.backward()
    gradients = {k: p.grad.numpy() for k, p in encoder.named_parameters() if p.grad is not None}
    return loss.item(), canonical_tensors(gradients, config)


def assert_same_step(ours, theirs, inputs, pool, tensors):
    """`tensors`: the number of tensors with a gradient, except the pooler's two."""
    kernel = np.random.default_rng(6).normal(size=(ours.config.hidden_size, 3)).astype(np.float32)
    loss, gradients = our_step(ours, inputs, kernel, pool)
    their_loss, expected = their_step(theirs, inputs, kernel, pool, ours.config)
    assert abs(loss - their_loss) < 1e-5
    assert len(expected) == tensors + (2 if pool == "pooler" else 0)
    _, exact = their_step(copy.deepcopy(theirs).double(), inputs, kernel, pool, ours.config)
    for name, gradient in exact.items():  # as exact as float32 torch, where that is itself off by more than 1e-5
        allowed = max(1e-5, 2 * np.abs(expected[name] - gradient).max())
        np.testing.assert_allclose(gradients[name], gradient, atol=allowed, rtol=1e-4, err_msg=name)
