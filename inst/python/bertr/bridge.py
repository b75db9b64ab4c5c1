"""Every function that R calls. Arguments and results are plain values and columns; R sends only complete rows.

Arguments that several functions share:
    handle    a Model or a Fit
    a, b      lists of str; b is None for single texts
    max_len   tokens to cut texts at; None: the fit's, or the model's own. Results have the `max_len` that was used and
              `n_truncated`, the number of texts that were cut, both int
    options   a dict of settings, as the R function of the same name checked them
    on_event  None, or a function of a kind of event and a dict; it returns True if the user wants to stop

All functions may raise a BertrError, whose codes are those of the functions they call.
"""

import dataclasses
import math
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

import keras
import numpy as np

from . import explain as explaining
from . import features, interrupts, keras_layer, notes, similarity, startup, store
from .checkpoints import hub
from .checkpoints.architecture import architecture
from .checkpoints.sentence_modules import Sentence, pooled_width
from .errors import BertrError
from .events import counter, throttled
from .kernels import onednn
from .kernels import precision as float_types
from .kernels.backend import BACKEND, gpus, is_out_of_memory, too_little_memory
from .kernels.memory import freeze
from .model import Fit, Model
from .nn.unit import unit_rows
from .scoring.predict import predict as predict_columns
from .tasks import metrics
from .tasks.inputs import encode
from .tasks.mlm.fill_mask import fill
from .tasks.mlm.next_sentence import follow
from .tasks.predictions import Predictions
from .tasks.span import squad
from .training import run_folder
from .training.fit import check_train
from .training.fit import fit as train
from .training.keras_adamw import bert_optimizer
from .training.recalibrate import recalibrate
from .zero_shot import zero_shot as label_texts


class Outcome:
    """The result of a call for R: a value and notes for the user, or the error and its traceback."""

    def __init__(self, value: Any = None, error: Exception | None = None):
        self.value, self.error, self.text, self.trace, self.notes = value, error, "", "", notes.take()
        if error:
            self.text = f"{type(error).__name__}: {error}"
            self.trace = "".join(traceback.format_exception(error))
            error.__traceback__ = None  # its frames would keep all objects of the call alive


def run(name: str, *args: Any) -> Outcome:
    """Calls a function of this module for R. An interrupt ends the call only at the end of a batch.

    Nothing is raised: after an interrupt reticulate mistakes any error for that interrupt, and while R suspends
    interrupts it then returns NULL.

    Args:
        name: the name of the function.
        args: its arguments.

    Returns:
        An Outcome.
    """
    try:
        return Outcome(interrupts.run(globals()[name], *args))
    except KeyboardInterrupt:
        return Outcome(error=BertrError("interrupt", "Interrupted."))
    except Exception as e:
        return Outcome(error=too_little_memory("for this") if is_out_of_memory(e) else e)


def forget_interrupt() -> NoReturn:
    """Raises an error, which makes reticulate clear a pending interrupt.

    Raises:
        BertrError: interrupt.
    """
    raise BertrError("interrupt", "Forgotten.")


interrupts.ENTRIES.update({run.__code__, forget_interrupt.__code__})


# ---------------------------------------------------------------- versions and known models


def info() -> dict[str, Any]:
    """Versions and devices of this Python.

    Returns:
        A dict of str, numbers and flags; `gpus` is a list of str.
    """
    return {
        "python": sys.version.split()[0],
        "python_path": sys.executable,
        "keras": keras.__version__,
        "tensorflow": _version("tensorflow"),
        "backend": BACKEND,
        "numpy": np.__version__,
        "threads": startup.threads(),
        "onednn": onednn.is_on(),
        "gpus": gpus(),
        "precision": float_types.current(),
        "default_model": hub.installed_folder() or "",
    }


def use_precision(name: str) -> None:
    """Sets the float type of everything that names none, see kernels/precision.py."""
    float_types.use_precision(name)


