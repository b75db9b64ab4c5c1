"""Fine-tuning in torch as BERT's authors do it: AdamW, 10 % warmup, linear decay, gradients cut to norm 1."""

import torch
from transformers import get_linear_schedule_with_warmup

RATE = 1e-4


def parameter_groups(network):
    """Decay of 0.01 but for biases and LayerNorm."""
    groups = {True: [], False: []}
    for name, p in network.named_parameters():
        groups[not (name.endswith("bias") or "LayerNorm" in name)].append(p)
    return [{"params": groups[True], "weight_decay": 0.01}, {"params": groups[False], "weight_decay": 0.0}]


def train(network, steps, optimizer, plain=False):
    """One optimiser step for each (ids, mask, targets); the loss of each. `plain`: constant rate, no clipping,
    and the network as it is, without dropout."""
    schedule = None
    if not plain:
        network.train()
        schedule = get_linear_schedule_with_warmup(optimizer, int(0.1 * len(steps)), len(steps))
    losses = []
    for ids, mask, targets in steps:
        loss = torch.nn.functional.cross_entropy(network(ids, mask), targets)
        loss.backward()
        if schedule:
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if schedule:
            schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    network.eval()
    return losses
