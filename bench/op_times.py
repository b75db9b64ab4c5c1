"""Where the time of embedding and of fitting goes, by TensorFlow's own profiler: the share of each kind of operation.

    PYTHONPATH=inst/python python bench/op_times.py MODEL embed.txt fit.tsv

MODEL and the files are those that run.py makes in bench/.work. A fused product has in its time what follows in the same
kernel, such as bias and GELU.
"""

import collections
import glob
import sys
import tempfile

import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from bertr import bridge

LEAST = 0.01  # the share below which a kind is not printed


def kind(event):
    """The class of an operation, of an event named scope/operation:Class; None of events that contain others."""
    name, _, of_class = event.rpartition(":")
    contains = not name or " " in event or "::" in event
    return None if contains else of_class


def profiled(call):
    """Seconds of each kind while `call` runs."""
    out, space = collections.Counter(), xplane_pb2.XSpace()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            call()
        with open(glob.glob(folder + "/**/*.xplane.pb", recursive=True)[0], "rb") as f:
            space.ParseFromString(f.read())
    for plane in space.planes:
        names = {key: value.name for key, value in plane.event_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                out[kind(names[event.metadata_id])] += event.duration_ps / 1e12
    del out[None]
    return out


def show(title, times):
    total = sum(times.values())
    print(f"\n{title}: {total:.2f} s in operations")
    for name, spent in times.most_common():
        if spent >= LEAST * total:
            print(f"  {100 * spent / total:4.1f} %  {name}")


def main(folder, texts, rows):
    with open(texts, encoding="utf-8") as f:
        texts = f.read().splitlines()[:2000]
    with open(rows, encoding="utf-8") as f:
        rows = [line.split("\t") for line in f.read().splitlines()[:640]]
    model, levels = bridge.load(folder, {}), sorted({label for label, _ in rows})
    target = {"label_ids": np.array([levels.index(label) for label, _ in rows], np.int32), "levels": levels}
    options = {"head": {"pool": "mean"}, "seed": 1, "epochs": 2, "batch_size": 32}

    def embed():
        bridge.embed(model, texts, None, {}, None)

    embed()  # builds the graph
    show("Embedding", profiled(embed))
    show(
        "Two epochs of fitting",
        profiled(
            lambda: bridge.fit(model, "classification", [text for _, text in rows], None, target, None, options, None)
        ),
    )


main(*sys.argv[1:])