def start() -> list[str]:
    """Installs the interrupt handler; R calls it first.

    Returns:
        list of str, notes for the user about how TensorFlow was started.
    """
    interrupts.listen()
    freeze()
    out = startup.notes()
    if startup.STARTED_BEFORE and onednn.is_on() is False and os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1":
        out.append(
            "TensorFlow was imported before bertr and runs without oneDNN, which makes bertr slower: load bertr "
            "first, or set TF_ENABLE_ONEDNN_OPTS=1 before importing TensorFlow."
        )
    return out


def _version(package):
    module = sys.modules.get(package)
    return getattr(module, "__version__", "") if module else ""


def models() -> dict[str, list[Any]]:
    """The table of named models.

    Returns:
        A dict of columns, one entry per model; `parameters` is NaN if unknown.
    """
    table = hub.MODELS
    return {
        "name": list(table),
        "family": [m["family"] for m in table.values()],
        "source": [m["repo"] for m in table.values()],
        "revision": [m["revision"] or "" for m in table.values()],
        "description": [m["description"] for m in table.values()],
        "parameters": [float(m["parameters"] or "nan") for m in table.values()],
        "installed": [bool(hub.installed_folder(name)) for name in table],
    }


# ---------------------------------------------------------------- models


def load(
    source: str | None, options: dict[str, Any] | None = None, on_event: Callable[..., Any] | None = None
) -> Model | Fit:
    """Loads a model or a fit.

    Args:
        source: a folder, a known name or "owner/name" on the hub; None: the default model.
        options: None, or any of layers, tokens, lower_case, max_len, activation and revision; None is the default.

    Returns:
        A Model or a Fit.
    """
    return store.load_folder(source, **{k: v for k, v in (options or {}).items() if v is not None}, on_event=on_event)


def is_fit(handle: Any) -> bool:
    """Whether this is a Fit; a bool."""
    return isinstance(handle, Fit)


def fingerprint(handle: Model | Fit) -> str:
    """A str that identifies weights and head, independent of the folder."""
    return handle.fingerprint


def describe(handle: Model | Fit) -> dict[str, Any]:
    """Facts about a model, or about the model that a fit was trained from.

    Returns:
        A dict of plain values; `config` is a dict, `layers` a dict of columns, lists have one entry per item.
    """
    model = _base(handle)
    checkpoint, config, origin = model.checkpoint, model.config, model.origin or {}
    sentence = Sentence() if isinstance(handle, Fit) else checkpoint.sentence
    return {
        "name": os.path.basename(os.path.normpath(model.source)),
        "source": model.source,
        "folder": checkpoint.folder,
        "format": checkpoint.format,
        "repo": origin.get("repo", ""),
        "commit": origin.get("commit", ""),
        "config": dataclasses.asdict(config),
        "pooling": checkpoint.pooling,
        "width": sentence.width(pooled_width(checkpoint.pooling, config.hidden_size)),
        "steps": sentence.described(),
        "prompts": list(sentence.prompts),
        "prompt_texts": list(sentence.prompts.values()),
        "unused_rows": config.vocab_size - len(checkpoint.vocab),
        "max_len": cut_length(handle, None),
        "fingerprint": model.fingerprint,
        "lower_case": bool(checkpoint.tokenizer.get("lower_case")),
        "tokens": checkpoint.tokenizer.get("mode", "wordpiece"),
        "mask": model.tokenizer.mask_name,
        "parameters": float(sum(map(math.prod, checkpoint.tensors.shapes.values()))),
        "layers": architecture(checkpoint),
        "unread": list(checkpoint.unread),
        "unread_why": list(checkpoint.unread.values()),
        "missing": list(checkpoint.missing),
        "missing_why": list(checkpoint.missing.values()),
    }


def vocab(handle: Model | Fit) -> list[str]:
    """The vocabulary, list of str in the order of ids."""
    return list(_base(handle).tokenizer.vocab)


