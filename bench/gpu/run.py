"""bertr on JAX against transformers on torch with sdpa and bfloat16, on a GPU: embedding, and an epoch of fine-tuning,
with encoders of the shapes of MiniLM and BERT-base. Prints a table, and writes gpu.json into the folder $OUT if that is
set. Takes less than 8 minutes: an engine that has no time left is left out. Not run on a GPU yet.

    python bench/gpu/run.py            # needs jax, keras, torch, transformers and safetensors, but no network
    python bench/gpu/run.py --small    # only whether it runs, in a minute on a processor
"""

import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from work import SHAPES, SIZES, SMALL_SHAPES, SMALL_SIZES, write_model, write_texts

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 460
# float32 last: it only tells how far bfloat16 is off
ENGINES = (("bertr_jax.py",), ("torch_hf.py",), ("bertr_jax.py", "float32"))
COLUMNS = ("shape", "engine", "texts_per_second", "rows_per_second", "gigabytes", "off")


def answer_of(script, folder, texts, more, end):
    """What an engine tells, or how it failed."""
    command = [sys.executable, os.path.join(HERE, script), folder, texts, *more]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(1.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        return {"engine": script, "error": "no time left"}
    if done.returncode:
        return {"engine": script, "error": done.stderr[-2000:]}
    return json.loads(done.stdout.strip().rpartition("\n")[2])


def with_distances(answers):
    """The answers with `off`: the largest difference of an entry of a unit vector from that of the last engine."""
    vectors = [answer.pop("vectors", None) for answer in answers]
    for answer, own in zip(answers, vectors, strict=True):
        if own and vectors[-1]:
            answer["off"] = round(float(np.abs(np.subtract(own, vectors[-1])).max()), 5)
    return answers


def line(values):
    widths = (10, 42, 18, 17, 10, 8)
    return "  ".join(str(value).ljust(width) for value, width in zip(values, widths, strict=True)).rstrip()


def main(small=False):
    end = time.monotonic() + SECONDS
    shapes, sizes = (SMALL_SHAPES, SMALL_SIZES) if small else (SHAPES, SIZES)
    results = []
    print(line(COLUMNS))
    with tempfile.TemporaryDirectory() as work:
        texts = os.path.join(work, "texts.json")
        write_texts(texts, sizes)
        for shape, size in shapes.items():
            folder = os.path.join(work, shape)
            write_model(folder, *size)
            answers = [answer_of(script, folder, texts, more, end) for script, *more in ENGINES]
            for answer in with_distances(answers):
                results.append({"shape": shape, **answer})
                print(line([results[-1].get(name, "") for name in COLUMNS]), flush=True)
                if "error" in answer:
                    print(answer["error"])
    if os.environ.get("OUT"):
        with open(os.path.join(os.environ["OUT"], "gpu.json"), "w", encoding="utf-8") as f:
            json.dump(results, f, indent=2)
    return int(any("error" in result for result in results))


if __name__ == "__main__":
    sys.exit(main("--small" in sys.argv[1:]))
