"""bertr on Keras' JAX backend, for `run.py`: how fast it embeds texts, and rows a second in an epoch of fine-tuning.

python bench/gpu/bertr_jax.py MODEL TEXTS [PRECISION]
"""

import os
import sys
import time

os.environ["KERAS_BACKEND"] = "jax"
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "inst", "python"))

import numpy as np

from bertr import bridge
from bertr.kernels.precision import resolved
from work import CHECKED, EMBED_TOKENS, FIT_TOKENS, RATE, ROWS, labels_of, read_texts, told


def embed(model, texts):
    return bridge.embed(model, texts, None, {"pool": "mean", "max_len": EMBED_TOKENS}, None)["values"]


def seconds(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def epoch_seconds(model, texts):
    """The second epoch's: the first one compiles."""
    target = {"label_ids": np.array(labels_of(texts), np.int32), "levels": ["no", "yes"]}
    options = {
        "head": {"pool": "mean", "calibrate": False},
        "epochs": 2,
        "batch_size": ROWS,
        "learning_rate": RATE,
        "max_len": FIT_TOKENS,
        "seed": 1,
    }
    return bridge.fit(model, "classification", texts, None, target, None, options, None).history["seconds"][-1]


def main(folder, texts_file, precision="auto"):
    bridge.use_precision(precision)
    import jax

    device = jax.devices()[0]
    model, texts = bridge.load(folder, {}), read_texts(texts_file)
    vectors = embed(model, texts["embed"])[:CHECKED]  # compiles
    best = min(seconds(lambda: embed(model, texts["embed"])) for _ in range(2))
    epoch = epoch_seconds(model, texts["fit"])
    stats = device.memory_stats() or {}
    told(
        f"bertr, JAX, {resolved()}",
        str(getattr(device, "device_kind", device)),
        len(texts["embed"]),
        best,
        len(texts["fit"]),
        epoch,
        round(stats.get("peak_bytes_in_use", 0) / 1e9, 2),
        vectors,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
