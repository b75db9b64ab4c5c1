"""One or several numbers a row: squared error, in units of the training rows' standard deviations."""

import numpy as np
from keras import ops

from ..errors import BertrError
from ..heads import CosineHead, RegressionHead
from ..shapes import TEXT, both, equally_long, fields, list_of, number
from .base import Task

START_ROWS = 500


class Regression(Task):
    """Target: `values`, [rows, outputs], and `outputs`, their names."""

    name = "regression"
    not_in_graph = ("outputs", "mean", "sd")  # their number tells itself by the targets
    shape = staticmethod(both(fields({"outputs": list_of(TEXT, least=1, distinct=True), "mean": list_of(number()),
                                      "sd": list_of(number(0))}), equally_long("outputs", "mean", "sd")))

    @classmethod
    def from_target(cls, target, head_options):
        values = np.asarray(target["values"], np.float64)
        if head_options["pair"] == "cosine" and values.shape[1] != 1:
            raise BertrError("pairs", f"A cosine gives one number, but the formula asks for {values.shape[1]}.",
                             'Use bert_head(pair = "joint"), or one number on the left-hand side.')
        return cls({"outputs": list(target["outputs"]), "mean": values.mean(axis=0).tolist(),
                    "sd": values.std(axis=0).tolist()})

    def targets(self, target, encodings):
        values = (np.asarray(target["values"], np.float64) - self.spec["mean"]) / self.spec["sd"]
        return values.astype(np.float32)  # [rows, outputs]

    def head(self, config, head_options, dropout, seed):
        if head_options["pair"] == "cosine":
            return CosineHead(name="head")
        return RegressionHead(len(self.spec["outputs"]), head_options["units"], dropout, seed, config.initializer_range,
                              name="head")

    def start_rows(self, head, targets, rng):
        return rng.permutation(len(targets))[:START_ROWS] if isinstance(head, CosineHead) else None

    def start_head(self, head, features, targets):
        head.start(features, targets)

    def loss(self, targets, outputs, head):  # [batch, outputs] each -> [batch]
        return ops.mean(ops.square(outputs - targets), axis=1)

    def measures(self, targets, outputs):
        """Pearson's correlation, the mean over the outputs."""
        return {"pearson": float(np.mean([_pearson(t, o) for t, o in zip(targets.T, outputs.T, strict=True)]))}

    def decode(self, outputs, encodings, a, b, head):
        return {"values": outputs.astype(np.float64) * self.spec["sd"] + self.spec["mean"]}  # [rows, outputs]


def _pearson(x, y):
    x, y = (v.astype(np.float64) - v.mean() for v in (x, y))
    return float((x * y).sum() / max(np.sqrt((x * x).sum() * (y * y).sum()), 1e-12))
