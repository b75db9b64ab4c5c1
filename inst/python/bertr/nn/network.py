"""The network that is trained: an encoder, the pooling of its states, and a task's head."""

import dataclasses
import json
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from ..text.ragged import splits
from .heads import ACTIVATIONS
from .join import make_join

if TYPE_CHECKING:
    from .backbone import Backbone


class Network(keras.layers.Layer):
    """`call` maps ids to the head's outputs; `features` and `head` are its two halves."""

    def __init__(
        self,
        backbone: "Backbone",
        head: Any,
        task: Any,
        head_options: dict[str, Any],
        kind: str | None = None,
        **kwargs: Any,
    ):
        """`kind`, a text, tells all that outputs and losses depend on but variables."""
        super().__init__(dtype="float32", **kwargs)
        self.kind = kind
        self.started = False  # whether the head has weights to start training from
        self.backbone, self.head, self.task, self.pool = backbone, head, task, head_options["pool"]
        self.join = None if task.per_token else make_join(head_options)
        width = backbone.config.hidden_size * (1 if task.per_token else self.pool.count("+") + 1)
        if self.join:
            self.join.build((None, width))
        self.width = self.join.width(width) if self.join else width  # of what the head reads
        head.build((None, self.width))
        self.built = True

    def pooled(self, ids: Any, segments: Any, mask: Any, training: bool = False) -> Any:
        """Vectors of rows, [batch, hidden], or states [batch, length, hidden] for tasks per token."""
        if self.task.per_token:
            return self.backbone(ids, segments, mask, training=training)
        last = (self.backbone.config.num_layers,)
        states = self.backbone.states_for(self.pool, ids, segments, mask, last, training)[0]
        return self.backbone.pool(states, mask, self.pool)

    def features(self, ids: Any, segments: Any, mask: Any, first: Any = None, training: bool = False) -> Any:
        """The head's input: as `pooled`, or one joined vector per text."""
        values = self.pooled(ids, segments, mask, training=training)
        return values if self.join is None else self.join(values, first)

    def call(self, ids: Any, segments: Any, mask: Any, first: Any = None, training: bool = False) -> Any:
        """`first`, where texts may have several rows: int [texts + 1], the first row of each text, and the end of the
        last; rows after it belong to no text."""
        return self.head(self.features(ids, segments, mask, first, training=training), training=training)

    def computing_in(self, precision: str) -> AbstractContextManager[None]:
        """As `Backbone.computing_in`."""
        return self.backbone.computing_in(precision)

    def joined(self, values: np.ndarray, owner: Any) -> np.ndarray:
        """Features of texts from the pooled vectors of all their rows; `owner` [rows] is the text of each. Numpy in,
        numpy out."""
        if self.join is None:
            return values
        first = splits(np.bincount(owner)).astype(np.int32)
        return ops.convert_to_numpy(self.join(values, first))

    @property
    def upper_weights(self) -> list[Any]:
        """The variables that are not the encoder's."""
        return [*self.head.weights, *(self.join.weights if self.join else [])]

    def train_only(self, train: str) -> None:
        """Makes "all", only the "head", or the last k layers ("top:k") trainable. The head always is; the pooler only
        if it is used."""
        self.backbone.train_only(train)
        if self.backbone.pooler and (self.pool != "pooler" or self.task.per_token):
            self.backbone.pooler.trainable = False


def read_head_options(model: Any, given: dict[str, Any]) -> dict[str, Any]:
    """All options of a head, with defaults for those not given.

    Args:
        model: a Model.
        given: dict of the arguments of `bert_head()`; None stands for the default.

    Returns:
        A dict of plain data with all options.

    Raises:
        BertrError: those of `Model.pool`.
    """
    return {
        "units": [int(n) for n in given.get("units") or []],
        "activation": given.get("activation") or ACTIVATIONS[0],
        "dropout": given.get("dropout"),
        "pool": model.pool(given.get("pool")),
        "pair": given.get("pair") or "joint",
        "link": given.get("link") or "identity",
        "crf": bool(given.get("crf")),
        "words": given.get("words") or "punctuation",
        "relations": given.get("relations") or "gplinker",
        "long": given.get("long") or "truncate",
        "windows": given.get("windows") or "mean",
        "threshold": given.get("threshold"),
        "calibrate": given.get("calibrate") is not False,
        "whole_words": bool(given.get("whole_words")),
    }


def build_network(
    model: Any, task: Any, head_options: dict[str, Any], train: str, seed: int = 0, dropout: float | None = None
) -> Network:
    """The untrained network of a fit; a saved fit's weights are loaded into it.

    Args:
        model: a Model.
        task: a Task.
        head_options: dict, see `read_head_options`.
        train: "all", "head" or "top:k"; with "head" the network shares the model's encoder.
        seed: for the head's initial weights and for dropout.
        dropout: the encoder's rate; None: the checkpoint's.

    Returns:
        A Network.
    """
    backbone = model.backbone if train == "head" else model.new_backbone(seed, dropout)
    rate = head_dropout(model, head_options, dropout)
    head = task.head(model.config, head_options, rate, seed)
    config = backbone.config
    kind = json.dumps(
        [config.model_type, dataclasses.asdict(config), backbone.pooler is not None, task.kind, head_options, rate]
    )
    network = Network(backbone, head, task, head_options, kind)
    task.attach(head, backbone, model.checkpoint.tensors)
    model.release()
    return network


def head_dropout(model: Any, head_options: dict[str, Any], dropout: float | None = None) -> float:
    """The dropout rate of the head: its own, else the one set for the encoder, else the checkpoint's."""
    rate = head_options["dropout"]
    if rate is None:
        rate = model.config.hidden_dropout if dropout is None else dropout
    return rate
