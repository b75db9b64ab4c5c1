"""How much oneDNN and the processor's vector units are worth: embed and fit with oneDNN on, off, and held to AVX2.

    PYTHONPATH=inst/python .venv/bin/python bench/onednn.py WORK ROUNDS [embed:minilm:800 ...]

WORK holds `models/` and `texts/` as `bench/models.py` and `bench/texts.py` make them; a job is what to do, with which
model and with how many rows. One process a setting, which take turns; a first round is not counted. Prints seconds, and
each setting's time over that of "on" in the same round.
"""

import os
import statistics
import subprocess
import sys
import time

SETTINGS = {
    "on": {"TF_ENABLE_ONEDNN_OPTS": "1"},
    "off": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "on, AVX2": {"TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2"},
}
JOBS = ["embed:minilm:800", "embed:base:96", "fit:minilm:320", "fit:base:24"]
PAUSE = 0.3  # seconds between settings: threads of the last one still spin for a while


def serve(work):
    """Answers "job model rows" lines with seconds."""
    from bertr import bridge
    from engines.files import read_rows, read_texts

    models = {}
    for line in sys.stdin:
        job, name, rows = line.rstrip().split(":")
        model = models.setdefault(name, bridge.load(os.path.join(work, "models", name), {}))
        if job == "embed":
            texts = read_texts(os.path.join(work, "texts", "embed.txt"))[: int(rows)]
            began = time.perf_counter()
            bridge.embed(model, texts, None, {}, None)
            spent = time.perf_counter() - began
        else:
            texts, codes = read_rows(os.path.join(work, "texts", "fit.tsv"))
            texts, codes = texts[: int(rows)], codes[: int(rows)]
            target = {"label_ids": codes.tolist(), "levels": [str(i) for i in range(max(codes) + 1)]}
            options = {"epochs": 3, "head": {}, "seed": 1, "train": "all"}
            fit = bridge.fit(model, "classification", texts, None, target, None, options, lambda *_: None)
            spent = min(fit.history["seconds"][1:])  # the first epoch makes the graph
        print(spent, file=sys.stderr, flush=True)


def start(setting, work):
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **SETTINGS[setting]}
    return subprocess.Popen(
        [sys.executable, __file__, work],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=env,
    )


def ask(process, job):
    print(job, file=process.stdin, flush=True)
    while True:
        line = process.stderr.readline()
        if not line:
            sys.exit("a process ended")
        try:
            return float(line)
        except ValueError:
            continue  # what TensorFlow says


def measure(work, rounds, jobs):
    processes = {setting: start(setting, work) for setting in SETTINGS}
    for job in jobs:
        seconds = {setting: [] for setting in SETTINGS}
        for i in range(rounds + 1):
            order = list(SETTINGS) if i % 2 else list(SETTINGS)[::-1]
            for setting in order:
                time.sleep(PAUSE)
                spent = ask(processes[setting], job)
                if i:
                    seconds[setting].append(spent)
        print(job, flush=True)
        for setting, spent in seconds.items():
            ratios = sorted(s / on for s, on in zip(spent, seconds["on"], strict=True))
            print(
                f"  {setting:10} {statistics.median(spent):.2f} s  {statistics.median(ratios):.2f} "
                f"({ratios[0]:.2f} to {ratios[-1]:.2f})",
                flush=True,
            )
    for process in processes.values():
        process.stdin.close()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        measure(sys.argv[1], int(sys.argv[2]), sys.argv[3:] or JOBS)
    else:
        serve(sys.argv[1])
