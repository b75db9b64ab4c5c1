"""Metrics of predictions, named as in yardstick: the only place that computes them, for validation in training and for
`bert_evaluate()`. An undefined value, such as the recall of a class that does not occur, is NaN."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

EPSILON = np.finfo(np.float64).eps  # probabilities in logarithms are at least this far from 0 and 1
BINS = 15  # of the calibration error


@dataclasses.dataclass
class Counts:
    """How many items are predicted correctly, predicted, and true: int [labels], or int of all labels together."""

    right: np.ndarray
    predicted: np.ndarray
    true: np.ndarray

    def total(self) -> "Counts":
        """The Counts of all labels together."""
        return Counts(self.right.sum(), self.predicted.sum(), self.true.sum())

    def of(self, label: int) -> "Counts":
        """The Counts of one label."""
        return Counts(self.right[label], self.predicted[label], self.true[label])

    def precision(self) -> np.ndarray:
        """0 if nothing is predicted; NaN for a label that is neither predicted nor true, as all three metrics."""
        return self._share(self.predicted)

    def recall(self) -> np.ndarray:
        return self._share(self.true)

    def f_meas(self) -> np.ndarray:
        return ratio(2 * self.right, self.predicted + self.true)

    def _share(self, of):
        return np.where(self.predicted + self.true > 0, self.right / np.maximum(of, 1), np.nan)


def count_classes(label_ids: np.ndarray, predicted: np.ndarray, labels: int) -> Counts:
    """The Counts of `labels` classes, from one class per row: int [rows] each."""
    right = label_ids[label_ids == predicted]
    return Counts(*(np.bincount(ids, minlength=labels) for ids in (right, predicted, label_ids)))


def count_sets(truth: np.ndarray, predicted: np.ndarray) -> Counts:
    """The Counts of labels, from any number of labels per row: bool [rows, labels] each."""
    return Counts((truth & predicted).sum(axis=0), predicted.sum(axis=0), truth.sum(axis=0))


def count_items(truth: np.ndarray, found: np.ndarray, label: int, labels: int) -> Counts:
    """The Counts of `labels` labels, from items such as entities: int [items, columns] each. An item is correct if all
    columns match; column `label` holds its label. Duplicates in `truth` count once."""
    truth = np.unique(truth, axis=0)
    _, item = np.unique(np.concatenate([truth, found]), axis=0, return_inverse=True)
    item = item.reshape(-1)  # numpy 2.0 returns two dimensions
    right = found[np.isin(item[len(truth) :], item[: len(truth)])]
    return Counts(*(np.bincount(items[:, label], minlength=labels) for items in (right, found, truth)))


def count_pairs(label_ids: np.ndarray, predicted: np.ndarray, labels: int, classes: int) -> np.ndarray:
    """A confusion matrix, int [labels, classes], from one class per row: int [rows] each."""
    return np.bincount(label_ids * classes + predicted, minlength=labels * classes).reshape(labels, classes)


def ratio(part: Any, whole: Any) -> Any:
    """part / whole, NaN where `whole` is 0; arrays of one shape, or numbers."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)


def mean_of_defined(values: np.ndarray) -> float:
    """The mean of [n] without NaN; NaN if there is none."""
    values = values[~np.isnan(values)]
    return ratio(values.sum(), len(values))


def or_zero(value: Any) -> float:
    """A metric as training compares epochs by it: 0 if it is undefined."""
    return 0.0 if np.isnan(value) else float(value)


def accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """The share of rows that match: [rows] each, or [rows, labels], where all labels must match."""
    same = truth == predicted
    return float(np.mean(same if same.ndim == 1 else same.all(axis=1)))


def kappa(counts: Counts) -> float:
    """Cohen's kappa, agreement beyond chance, from the Counts of classes."""
    rows = int(counts.true.sum())
    chance = int((counts.predicted * counts.true).sum())
    return ratio(rows * int(counts.right.sum()) - chance, rows**2 - chance)