# ---------------------------------------------------------------- texts to tokens and back


def cut_length(handle: Model | Fit, max_len: int | None) -> int:
    """The length to cut texts at, in tokens: the one given, the fit's, or the model's own; int."""
    if max_len is None and isinstance(handle, Fit):
        max_len = handle.facts["max_len"]
    return _base(handle).length(max_len)


def tokenize(handle: Model | Fit, a: list[str], b: list[str] | None, max_len: int | None) -> dict[str, Any]:
    """Padded token ids.

    Returns:
        A dict: `token_ids`, `segment_ids` and `mask`, int32 [rows, longest]; `n_tokens`, int32 [rows], before cutting;
        `n_truncated` and `max_len`.
    """
    max_len = cut_length(handle, max_len)
    encodings = _base(handle).encode(a, b, max_len)
    ids, segments, mask = encodings.pad(np.arange(len(encodings)))
    return {
        "token_ids": ids,
        "segment_ids": segments,
        "mask": mask,
        "n_tokens": encodings.full_lengths,
        **_cut(encodings, max_len),
    }


def token_table(handle: Model | Fit, a: list[str], b: list[str] | None, max_len: int | None) -> dict[str, Any]:
    """Tokens as columns.

    Returns:
        A dict of columns with one entry per token: `row`, `position`, `token_id`, `segment`, `start` and `end`, int32;
        `token`, list of str. Row, position, start and end count from 1; ends are inclusive. Start and end are 0 for
        special tokens.
    """
    model = _base(handle)
    e = model.encode(a, b, cut_length(handle, max_len), offsets=True)
    words = model.tokenizer.vocab
    return {
        "row": (e.row + 1).astype(np.int32),
        "position": (e.position + 1).astype(np.int32),
        "token": [words[i] for i in e.ids],
        "token_id": e.ids,
        "segment": e.segments.astype(np.int32),
        "start": np.where(e.end > 0, e.start + 1, 0).astype(np.int32),
        "end": e.end,
    }


def count_tokens(handle: Model | Fit, a: list[str], b: list[str] | None) -> np.ndarray:
    """Tokens of each row before cutting, special tokens included; int32 [rows]."""
    return _base(handle).tokenizer.count(a, b)


def detokenize(handle: Model | Fit, ids: Sequence[int] | np.ndarray, lengths: Sequence[int] | np.ndarray) -> list[str]:
    """Texts from token ids, without [CLS], [SEP] and [PAD].

    Args:
        ids: int [tokens], the ids of all rows, concatenated.
        lengths: int [rows].

    Returns:
        list of str.
    """
    tokenizer = _base(handle).tokenizer
    ids, lengths = np.asarray(ids, np.int64).reshape(-1), np.asarray(lengths, np.int64).reshape(-1)
    return [tokenizer.decode(row.tolist()) for row in np.split(ids, np.cumsum(lengths)[:-1])]


# ---------------------------------------------------------------- training and prediction


def fit(
    model: Model | Fit,
    task: str,
    a: list[str],
    b: list[str] | None,
    target: dict[str, Any],
    validation: dict[str, Any] | None,
    options: dict[str, Any],
    on_event: Callable[..., Any] | None,
) -> Fit:
    """Trains a model, or the encoder of a fit, with `options["further"]` also its head, if it predicts the same. An
    interrupt returns the fit so far.

    Args:
        model: a Model or a Fit.
        task: the name of a task.
        target: a dict of columns, see the task's class.
        validation: None, or a dict of `a`, `b` and `target`.
        options: see `fit` of training/fit.py.

    Returns:
        A Fit.
    """
    start = model if isinstance(model, Fit) and options.get("further") else None
    return train(_encoder(model), task, a, b, target, validation, options, throttled(on_event), start)


