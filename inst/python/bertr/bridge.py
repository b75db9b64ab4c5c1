"""The one door: every function R calls. Plain values and columns in, plain values and columns out; R sends only
complete rows, and texts as lists of str."""

import dataclasses
import os
import sys
import time

import keras
import numpy as np

from . import fitting, hub, store
from .errors import BertrError
from .inputs import encode
from .model import Fit, Model

EVENT_SECONDS = 0.1  # R is told of progress at most this often


# ---------------------------------------------------------------- what there is

def info():
    """Versions and devices of this Python."""
    return {
        "python": sys.version.split()[0], "python_path": sys.executable, "keras": keras.__version__,
        "tensorflow": _version("tensorflow"), "backend": keras.backend.backend(), "numpy": np.__version__,
        "threads": os.cpu_count() or 1, "gpus": _gpus(), "default_model": hub.installed_folder() or "",
    }


def _version(package):
    module = sys.modules.get(package)
    return getattr(module, "__version__", "") if module else ""


def _gpus():
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return [d.name for d in tf.config.list_physical_devices("GPU")]
    import jax

    return [str(d) for d in jax.devices() if d.platform != "cpu"]


def models():
    """The table of named models, as columns."""
    table = hub.MODELS
    return {
        "name": list(table), "source": [m["repo"] for m in table.values()],
        "revision": [m["revision"] for m in table.values()],
        "description": [m["description"] for m in table.values()],
        "parameters": [float(m["parameters"]) for m in table.values()],
        "installed": [bool(hub.installed_folder(name)) for name in table],
    }


# ---------------------------------------------------------------- models

def load(source, options=None):
    """The Model, or the Fit, of a folder or a name."""
    return store.load_folder(source, **{k: v for k, v in (options or {}).items() if v is not None})


def is_fit(thing):
    return isinstance(thing, Fit)


def fingerprint(thing):
    """Tells fits apart, whatever folder they are in."""
    return thing.fingerprint


def describe(thing):
    """Plain facts of a model, or of the model a fit was made from."""
    model = _base(thing)
    checkpoint, config = model.checkpoint, model.config
    return {
        "name": os.path.basename(os.path.normpath(model.source)),
        "source": model.source, "folder": checkpoint.folder, "format": checkpoint.format,
        "config": dataclasses.asdict(config),
        "pooling": checkpoint.pooling, "max_len": _length(thing, None), "fingerprint": model.fingerprint,
        "lower_case": bool(checkpoint.tokenizer.get("lower_case", True)),
        "tokens": checkpoint.tokenizer.get("mode", "wordpiece"),
        "parameters": float(sum(t.size for t in checkpoint.tensors.values())),
        "unread": list(checkpoint.unread), "unread_why": list(checkpoint.unread.values()),
        "missing": list(checkpoint.missing), "missing_why": list(checkpoint.missing.values()),
    }


def vocab(thing):
    """The vocabulary in the order of its ids."""
    return list(_base(thing).tokenizer.vocab)


# ---------------------------------------------------------------- texts to tokens and back

def tokenize(thing, a, b, max_len):
    """Padded matrices, int32 [rows, longest]."""
    encodings = _base(thing).encode(a, b, _length(thing, max_len))
    ids, segments, mask = encodings.pad(np.arange(len(encodings)))
    return {"token_ids": ids, "segment_ids": segments, "mask": mask, "n_tokens": encodings.full_lengths,
            "n_truncated": encodings.n_truncated}


def token_table(thing, a, b, max_len):
    """One entry a token; row, position, start and end count from 1 and are inclusive, 0 for special tokens."""
    model = _base(thing)
    e = model.encode(a, b, _length(thing, max_len), offsets=True)
    lengths, words = e.lengths, model.tokenizer.vocab
    position = np.arange(lengths.sum()) - np.repeat(e.row_splits[:-1], lengths)
    return {
        "row": np.repeat(np.arange(1, len(e) + 1), lengths).astype(np.int32),
        "position": (position + 1).astype(np.int32), "token": [words[i] for i in e.ids], "token_id": e.ids,
        "segment": e.segments.astype(np.int32),
        "start": np.where(e.end > 0, e.start + 1, 0).astype(np.int32), "end": e.end,
    }


def count_tokens(thing, a, b):
    """Tokens of each row before any cutting, special ones included."""
    return _base(thing).tokenizer.count(a, b)


