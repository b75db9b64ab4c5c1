"""Epochs and rates by what they do to accuracy and probabilities, without calibration (see quality.md).

    PYTHONPATH=inst/python python bench/quality_calibration_tried.py DATA SET EPOCHS RATE [SEED]

SET is goemotions (neutral or not), emobank (valence above 3 or not), clinc150 (its 10 domains), fewrel (16 relations),
or pairs (same intent of clinc150, or another one of the same domain). Judges the rows that are not trained on after
each epoch: accuracy, log loss and ECE (15 bins); then the temperature that is best for these very rows, with log loss
and ECE at it.
"""

import csv
import json
import os
import sys

import numpy as np

from bertr import bridge
from bertr.tasks.base import Task
from bertr.tasks.calibration import TEMPERATURES, cross_entropy


def read(data, *files):
    rows = []
    for file in files:
        with open(os.path.join(data, file), encoding="utf-8", newline="") as f:
            rows += [json.loads(line) for line in f] if file.endswith("jsonl") else csv.DictReader(f)
    return rows


def rows_of(name, data, rng):
    """((text, second text or None), label) of the training rows, then of the others, and the number of the former."""
    if name == "pairs":
        drawn = np.random.default_rng(5)
        train = pairs(read(data, "clinc150/train_10shot.csv"), 1200, drawn)
        return [*(train[i] for i in rng.permutation(1200)), *pairs(read(data, "clinc150/valid.csv"), 800, drawn)], 1200
    files, label, n = {
        "goemotions": (("train.csv", "valid.csv"), lambda r: "neutral" if r["neutral"] == "1" else "emotion", 1500),
        "emobank": (("train.csv", "valid.csv"), lambda r: "high" if float(r["valence"]) > 3 else "low", 1300),
        "clinc150": (("train_10shot.csv", "valid.csv"), lambda r: r["domain"], 1300),
        "fewrel": (("train.jsonl", "valid.jsonl"), lambda r: r["relation_name"], 800),
    }[name]
    rows = read(data, *(os.path.join(name, file) for file in files))
    rows = [((r["text"] if "text" in r else " ".join(r["tokens"]), None), label(r)) for r in rows]
    return [rows[i] for i in rng.permutation(len(rows))], n


def pairs(rows, n, rng):
    """Half of them of the same intent, the others of two intents of a domain."""
    domains = {}
    for r in rows:
        domains.setdefault(r["domain"], {}).setdefault(r["label"], []).append(r["text"])
    out = []
    for i in range(n):
        intents = domains[sorted(domains)[rng.integers(len(domains))]]
        one, other = (intents[sorted(intents)[k]] for k in rng.choice(len(intents), 2, replace=False))
        a, b = rng.choice(one, 2, replace=False) if i % 2 else (rng.choice(one), rng.choice(other))
        out.append(((str(a), str(b)), "same" if i % 2 else "other"))
    return out


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
        return {"a": a, "b": None if b[0] is None else b, "target": {"codes": codes, "levels": levels}}

    outputs, judge = [], Task.judge
    Task.judge = lambda self, targets, out, *more: outputs.append(out) or judge(self, targets, out, *more)
    train, test = columns(rows[:n]), columns(rows[n:])
    options = {"head": {"calibrate": False}, "epochs": int(epochs), "learning_rate": float(rate), "seed": int(seed)}
    bridge.fit(bridge.load(None, {}), "classification", train["a"], train["b"], train["target"], test, options, None)
    codes = test["target"]["codes"]
    for epoch, z in enumerate(np.asarray(outputs, np.float64)):
        losses = [cross_entropy(z / t, codes).mean() for t in TEMPERATURES]
        best = TEMPERATURES[np.argmin(losses)]
        print(f"{name} epoch {epoch + 1} of {epochs}, {rate}: accuracy {100 * np.mean(z.argmax(axis=1) == codes):.1f}, "
              f"log loss {cross_entropy(z, codes).mean():.3f}, ECE {ece(z, codes):.3f}; at {best:.2f} log loss "
              f"{min(losses):.3f}, ECE {ece(z / best, codes):.3f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
