"""What the tests of scoring share: a fit, plans as R makes them, and tables."""

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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
CLASSES = [
    {"name": ".pred_class", "kind": "factor", "levels": ["cat", "dog"], "ordered": False},
    {"name": ".pred_cat", "kind": "double"},
    {"name": ".pred_dog", "kind": "double"},
]
VECTORS = [{"name": "vector", "kind": "vector"}]


def plan(columns=CLASSES, what="predict", text=("text",), keep=None, rows=3, **options):
    return {
        "what": what,
        "text": list(text),
        "keep": keep,
        "rows": rows,
        "columns": columns,
        "options": {"max_len": 16, **options},
    }


def quick_fit(folder, seed=1, **more):
    """A quick fit of two classes."""
    texts = [text for text in TEXTS if text]
    target = {"label_ids": np.arange(len(texts), dtype=np.int32) % 2, "levels": ["cat", "dog"]}
    options = {"head": {}, "seed": seed, "epochs": 1, "learning_rate": 0.1, "train": "head", "max_len": 16, **more}
    return bridge.fit(bridge.load(folder, {}), "classification", texts, None, target, None, options, None)


def write(path, texts=TEXTS, **columns):
    """Writes a Parquet file; gives its table."""
    table = pa.table({"id": pa.array(range(len(texts)), pa.int64()), "text": pa.array(texts, pa.string()), **columns})
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return table


def contents(folder):
    """{name: bytes} of all files of a folder, except what the run keeps for itself."""
    folder = pathlib.Path(folder)
    paths = [path for path in folder.rglob("*") if path.is_file() and ".bertr-score" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
