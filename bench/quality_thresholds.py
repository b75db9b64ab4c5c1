"""How thresholds of several labels are best chosen on few held-out rows of goemotions (see quality.md).

    PYTHONPATH=inst/python python bench/quality_thresholds.py DATA [ROWS]

Fits 2,000 rows for 4 epochs. Then 40 times ROWS (200) of the 601 others are drawn for the thresholds and the rest is
evaluated: macro and micro F1 where labels of at least 5, 10, 20 ... of these rows have a threshold of their own, and
with 0.3 for all. Before that the log loss, and the temperature that is best for all 601 rows.
"""

import csv
import os
import sys

import numpy as np

from bertr import bridge
from bertr.tasks import metrics, multilabel
from bertr.tasks.base import Task
from bertr.tasks.calibration import TEMPERATURES


def main(data, rows="200"):
    table = []
    for part in ("train", "valid"):
        with open(os.path.join(data, "goemotions", part + ".csv"), encoding="utf-8", newline="") as f:
            table += csv.DictReader(f)
    labels = list(table[0])[2:]
    table = [table[i] for i in np.random.default_rng(1001).permutation(len(table))]
    texts, values = [r["text"] for r in table], np.array([[int(r[k]) for k in labels] for r in table])

    def target(part):
        return {"values": values[part], "levels": labels}

    outputs, evaluate = [], Task.evaluate
    Task.evaluate = lambda self, targets, out, *more: outputs.append(out) or evaluate(self, targets, out, *more)
    seen = {"a": texts[2000:], "b": None, "target": target(slice(2000, None))}
    bridge.fit(
        bridge.load(None, {}),
        "multilabel",
        texts[:2000],
        None,
        target(slice(2000)),
        seen,
        {"head": {}, "epochs": 4, "seed": 1},
        None,
    )
    z, y = outputs[-1].astype(np.float64), values[2000:].astype(np.float64)
    losses = [np.mean(np.logaddexp(0, z / t) - y * z / t) for t in (1.0, *TEMPERATURES)]
    print(f"log loss {losses[0]:.4f}; at {TEMPERATURES[np.argmin(losses[1:])]:.2f} {min(losses):.4f}")
    prob, rng = multilabel.probabilities(z), np.random.default_rng(0)
    draws = [rng.permutation(len(y)) for _ in range(40)]
    for few in (5, 10, 20, 40, len(y), None):
        found = []
        for draw in draws:
            held, rest = np.split(draw, [int(rows)])
            multilabel.FEW = few, few
            thresholds = multilabel.best_thresholds(y[held], prob[held]) if few else 0.3
            chosen = prob[rest] > thresholds
            counts = metrics.count_sets(y[rest] > 0, chosen)
            found.append([metrics.mean_of_defined(counts.f_meas()), counts.total().f_meas()])
        macro, micro = 100 * np.mean(found, axis=0)
        print(f"{f'own from {few} rows' if few else '0.3 for all'}: macro {macro:.1f}, micro {micro:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
