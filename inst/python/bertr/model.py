"""A loaded checkpoint, and a model fitted on it: what R holds a handle of."""

import dataclasses
import functools

from .backbone import build_backbone
from .errors import BertrError
from .infer import Scorer
from .tokenizer import Tokenizer


class Model:
    """A checkpoint with its tokenizer; the encoder is built when first used and never changed."""

    def __init__(self, checkpoint, source, max_len=None):
        self.checkpoint = checkpoint
        self.source = source  # what it was asked for by: a name, a folder
        self.config = checkpoint.config
        self.tokenizer = Tokenizer(checkpoint.vocab, **checkpoint.tokenizer)
        self.max_len = self.length(max_len or checkpoint.max_len)
        self.scorers = {}

    @functools.cached_property
    def backbone(self):
        return build_backbone(self.checkpoint)

    def length(self, max_len):
        """The length to cut texts at: the one asked for, checked, or the model's own."""
        if max_len is None:
            return self.max_len
        if max_len > self.config.max_positions:
            raise BertrError("max_len", f"`max_len` is {int(max_len)}, but this model has only "
                             f"{self.config.max_positions} positions.",
                             f"Give at most {self.config.max_positions}; longer texts are cut, and counted.")
        return int(max_len)

    def scorer(self, pool, layers):
        """Scores texts by the mean of these `layers`, pooled; `pool` "none" gives a vector a token."""
        key = (pool, layers)
        if key not in self.scorers:
            bert = self.backbone

            def call(ids, segments, mask):
                states = bert(ids, segments, mask, all_layers=True)
                picked = sum(states[i] for i in layers) / len(layers)
                return picked if pool == "none" else bert.pool(picked, mask, pool)

            self.scorers[key] = Scorer(call, bert, per_token=pool == "none")
        return self.scorers[key]


class Fit:
    """A trained network with the model it came from. `facts` and `history` are plain data about the training."""

    def __init__(self, model, network, head_options, facts, history):
        self.base, self.network = model, network
        self.head_options, self.facts, self.history = head_options, facts, history
        self.spec = ""  # R's own part, as JSON text
        self.fitted_scorer = Scorer(lambda *x: network(*x), network, network.task.per_token)

    @property
    def task(self):
        return self.network.task

    @functools.cached_property
    def model(self):
        """The trained encoder as a model of its own, for embeddings and for saving."""
        if self.facts["train"] == "head":
            return self.base  # the encoder was not changed
        tensors = self.network.backbone.tensors()
        model = Model(dataclasses.replace(self.base.checkpoint, tensors=tensors), self.base.source, self.base.max_len)
        model.backbone = self.network.backbone
        return model