def remember(model: Model | Fit, on: bool) -> None:
    """Starts (`on` True) or ends remembering the vectors of texts, so that fits of heads on the same texts, and their
    predictions, encode each text once; `model` as in `fit`."""
    _encoder(model).remember(on)


def kept_seed(folder: str) -> int | None:
    """The seed of the run in a checkpoint folder: int, or None without a run."""
    return run_folder.kept_seed(folder)


def describe_fit(handle: Fit) -> dict[str, Any]:
    """Facts about the training.

    Args:
        handle: a Fit.

    Returns:
        A dict: the fit's facts, `task`, `levels`, `outputs` (names of numbers), `units`, `event_threshold` (of two
        classes) and `thresholds` (of labels) or None, and `history`, a dict of columns with one entry per epoch.
    """
    facts = handle.facts
    history = {name: np.asarray(v, np.int32 if name == "epoch" else np.float64) for name, v in handle.history.items()}
    return {
        **facts,
        "task": handle.task.name,
        "levels": handle.task.spec.get("levels", []),
        "outputs": handle.task.spec.get("outputs", []),
        "event_threshold": handle.task.spec.get("event_threshold"),
        "thresholds": handle.task.spec.get("thresholds"),
        "units": handle.head_options["units"],
        "history": history,
    }


def predict(
    handle: Fit, a: list[str], b: list[str] | None, options: dict[str, Any], on_event: Callable[..., Any] | None
) -> dict[str, Any]:
    """Predictions for texts.

    Args:
        handle: a Fit.
        options: `max_len`.

    Returns:
        A dict: the columns of the task's `decode`, `n_truncated` and `max_len`.
    """
    max_len = cut_length(handle, options.get("max_len"))
    columns, encodings = predict_columns(handle, a, b, max_len, counter(on_event, len(a), len(a)))
    return {**columns, **_cut(encodings, max_len)}


def explain(
    handle: Fit, a: list[str], b: list[str] | None, options: dict[str, Any], on_event: Callable[..., Any] | None
) -> dict[str, Any]:
    """Weights of words in what a fit predicts.

    Args:
        handle: a Fit.
        options: `method`, a name in `explain.WAYS`; `classes`, int [texts], the class to explain, from 0, or -1 for the
            task's choice.

    Returns:
        A dict. Columns with one entry per word that was read: `row` and `side` (1 or 2), `start` and `end`, int32 from
        1, ends inclusive; `word`, list of str; `weight`, float64. With one per text that has words: `text`, int32 from
        1; `label` and `part`, lists of str; `score`, `masked_score` and `gap`, float64; `steps`, int32. And
        `n_truncated` and `max_len`.
    """
    tell = counter(on_event, len(a), len(a))
    length, classes = cut_length(handle, None), np.asarray(options["classes"], np.int64)
    words, weight, results, n_truncated = explaining.explain(handle, a, b, length, options["method"], classes, tell)
    row, starts, ends = results.text[words.text], words.start.tolist(), words.end.tolist()
    texts = [(a, b)[side] for side in words.side.tolist()]
    return {
        "row": (row + 1).astype(np.int32),
        "side": (words.side + 1).astype(np.int32),
        "word": [side[i][s:e] for side, i, s, e in zip(texts, row.tolist(), starts, ends, strict=True)],
        "weight": weight,
        "start": (words.start + 1).astype(np.int32),
        "end": words.end.astype(np.int32),
        "text": (results.text + 1).astype(np.int32),
        "label": results.label,
        "part": results.words,
        "score": results.score,
        "masked_score": results.masked_score,
        "gap": results.gap,
        "steps": results.steps.astype(np.int32),
        "n_truncated": n_truncated,
        "max_len": length,
    }


