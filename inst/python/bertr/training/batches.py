"""Which rows go together in a training step."""

import numpy as np

WINDOW = 8  # training batches among which rows are sorted by length; packing makes what padding is left cheap


def training_batches(lengths, batch_size, rng):
    """Row numbers of one epoch in batches of `batch_size`: shuffled, sorted by length within a window of a few
    batches, and the batches shuffled. The last one of the epoch's order may be smaller."""
    order = rng.permutation(len(lengths))
    out = []
    for start in range(0, len(order), WINDOW * batch_size):
        window = order[start:start + WINDOW * batch_size]
        window = window[np.argsort(lengths[window], kind="stable")]
        out += [window[i:i + batch_size] for i in range(0, len(window), batch_size)]
    return [out[i] for i in rng.permutation(len(out))]
