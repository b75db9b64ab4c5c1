"""Writes the rows that probabilities are measured on: OUT/SET/{train,test}.csv for each SET of goemotions (neutral or
not), emobank (valence above 3 or not), clinc150 (its 10 domains), fewrel (16 relations) and pairs (same intent of
clinc150, or another one of the same domain). What is not trained on is tested on.

    python bench/quality_calibration_rows.py DATA OUT [SEED]     # DATA holds the folders goemotions, emobank ...
"""

import csv
import json
import os
import sys

import numpy as np

SETS = ("goemotions", "emobank", "clinc150", "fewrel", "pairs")


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


def main(data, out, seed="1"):
    for name in SETS:
        rows, n = rows_of(name, data, np.random.default_rng(1000 + int(seed)))
        os.makedirs(os.path.join(out, name), exist_ok=True)
        for part, some in (("train", rows[:n]), ("test", rows[n:])):
            with open(os.path.join(out, name, part + ".csv"), "w", encoding="utf-8", newline="") as f:
                csv.writer(f).writerows([("text", "second", "label"), *((a, b or "", label) for (a, b), label in some)])
        print(f"{name}: {n} training rows, {len(rows) - n} test rows, {len({label for _, label in rows})} classes")


if __name__ == "__main__":
    main(*sys.argv[1:])