def calibrate(
    handle: Fit,
    a: list[str],
    b: list[str] | None,
    target: dict[str, Any],
    threshold: dict[str, Any] | None,
    on_event: Callable[..., Any] | None,
) -> dict[str, Any]:
    """Calibrates a fit for classes or labels on other rows.

    Args:
        handle: a Fit.
        target: the outcomes, a dict as the task's target.
        threshold: None, or for two classes a dict: `event`, the class from 0, and `measure`, "f_meas", "accuracy" or
            "j_index".

    Returns:
        A dict: `fit`, a new Fit; `n_truncated` and `max_len`.
    """
    fitted, encodings = recalibrate(handle, a, b, target, threshold, lambda rows: counter(on_event, len(a), rows))
    return {"fit": fitted, **_cut(encodings, cut_length(handle, None))}


def read_squad(path: str) -> dict[str, Any]:
    """The questions of a SQuAD file; a dict of columns, see `squad.read`."""
    return squad.read(path)


def new_predictions() -> Predictions:
    """An empty Predictions for `keep_predictions`."""
    return Predictions()


def keep_predictions(
    handle: Fit, a: list[str], b: list[str] | None, options: dict[str, Any], on_event: Callable[..., Any] | None
) -> dict[str, Any]:
    """As `predict`, but keeps what the task's metrics need. If the outcomes are the texts themselves, the masked words
    are drawn with the fit's seed.

    Args:
        handle: a Fit.
        options: `kept`, the Predictions that these are added to.

    Returns:
        A dict: `n_truncated` and `max_len`.
    """
    task, max_len = handle.task, cut_length(handle, None)
    encodings = encode(handle.base, task, handle.head_options, a, b, max_len)
    tell, done = counter(on_event, len(a), len(encodings)), 0

    def score(part):  # some or all of the encodings
        nonlocal done
        before, done = done, done + len(part)
        return handle.scorer.encodings(part, tell and (lambda rows: tell(before + rows)))

    part = task.predictions(encodings, score, a, b, handle.network.head, handle.facts.get("seed", 0))
    options["kept"].add(part, len(a))
    return _cut(encodings, max_len)


def evaluate(handle: Fit, kept: Predictions, truth: dict[str, Any], event: int | None) -> dict[str, Any]:
    """All metrics of a fit on new texts.

    Args:
        handle: a Fit.
        kept: the Predictions of all texts.
        truth: the outcomes of all texts, a dict as the task's target; unseen labels come after those of training.
        event: the class for which precision and recall are wanted, int from 0, or None.

    Returns:
        A dict of columns with one entry per metric: `metric` and `estimator`, lists of str; `estimate`, float64, NaN if
        undefined; for some tasks also `outcome`, list of str, or `level`, int32 from 1, 0 for all labels together.
    """
    return handle.task.metric_table(truth, kept.joined(), event)


def evaluate_classes(handle: Fit, kept: Predictions, truth: dict[str, Any]) -> dict[str, Any]:
    """Metrics of each class or label; arguments as in `evaluate`.

    Returns:
        A dict of columns with one entry per class and metric, as in `evaluate`; `level` counts from 1.
    """
    return metrics.class_table(handle.task.class_counts(truth, kept.joined()))


def confusion(handle: Fit, kept: Predictions, truth: dict[str, Any]) -> np.ndarray:
    """The confusion matrix of a fit for classes, int32 [all classes, classes of training]; arguments as in
    `evaluate`."""
    return handle.task.confusion(truth, kept.joined())


def curves(handle: Fit, kept: Predictions, truth: dict[str, Any], kind: str, event: int | None) -> dict[str, Any]:
    """ROC or precision-recall curves, one per class, except of classes with no rows or all rows.

    Args:
        kept, truth: as in `evaluate`.
        kind: "roc" or "pr".
        event: the only class that gets a curve, int from 0, or None.

    Returns:
        A dict: `skipped`, int32, the classes without a curve, from 1; unless all are, `curve` and `area`, see
        `metrics.curve_tables`.
    """
    given, prob = handle.task.label_scores(truth, kept.joined())
    wanted = np.arange(given.shape[1]) if event is None else np.array([event])
    share = given[:, wanted].mean(axis=0)
    drawn = (share > 0) & (share < 1)
    tables = metrics.curve_tables(kind, given, prob, wanted[drawn]) if drawn.any() else {}
    return {"skipped": (wanted[~drawn] + 1).astype(np.int32), **tables}


