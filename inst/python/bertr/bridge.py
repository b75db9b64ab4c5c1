"""The one door: every function R calls. Plain values and columns in, plain values and columns out; R sends only
complete rows, and texts as lists of str."""

import dataclasses
import math
import os
import sys
import traceback

import keras
import numpy as np

from . import features, interrupts, notes, similarity, startup, store
from .checkpoints import hub
from .checkpoints.sentence_modules import Sentence, pooled_width
from .errors import BertrError
from .events import counter, throttled
from .kernels import onednn
from .kernels.backend import BACKEND, gpus
from .kernels.memory import freeze
from .model import Fit, Model
from .tasks.inputs import encode
from .tasks.mlm.fill_mask import fill
from .tasks.span import squad
from .training import run_folder
from .training.fit import fit as train
from .training.fit import make_samples


class Outcome:
    """What a call gives R: a value with sentences for the user, or the error and where it was raised."""

    def __init__(self, value=None, error=None):
        self.value, self.error, self.text, self.trace, self.notes = value, error, "", "", notes.take()
        if error:
            self.text = f"{type(error).__name__}: {error}"
            self.trace = "".join(traceback.format_exception(error))
            error.__traceback__ = None  # its frames would hold all that the call worked on


def run(name, *args):
    """Calls the function of this name below, as R does: an interrupt ends it at the next batch, not sooner. Nothing is
    raised: once there was an interrupt, reticulate takes any error for it, and while R holds interrupts back it then
    gives a NULL."""
    try:
        return Outcome(interrupts.run(globals()[name], *args))
    except KeyboardInterrupt:
        return Outcome(error=BertrError("interrupt", "Interrupted."))
    except Exception as e:
        return Outcome(error=e)


def forget_interrupt():
    """Raises an error, upon which reticulate forgets an interrupt that it has noted."""
    raise BertrError("interrupt", "Forgotten.")


interrupts.ENTRIES.update({run.__code__, forget_interrupt.__code__})


# ---------------------------------------------------------------- what there is

def info():
    """Versions and devices of this Python."""
    return {
        "python": sys.version.split()[0], "python_path": sys.executable, "keras": keras.__version__,
        "tensorflow": _version("tensorflow"), "backend": BACKEND, "numpy": np.__version__,
        "threads": startup.threads(), "onednn": onednn.is_on(), "gpus": gpus(),
        "default_model": hub.installed_folder() or "",
    }


def start():
    """What R calls first. Sentences for the user about how TensorFlow was started."""
    interrupts.listen()
    freeze()
    out = startup.notes()
    if startup.STARTED_BEFORE and onednn.is_on() is False and os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1":
        out.append("TensorFlow was imported before bertr and runs without oneDNN, which makes bertr slower: load bertr "
                   "first, or set TF_ENABLE_ONEDNN_OPTS=1 before importing TensorFlow.")
    return out


def _version(package):
    module = sys.modules.get(package)
    return getattr(module, "__version__", "") if module else ""


def models():
    """The table of named models, as columns."""
    table = hub.MODELS
    return {
        "name": list(table), "source": [m["repo"] for m in table.values()],
        "revision": [m["revision"] or "" for m in table.values()],
        "description": [m["description"] for m in table.values()],
        "parameters": [float(m["parameters"] or "nan") for m in table.values()],
        "installed": [bool(hub.installed_folder(name)) for name in table],
    }


# ---------------------------------------------------------------- models

def load(source, options=None, on_event=None):
    """The Model, or the Fit, of a folder or a name."""
    return store.load_folder(source, **{k: v for k, v in (options or {}).items() if v is not None}, on_event=on_event)


def is_fit(thing):
    return isinstance(thing, Fit)


def fingerprint(thing):
    """Tells fits apart, whatever folder they are in."""
    return thing.fingerprint


