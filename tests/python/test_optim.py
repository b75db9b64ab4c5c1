"""The optimiser against torch's, the schedule against hand values."""

import keras
import numpy as np
import pytest
import torch

from bertr.optim import BertAdamW, warmup_linear


def test_schedule_by_hand():
    assert [round(float(warmup_linear(t, 0.4, 4, 10)), 6) for t in range(10)] == [
        0.1, 0.2, 0.3, 0.4, 0.4, 0.333333, 0.266667, 0.2, 0.133333, 0.066667]
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
        [{"params": [theirs["kernel"]], "weight_decay": 0.3},
         {"params": [theirs["bias"], theirs["gamma"]], "weight_decay": 0.0}], lr=0.1, eps=1e-6)
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