def reliability(handle: Fit, kept: Predictions, truth: dict[str, Any]) -> dict[str, Any]:
    """The bins of the metric `ece` of a fit for classes; arguments as in `evaluate`.

    Returns:
        A dict: `n`, int32, and `confidence` and `accuracy`, float64, NaN in an empty bin, [bins] each; `ece`, float.
    """
    rows = handle.task.confidence(truth, kept.joined())
    n, correct, sums = metrics.reliability(*rows)
    return {
        "n": n.astype(np.int32),
        "confidence": metrics.ratio(sums, n),
        "accuracy": metrics.ratio(correct, n),
        "ece": float(metrics.calibration_error(*rows)),
    }


def fill_mask(
    handle: Model | Fit, texts: list[str], _: Any, options: dict[str, Any], on_event: Callable[..., Any] | None
) -> dict[str, Any]:
    """Candidates for every [MASK].

    Args:
        texts: list of str.
        _: not used; `b` in other functions.
        options: `top`, the number of tokens per [MASK]; `targets`, list of str, the only candidates, or None; and
            `max_len`.

    Returns:
        A dict of columns with one entry per text, [MASK] and candidate: `row`, `mask` and `rank`, int32 from 1; `token`
        and `text`, lists of str; `probability`, float64. And `n_truncated` and `max_len`.
    """
    model, max_len = _encoder(handle), cut_length(handle, options.get("max_len"))
    columns, encodings = fill(
        model,
        texts,
        int(options["top"]),
        options.get("targets"),
        max_len,
        counter(on_event, len(texts), len(texts)),
    )
    numbers = {name: np.array(columns[name], np.int32) + 1 for name in ("row", "mask", "rank")}
    return {
        **columns,
        **numbers,
        "probability": np.array(columns["probability"], np.float64),
        **_cut(encodings, max_len),
    }


