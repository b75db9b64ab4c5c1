"""Calibration: rows held out of training, and the temperature that is fitted on them.

Fine-tuned networks are overconfident. Dividing their logits by a temperature corrects most of that and changes no
predicted class (Guo et al. 2017, On Calibration of Modern Neural Networks).
"""

import numpy as np

from . import metrics

TEMPERATURES = np.geomspace(0.2, 20.0, 231)  # 2 % apart
PRIOR_SD = 0.5  # of the log-temperature, with prior mean 0: few rows hardly move it
MANY = 1_000  # minimal number of rows for holding out
SHARE, MOST = 0.1, 500  # share held out, and the most rows


def held_share(rows: int) -> float:
    """The share of so many training rows that is held out."""
    return min(SHARE, MOST / rows)


def best_temperature(outputs: np.ndarray, label_ids: np.ndarray, weights: np.ndarray) -> float:
    """The maximum a posteriori temperature; the prior is log-normal with median 1.

    Args:
        outputs: float [rows, classes], logits.
        label_ids: int [rows], the true classes.
        weights: float [rows], relative weights.

    Returns:
        float.
    """
    outputs, weights = outputs.astype(np.float64), weights / np.mean(weights)
    return float(
        min(
            TEMPERATURES,
            key=lambda t: (
                np.sum(weights * cross_entropy(outputs / t, label_ids)) + 0.5 * np.square(np.log(t) / PRIOR_SD)
            ),
        )
    )


# how good the cuts of probabilities are: functions of metrics.Cuts, by their names in R
MEASURES = {"f_meas": metrics.Cuts.f_meas, "accuracy": metrics.Cuts.accuracy, "j_index": metrics.Cuts.j_index}


def best_threshold(positive: np.ndarray, prob: np.ndarray, measure: str) -> float:
    """The threshold with the best measure, halfway between two probabilities; the highest of equally good ones.

    Args:
        positive, prob: bool and float [rows].
        measure: a name in MEASURES.

    Returns:
        float.
    """
    cuts = metrics.Cuts.of(positive, prob)
    last = int(np.argmax(MEASURES[measure](cuts)))  # the last probability that is above
    below = cuts.score[last + 1] if last + 1 < len(cuts.score) else 0.0
    return float((cuts.score[last] + below) / 2.0)


def cross_entropy(outputs: np.ndarray, label_ids: np.ndarray) -> np.ndarray:
    """Cross-entropy of each row, [rows], from logits [rows, classes] and true classes, int [rows]."""
    z = outputs - outputs.max(axis=1, keepdims=True)
    return np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), label_ids]


def stratified(label_ids: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A random draw of about the same share of each class's rows; every class keeps at least one row.

    Args:
        label_ids: int [rows], classes from 0.
        share: the share of rows to draw, from 0 to 1.
        rng: a numpy Generator.

    Returns:
        int [drawn], sorted row numbers.
    """
    shuffled = rng.permutation(len(label_ids))
    shuffled = shuffled[np.argsort(label_ids[shuffled], kind="stable")]  # class by class
    # take a row whenever the cumulative share passes an integer
    steps = np.floor(np.arange(len(label_ids) + 1) * share + rng.random())
    taken = shuffled[np.diff(steps) > 0]
    emptied = np.bincount(label_ids[taken], minlength=label_ids.max() + 1) == np.bincount(label_ids)
    first = np.zeros(len(taken), bool)
    first[np.unique(label_ids[taken], return_index=True)[1]] = True
    return np.sort(taken[~(first & emptied[label_ids[taken]])])