def log_loss(label_ids: np.ndarray, prob: np.ndarray) -> float:
    """The mean negative log-probability of the true class: int [rows] and [rows, classes]; NaN without rows."""
    picked = np.maximum(prob[np.arange(len(label_ids)), label_ids], EPSILON)
    return ratio(-np.log(picked).sum(), len(picked))


def binary_log_loss(truth: np.ndarray, prob: np.ndarray) -> float:
    """The mean cross-entropy of labels with a probability each: bool and float [rows, labels]."""
    prob = np.clip(prob, EPSILON, 1.0 - EPSILON)
    return -float(np.mean(np.log(np.where(truth, prob, 1.0 - prob))))


def cross_entropy(y: np.ndarray, prob: np.ndarray) -> float:
    """The mean cross-entropy of numbers from 0 to 1 and their predictions, [rows] each."""
    prob = np.clip(prob, EPSILON, 1.0 - EPSILON)
    return float(np.mean(-y * np.log(prob) - (1.0 - y) * np.log1p(-prob)))


def reliability(right: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, ...]:
    """Bins of equal width, closed above, over the probabilities of predicted classes.

    Args:
        right: bool [rows].
        confidence: float [rows], the probability of the predicted class.

    Returns:
        (rows, correct, sum of `confidence`) of each bin, [BINS] each.
    """
    bins = np.maximum(np.ceil(confidence * BINS), 1).astype(np.int64) - 1
    return tuple(np.bincount(bins, values, BINS) for values in (np.ones(len(bins)), right, confidence))


def calibration_error(right: np.ndarray, confidence: np.ndarray) -> float:
    """Expected calibration error (Naeini et al. 2015): the distance between the probabilities and the share of correct
    predictions in the bins of `reliability`, weighted by rows. NaN without rows. Arguments as there."""
    _, correct, sums = reliability(right, confidence)
    return ratio(np.abs(correct - sums).sum(), len(right))


@dataclasses.dataclass
class Cuts:
    """What is selected by cutting at each distinct score, from the highest one down.

    Args:
        score: float [cuts]; rows with at least this score are selected.
        right: int [cuts], the selected rows that are positive.
        taken: int [cuts], all selected rows.
    """

    score: np.ndarray
    right: np.ndarray
    taken: np.ndarray

    @classmethod
    def of(cls, positive: np.ndarray, score: np.ndarray) -> "Cuts":
        """All cuts of rows: bool and float [rows], at least one row."""
        order = np.argsort(-score, kind="stable")
        score, right = score[order], np.cumsum(positive[order].astype(np.int64))
        last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
        return cls(score[last], right[last], last + 1)

    def specificity(self) -> np.ndarray:
        """The share of negative rows that are not selected, for every cut."""
        negative = self.taken[-1] - self.right[-1]
        return ratio(negative - (self.taken - self.right), np.full(len(self.taken), negative))

    def recall(self) -> np.ndarray:
        return ratio(self.right, np.full(len(self.right), self.right[-1]))

    def precision(self) -> np.ndarray:
        return self.right / self.taken

    def f_meas(self) -> np.ndarray:
        return 2 * self.right / (self.taken + self.right[-1])

    def accuracy(self) -> np.ndarray:
        negative = self.taken[-1] - self.right[-1]
        return (2 * self.right - self.taken + negative) / self.taken[-1]

    def j_index(self) -> np.ndarray:
        """Youden's J: recall + specificity - 1."""
        return self.recall() + self.specificity() - 1.0


def roc_curve(cuts: Cuts) -> tuple[np.ndarray, np.ndarray, np.ndarray, Any]:
    """(threshold, specificity, sensitivity, area), thresholds ascending and ending in "select nothing"."""
    specificity, sensitivity = np.append(1.0, cuts.specificity()), np.append(0.0, cuts.recall())
    area = np.sum(np.diff(1.0 - specificity) * (sensitivity[1:] + sensitivity[:-1]) / 2.0)
    return np.append(np.inf, cuts.score)[::-1], specificity[::-1], sensitivity[::-1], area