def zero_shot(
    handle: Fit, a: list[str], b: None, options: dict[str, Any], on_event: Callable[..., Any] | None
) -> dict[str, Any]:
    """How well labels that were not trained fit texts, by a fit that knows whether one text follows from another.

    Args:
        handle: a Fit of pairs whose task is classification.
        options: `hypotheses`, list of str, one sentence per label; `entails`, int [1], the class of "follows", from 0;
            `against`, int [classes], those that count against it if `several`, bool.

    Returns:
        A dict: `prob`, float64 [texts, labels]; `chosen`, int32 [texts], from 0; `n_truncated` and `max_len`.
    """
    max_len, labels = cut_length(handle, None), options["hypotheses"]
    tell = counter(on_event, len(a), len(a) * len(labels))
    (entails,), several = options["entails"], options["several"]
    prob, encodings = label_texts(handle, a, labels, entails, options["against"], several, max_len, tell)
    n_truncated = -(-encodings.n_truncated // len(labels))  # texts, not pairs
    chosen = np.argmax(prob, axis=1).astype(np.int32)
    return {"prob": prob, "chosen": chosen, "n_truncated": n_truncated, "max_len": max_len}


def next_sentence(
    handle: Model | Fit, a: list[str], b: list[str], options: dict[str, Any], on_event: Callable[..., Any] | None
) -> dict[str, Any]:
    """Whether the second text of each pair follows the first, by the head of pre-training.

    Args:
        options: `max_len`.

    Returns:
        A dict: `probability`, float64 [pairs]; `n_truncated` and `max_len`.
    """
    model, max_len = _encoder(handle), cut_length(handle, options.get("max_len"))
    encodings = model.encode(a, b, max_len)
    return {"probability": follow(model, encodings, counter(on_event, len(a), len(a))), **_cut(encodings, max_len)}


def embed(
    handle: Model | Fit, a: list[str], b: list[str] | None, options: dict[str, Any], on_event: Callable[..., Any] | None
) -> dict[str, Any]:
    """Vectors of texts.

    Args:
        options: see `features.vectors`.

    Returns:
        A dict: `values`, float64 [rows, width], or [tokens, width] for pool "none"; `n_tokens`, int32 [rows];
        `n_truncated` and `max_len`.
    """
    values, encodings, cut = _vectors(handle, a, b, options, on_event)
    return {"values": values.astype(np.float64), "n_tokens": encodings.lengths.astype(np.int32), **cut}


def _vectors(handle, a, b, options, on_event):
    """(vectors, Encodings, what R tells about cut texts)."""
    max_len, tell = cut_length(handle, options.get("max_len")), counter(on_event, len(a), len(a))
    values, encodings = features.vectors(_encoder(handle), a, b, {**options, "max_len": max_len}, tell)
    return values, encodings, _cut(encodings, max_len)


def attention(handle: Model | Fit, a: list[str], b: list[str] | None, options: dict[str, Any]) -> dict[str, Any]:
    """Attention probabilities of one text or pair.

    Args:
        a, b: lists of one str; b None: a single text.
        options: see `features.attention`.

    Returns:
        A dict: as `features.attention`, `n_truncated` and `max_len`.
    """
    max_len = cut_length(handle, options.get("max_len"))
    result, encodings = features.attention(_encoder(handle), a, b, {**options, "max_len": max_len})
    return {**result, **_cut(encodings, max_len)}


# ---------------------------------------------------------------- comparing


def new_vectors() -> list[np.ndarray]:
    """An empty list for `keep_vectors`: vectors that stay in Python."""
    return []


def keep_vectors(
    handle: Model | Fit, a: list[str], b: list[str] | None, options: dict[str, Any], on_event: Callable[..., Any] | None
) -> dict[str, Any]:
    """As `embed`, but keeps the vectors, scaled to length 1.

    Args:
        options: as in `embed`, and `kept`, the list that a float32 array [rows, width] is appended to.

    Returns:
        A dict: `n_truncated` and `max_len`.
    """
    values, _, cut = _vectors(handle, a, b, options, on_event)
    options["kept"].append(unit_rows(values))
    return cut


def as_vectors(values: np.ndarray) -> list[np.ndarray]:
    """The rows of a matrix [rows, width] in the form of `keep_vectors`: a list of one float32 array."""
    return [unit_rows(np.asarray(values))]


def cosines(
    x: list[np.ndarray],
    x_rows: Sequence[int] | np.ndarray,
    y: list[np.ndarray] | None,
    y_rows: Sequence[int] | np.ndarray | None,
) -> np.ndarray:
    """Cosine similarities of all pairs.

    Args:
        x, y: lists of vectors from `keep_vectors`; y None: compare x with itself.
        x_rows, y_rows: int, the rows to compare, from 0; rows may repeat. y_rows is None if y is.

    Returns:
        float64 [rows of x, rows of y].
    """
    return similarity.cosines(*similarity.both(x, x_rows, y, y_rows)).astype(np.float64)


def nearest(
    x: list[np.ndarray],
    x_rows: Sequence[int] | np.ndarray,
    y: list[np.ndarray] | None,
    y_rows: Sequence[int] | np.ndarray | None,
    top: int,
    on_event: Callable[..., Any] | None,
) -> dict[str, Any]:
    """The nearest rows of y for each row of x; without y the nearest other rows of x.

    Args:
        x, x_rows, y, y_rows: as in `cosines`.
        top: neighbours per row.

    Returns:
        A dict: `place`, int32 from 0, and `similarity`, float64, both [rows of x * top], best first.
    """
    emit, n = throttled(on_event), len(x_rows)
    places, values = similarity.nearest(
        *similarity.both(x, x_rows, y, y_rows), top, y is None, lambda done: emit("compare", {"done": done, "total": n})
    )
    return {"place": places.reshape(-1), "similarity": values.reshape(-1).astype(np.float64)}


# ---------------------------------------------------------------- scoring of files


def score(
    handle: Model | Fit,
    source: str,
    target: str,
    plan: dict[str, Any],
    master: str | None,
    on_event: Callable[..., Any] | None,
) -> dict[str, Any]:
    """Adds the columns of `predict`, `next_sentence` or `embed` to tables in files.

    Args:
        source, target, plan: as those of `score` in scoring/local.py.
        master: None, or the URL of the master of Spark, which then does the work.

    Returns:
        A dict: as that of `score` in scoring/local.py, or in scoring/spark.py.

    Raises:
        BertrError: no_package, if one of the packages is missing.
    """
    try:
        if master is None:
            from .scoring import local
        else:
            from .scoring import spark
    except ModuleNotFoundError as e:
        raise BertrError(
            "no_package",
            f"Files are scored with the Python package {e.name}, which is not installed.",
            f"Run bert_install({'score' if master is None else 'spark'} = TRUE) and restart R.",
        ) from None
    if master is None:
        return local.score(handle, source, target, plan, on_event)
    return spark.score(handle, source, target, plan, master, on_event)


# ---------------------------------------------------------------- Keras


def keras_model(
    handle: Model | Fit, pool: str | None, train: str, max_len: int | None, dropout: float | None, precision: str
) -> keras.Model:
    """A keras.Model around the encoder; arguments as in `keras_layer.keras_model`."""
    model = _encoder(handle)
    check_train(train, model.config)
    float_types.checked(precision.removeprefix("mixed_"))
    return keras_layer.keras_model(model, pool, train, max_len, dropout, precision)


def from_keras(trained: Any, handle: Model | Fit) -> Model:
    """The Model with the encoder of a Keras model; `handle` is what `keras_model` was called with."""
    return keras_layer.from_keras(trained, _encoder(handle))


def keras_optimizer(rows: int, batch_size: int, epochs: int, learning_rate: float, warmup: float) -> Any:
    """BERT's optimizer for `compile()`; arguments as in `bert_optimizer` of training/keras_adamw.py."""
    return bert_optimizer(rows, batch_size, epochs, learning_rate, warmup)


# ---------------------------------------------------------------- saving


def save(handle: Model | Fit, folder: str, spec: str) -> None:
    """Saves into a folder; arguments as in `store.save_folder`."""
    store.save_folder(handle, folder, spec)


def spec(handle: Model | Fit) -> str:
    """R's own part of a fit, JSON text; "" for a model."""
    return handle.spec if isinstance(handle, Fit) else ""


def to_bytes(handle: Fit, spec: str) -> Iterator[bytearray]:
    """The bytes of a fit with R's own part `spec` (JSON text): an iterator for `next_piece`."""
    handle.spec = spec
    return store.to_bytes(handle)


def next_piece(pieces: Iterator[bytearray]) -> bytearray | None:
    """The next piece, a bytearray, or None after the last."""
    return next(pieces, None)


def from_bytes(pieces: Iterable[bytes | bytearray], base: str | None) -> Fit:
    """The Fit of these bytes; arguments as in `store.from_bytes`."""
    return store.from_bytes(pieces, base)


# ---------------------------------------------------------------- helpers


def _base(handle) -> Model:
    return handle.base if isinstance(handle, Fit) else handle


def _encoder(handle) -> Model:
    """The model; of a fit the one with the trained encoder."""
    return handle.model if isinstance(handle, Fit) else handle


def _cut(encodings, max_len):
    """What R tells the user about texts that were cut."""
    return {"n_truncated": encodings.n_truncated, "max_len": max_len}