def detokenize(thing, ids, lengths):
    """Texts of rows of ids, given one after the other; [CLS], [SEP] and [PAD] are left out."""
    tokenizer = _base(thing).tokenizer
    ids, lengths = np.asarray(ids, np.int64).reshape(-1), np.asarray(lengths, np.int64).reshape(-1)
    return [tokenizer.decode(row.tolist()) for row in np.split(ids, np.cumsum(lengths)[:-1])]


# ---------------------------------------------------------------- fitting and using

def fit(model, task, a, b, target, validation, options, on_event):
    """Trains; an interrupt gives what there is so far."""
    return fitting.fit(model, task, a, b, target, validation, options, _throttled(on_event))


def describe_fit(thing):
    """What was trained on what, and the history as columns."""
    facts = thing.facts
    history = {name: np.asarray(v, np.int32 if name == "epoch" else np.float64) for name, v in thing.history.items()}
    return {**facts, "task": thing.task.name, "levels": thing.task.spec.get("levels", []),
            "units": thing.head_options["units"], "history": history}


def predict(thing, a, b, options, on_event):
    """The task's columns for these texts, and how many were cut."""
    encodings = encode(thing.base, thing.task, thing.head_options, a, b, _length(thing, options.get("max_len")))
    outputs = thing.scorer.encodings(encodings, _counter(on_event, len(a), len(encodings)))
    return {**thing.task.decode(outputs, encodings, a, b, thing.network.head), "n_truncated": encodings.n_truncated}


def embed(thing, a, b, options, on_event):
    """Vectors, float64 [rows, hidden], or [tokens, hidden] with `n_tokens` a row for pool "none"."""
    model = thing.model if isinstance(thing, Fit) else thing
    pool = model.pool(options.get("pool"))
    encodings = model.encode(a, b, _length(thing, options.get("max_len")))
    scorer = model.scorer(pool, _layers(options.get("layer"), model.config.num_layers))
    values = scorer.encodings(encodings, _counter(on_event, len(a), len(encodings))).astype(np.float64)
    if options.get("normalise"):
        values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return {"values": values, "n_tokens": encodings.lengths.astype(np.int32), "n_truncated": encodings.n_truncated}


def _layers(layer, num_layers):
    """The layers to average: 0 the embeddings, `num_layers` the last one (the default)."""
    layers = [num_layers] if layer is None else layer if isinstance(layer, list) else [layer]
    for k in layers:
        if k not in range(num_layers + 1):
            raise BertrError("layer", f"`layer` is {k}, but this model has layers 0 to {num_layers}.",
                             f"0 is the embeddings, {num_layers} the last layer.")
    return tuple(int(k) for k in layers)


# ---------------------------------------------------------------- keeping

def save(thing, folder, spec):
    """Into a folder, with R's own `spec` (JSON text)."""
    store.save_folder(thing, folder, spec)


def spec(thing):
    """R's own part of a fit."""
    return thing.spec if isinstance(thing, Fit) else ""


def to_bytes(thing, spec):
    thing.spec = spec
    return store.to_bytes(thing)


def from_bytes(data, base):
    return store.from_bytes(data, base)


# ---------------------------------------------------------------- helpers

def _base(thing) -> Model:
    return thing.base if isinstance(thing, Fit) else thing


def _length(thing, max_len):
    """The length to cut at: the one asked for, the fit's, or the model's own."""
    if max_len is None and isinstance(thing, Fit):
        max_len = thing.facts["max_len"]
    return _base(thing).length(max_len)


def _throttled(on_event):
    """Progress for R, not more than about ten times a second; the ends of epochs always come through.

    R answers True when the user wants to stop: it crashes if it handles an interrupt above frames of Python."""
    last = [0.0]

    def emit(kind, values):
        now = time.monotonic()
        often = kind in ("step", "encode")
        if on_event and not (often and now - last[0] < EVENT_SECONDS):
            last[0] = now
            if on_event(kind, values) is True:
                raise KeyboardInterrupt

    return emit


def _counter(on_event, texts, rows):
    """Tells how many texts are done, of which some may be several rows."""
    if not on_event:
        return None
    emit = _throttled(on_event)
    return lambda done: emit("encode", {"done": done * texts // rows, "total": texts})
