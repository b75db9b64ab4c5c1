"""Accuracy over words, for texts in which every word has a label, as with parts of speech."""

import numpy as np

from ...text.ragged import sort_keys


def word_accuracy(truth: np.ndarray, found: np.ndarray) -> float:
    """The share of true words with an entity of the same label at their first character; int [entities, 4] each: text,
    start, end (exclusive) and label."""
    if len(found) == 0:
        return 0.0
    starts = sort_keys(found[:, 0], found[:, 1])
    order = np.argsort(starts)
    at = np.searchsorted(starts[order], sort_keys(truth[:, 0], truth[:, 1]), side="right") - 1
    there = found[order[np.maximum(at, 0)]]  # the last entity that begins at the word or before it
    same = (at >= 0) & (there[:, 0] == truth[:, 0]) & (there[:, 2] > truth[:, 1]) & (there[:, 3] == truth[:, 3])
    return float(same.mean())
