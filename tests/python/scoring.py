"""What the tests of scoring share: fits of every task, plans as R makes them, and tables."""

import numpy as np

from bertr import bridge

TEXTS = [
    "the cat sleeps",
    None,
    "a big dog runs",
    "sun",
    "",
    "the old cat eats the red fish",
    None,
    "moon falls , rain",
]


def factor(name, *levels):
    return {"name": name, "kind": "factor", "levels": list(levels), "ordered": False}


def columns(kind, *names):
    return [{"name": name, "kind": kind} for name in names]


def plan(columns, what="predict", text=("text",), keep=None, rows=3, **options):
    return {
        "what": what,
        "text": list(text),
        "keep": keep,
        "rows": rows,
        "columns": columns,
        "options": {"max_len": 16, **options},
    }


CLASSES = [factor(".pred_class", "cat", "dog"), *columns("double", ".pred_cat", ".pred_dog")]


def fit(model, task, target, b=None, **head):
    """A quick fit on the complete TEXTS and their neighbours."""
    a = [text for text in TEXTS if text]
    options = {"head": head, "seed": 1, "epochs": 1, "train": "all", "max_len": 16}
    return bridge.fit(model, task, a, b, target, None, options, None)


def classes(model):
    return fit(model, "classification", {"label_ids": np.array([0, 1, 0, 0, 1], np.int32), "levels": ["cat", "dog"]})
