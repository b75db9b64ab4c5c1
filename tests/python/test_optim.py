"""The optimizer against torch's, the schedule against values computed by hand."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import torch
from memory import is_counted, most_during

from bertr.kernels.compiled import TrainStep
from bertr.training.adamw import BertAdamW, warmup_linear


def test_schedule_by_hand():
    assert [round(float(warmup_linear(t, 0.4, 4, 10)), 6) for t in range(10)] == [
        0.1,
        0.2,
        0.3,
        0.4,
        0.4,
        0.333333,
        0.266667,
        0.2,
        0.133333,
        0.066667,
    ]
    assert float(warmup_linear(0, 0.4, 0, 10)) == pytest.approx(0.4)
    assert float(warmup_linear(11, 0.4, 4, 10)) == 0.0


@pytest.mark.parametrize("clip", [None, 1.0, 100.0])
def test_adamw_is_torchs_with_berts_exclusions(clip):
    rng = np.random.default_rng(0)
    shapes = {"kernel": (3, 2), "bias": (2,), "gamma": (2,)}
    start = {k: rng.normal(size=s).astype(np.float32) for k, s in shapes.items()}
    ours = [keras.Variable(v, name=k) for k, v in start.items()]
    theirs = {k: torch.nn.Parameter(torch.tensor(v)) for k, v in start.items()}
    optimizer = BertAdamW(ours, weight_decay=0.3, clip=clip)
    optimizer.begin(0.1, steps=6, warmup=0.5)
    reference = torch.optim.AdamW(
        [
            {"params": [theirs["kernel"]], "weight_decay": 0.3},
            {"params": [theirs["bias"], theirs["gamma"]], "weight_decay": 0.0},
        ],
        lr=0.1,
        eps=1e-6,
    )
    rates = [0.1 / 3, 0.2 / 3, 0.1, 0.1, 0.2 / 3, 0.1 / 3]
    for step in range(6):
        gradients = {k: rng.normal(size=s).astype(np.float32) * 3 for k, s in shapes.items()}
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients.values()])
        for k, p in theirs.items():
            p.grad = torch.tensor(gradients[k])
        if clip:
            torch.nn.utils.clip_grad_norm_(theirs.values(), clip)
        for group in reference.param_groups:
            group["lr"] = rates[step]
        reference.step()
    for variable, p in zip(ours, theirs.values(), strict=True):
        np.testing.assert_allclose(np.asarray(variable), p.detach().numpy(), atol=2e-6)


def test_weights_do_not_lie_twice_in_memory_during_a_step():
    """Beyond what there was before, a step needs their gradients; decayed copies of all would be as much again. By the
    difference between two depths: what does not grow with them is not meant."""
    size, few, many = 512, 12, 60
    if is_counted():
        grown = grown_during_a_step(size, few, many)
    else:  # the C library must return freed memory at once, which it does in a new process with a fixed threshold
        code = f"import test_optim; print(test_optim.grown_during_a_step({size}, {few}, {many}))"
        path = os.pathsep.join([os.path.dirname(__file__), os.environ["PYTHONPATH"]])
        env = {**os.environ, "PYTHONPATH": path, "MALLOC_MMAP_THRESHOLD_": "65536"}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        grown = int(done.stdout)
    assert grown / ((many - few) * 4 * size**2) < 1.7  # with copies 2.0


def grown_during_a_step(size, few, many):
    """By how much more memory a step takes with `many` kernels than with `few`."""
    return _most_during_a_step(size, many) - _most_during_a_step(size, few)


def _most_during_a_step(size, depth):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(size, size), scale=size**-0.5).astype(np.float32)
    kernels = [keras.Variable(start, name="kernel") for _ in range(depth)]

    def loss(targets, x):
        for kernel in kernels:
            x = keras.ops.tanh(keras.ops.matmul(x, kernel))
        return [keras.ops.mean(x, axis=-1)]

    optimizer = BertAdamW(kernels, weight_decay=0.01, clip=1.0)
    optimizer.begin(1e-3, 10, 0.0)
    inputs = np.zeros(size, np.int32), rng.normal(size=(size, size)).astype(np.float32)
    step = TrainStep(loss, kernels, [], optimizer, inputs[0], inputs[1:])
    step(*inputs)
    return most_during(lambda: step(*inputs))
