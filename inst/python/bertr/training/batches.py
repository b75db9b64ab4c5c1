"""Which rows form the batches of an epoch."""

import numpy as np

WINDOW = 8  # number of batches within which rows are sorted by length; packing makes the remaining padding cheap


def training_batches(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The batches of one epoch: rows are shuffled and sorted by length within windows of a few batches, then the
    batches are shuffled.

    Args:
        lengths: int [rows], tokens of each row.
        batch_size: rows per batch; one batch may be smaller.
        rng: a numpy Generator.

    Returns:
        A list of int [batch], row numbers.
    """
    order = rng.permutation(len(lengths))
    out = []
    for start in range(0, len(order), WINDOW * batch_size):
        window = order[start : start + WINDOW * batch_size]
        window = window[np.argsort(lengths[window], kind="stable")]
        out += [window[i : i + batch_size] for i in range(0, len(window), batch_size)]
    return [out[i] for i in rng.permutation(len(out))]
