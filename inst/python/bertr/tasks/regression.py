"""One or several numbers per row. By default squared error, in units of the training rows' standard deviations; with
the logit link shares from 0 to 1, trained with cross-entropy."""

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from ..errors import BertrError
from ..nn.heads import CosineHead, RegressionHead
from ..shapes import TEXT, both, equally_long, fields, list_of, number, one_of
from . import metrics
from .base import Task, picks_of_texts

if TYPE_CHECKING:
    from ..text.encodings import Encodings

START_ROWS = 500
OUTPUTS = {"outputs": list_of(TEXT, least=1, distinct=True)}
SCALED = both(
    fields({**OUTPUTS, "mean": list_of(number()), "sd": list_of(number(0))}), equally_long("outputs", "mean", "sd")
)
LINKED = both(
    fields({**OUTPUTS, "link": one_of("logit"), "log_odds": list_of(number())}), equally_long("outputs", "log_odds")
)


def _shape(spec, name):
    return (LINKED if isinstance(spec, dict) and "link" in spec else SCALED)(spec, name)


class Regression(Task):
    """Target: `values`, [rows, outputs], and `outputs`, their names."""

    name = "regression"
    explains = True
    not_in_graph = ("outputs", "mean", "sd", "log_odds")  # only their number matters, which the targets determine
    evaluated = ("values",)
    shape = staticmethod(_shape)

    @property
    def logit(self) -> bool:
        return self.spec.get("link") == "logit"

    @classmethod
    def from_target(cls, target: dict[str, Any], head_options: dict[str, Any]) -> "Regression":
        values = np.asarray(target["values"], np.float64)
        if head_options["pair"] == "cosine" and values.shape[1] != 1:
            raise BertrError(
                "pairs",
                f"A cosine gives one number, but the formula has {values.shape[1]} outcomes.",
                'Use bert_head(pair = "joint"), or one number on the left-hand side.',
            )
        if head_options["link"] == "logit":
            _check_shares(values)
            return cls(
                {
                    "outputs": list(target["outputs"]),
                    "link": "logit",
                    "log_odds": log_odds(_inside(values.mean(axis=0), len(values))).tolist(),
                }
            )
        return cls(
            {
                "outputs": list(target["outputs"]),
                "mean": values.mean(axis=0).tolist(),
                "sd": values.std(axis=0).tolist(),
            }
        )

    def targets(self, target: dict[str, Any], encodings: "Encodings") -> tuple[np.ndarray, list[str]]:
        values = np.asarray(target["values"], np.float64)
        if self.logit:
            _check_shares(values)
        else:
            values = (values - self.spec["mean"]) / self.spec["sd"]
        return values.astype(np.float32), []  # [rows, outputs]

    def head(self, config: Any, head_options: dict[str, Any], dropout: float, seed: int) -> CosineHead | RegressionHead:
        if head_options["pair"] == "cosine":
            return CosineHead(name="head")
        return RegressionHead(
            len(self.spec["outputs"]),
            head_options["units"],
            dropout,
            seed,
            config.initializer_range,
            activation=head_options["activation"],
            bias=self.spec.get("log_odds"),
            name="head",
        )

    def start_rows(self, head: Any, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
        return rng.permutation(len(targets))[:START_ROWS] if isinstance(head, CosineHead) else None

    def start_head(self, head: Any, features: np.ndarray, targets: np.ndarray) -> None:
        head.start(features, log_odds(_inside(targets, len(targets))) if self.logit else targets)

    def outputs_of(self, other: Task) -> tuple[list[int], Any, Any] | None:
        """In units of the new standard deviations."""
        theirs, index = other.spec, list(range(len(self.spec["outputs"])))
        if len(theirs["outputs"]) != len(index) or self.logit != ("link" in theirs):
            return None
        if self.logit:
            return index, 1.0, 0.0
        sd = np.array(self.spec["sd"])
        return index, np.array(theirs["sd"]) / sd, (np.array(theirs["mean"]) - self.spec["mean"]) / sd

    def loss(self, targets: Any, outputs: Any, head: Any) -> Any:  # [batch, outputs] each -> [batch]
        if self.logit:
            return ops.mean(ops.softplus(outputs) - targets * outputs, axis=1)
        return ops.mean(ops.square(outputs - targets), axis=1)

    def metrics(self, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        """Pearson's correlation, the mean over the outputs."""
        if self.logit:
            outputs = probabilities(outputs)
        each = [metrics.correlation(t, o) for t, o in zip(targets.T, outputs.T, strict=True)]
        return {"pearson": float(np.mean([metrics.or_zero(value) for value in each]))}

    def decode(self, outputs, encodings, a, b, head):
        values = outputs.astype(np.float64)  # [rows, outputs]
        return {"values": probabilities(values) if self.logit else values * self.spec["sd"] + self.spec["mean"]}

    def table(self, columns, kinds):
        return list(columns["values"].T)

    def metric_table(self, truth: dict[str, Any], predictions: dict[str, Any], event: int | None) -> dict[str, Any]:
        """With several outcomes the column `outcome` names them."""
        pairs = zip(np.asarray(truth["values"], np.float64).T, predictions["values"].T, strict=True)
        each = [self._metrics_of_one(y, predicted) for y, predicted in pairs]
        out = metrics.table([row for rows in each for row in rows])
        names = self.spec["outputs"]
        return {"outcome": np.repeat(names, len(each[0])).tolist(), **out} if len(names) > 1 else out

    def _metrics_of_one(self, y, predicted):
        """Rows of `metrics.table` for one outcome: numbers [rows] and predictions [rows]."""
        pearson = metrics.correlation(y, predicted)
        values = {
            "rmse": np.sqrt(np.mean(np.square(y - predicted))),
            "mae": np.mean(np.abs(y - predicted)),
            "rsq": pearson**2,
            "pearson": pearson,
            "spearman": metrics.correlation(metrics.ranks(y), metrics.ranks(predicted)),
        }
        if self.logit:
            values["mn_log_loss"] = metrics.cross_entropy(y, predicted)
        return [(metric, "standard", value) for metric, value in values.items()]

    def picks(self, outputs, encodings, a, b, head, classes):
        """A number in its unit, by default the first one; with the logit link its logit."""
        code = np.maximum(classes, 0)
        label = [self.spec["outputs"][k] for k in code]
        if self.logit:
            return picks_of_texts(code, label)
        return picks_of_texts(code, label, np.array(self.spec["sd"])[code], np.array(self.spec["mean"])[code])


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """The sigmoid of logits of any shape."""
    return 1.0 / (1.0 + np.exp(-np.clip(outputs, -60.0, 60.0)))


def log_odds(share: np.ndarray) -> np.ndarray:
    """The logits of shares between 0 and 1, of any shape."""
    return np.log(share / (1.0 - share))


def _inside(values, n):
    """Shares of n rows, moved slightly away from 0 and 1, whose log-odds are infinite."""
    return (values * n + 0.5) / (n + 1.0)


def _check_shares(values):
    if values.min() < 0.0 or values.max() > 1.0:
        wrong = values[(values < 0.0) | (values > 1.0)][0]
        raise BertrError(
            "outcome",
            f'With link = "logit" all numbers must be from 0 to 1, not {wrong:g}.',
            "Divide them by their largest possible value, or leave the link out.",
        )
