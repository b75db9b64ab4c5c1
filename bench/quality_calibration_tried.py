"""Epochs and rates by what they do to accuracy and probabilities, without calibration (see quality.md).

    PYTHONPATH=inst/python python bench/quality_calibration_tried.py DATA SET EPOCHS RATE [SEED]

SET is one of quality_calibration_rows.py. Judges its test rows after each epoch: accuracy, log loss and ECE (15 bins);
then the temperature that is best for these very rows, with log loss and ECE at it. Last, what they are at a temperature
from 50, 130 or 300 of these rows, evaluated on the others: means of 100 draws, with the prior and without.
"""

import sys

import numpy as np

from bertr import bridge
from bertr.tasks.base import Task
from bertr.tasks.calibration import PRIOR_SD, TEMPERATURES, cross_entropy
from quality_calibration_rows import rows_of


def ece(outputs, codes):
    p = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    confidence = (p / p.sum(axis=1, keepdims=True)).max(axis=1)
    bins = np.maximum(1, np.ceil(15 * confidence)).astype(int)
    return np.abs(np.bincount(bins, (outputs.argmax(axis=1) == codes) - confidence)).sum() / len(codes)


def main(data, name, epochs, rate, seed="1"):
    rows, n = rows_of(name, data, np.random.default_rng(1000 + int(seed)))
    levels = sorted({label for _, label in rows})

    def columns(rows):
        a, b = ([texts[k] for texts, _ in rows] for k in range(2))
        codes = np.array([levels.index(label) for _, label in rows], np.int32)
        return {"a": a, "b": None if b[0] is None else b, "target": {"label_ids": codes, "levels": levels}}

    outputs, evaluate = [], Task.evaluate
    Task.evaluate = lambda self, targets, out, *more: outputs.append(out) or evaluate(self, targets, out, *more)
    train, test = columns(rows[:n]), columns(rows[n:])
    options = {"head": {"calibrate": False}, "epochs": int(epochs), "learning_rate": float(rate), "seed": int(seed)}
    bridge.fit(bridge.load(None, {}), "classification", train["a"], train["b"], train["target"], test, options, None)
    codes = test["target"]["label_ids"]
    for epoch, z in enumerate(np.asarray(outputs, np.float64)):
        losses = [cross_entropy(z / t, codes).mean() for t in TEMPERATURES]
        best = TEMPERATURES[np.argmin(losses)]
        print(
            f"{name} epoch {epoch + 1} of {epochs}, {rate}: accuracy {100 * np.mean(z.argmax(axis=1) == codes):.1f}, "
            f"log loss {cross_entropy(z, codes).mean():.3f}, ECE {ece(z, codes):.3f}; at {best:.2f} log loss "
            f"{min(losses):.3f}, ECE {ece(z / best, codes):.3f}",
            flush=True,
        )
    table = np.array([cross_entropy(z / t, codes) for t in TEMPERATURES])  # [temperatures, rows]
    for few in (50, 130, 300):
        for prior in (np.square(np.log(TEMPERATURES) / PRIOR_SD) / 2, 0.0):
            rng, found = np.random.default_rng(0), []
            for _ in range(100):
                held, rest = np.split(rng.permutation(len(codes)), [few])
                k = np.argmin(table[:, held].sum(axis=1) + prior)
                found.append([table[k, rest].mean(), ece(z[rest] / TEMPERATURES[k], codes[rest])])
            loss, error = np.mean(found, axis=0)
            print(f"  temperature from {few}, prior {np.any(prior)}: log loss {loss:.3f}, ECE {error:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
