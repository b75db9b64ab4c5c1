"""Probabilities that say how often they are right: rows kept from training, and the temperature fitted on them.

Fine-tuned networks are too sure of themselves. Dividing their outputs by one number, the temperature, mends most of it
and changes no class (Guo et al. 2017, On Calibration of Modern Neural Networks).
"""

import numpy as np

TEMPERATURES = np.geomspace(0.2, 20.0, 231)  # 2 % apart
PRIOR_SD = 0.5  # of the temperature's logarithm around 0: few rows move it little
MANY = 1_000  # rows: enough to hold some out
SHARE, MOST = 0.1, 500  # of them


def held_share(rows):
    return min(SHARE, MOST / rows)


def best_temperature(outputs, codes, weights):
    """The most likely temperature, given outputs [rows, classes], each row's class [rows] and what each row counts
    [rows], in any unit; before the rows are seen it is log-normal around 1."""
    outputs, weights = outputs.astype(np.float64), weights / np.mean(weights)
    return float(min(TEMPERATURES, key=lambda t: np.sum(weights * cross_entropy(outputs / t, codes))
                     + 0.5 * np.square(np.log(t) / PRIOR_SD)))


def cross_entropy(outputs, codes):
    """Of each row, [rows]."""
    z = outputs - outputs.max(axis=1, keepdims=True)
    return np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), codes]


def stratified(codes, share, rng):
    """Places of about `share` of the rows of every class, at random and in order; a class keeps a row or more."""
    shuffled = rng.permutation(len(codes))
    shuffled = shuffled[np.argsort(codes[shuffled], kind="stable")]  # class by class
    # walking through the classes, a row is taken whenever the share adds up to another whole row
    steps = np.floor(np.arange(len(codes) + 1) * share + rng.random())
    taken = shuffled[np.diff(steps) > 0]
    emptied = np.bincount(codes[taken], minlength=codes.max() + 1) == np.bincount(codes)
    first = np.zeros(len(taken), bool)
    first[np.unique(codes[taken], return_index=True)[1]] = True
    return np.sort(taken[~(first & emptied[codes[taken]])])
