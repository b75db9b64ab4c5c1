"""Model, a loaded checkpoint, and Fit, a network trained on it. R holds handles of both."""

import copy
import dataclasses
import functools
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from . import notes
from .checkpoints import weight_names
from .checkpoints.checkpoint import fingerprint
from .checkpoints.lazy_tensors import Tensors
from .checkpoints.moment import stamp
from .checkpoints.reread import models, read_again
from .checkpoints.sentence_modules import Sentence
from .errors import BertrError
from .families import build_backbone, make_tokenizer, read_checkpoint
from .nn.scorer import GraphRunner, NetworkScorer, Scorer

if TYPE_CHECKING:
    from .checkpoints.checkpoint import Checkpoint
    from .nn.backbone import Backbone
    from .nn.network import Network
    from .text.encodings import Encodings

ELSEWHERE = "elsewhere"  # `train` of a fit whose head came with its encoder: bertr has not trained it
FROZEN = ("head", ELSEWHERE)  # values of `train` with which the encoder is the base's
UNKNOWN, ORDINARY = 0.2, 20  # share of [UNK] that is reported, for at least ORDINARY tokens


class Model:
    """A checkpoint with its tokenizer. The encoder is built on first use and never changed.

    Args:
        checkpoint: a Checkpoint.
        source: the name or folder it was loaded by.
        max_len: tokens to cut texts at; None: the checkpoint's.
        stored: whether the weights are those in the checkpoint's folder.
        origin: {"repo": , "commit": } on the hub, or None.

    Raises:
        BertrError: max_len, and those of the tokenizer.
    """

    def __init__(
        self,
        checkpoint: Any,
        source: str,
        max_len: int | None = None,
        stored: bool = True,
        origin: dict[str, Any] | None = None,
    ):
        self.checkpoint = dataclasses.replace(checkpoint, tensors=Tensors(checkpoint.tensors))
        self.source, self.origin, self.stored = source, origin, stored
        if stored:
            models.add(self)
        self.config = checkpoint.config
        self.tokenizer = make_tokenizer(checkpoint)
        self.max_len = self.length(max_len or checkpoint.max_len)
        self.scorers, self.remembers = {}, False
        self.noted_unknown = False

    @functools.cached_property
    def backbone(self) -> "Backbone":
        """The encoder, a Backbone."""
        backbone = self.new_backbone()
        self.checkpoint.tensors.release(backbone.shapes().keys(), backbone.tensors)
        return backbone

    def new_backbone(self, seed: int = 0, dropout: float | None = None) -> "Backbone":
        """The encoder with the checkpoint's weights, to be trained.

        Args:
            seed: int, for dropout.
            dropout: overrides both rates; None: the checkpoint's.

        Returns:
            A new Backbone.
        """
        return build_backbone(self.checkpoint, seed, dropout)

    def release(self) -> None:
        """Frees the checkpoint's tensors, so that they do not use memory next to a network in training.

        They are then read from the encoder if it was built, else from their folder if it has not changed."""
        tensors = self.checkpoint.tensors
        if "backbone" in vars(self):
            tensors.release(self.backbone.shapes().keys(), self.backbone.tensors)
        elif self.stored and stamp(self.checkpoint.folder) == self.checkpoint.stamp:
            rest = dataclasses.replace(self.checkpoint, tensors={})
            again = functools.partial(read_again, rest, self.fingerprint, read_checkpoint)
            tensors.release(tensors.shapes.keys(), again)

    @functools.cached_property
    def fingerprint(self) -> str:
        """A str that identifies config, weights and vocabulary."""
        return fingerprint(self.checkpoint)

    def length(self, max_len: int | None) -> int:
        """The length to cut texts at.

        Args:
            max_len: tokens; None: the model's own.

        Returns:
            int.

        Raises:
            BertrError: max_len, if the model has fewer positions.
        """
        if max_len is None:
            return self.max_len
        if max_len > self.config.max_positions:
            raise BertrError(
                "max_len",
                f"`max_len` is {int(max_len)}, but this model has only {self.config.max_positions} positions.",
                f"Longer texts are truncated; use at most `max_len = {self.config.max_positions}`.",
            )
        return int(max_len)

    def encode(
        self, a: list[str], b: list[str] | None, max_len: int | None = None, offsets: bool = False
    ) -> "Encodings":
        """Token ids of texts or pairs, cut to `max_len` tokens.

        Args:
            a, b: lists of str; b None: single texts.
            max_len: tokens; None: the model's own.
            offsets: whether to return the tokens' character positions.

        Returns:
            An Encodings.

        Raises:
            BertrError: max_len, pairs.
        """
        return self._encode(a, b, self.length(max_len), offsets)

    def encode_whole(self, a: list[str], b: list[str] | None, offsets: bool = False) -> "Encodings":
        """As `encode`, without cutting."""
        return self._encode(a, b, 2**30, offsets)

    def _encode(self, a, b, max_len, offsets):
        if b is not None and self.config.num_segments == 1 and not self.tokenizer.one_segment:
            raise BertrError(
                "pairs",
                "This model was trained on single texts: it has no second segment.",
                "Paste the two texts together, or use another model.",
            )
        out = self.tokenizer.encode(a, b, max_len, offsets=offsets)
        self._note_unknown(out, 2 if b is None else 3)
        return out

    def _note_unknown(self, encodings, special):
        """Leaves a note, once, if a large share of tokens is [UNK]; each row has `special` special tokens."""
        tokens = len(encodings.ids) - special * len(encodings)
        unknown = np.count_nonzero(encodings.ids == self.tokenizer.unk_id)
        if not self.noted_unknown and tokens >= ORDINARY and unknown > UNKNOWN * tokens:
            self.noted_unknown = True
            notes.leave(
                f"{unknown / tokens:.0%} of the tokens of these texts are unknown to the model: its vocabulary "
                "may be meant for another language or another tokenizer."
            )

    def pool(self, kind: str | None) -> Any:
        """The pooling to use.

        Args:
            kind: a str; None: the checkpoint's own.

        Returns:
            str.

        Raises:
            BertrError: no_pooler.
        """
        kind = kind or self.checkpoint.pooling
        if kind == "pooler" and "pooler/kernel" not in self.checkpoint.tensors:
            raise BertrError("no_pooler", "This checkpoint has no pooler.", 'Use pool = "cls" or pool = "mean".')
        return kind

    def remember(self, on: bool) -> None:
        """Starts or ends remembering the vectors of texts, for several fits of heads on the same texts."""
        self.remembers = on
        for scorer in self.scorers.values():
            scorer.remember(on)

    def scorer(self, pool: str, layers: tuple[int, ...], combine: str = "mean") -> Scorer:
        """A Scorer of pooled hidden states; no layer above the highest of `layers` is computed.

        Args:
            pool: a kind of pooling; "none": one vector per token.
            layers: tuple of int, from 0, the embeddings.
            combine: "mean" of the layers, or "concatenate".

        Returns:
            A Scorer, cached, of [rows, width] or [tokens, width].
        """
        key = (pool, layers, combine)
        if key not in self.scorers:
            bert = self.backbone

            def call(ids, segments, mask):
                picked = bert.states_for(pool, ids, segments, mask, layers)
                if combine == "mean":
                    picked = [sum(picked) / len(picked)]
                if pool != "none":
                    picked = [bert.pool(s, mask, pool) for s in picked]
                return ops.concatenate(picked, axis=-1)

            kind = ("states", self.config, bert.pooler is not None, key)
            runner = GraphRunner(call, bert, self.config, kind)
            self.scorers[key] = Scorer(runner, self.config, per_token=pool == "none")
            self.scorers[key].remember(self.remembers)
            # only the top layer: users may try all lower layers, and each such graph would hold weights
            if max(layers) == self.config.num_layers:
                runner.weights_are_final()
        return self.scorers[key]


