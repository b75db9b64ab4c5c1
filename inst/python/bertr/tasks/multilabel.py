"""Any number of labels per row: a sigmoid for each, binary cross-entropy.

The output bias starts at each label's log-odds, so that the first steps need not learn how rare labels are. A label is
predicted if its probability exceeds the label's threshold: at 0.5 rare labels would never be predicted.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from ..nn.heads import DenseHead
from ..shapes import FLAG, TEXT, both, equally_long, fields, list_of, number, or_null
from . import metrics
from .base import Task, picks_of_texts, same_levels
from .calibration import MANY, best_threshold, held_share

if TYPE_CHECKING:
    from ..text.encodings import Encodings
    from .metrics import Counts

FEW, FEW_OF = (5, 20), 0.1  # rows a label needs for a separate threshold: a share of all, limited to 5 to 20


class MultiLabel(Task):
    """Target: `values`, 0 / 1 [rows, labels]; `levels`, the names of the labels."""

    name = "multilabel"
    shape = staticmethod(
        both(
            fields(
                {
                    "levels": list_of(TEXT, least=1, distinct=True),
                    "log_odds": list_of(number()),
                    "fixed": or_null(number(0, 1)),
                    "thresholds": list_of(number(0, 1)),
                },
                {"calibrate": FLAG},
            ),
            equally_long("levels", "log_odds", "thresholds"),
        )
    )
    calibrates = True
    calibrates_on_training_rows = True
    explains = True
    not_in_graph = ("log_odds", "fixed", "thresholds", "calibrate")
    evaluated = ("prob", "chosen")

    @classmethod
    def from_target(cls, target: dict[str, Any], head_options: dict[str, Any]) -> "MultiLabel":
        values = np.asarray(target["values"], np.float64)
        share = (values.sum(axis=0) + 0.5) / (len(values) + 1.0)  # never 0 or 1
        return cls(
            {
                "levels": list(target["levels"]),
                "log_odds": np.log(share / (1.0 - share)).tolist(),
                "fixed": head_options["threshold"],
                "thresholds": [head_options["threshold"] or 0.5] * len(share),
                "calibrate": head_options["calibrate"],
            }
        )

    def plan(self, rows: int, hidden_size: int) -> dict[str, float]:
        return {"epochs": 4} if MANY <= rows <= 10_000 else {}  # more only make the network overconfident

    def targets(self, target: dict[str, Any], encodings: "Encodings") -> tuple[np.ndarray, list[str]]:
        return np.asarray(target["values"], np.float32), []  # [rows, labels]

    def head(self, config: Any, head_options: dict[str, Any], dropout: float, seed: int) -> DenseHead:
        return DenseHead(
            len(self.spec["levels"]),
            head_options["units"],
            dropout,
            seed,
            head_options["activation"],
            self.spec["log_odds"],
            name="head",
        )

    def outputs_of(self, other: Task) -> tuple[list[int], Any, Any] | None:
        index = same_levels(self.spec["levels"], other.spec["levels"])
        return None if index is None else (index, 1.0, 0.0)

    def loss(self, targets: Any, outputs: Any, head: Any) -> Any:  # [batch, labels] each -> [batch]
        return ops.mean(ops.softplus(outputs) - targets * outputs, axis=1)

    def metrics(self, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        """F1 at the best thresholds for these rows."""
        prob = probabilities(outputs)
        chosen = prob > (np.asarray(self.spec["fixed"] or best_thresholds(targets, prob)))
        macro, micro = _f_meas(metrics.count_sets(targets > 0, chosen))
        return {"f_meas_macro": metrics.or_zero(macro), "f_meas_micro": metrics.or_zero(micro)}

    def hold_out(self, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        many = self.spec["calibrate"] and self.spec["fixed"] is None and len(targets) >= MANY
        rows = int(held_share(len(targets)) * len(targets)) if many else 0
        return np.sort(rng.permutation(len(targets))[:rows])

    def calibrate(self, targets: np.ndarray, outputs: np.ndarray, encodings: "Encodings", head: Any) -> None:
        if self.spec["fixed"] is None:
            self.spec["thresholds"] = best_thresholds(targets, probabilities(outputs)).tolist()

    def recalibrate(self, targets, outputs, encodings, head, threshold):
        """Chooses thresholds, also where a fixed one was given."""
        self.spec["fixed"] = None
        self.calibrate(targets, outputs, encodings, head)

    def decode(self, outputs, encodings, a, b, head):
        prob = probabilities(outputs.astype(np.float64))
        return {"prob": prob, "chosen": prob > np.asarray(self.spec["thresholds"])}  # [rows, labels] each

    def table(self, columns, kinds):
        if kinds == ["list"]:
            levels = self.spec["levels"]
            return [[[levels[k] for k in np.flatnonzero(row)] for row in columns["chosen"]]]
        return list(columns["prob" if kinds[0] == "double" else "chosen"].T)

    def _sets(self, truth, predictions):
        """(true labels, predicted labels), bool [rows, all labels]; unseen labels are never predicted."""
        given = np.asarray(truth["values"]) > 0
        return given, np.pad(predictions["chosen"], ((0, 0), (0, given.shape[1] - len(self.spec["levels"]))))

    def class_counts(self, truth: dict[str, Any], predictions: dict[str, Any]) -> "Counts":
        return metrics.count_sets(*self._sets(truth, predictions))

    def label_scores(self, truth: dict[str, Any], predictions: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        given, prob = np.asarray(truth["values"]) > 0, predictions["prob"]
        return given[:, : prob.shape[1]], prob

    def metric_table(self, truth: dict[str, Any], predictions: dict[str, Any], event: int | None) -> dict[str, Any]:
        """Unseen labels are never predicted; the log loss excludes them, as they have no probability."""
        given, chosen = self._sets(truth, predictions)
        counts = metrics.count_sets(given, chosen)
        total = counts.total()
        macro, micro = _f_meas(counts)
        return metrics.table(
            [
                ("f_meas", "macro", macro),
                ("f_meas", "micro", micro),
                ("precision", "micro", metrics.ratio(total.right, total.predicted)),
                ("recall", "micro", metrics.ratio(total.right, total.true)),
                ("accuracy", "multilabel", metrics.accuracy(given, chosen)),
                ("mn_log_loss", "multilabel", metrics.binary_log_loss(*self.label_scores(truth, predictions))),
            ]
        )

    def picks(self, outputs, encodings, a, b, head, classes):
        """The logit of the probability of a label, by default of the most probable one."""
        code = np.where(classes < 0, outputs.argmax(axis=1), classes)
        return picks_of_texts(code, [self.spec["levels"][k] for k in code])


def _f_meas(counts):
    """F1 as the mean of the labels that are true or predicted in some row, and of all labels together."""
    return metrics.mean_of_defined(counts.f_meas()), counts.total().f_meas()


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """The sigmoid of logits of any shape."""
    return 1.0 / (1.0 + np.exp(-np.clip(outputs, -60.0, 60.0)))


def best_thresholds(targets: np.ndarray, prob: np.ndarray) -> np.ndarray:
    """The threshold with the best F1 for every label, halfway between two probabilities. Labels of few rows get the
    best threshold for all labels together.

    Args:
        targets: 0 / 1 [rows, labels].
        prob: float [rows, labels].

    Returns:
        float64 [labels].
    """
    given = targets > 0
    together = best_threshold(given.ravel(), prob.ravel(), "f_meas")
    few = np.clip(FEW_OF * len(given), *FEW)
    columns = zip(given.T, prob.T, strict=True)
    return np.array([best_threshold(t, p, "f_meas") if t.sum() >= few else together for t, p in columns])
