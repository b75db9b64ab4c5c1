"""Entities as one code a word, IOB2: 0 is outside, 1 + 2k begins an entity of label k, 2 + 2k goes on with one."""

import numpy as np


def label_ids_of(begins, label):
    """Codes of words inside entities: `begins` says of each word whether it is its entity's first."""
    return np.where(begins, 1, 2) + 2 * np.asarray(label)


def allowed_pairs(labels):
    """Which label id may follow which, [from, to], and which may come first, [ids]: an entity goes on only after a
    word of its own label."""
    code = np.arange(1 + 2 * labels)
    goes_on = (code > 0) & (code % 2 == 0)
    same = (code[:, None] + 1) // 2 == code // 2
    return ~goes_on | same, ~goes_on


def spans(label_ids):
    """(first, last, label) of the entities in label_ids of words, where only allowed label_ids follow each other."""
    goes_on = (label_ids > 0) & (label_ids % 2 == 0)
    first = np.flatnonzero(label_ids % 2 == 1)
    stops = np.append(np.flatnonzero(~goes_on), len(label_ids))  # an entity ends before the next of these
    return first, stops[np.searchsorted(stops, first, side="right")] - 1, label_ids[first] // 2


def f1(label_ids, truth):
    """Of entities found exactly, boundaries and label: 2 tp / (found + true), 0 where there is none."""
    found, true = (set(zip(*(x.tolist() for x in spans(c)), strict=True)) for c in (label_ids, truth))
    return 2 * len(found & true) / max(1, len(found) + len(true))