def network_scorer(base: Model, network: "Network", train: str) -> NetworkScorer:
    """The scorer of a network. Heads of texts on the encoder of `base` share its graph.

    Args:
        base: the Model that the network was built from.
        network: a Network.
        train: "all", "head", "top:k" or ELSEWHERE.

    Returns:
        A NetworkScorer.
    """
    shared = train in FROZEN and not network.task.per_token
    return NetworkScorer(network, base.scorer(network.pool, (base.config.num_layers,)) if shared else None)


class Fit:
    """A trained network and the model it was trained from.

    Args:
        base: a Model.
        network: a Network.
        head_options: dict, see `read_head_options`.
        facts: dict of plain data about the training, see manifest.py.
        history: dict of columns, one entry per epoch.
        scorer: a NetworkScorer; None for a fit that is only saved while training continues.
    """

    def __init__(
        self,
        base: Model,
        network: "Network",
        head_options: dict[str, Any],
        facts: dict[str, Any],
        history: dict[str, list[Any]],
        scorer: Any,
    ):
        self.base, self.network, self.task = base, network, network.task
        self.head_options, self.facts, self.history = head_options, facts, history
        self.spec = ""  # R's own part, as JSON text
        self.scorer = scorer
        if scorer and (facts["train"] not in FROZEN or (facts["train"] == ELSEWHERE and self.task.per_token)):
            self.scorer.rows.runner.weights_are_final()

    def recalibrated(self, task: Any, facts: dict[str, Any]) -> "Fit":
        """A Fit with the same network.

        Args:
            task: a Task of the same kind.
            facts: dict, which replaces or completes the facts.

        Returns:
            A Fit.
        """
        other = copy.copy(self)
        other.task, other.facts = task, {**self.facts, **facts}
        return other

    @functools.cached_property
    def fingerprint(self) -> str:
        """A str that identifies encoder and head; valid for fits loaded from a folder."""
        head = [zlib.crc32(np.ascontiguousarray(v).data) for v in self.network.upper_weights]
        return f"{self.base.fingerprint}-{zlib.crc32(repr(head).encode()):08x}"

    def checkpoint(self) -> "Checkpoint":
        """The Checkpoint of the trained encoder, with the pre-training heads if those were trained."""
        base = dataclasses.replace(self.base.checkpoint, max_len=self.facts["max_len"])
        trained = self.task.tensors(self.network.head)
        frozen = self.facts["train"] in FROZEN
        encoder = base.tensors.items() if frozen else self.network.backbone.each_tensor()
        tensors = {**dict(encoder), **trained}
        missing = {part: why for part, why in base.missing.items() if part not in map(weight_names.part, trained)}
        # without the modules after pooling: they belong to the weights before training
        return dataclasses.replace(base, tensors=tensors, missing=missing, sentence=Sentence())

    @functools.cached_property
    def model(self) -> Model:
        """The trained encoder as a Model, for embeddings and further fits."""
        if self.facts["train"] == ELSEWHERE:
            return self.base
        model = Model(self.checkpoint(), self.base.source, stored=False, origin=self.base.origin)
        if "pooler/kernel" not in self.task.tensors(self.network.head):  # else the trained pooler belongs to the head
            model.backbone = self.network.backbone
            model.release()
        return model
