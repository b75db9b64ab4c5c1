"""Memory of bert_score(): one table of many short texts, one layer of the default model.

    python bench/score.py ROWS

Writes the table into a temporary folder, scores it, and prints the memory before, at most, and after each tenth.
"""

import csv
import os
import pathlib
import random
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "inst" / "python"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from bertr import bridge  # noqa: E402

BATCH = 10_000


def megabytes(field):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) / 1024 for line in f if line.startswith(field))


def faq():
    with open(ROOT / "inst" / "extdata" / "faq30" / "train.csv", newline="") as f:
        return list(csv.DictReader(f))


def write_table(path, rows, texts):
    """Texts of the words of two questions, so that hardly any two are the same."""
    rng = random.Random(1)
    with pq.ParquetWriter(path, pa.schema([("id", pa.int64()), ("text", pa.string())])) as out:
        for start in range(0, rows, 10 * BATCH):
            n = min(10 * BATCH, rows - start)
            words = [(rng.choice(texts) + " " + rng.choice(texts)).split() for _ in range(n)]
            each = [" ".join(rng.sample(w, min(len(w), rng.randint(5, 20)))) for w in words]
            out.write_table(pa.table({"id": range(start, start + n), "text": each}))


def quick_fit(layers):
    """(a fit of 30 classes with the first `layers` layers, the texts it was trained on, a plan as `score` takes it)"""
    data = faq()
    levels = sorted({row["label"] for row in data})
    texts = [row["text"] for row in data]
    target = {"label_ids": np.array([levels.index(row["label"]) for row in data], np.int32), "levels": levels}
    options = {"head": {}, "seed": 1, "epochs": 5, "train": "head"}
    fit = bridge.fit(bridge.load(None, {"layers": layers}), "classification", texts, None, target, None, options, None)
    columns = [{"name": ".pred_class", "kind": "factor", "levels": levels, "ordered": False}]
    columns += [{"name": f".pred_{level}", "kind": "double"} for level in levels]
    plan = {"what": "predict", "text": ["text"], "keep": None, "rows": BATCH, "columns": columns}
    plan["options"] = {"max_len": bridge.cut_length(fit, None)}
    return fit, texts, plan


def main(rows):
    fit, texts, plan = quick_fit(layers=1)
    with tempfile.TemporaryDirectory() as above:
        source, target = os.path.join(above, "in.parquet"), os.path.join(above, "out")
        write_table(source, rows, texts)
        bridge.predict(fit, texts[:100], None, {}, None)
        print(f"{rows} rows, {os.path.getsize(source) / 1e6:.0f} MB", flush=True)
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")  # the highest memory so far is forgotten
        before, began, said = megabytes("VmRSS"), time.monotonic(), [0]

        def on_event(_, values):
            if values["share"] >= said[0] / 10:
                said[0] += 1
                line = f"{values['share']:.0%}: {megabytes('VmRSS'):.0f} MB, at most {megabytes('VmHWM'):.0f} MB"
                print(f"{line}, {values['rate']:.0f} rows/s", flush=True)

        bridge.score(fit, source, target, plan, None, on_event)
        most, seconds = megabytes("VmHWM"), time.monotonic() - began
        size = os.path.getsize(os.path.join(target, "in.parquet")) / 1e6
    print(f"before {before:.0f} MB, at most {most:.0f} MB, growth {most - before:.0f} MB, output {size:.0f} MB")
    print(f"{rows / seconds:.0f} rows/s")


if __name__ == "__main__":
    main(int(sys.argv[1]))
