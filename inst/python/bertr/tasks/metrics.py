"""Metrics of predictions, named as in yardstick: the only place that computes them, for validation in training and for
`bert_evaluate()`. An undefined value, such as the recall of a class that does not occur, is NaN."""

import dataclasses

import numpy as np

EPSILON = np.finfo(np.float64).eps  # probabilities in logarithms are at least this far from 0 and 1
BINS = 15  # of the calibration error


@dataclasses.dataclass
class Counts:
    """How many items are predicted correctly, predicted, and true: int [labels], or int of all labels together."""

    right: np.ndarray
    predicted: np.ndarray
    true: np.ndarray

    def total(self):
        """The Counts of all labels together."""
        return Counts(self.right.sum(), self.predicted.sum(), self.true.sum())

    def of(self, label):
        """The Counts of one label."""
        return Counts(self.right[label], self.predicted[label], self.true[label])

    def precision(self):
        """0 if nothing is predicted; NaN for a label that is neither predicted nor true, as all three metrics."""
        return self._share(self.predicted)

    def recall(self):
        return self._share(self.true)

    def f_meas(self):
        return ratio(2 * self.right, self.predicted + self.true)

    def _share(self, of):
        return np.where(self.predicted + self.true > 0, self.right / np.maximum(of, 1), np.nan)


def count_classes(label_ids, predicted, labels):
    """The Counts of `labels` classes, from one class per row: int [rows] each."""
    right = label_ids[label_ids == predicted]
    return Counts(*(np.bincount(ids, minlength=labels) for ids in (right, predicted, label_ids)))


def count_sets(truth, predicted):
    """The Counts of labels, from any number of labels per row: bool [rows, labels] each."""
    return Counts((truth & predicted).sum(axis=0), predicted.sum(axis=0), truth.sum(axis=0))


def count_items(truth, found, label, labels):
    """The Counts of `labels` labels, from items such as entities: int [items, columns] each. An item is correct if all
    columns match; column `label` holds its label. Duplicates in `truth` count once."""
    truth = np.unique(truth, axis=0)
    _, item = np.unique(np.concatenate([truth, found]), axis=0, return_inverse=True)
    item = item.reshape(-1)  # numpy 2.0 returns two dimensions
    right = found[np.isin(item[len(truth) :], item[: len(truth)])]
    return Counts(*(np.bincount(items[:, label], minlength=labels) for items in (right, found, truth)))


def ratio(part, whole):
    """part / whole, NaN where `whole` is 0; arrays of one shape, or numbers."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)


def mean_of_defined(values):
    """The mean of [n] without NaN; NaN if there is none."""
    values = values[~np.isnan(values)]
    return ratio(values.sum(), len(values))


def or_zero(value):
    """A metric as training compares epochs by it: 0 if it is undefined."""
    return 0.0 if np.isnan(value) else float(value)


def accuracy(truth, predicted):
    """The share of rows that match: [rows] each, or [rows, labels], where all labels must match."""
    same = truth == predicted
    return float(np.mean(same if same.ndim == 1 else same.all(axis=1)))


def kappa(counts):
    """Cohen's kappa, agreement beyond chance, from the Counts of classes."""
    rows = int(counts.true.sum())
    chance = int((counts.predicted * counts.true).sum())
    return ratio(rows * int(counts.right.sum()) - chance, rows**2 - chance)


def log_loss(label_ids, prob):
    """The mean negative log-probability of the true class: int [rows] and [rows, classes]; NaN without rows."""
    picked = np.maximum(prob[np.arange(len(label_ids)), label_ids], EPSILON)
    return ratio(-np.log(picked).sum(), len(picked))


def binary_log_loss(truth, prob):
    """The mean cross-entropy of labels with a probability each: bool and float [rows, labels]."""
    prob = np.clip(prob, EPSILON, 1.0 - EPSILON)
    return -float(np.mean(np.log(np.where(truth, prob, 1.0 - prob))))


def cross_entropy(y, prob):
    """The mean cross-entropy of numbers from 0 to 1 and their predictions, [rows] each."""
    prob = np.clip(prob, EPSILON, 1.0 - EPSILON)
    return float(np.mean(-y * np.log(prob) - (1.0 - y) * np.log1p(-prob)))


def calibration_error(right, confidence):
    """Expected calibration error (Naeini et al. 2015) of predicted classes: the distance between their probabilities
    and the share of correct predictions, in bins of equal width, closed above, weighted by rows. NaN without rows.

    Args:
        right: bool [rows].
        confidence: float [rows], the probability of the predicted class.
    """
    bins = np.maximum(np.ceil(confidence * BINS), 1).astype(np.int64)
    return ratio(np.abs(np.bincount(bins, right - confidence)).sum(), len(right))


def correlation(x, y):
    """Pearson's correlation of [n] each; NaN if one of them is constant."""
    if len(x) == 0 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    x, y = (v.astype(np.float64) - v.mean() for v in (x, y))
    return float(np.clip((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), -1.0, 1.0))


def ranks(x):
    """Ranks from 1, the mean rank for equal values; float64 [n]."""
    _, which, counts = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]


def table(rows):
    """Columns for R, from a (metric, estimator, estimate) per row."""
    metric, estimator, estimate = map(list, zip(*rows, strict=True))
    return {"metric": metric, "estimator": estimator, "estimate": np.array(estimate, np.float64)}


def found_rows(counts, estimator):
    """Precision, recall and F1 of Counts, as rows of `table`."""
    values = {"precision": counts.precision(), "recall": counts.recall(), "f_meas": counts.f_meas()}
    return [(metric, estimator, value) for metric, value in values.items()]


def found_table(counts):
    """Columns for R: precision, recall and F1 of all labels together and of each label; `level` counts labels from 1
    and is 0 for all together."""
    labels = range(len(counts.true))
    rows = [*found_rows(counts.total(), "micro"), *(row for k in labels for row in found_rows(counts.of(k), "binary"))]
    return {**table(rows), "level": np.repeat(np.arange(len(labels) + 1, dtype=np.int32), 3)}