def pr_curve(cuts: Cuts) -> tuple[np.ndarray, np.ndarray, np.ndarray, Any]:
    """(threshold, recall, precision, average precision), thresholds descending from "select nothing", where precision
    is 1 by convention. The average precision is a sum of steps: straight lines between the points would flatter (Davis
    and Goadrich 2006)."""
    recall, precision = np.append(0.0, cuts.recall()), np.append(1.0, cuts.precision())
    area = np.sum(np.diff(recall) * precision[1:])
    return np.append(np.inf, cuts.score), recall, precision, area


CURVES = {  # kind: (function of Cuts, columns, metric of the area)
    "roc": (roc_curve, ("specificity", "sensitivity"), "roc_auc"),
    "pr": (pr_curve, ("recall", "precision"), "average_precision"),
}


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation of [n] each; NaN if one of them is constant."""
    if len(x) == 0 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    x, y = (v.astype(np.float64) - v.mean() for v in (x, y))
    return float(np.clip((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), -1.0, 1.0))


def ranks(x: np.ndarray) -> np.ndarray:
    """Ranks from 1, the mean rank for equal values; float64 [n]."""
    _, which, counts = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]


def table(rows: Sequence[tuple[str, str, Any]]) -> dict[str, Any]:
    """Columns for R, from a (metric, estimator, estimate) per row."""
    metric, estimator, estimate = map(list, zip(*rows, strict=True))
    return {"metric": metric, "estimator": estimator, "estimate": np.array(estimate, np.float64)}


def found_rows(counts: Counts, estimator: str) -> list[tuple[str, str, Any]]:
    """Precision, recall and F1 of Counts, as rows of `table`."""
    values = {"precision": counts.precision(), "recall": counts.recall(), "f_meas": counts.f_meas()}
    return [(metric, estimator, value) for metric, value in values.items()]


def class_table(counts: Counts) -> dict[str, Any]:
    """Columns for R: precision, recall, F1 and support (true items) of each label; `level` counts labels from 1."""
    labels = range(len(counts.true))
    of_label = (
        row for k in labels for row in (*found_rows(counts.of(k), "binary"), ("support", "binary", counts.true[k]))
    )
    return {**table(list(of_label)), "level": np.repeat(np.arange(1, len(labels) + 1, dtype=np.int32), 4)}


def curve_tables(
    kind: str, truth: np.ndarray, prob: np.ndarray, labels: Sequence[int] | np.ndarray
) -> dict[str, dict[str, Any]]:
    """Curves of labels, each against all other rows, as columns for R.

    Args:
        kind: a name in CURVES.
        truth, prob: bool and float [rows, all labels].
        labels: the labels that get a curve, from 0; each needs rows with it and without it.

    Returns:
        {"curve": columns with one entry per point, "area": columns as `table`}; `level` counts labels from 1.
    """
    draw, columns, metric = CURVES[kind]
    curves = [draw(Cuts.of(truth[:, k], prob[:, k])) for k in labels]
    level = np.asarray(labels, np.int32) + 1
    points = dict(zip(("threshold", *columns), map(np.concatenate, list(zip(*curves, strict=True))[:3]), strict=True))
    return {
        "curve": {"level": np.repeat(level, [len(curve[0]) for curve in curves]), **points},
        "area": {**table([(metric, "binary", curve[3]) for curve in curves]), "level": level},
    }


def found_table(counts: Counts) -> dict[str, Any]:
    """Columns for R: precision, recall and F1 of all labels together and of each label; `level` counts labels from 1
    and is 0 for all together."""
    labels = range(len(counts.true))
    rows = [*found_rows(counts.total(), "micro"), *(row for k in labels for row in found_rows(counts.of(k), "binary"))]
    return {**table(rows), "level": np.repeat(np.arange(len(labels) + 1, dtype=np.int32), 3)}
