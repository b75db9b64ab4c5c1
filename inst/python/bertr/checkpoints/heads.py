"""The heads of Hugging Face's task models: `BertForSequenceClassification` and its like for every family.

Source: the modeling files of https://github.com/huggingface/transformers.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BertrError
from ..shapes import FILLED, check, fields, one_of, or_null, table_of, whole
from . import weight_names
from .files import read_json

if TYPE_CHECKING:
    from .config import BertConfig

SINGLE, MULTI, NUMBERS = "single_label_classification", "multi_label_classification", "regression"
TEXTS, TOKENS, SPANS = KINDS = "SequenceClassification", "TokenClassification", "QuestionAnswering"
OF_TOKENS = {TOKENS: "classifier", SPANS: "qa_outputs"}  # the output layers, which all families call the same
INSTEAD = "Name its outputs with `labels`, or load the encoder alone with `head = FALSE`."
PROBLEM = fields(optional={"problem_type": or_null(one_of(SINGLE, MULTI, NUMBERS))})
WITHOUT = "Load the encoder alone with `head = FALSE`."


@dataclasses.dataclass(frozen=True)
class Heads:
    """What a family calls the layers of its heads. A text's head is a dense layer on the first token and the output."""

    encoder: str  # the prefix of the encoder's tensors
    dense: str
    activation: str  # of the dense layer, by its name in Keras
    output: str

    @property
    def uses_pooler(self) -> bool:
        """Whether the dense layer is the encoder's pooler."""
        return self.dense.startswith(f"{self.encoder}.")


BERT = Heads("bert", "bert.pooler.dense", "tanh", "classifier")
ALBERT = Heads("albert", "albert.pooler", "tanh", "classifier")
DISTILBERT = Heads("distilbert", "pre_classifier", "relu", "classifier")
ELECTRA = Heads("electra", "classifier.dense", "gelu", "classifier.out_proj")
MPNET = Heads("mpnet", "classifier.dense", "tanh", "classifier.out_proj")
ROBERTA = Heads("roberta", "classifier.dense", "tanh", "classifier.out_proj")  # also XLM-RoBERTa and CamemBERT


@dataclasses.dataclass
class Head:
    """The head of a task model."""

    kind: str  # one of KINDS
    layers: list  # of (kernel [in, out], bias [out]), the output last
    labels: list | None  # of str, one per output; None: not given
    problem: str | None  # "problem_type" of the config file


def architecture(config: "BertConfig", kind: str) -> str:
    """The name of the class of a family's task models, such as "BertForTokenClassification"."""
    return config.to_huggingface()["architectures"][0].removesuffix("Model") + "For" + kind


def kind_of(d: dict[str, Any], config: "BertConfig") -> str | None:
    """The kind of the task model that a config file names first, or None: an encoder, or a class of somebody's own."""
    named = (d.get("architectures") or [""])[0]
    return next((kind for kind in KINDS if architecture(config, kind) == named), None)


NO_HEAD: Any = (set(), lambda: None, {})  # see `open_head`


def open_head(
    folder: str,
    config: "BertConfig",
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], np.ndarray],
    labels: list[str] | None,
) -> tuple[set[str], Callable[[], Head | None], dict[str, str]]:
    """The head that a folder's config file names.

    Args:
        folder: a path.
        config: the encoder's BertConfig.
        shapes: {variable: shape} of the weight files.
        read: a function that returns a variable, float32.
        labels: the names of the outputs; None: those of the config file.

    Returns:
        (The variables of the head; a function that reads it, or returns None if there is none; {"head": what that
        means} if the config file names one, but the weights have none).

    Raises:
        BertrError: head (incomplete, or of another shape than the config file says), labels, config.
    """
    path = os.path.join(folder, "config.json")
    d = read_json(path)
    kind = kind_of(d, config)
    if kind is None:
        return NO_HEAD
    check(d, PROBLEM, f"'{path}'", WITHOUT, "head")
    names = [OF_TOKENS[kind]] if kind in OF_TOKENS else [config.heads.dense, config.heads.output]
    in_file = {weight_names.plain_name(variable, "huggingface", config): variable for variable in shapes}
    found, absent = [], []
    for name in names:
        wanted = [f"{name}.weight", f"{name}.bias"]
        layer = [in_file.get(weight_names.plain_name(each, "huggingface", config), "") for each in wanted]
        absent += [each for each, variable in zip(wanted, layer, strict=True) if not variable]
        found.append(layer)
    what = architecture(config, kind)
    if not any(found[-1]):
        return *NO_HEAD[:2], {"head": f"config.json names a {what}, but the file has no weights of its head"}
    if absent:
        raise BertrError("head", f"'{folder}' has no '{absent[0]}', which a {what} needs.", WITHOUT)
    outputs = _outputs(found, shapes, kind, what, config.hidden_size, folder)
    if kind != SPANS:
        labels = labels or _labels(d, outputs, f"'{path}'")
        _check_number(labels, outputs)

    def whole():
        layers = [(np.ascontiguousarray(read(kernel).T), read(bias)) for kernel, bias in found]
        return Head(kind, layers, labels, d.get("problem_type"))

    return {name for layer in found for name in layer}, whole, {}


