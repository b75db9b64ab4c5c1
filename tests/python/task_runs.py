"""A small fit of every task, on either backend: the loss of every step, the metrics and the predictions."""

import os
import random

import numpy as np

from bertr import bridge
from bertr.kernels.backend import BACKEND
from bertr.training import fine_tuning
from bertr.training import fit as fitting

THINGS = ("cat", "dog", "bird", "fish")
WORDS = ("the", "red", "blue", "green", "old", "new", "big", "suns", "moon", "runs", "reder", "sings")
BATCH, TRAINED, SEEN = 8, 30, 10  # the last batch of an epoch has 6 rows
OPTIONS = {"seed": 2, "epochs": 5, "learning_rate": 1e-4, "dropout": 0.0, "batch_size": BATCH, "max_len": 16}


def _texts():
    """Texts of very different lengths, with a thing at the front and at the end."""
    rng = random.Random(4)
    out = []
    for i in range(TRAINED + SEEN):
        middle = rng.choices(WORDS, k=150 if i == 3 else rng.choice([2, 5, 12, 30]))
        out.append(" ".join([rng.choice(THINGS), *middle, rng.choice(THINGS)]))
    return out


TEXTS = _texts()
FIRST = [text.split()[0] for text in TEXTS]
LAST = [text.split()[-1] for text in TEXTS]


def classes(rows):
    return {"label_ids": np.array([int(LAST[i] in THINGS[:2]) for i in rows], np.int32), "levels": ["no", "yes"]}


def labels(rows):
    values = np.array([[FIRST[i] == thing or LAST[i] == thing for thing in THINGS] for i in rows], np.float32)
    return {"values": values, "levels": list(THINGS)}


def numbers(rows):
    return {"values": np.array([[3.0 + len(FIRST[i]) + 2.0 * len(LAST[i])] for i in rows]), "outputs": ["y"]}


def answers(rows):
    texts = [TEXTS[i] for i in rows]
    none = [n % 5 == 4 for n in range(len(texts))]
    return {
        "start": np.array([-1 if no else len(t) - len(t.split()[-1]) for t, no in zip(texts, none, strict=True)]),
        "end": np.array([0 if no else len(t) for t, no in zip(texts, none, strict=True)]),
        "contexts": texts,
        "golds": ["" if no else t.split()[-1] for t, no in zip(texts, none, strict=True)],
        "gold_counts": np.ones(len(texts), np.int32),
    }


def entities(rows):
    found = []
    for n, i in enumerate(rows):
        if n % 4:  # the others have none
            end = len(TEXTS[i])
            found.append((n, 0, len(FIRST[i]), THINGS.index(FIRST[i]) % 2))
            found.append((n, end - len(LAST[i]), end, THINGS.index(LAST[i]) % 2))
    columns = np.array(found).T
    return {**dict(zip(("row", "start", "end", "code"), columns, strict=True)), "levels": ["x", "y"], "words": False}


def relations(rows):
    found = []
    for n, i in enumerate(rows):
        words = TEXTS[i].split()
        if n % 4 and len(words) < 10:
            end = len(TEXTS[i])
            found.append((n, 0, len(words[0]), n % 2, end - len(words[-1]), end))
    names = ("text", "head_start", "head_end", "relation", "tail_start", "tail_end")
    return {**dict(zip(names, np.array(found).T, strict=True)), "levels": ["r", "s"]}


def hidden(pairs):
    return lambda rows: {"pairs": pairs}


WINDOWS = {"long": "window", "pool": "mean"}
# name: the task, its targets, whether it reads pairs, options of the head
TASKS = {
    "classification": ("classification", classes, False, {}),
    "multilabel": ("multilabel", labels, False, {}),
    "regression": ("regression", numbers, False, {}),
    "cosine": ("regression", numbers, True, {"pair": "cosine"}),
    "windows_mean": ("classification", classes, False, {**WINDOWS, "windows": "mean"}),
    "windows_max": ("multilabel", labels, False, {**WINDOWS, "windows": "max"}),
    "windows_attention": ("regression", numbers, False, {**WINDOWS, "windows": "attention"}),
    "words": ("mlm", hidden(False), False, {}),
    "whole_words": ("mlm", hidden(False), False, {"whole_words": True}),
    "words_and_pairs": ("mlm", hidden(True), True, {}),
    "span": ("span", answers, True, {}),
    "entities": ("entities", entities, False, {}),
    "entities_crf": ("entities", entities, False, {"crf": True}),
    "gplinker": ("relations", relations, False, {"relations": "gplinker"}),
    "subject_first": ("relations", relations, False, {"relations": "subject_first"}),
}


