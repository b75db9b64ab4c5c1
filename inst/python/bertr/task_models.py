"""Task models of Hugging Face as fits, and fits as task models. A fit that bertr did not train has `train` ELSEWHERE.

Sources: the pipelines of https://github.com/huggingface/transformers, whose predictions these fits have.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from .checkpoints import heads
from .checkpoints.heads import Head, architecture
from .errors import BertrError
from .model import ELSEWHERE, Fit, Model, network_scorer
from .nn.heads import DenseHead
from .nn.network import build_network, read_head_options
from .tasks.base import Task
from .tasks.classification import Classification
from .tasks.entities.iob import tags_of
from .tasks.entities.tags import levels_of
from .tasks.entities.task import Entities
from .tasks.multilabel import MultiLabel
from .tasks.regression import Regression
from .tasks.span.task import LONGEST, Span

# ---------------------------------------------------------------- a task model as a fit


def fit_of(model: Model, head: Head, no_answer: bool) -> Fit:
    """The Fit that predicts what a task model predicts.

    Args:
        model: the Model of the encoder.
        head: a Head.
        no_answer: for spans: whether a question may have no answer.

    Returns:
        A Fit.

    Raises:
        BertrError: head (nothing to predict), argument (`no_answer` without spans).
    """
    if no_answer and head.kind != heads.SPANS:
        raise BertrError(
            "argument",
            f"`no_answer` is for models that answer questions, but this is a {architecture(model.config, head.kind)}.",
            "Leave `no_answer` out.",
        )
    task = _task(head, no_answer)
    units = [kernel.shape[1] for kernel, _ in head.layers[:-1]]
    given = {"units": units, "activation": model.config.heads.activation, "pool": None if task.per_token else "cls"}
    head_options = read_head_options(model, {**given, "link": task.spec.get("link")})
    network = build_network(model, task, head_options, "head")
    for layer, weights in zip(network.head.stack, head.layers, strict=True):
        layer.set_weights(weights)
    facts = {
        "train": ELSEWHERE,
        "architecture": architecture(model.config, head.kind),
        "max_len": model.max_len,
        "pool": "none" if task.per_token else "cls",
    }
    return Fit(model, network, head_options, facts, {}, network_scorer(model, network, ELSEWHERE))


def _task(head: Head, no_answer: bool) -> Task:
    labels = head.labels or []
    if head.kind == heads.SPANS:
        return Span({"none": no_answer, "longest": LONGEST, "threshold": 0.0})
    if head.kind == heads.TOKENS:
        levels = levels_of(labels)
        if not levels:
            raise BertrError("head", "All tags of this model's head are 'O', so it finds nothing.", heads.INSTEAD)
        return Entities({"levels": levels, "crf": False, "words": "punctuation", "tags": labels})
    if head.problem == heads.MULTI:
        n = len(labels)
        return MultiLabel({"levels": labels, "log_odds": [0.0] * n, "fixed": None, "thresholds": [0.5] * n})
    if head.problem == heads.NUMBERS:
        n = len(labels)
        return Regression({"outputs": labels, "mean": [0.0] * n, "sd": [1.0] * n})
    if len(labels) == 1:  # as the pipeline, which takes the sigmoid of a single output
        return Regression({"outputs": labels, "link": "logit", "log_odds": [0.0]})
    return Classification({"levels": labels})


# ---------------------------------------------------------------- a fit as a task model


def head_of(fit: Fit) -> Head | None:
    """The Head with which transformers has the outputs of a Fit, or None if it has no such head.

    The temperature of classes, and mean and standard deviation of numbers, are in the weights of the output layer, so
    that probabilities and numbers are those of the fit.
    """
    described = DESCRIBE.get(fit.task.name)
    if described is None or fit.network.join is not None or not _has_their_shape(fit):
        return None
    out = described(fit.task.spec)
    if out is None:
        return None
    kind, labels, problem, scale, shift = out
    layers = [tuple(map(ops.convert_to_numpy, (layer.kernel, layer.bias))) for layer in fit.network.head.stack]
    kernel, bias = layers[-1]
    return Head(kind, [*layers[:-1], (kernel * scale, bias * scale + shift)], labels, problem)


def _has_their_shape(fit):
    """Whether the layers are those of transformers' head for this task."""
    head, options, theirs = fit.network.head, fit.head_options, fit.base.config.heads
    if not isinstance(head, DenseHead):
        return False
    if fit.task.per_token:
        return not options["units"] and not fit.task.spec.get("crf")
    if options["units"]:
        size = [fit.base.config.hidden_size]
        return options["pool"] == "cls" and options["units"] == size and options["activation"] == theirs.activation
    return options["pool"] == "pooler" and theirs.uses_pooler


def _of_classes(spec):
    return heads.TEXTS, spec["levels"], heads.SINGLE, 1.0 / (spec.get("temperature") or 1.0), 0.0


def _of_labels(spec):
    return heads.TEXTS, spec["levels"], heads.MULTI, 1.0, 0.0


def _of_numbers(spec):
    names = spec["outputs"]
    if "link" not in spec:
        return heads.TEXTS, names, heads.NUMBERS, np.array(spec["sd"]), np.array(spec["mean"])
    return (heads.TEXTS, names, None, 1.0, 0.0) if len(names) == 1 else None


def _of_entities(spec):
    return heads.TOKENS, spec.get("tags") or tags_of(spec["levels"]), None, 1.0, 0.0


def _of_spans(spec):
    return heads.SPANS, None, None, 1.0, 0.0


# the name of a task -> a function of its spec: (kind, labels, problem type, scale and shift of the outputs), or None
DESCRIBE: dict[str, Callable[[dict[str, Any]], tuple | None]] = {
    Classification.name: _of_classes,
    MultiLabel.name: _of_labels,
    Regression.name: _of_numbers,
    Entities.name: _of_entities,
    Span.name: _of_spans,
}