def _outputs(found, shapes, kind, what, hidden, folder):
    """The number of outputs; an error if a layer has another shape than it must have."""
    outputs = 2 if kind == SPANS else (shapes[found[-1][0]] or (1,))[0]
    for i, (kernel, bias) in enumerate(found):
        size = max(1, outputs) if i == len(found) - 1 else hidden
        for name, needed in ((kernel, (size, hidden)), (bias, (size,))):
            if shapes[name] != needed:
                has, wants = (" x ".join(map(str, shape)) for shape in (shapes[name], needed))
                raise BertrError(
                    "head", f"'{name}' in '{folder}' has the shape {has}, but a {what} requires {wants}.", WITHOUT
                )
    return outputs


def _labels(d, outputs, where):
    """The labels in the JSON of a config file; "LABEL_0" and so on, as transformers names them, if there are none."""
    shape = fields(optional={"id2label": or_null(table_of(FILLED)), "num_labels": or_null(whole(1))})
    check(d, shape, where, INSTEAD, "head")
    named = d.get("id2label")
    given = len(named) if named is not None else d.get("num_labels") or outputs
    if given != outputs:
        field = "num_labels" if named is None else "id2label"
        raise BertrError("head", f"'{field}' in {where} is for {_counted(given)}, but the head has {outputs}.", INSTEAD)
    ids = [str(i) for i in range(outputs)]
    if named is None:
        return [f"LABEL_{i}" for i in ids]
    gap = next((i for i in ids if i not in named), None)
    if gap is not None:
        raise BertrError("head", f"'id2label' in {where} has {outputs} labels, but none for output {gap}.", INSTEAD)
    labels = [named[i] for i in ids]
    twice = next((label for i, label in enumerate(labels) if label in labels[:i]), None)
    if twice is not None:
        raise BertrError("head", f"'id2label' in {where} has the label '{twice}' for more than one output.", INSTEAD)
    return labels


def _counted(outputs):
    return "1 output" if outputs == 1 else f"{outputs} outputs"


def _check_number(labels, outputs):
    if len(labels) != outputs:
        raise BertrError(
            "labels",
            f"`labels` names {_counted(len(labels))}, but the head has {outputs}.",
            "Give one name per output, in their order.",
        )


def _floats(array):
    return np.ascontiguousarray(array, np.float32)


def head_config(head: Head, config: "BertConfig") -> dict[str, Any]:
    """What the config file of a task model says of its head."""
    out: dict[str, Any] = {"architectures": [architecture(config, head.kind)]}
    if head.labels is not None:
        out["id2label"] = {str(i): label for i, label in enumerate(head.labels)}
        out["label2id"] = {label: i for i, label in enumerate(head.labels)}
    return {**out, "problem_type": head.problem} if head.problem else out


def head_tensors(head: Head, config: "BertConfig") -> dict[str, np.ndarray]:
    """The head's tensors under Hugging Face's names; of a text's head without a dense layer, which then is the
    encoder's pooler, only the output."""
    names = [config.heads.dense, OF_TOKENS.get(head.kind, config.heads.output)][-len(head.layers) :]
    out = {}
    for name, (kernel, bias) in zip(names, head.layers, strict=True):
        out |= {f"{name}.weight": _floats(kernel.T), f"{name}.bias": _floats(bias)}
    return out
