"""The second reference: logistic regression on frozen, mean-pooled, normalised embeddings of the default model.

C is chosen on the test rows themselves, which flatters the reference.

    PYTHONPATH=inst/python python bench/quality_logistic.py ROWS     # ROWS from quality_rows.py
"""

import csv
import os
import sys

from sklearn.linear_model import LogisticRegression

from bertr import bridge


def main(rows):
    model = bridge.load(None, {})
    for name in ("faq30", "banking77", "clinc150"):
        data = {}
        for part in ("train", "test"):
            with open(os.path.join(rows, name, part + ".csv"), encoding="utf-8", newline="") as f:
                table = list(csv.DictReader(f))
            x = bridge.embed(model, [r["text"] for r in table], None, {"pool": "mean", "normalise": True}, None)
            data[part] = x["values"], [r["label"] for r in table]
        scores = {
            c: LogisticRegression(C=c, max_iter=2000).fit(*data["train"]).score(*data["test"])
            for c in (1, 3, 10, 30, 100, 300, 1000)
        }
        best = max(scores, key=scores.get)
        print(
            f"{name}: {100 * scores[best]:.1f} at C = {best}; "
            + ", ".join(f"{c}: {100 * s:.1f}" for c, s in scores.items()),
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
