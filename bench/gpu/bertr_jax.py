"""bertr on Keras' JAX backend: seconds of embedding texts and of one epoch of fine-tuning, as a line of JSON.

python bench/gpu/bertr_jax.py MODEL TEXTS ROWS     # files as bench/texts.py writes them
"""

import json
import os
import sys
import time

os.environ["KERAS_BACKEND"] = "jax"
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "inst", "python"))

import numpy as np

from bertr import bridge
from files import read_rows, read_texts, told


def embed_seconds(model, texts):
    began = time.perf_counter()
    bridge.embed(model, texts, None, {"pool": "mean", "max_len": 256}, None)
    return time.perf_counter() - began


def epoch_seconds(model, texts, labels):
    """The second epoch's: the first one compiles."""
    levels = sorted(set(labels))
    target = {"label_ids": np.array([levels.index(x) for x in labels], np.int32), "levels": levels}
    options = {
        "head": {"pool": "mean", "calibrate": False},
        "epochs": 2,
        "batch_size": 32,
        "learning_rate": 1e-4,
        "max_len": 128,
        "seed": 1,
    }
    return bridge.fit(model, "classification", texts, None, target, None, options, None).history["seconds"][-1]


def main(folder, texts_file, rows_file):
    model, texts, (labels, rows) = bridge.load(folder, {}), read_texts(texts_file), read_rows(rows_file)
    embed_seconds(model, texts)  # compiles
    print(
        json.dumps(
            told(
                "bertr on JAX, float32",
                min(embed_seconds(model, texts) for _ in range(3)),
                len(texts),
                epoch_seconds(model, rows, labels),
                len(rows),
                bridge.info()["gpus"],
            )
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
