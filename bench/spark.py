"""bert_score() on Spark with one worker and with two, of one core each, on this machine: whole calls in turns.

    python bench/spark.py ROWS [ROUNDS] [LAYERS]

Start is the time until the first rows are done: Java, the Python workers, TensorFlow, and one file a worker.
"""

import os
import statistics
import sys
import tempfile
import time

import score
from bertr import bridge  # score.py finds it
from bertr.scoring import spark

FILES = 32
MASTERS = {"one worker": "local-cluster[1,1,2048]", "two workers": "local-cluster[2,1,2048]"}


def measure(fit, source, plan, master):
    """(seconds of the call, seconds until the first rows are done)"""
    began, first = time.perf_counter(), []

    def on_event(_, values):
        if values["done"] > 0 and not first:
            first.append(time.perf_counter() - began)

    with tempfile.TemporaryDirectory() as above:
        bridge.score(fit, source, os.path.join(above, "out"), plan, master, on_event)
    return time.perf_counter() - began, first[0] if first else float("nan")


def main(rows, rounds=1, layers=6):
    spark.FILES = 4  # files of a micro-batch, so that the first ones are done soon
    paths = [path for path in sys.path if "site-packages" not in path]
    os.environ["PYTHONPATH"] = os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])
    fit, texts, plan = score.quick_fit(layers)
    with tempfile.TemporaryDirectory() as source:
        for number in range(FILES):
            score.write_table(os.path.join(source, f"a{number:02}.parquet"), rows // FILES, texts)
        seconds = {name: [] for name in MASTERS}
        for turn in range(rounds):
            for name in list(MASTERS)[:: 1 if turn % 2 == 0 else -1]:
                whole, first = measure(fit, source, plan, MASTERS[name])
                seconds[name].append(whole)
                print(
                    f"{name}: {whole:.0f} s, the first rows after {first:.0f} s, {rows / whole:.0f} rows/s", flush=True
                )
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    print(f"two workers are {statistics.median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
