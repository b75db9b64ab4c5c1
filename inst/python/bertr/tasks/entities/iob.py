"""Entities as one code a word, IOB2: 0 is outside, 1 + 2k begins an entity of label k, 2 + 2k goes on with one."""

import numpy as np

OUTSIDE = 0


def codes_of(begins, label):
    """Codes of words inside entities: `begins` says of each word whether it is its entity's first."""
    return np.where(begins, 1, 2) + 2 * np.asarray(label)


def allowed_pairs(labels):
    """Which code may follow which, [from, to], and which may come first, [codes]: an entity goes on only after a word
    of its own label."""
    code = np.arange(1 + 2 * labels)
    goes_on = (code > 0) & (code % 2 == 0)
    same = (code[:, None] + 1) // 2 == code // 2
    return ~goes_on | same, ~goes_on


def spans(codes):
    """(first, last, label) of the entities in codes of words, where only allowed codes follow each other."""
    goes_on = (codes > 0) & (codes % 2 == 0)
    first = np.flatnonzero(codes % 2 == 1)
    stops = np.append(np.flatnonzero(~goes_on), len(codes))  # an entity ends before the next of these
    return first, stops[np.searchsorted(stops, first, side="right")] - 1, codes[first] // 2


def f1(codes, truth):
    """Of entities found exactly, boundaries and label: 2 tp / (found + true), 0 where there is none."""
    found, true = (set(zip(*(x.tolist() for x in spans(c)), strict=True)) for c in (codes, truth))
    return 2 * len(found & true) / max(1, len(found) + len(true))
