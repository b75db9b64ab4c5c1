"""Which rows the peers put together."""

import numpy as np

TOKEN_BUDGET = 1024  # padded tokens a batch when scoring: the fastest for each of them of 512 to 8,192 (limits.md)
WINDOW = 8  # training batches among which rows are sorted by length, as bertr has it


def in_rows(lengths, size):
    """Rows sorted by length, the longest first, so many a batch."""
    order = np.argsort(-lengths, kind="stable")
    return [order[i : i + size] for i in range(0, len(order), size)]


def in_tokens(lengths, budget=TOKEN_BUDGET):
    """Rows sorted by length, as many a batch as the padded tokens allow."""
    order, out, start = np.argsort(-lengths, kind="stable"), [], 0
    while start < len(order):
        size = max(1, budget // int(lengths[order[start]]))
        out.append(order[start : start + size])
        start += size
    return out


def shuffled(lengths, size, rng):
    """An epoch's batches in no order at all, as a plain DataLoader has them."""
    order = rng.permutation(len(lengths))
    return [order[i : i + size] for i in range(0, len(order), size)]


def bucketed(lengths, size, rng):
    """An epoch's batches of like lengths: shuffled, sorted within a window of some batches, batches shuffled."""
    order, out = rng.permutation(len(lengths)), []
    for start in range(0, len(order), WINDOW * size):
        window = order[start : start + WINDOW * size]
        window = window[np.argsort(lengths[window], kind="stable")]
        out += [window[i : i + size] for i in range(0, len(window), size)]
    return [out[i] for i in rng.permutation(len(out))]