def describe(thing):
    """Plain facts of a model, or of the model a fit was made from."""
    model = _base(thing)
    checkpoint, config, origin = model.checkpoint, model.config, model.origin or {}
    sentence = Sentence() if isinstance(thing, Fit) else checkpoint.sentence
    return {
        "name": os.path.basename(os.path.normpath(model.source)),
        "source": model.source, "folder": checkpoint.folder, "format": checkpoint.format,
        "repo": origin.get("repo", ""), "commit": origin.get("commit", ""),
        "config": dataclasses.asdict(config),
        "pooling": checkpoint.pooling, "width": sentence.width(pooled_width(checkpoint.pooling, config.hidden_size)),
        "steps": sentence.described(), "prompts": list(sentence.prompts),
        "prompt_texts": list(sentence.prompts.values()), "unused_rows": config.vocab_size - len(checkpoint.vocab),
        "max_len": _length(thing, None), "fingerprint": model.fingerprint,
        "lower_case": bool(checkpoint.tokenizer.get("lower_case", True)),
        "tokens": checkpoint.tokenizer.get("mode", "wordpiece"), "mask": model.tokenizer.mask_name,
        "parameters": float(sum(map(math.prod, checkpoint.tensors.shapes.values()))),
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
    words = model.tokenizer.vocab
    return {
        "row": (e.row + 1).astype(np.int32), "position": (e.position + 1).astype(np.int32),
        "token": [words[i] for i in e.ids], "token_id": e.ids,
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
    """Trains a model, or the encoder of a fit; an interrupt gives what there is so far."""
    return train(_encoder(model), task, a, b, target, validation, options, throttled(on_event))


def kept_seed(folder):
    """The seed of the run that a checkpoint folder holds, or None."""
    return run_folder.kept_seed(folder)


def describe_fit(thing):
    """What was trained on what, and the history as columns."""
    facts = thing.facts
    history = {name: np.asarray(v, np.int32 if name == "epoch" else np.float64) for name, v in thing.history.items()}
    return {**facts, "task": thing.task.name, "levels": thing.task.spec.get("levels", []),
            "units": thing.head_options["units"], "history": history}


def predict(thing, a, b, options, on_event):
    """The task's columns for these texts, and how many were cut."""
    encodings = encode(thing.base, thing.task, thing.head_options, a, b, _length(thing, options.get("max_len")))
    outputs = thing.scorer.encodings(encodings, counter(on_event, len(a), len(encodings)))
    return {**thing.task.decode(outputs, encodings, a, b, thing.network.head), "n_truncated": encodings.n_truncated}


def answer_scores(predicted, golds, gold_counts):
    """Exact match and F1 of answers; `golds` are the right ones of each, one after the other."""
    exact, f1 = squad.scores(predicted, squad.grouped(golds, gold_counts))
    return {"exact": exact, "f1": f1}


def read_squad(path):
    """The questions of a SQuAD file, as columns."""
    return squad.read(path)


def evaluate(thing, a, b, options, on_event):
    """Sums by which a task is judged whose outcomes are the texts themselves: what is hidden of them is drawn with
    the fit's seed."""
    task, seed = thing.task, thing.facts["seed"]
    samples = make_samples(thing.base, task, thing.head_options, a, b, {}, _length(thing, None))
    samples = task.draw(samples, np.random.default_rng(seed))
    tell = counter(on_event, len(a), len(samples))
    done = 0

    def score(encodings):
        nonlocal done
        outputs = thing.scorer.encodings(encodings)
        done += len(encodings)
        if tell:
            tell(done)
        return outputs

    sums = task.sums(samples, score, thing.network.head)
    return {"sums": sums, "n_truncated": samples.encodings.n_truncated}


def fill_mask(thing, texts, _, options, on_event):
    """One entry a text, [MASK] and candidate; `row`, `mask` and `rank` count from 1."""
    model = _encoder(thing)
    columns, n_truncated = fill(model, texts, int(options["top"]), options.get("targets"),
                                _length(thing, options.get("max_len")), counter(on_event, len(texts), len(texts)))
    numbers = {name: np.array(columns[name], np.int32) + 1 for name in ("row", "mask", "rank")}
    return {**columns, **numbers, "probability": np.array(columns["probability"], np.float64),
            "n_truncated": n_truncated}


def embed(thing, a, b, options, on_event):
    """Vectors, float64 [rows, width], or [tokens, width] with `n_tokens` a row for pool "none"."""
    values, encodings = features.vectors(_encoder(thing), a, b, options, counter(on_event, len(a), len(a)))
    return {"values": values.astype(np.float64), "n_tokens": encodings.lengths.astype(np.int32),
            "n_truncated": encodings.n_truncated}


def attention(thing, a, b, options):
    """Attention probabilities of one text or pair: `values`, float64 [layers, heads, from, to], and its tokens."""
    return features.attention(_encoder(thing), a, b, options)


# ---------------------------------------------------------------- comparing

def new_vectors():
    """Vectors that stay in Python: an empty list for `keep_vectors`."""
    return []


def keep_vectors(thing, a, b, options, on_event):
    """As `embed`, but the vectors are added to the list `options["kept"]`, scaled to length 1."""
    values, encodings = features.vectors(_encoder(thing), a, b, options, counter(on_event, len(a), len(a)))
    options["kept"].append(similarity.unit(values))
    return {"n_truncated": encodings.n_truncated}


def as_vectors(values):
    """The rows of R's matrix as `keep_vectors` keeps them."""
    return [similarity.unit(np.asarray(values))]


def cosines(x, x_rows, y, y_rows):
    """Similarities of all pairs, float64 [rows of x, rows of y]: `x_rows` are rows of the vectors `x`, which may
    repeat. Without `y` they are compared with themselves."""
    return similarity.cosines(*similarity.both(x, x_rows, y, y_rows)).astype(np.float64)


def nearest(x, x_rows, y, y_rows, top, on_event):
    """For each row of x the places, from 0, and similarities of its `top` nearest rows of y, one row of x after the
    other. Without `y` these are other rows of x."""
    emit, n = throttled(on_event), len(x_rows)
    places, values = similarity.nearest(*similarity.both(x, x_rows, y, y_rows), top, y is None,
                                        lambda done: emit("compare", {"done": done, "total": n}))
    return {"place": places.reshape(-1), "similarity": values.reshape(-1).astype(np.float64)}


# ---------------------------------------------------------------- keeping

def save(thing, folder, spec):
    """Into a folder, with R's own `spec` (JSON text)."""
    store.save_folder(thing, folder, spec)


def spec(thing):
    """R's own part of a fit."""
    return thing.spec if isinstance(thing, Fit) else ""


def to_bytes(thing, spec):
    """An iterator for `next_piece`."""
    thing.spec = spec
    return store.to_bytes(thing)


def next_piece(pieces):
    """Bytes, or None after the last."""
    return next(pieces, None)


def from_bytes(pieces, base):
    """The fit of a list of pieces."""
    return store.from_bytes(pieces, base)


# ---------------------------------------------------------------- helpers

def _base(thing) -> Model:
    return thing.base if isinstance(thing, Fit) else thing


def _encoder(thing) -> Model:
    """With the trained encoder, where it is a fit."""
    return thing.model if isinstance(thing, Fit) else thing


def _length(thing, max_len):
    """The length to cut at: the one asked for, the fit's, or the model's own."""
    if max_len is None and isinstance(thing, Fit):
        max_len = thing.facts["max_len"]
    return _base(thing).length(max_len)