def sides(name, rows):
    """The first and the second texts."""
    task, _, pairs, _ = TASKS[name]
    if task == "span":
        return ["the cat"] * len(rows), [TEXTS[i] for i in rows]
    return [TEXTS[i] for i in rows], [TEXTS[-1 - i] for i in rows] if pairs else None


class Watched(fine_tuning.TrainStep):
    """A step that keeps its losses."""

    losses: list
    last: "Watched"

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        Watched.losses, Watched.last = [], self

    def __call__(self, targets, *inputs):
        means = super().__call__(targets, *inputs)
        Watched.losses.append(float(means[0]))
        return means


def fitted(name, model, weights=None, on_event=None, **options):
    """The fit. Its head starts with the weights in the file `weights`, if given, which a fit on TensorFlow writes: each
    backend has random numbers of its own."""
    task, target, _, head = TASKS[name]
    rows, seen = range(TRAINED), range(TRAINED, TRAINED + SEEN)
    a, b = sides(name, seen)
    validation = {"a": a, "b": b, "target": target(seen)}
    build, step = fitting.build_network, fine_tuning.TrainStep

    def with_weights(*args, **more):
        network = build(*args, **more)
        if weights is None:
            return network
        if BACKEND == "tensorflow":
            np.savez(weights, *[np.array(v) for v in network.upper_weights])
        else:
            for variable, value in zip(network.upper_weights, np.load(weights).values(), strict=True):
                variable.assign(value)
        return network

    fitting.build_network, fine_tuning.TrainStep = with_weights, Watched
    try:
        options = {**OPTIONS, "head": {**head, "calibrate": False}, **options}
        return bridge.fit(model, task, *sides(name, rows), target(rows), validation, options, on_event)
    finally:
        fitting.build_network, fine_tuning.TrainStep = build, step


def run(name, folder, weights, **options):
    """What a fit gives, in plain data."""
    Watched.losses = []
    model = bridge.load(folder, {})
    out = fitted(name, model, weights, **options)
    seen = range(TRAINED, TRAINED + SEEN)
    a, b = sides(name, seen)
    kept = bridge.new_predictions()
    bridge.keep_predictions(out, a, b, {"kept": kept}, None)
    if out.task.name == "mlm":
        asked = ["the [MASK] cat [MASK]", "[MASK] sleeps"]
        predicted = bridge.fill_mask(out, asked, None, {"top": 3}, None)
    else:
        predicted = bridge.predict(out, a, b, {}, None)
    columns = [np.asarray(x) for x in predicted.values()]
    return {
        "losses": Watched.losses,
        "history": {k: list(map(float, v)) for k, v in out.history.items() if k not in ("epoch", "seconds")},
        "metrics": bridge.evaluate(out, kept, TASKS[name][1](seen), None)["estimate"].tolist(),
        "predicted": np.concatenate([x.ravel() for x in columns if x.dtype.kind in "fiub"]).astype(float).tolist(),
        "compiled": None if BACKEND == "tensorflow" or not Watched.losses else Watched.last.function._cache_size(),
    }


class Killed(Exception):
    pass


def resumed(name, folder, run_folder, **options):
    """The weights and losses of a fit, and those of one that was killed in its last epoch and started again."""
    out = []
    for checkpoint in (None, run_folder):
        more = {**options, **({"checkpoint": checkpoint} if checkpoint else {})}

        def killed(kind, values):
            if kind == "epoch" and values["epoch"] == 2:
                raise Killed

        if checkpoint:
            try:
                fitted(name, bridge.load(folder, {}), None, killed, **more)
            except Killed:
                assert os.listdir(run_folder)
        fit = fitted(name, bridge.load(folder, {}), **more)
        arrays = [np.array(v.value).ravel().astype(float) for v in fit.network.weights]
        out.append([fit.history["loss"], np.concatenate(arrays).tolist()])
    return out
