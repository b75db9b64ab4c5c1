"""A loaded checkpoint, and a model fitted on it: what R holds a handle of."""

import dataclasses
import functools
import zlib

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

UNKNOWN, ORDINARY = 0.2, 20  # share of [UNK] that is said, among at least so many tokens


class Model:
    """A checkpoint with its tokenizer; the encoder is built when first used and never changed."""

    def __init__(self, checkpoint, source, max_len=None, stored=True, origin=None):
        self.checkpoint = dataclasses.replace(checkpoint, tensors=Tensors(checkpoint.tensors))
        self.source = source  # what it was asked for by: a name, a folder
        self.origin = origin  # {"repo": , "commit": } on the hub, or None
        self.stored = stored  # are these weights those of the checkpoint's folder?
        if stored:
            models.add(self)
        self.config = checkpoint.config
        self.tokenizer = make_tokenizer(checkpoint)
        self.max_len = self.length(max_len or checkpoint.max_len)
        self.scorers = {}
        self.noted_unknown = False

    @functools.cached_property
    def backbone(self):
        backbone = self.new_backbone()
        self.checkpoint.tensors.release(backbone.shapes().keys(), backbone.tensors)
        return backbone

    def new_backbone(self, seed=0, dropout=None):
        """An encoder with the checkpoint's weights, to be trained."""
        return build_backbone(self.checkpoint, seed, dropout)

    def release(self):
        """Leaves the weights to the encoder, if it was built, else to the folder that they came from, if nobody wrote
        to it since, so that they do not lie beside those of a network that is trained."""
        tensors = self.checkpoint.tensors
        if "backbone" in vars(self):
            tensors.release(self.backbone.shapes().keys(), self.backbone.tensors)
        elif self.stored and stamp(self.checkpoint.folder) == self.checkpoint.stamp:
            rest = dataclasses.replace(self.checkpoint, tensors={})
            again = functools.partial(read_again, rest, self.fingerprint, read_checkpoint)
            tensors.release(tensors.shapes.keys(), again)

    @functools.cached_property
    def fingerprint(self):
        return fingerprint(self.checkpoint)

    def length(self, max_len):
        """The length to cut texts at: the one asked for, checked, or the model's own."""
        if max_len is None:
            return self.max_len
        if max_len > self.config.max_positions:
            raise BertrError("max_len", f"`max_len` is {int(max_len)}, but this model has only "
                             f"{self.config.max_positions} positions.",
                             f"Give at most {self.config.max_positions}; longer texts are cut and counted.")
        return int(max_len)

    def encode(self, a, b, max_len=None, offsets=False):
        """Token ids of texts, or of pairs of texts."""
        return self._encode(a, b, self.length(max_len), offsets)

    def encode_whole(self, a, b, offsets=False):
        """The same without cutting."""
        return self._encode(a, b, 2**30, offsets)

    def _encode(self, a, b, max_len, offsets):
        if b is not None and self.config.num_segments < 2:
            raise BertrError("pairs", "This model was trained on single texts: it has no second segment.",
                             "Paste the two texts together, or use another model.")
        out = self.tokenizer.encode(a, b, max_len, offsets=offsets)
        self._note_unknown(out, 2 if b is None else 3)
        return out

    def _note_unknown(self, encodings, special):
        """Says once if so many tokens are [UNK] that texts and vocabulary do not belong together; each text has
        `special` tokens of its own."""
        tokens = len(encodings.ids) - special * len(encodings)
        unknown = np.count_nonzero(encodings.ids == self.tokenizer.unk_id)
        if not self.noted_unknown and tokens >= ORDINARY and unknown > UNKNOWN * tokens:
            self.noted_unknown = True
            notes.leave(f"{unknown / tokens:.0%} of the tokens of these texts are unknown to the model: its vocabulary "
                        "may be meant for another language or another tokenizer.")

    def pool(self, kind):
        """The pooling asked for, checked, or the checkpoint's own."""
        kind = kind or self.checkpoint.pooling
        if kind == "pooler" and "pooler/kernel" not in self.checkpoint.tensors:
            raise BertrError("no_pooler", "This checkpoint has no pooler.", 'Use pool = "cls" or pool = "mean".')
        return kind

    def scorer(self, pool, layers, combine="mean"):
        """Scores texts by these `layers`, their mean or one beside the other ("concatenate"), pooled; `pool` "none"
        gives a vector a token. No layer above the highest of them is computed."""
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
            # lower layers may be asked for one after the other: their graphs shall not all hold weights
            if max(layers) == self.config.num_layers:
                runner.weights_are_final()
        return self.scorers[key]


def network_scorer(base, network, train):
    """Scores texts by a network that is, or was, trained on `base`; many heads of texts on its own encoder share a
    graph."""
    shared = train == "head" and not network.task.per_token
    return NetworkScorer(network, base.scorer(network.pool, (base.config.num_layers,)) if shared else None)


class Fit:
    """A trained network with the model it came from. `facts` and `history` are plain data about the training."""

    def __init__(self, base, network, head_options, facts, history, scorer):
        self.base, self.network = base, network
        self.head_options, self.facts, self.history = head_options, facts, history
        self.spec = ""  # R's own part, as JSON text
        self.scorer = scorer  # None: only to be saved, while training goes on
        if scorer and facts["train"] != "head":
            self.scorer.rows.runner.weights_are_final()

    @property
    def task(self):
        return self.network.task

    @functools.cached_property
    def fingerprint(self):
        """The same for the same encoder and head; of a fit as it was read from a folder."""
        head = [zlib.crc32(np.ascontiguousarray(v)) for v in self.network.upper_weights]
        return f"{self.base.fingerprint}-{zlib.crc32(repr(head).encode()):08x}"

    def checkpoint(self):
        """The trained encoder, to be written, with the pre-training heads where those were trained."""
        base = dataclasses.replace(self.base.checkpoint, max_len=self.facts["max_len"])
        trained = self.task.tensors(self.network.head)
        frozen = self.facts["train"] == "head"
        encoder = base.tensors.items() if frozen else self.network.backbone.each_tensor()
        tensors = {**dict(encoder), **trained}
        missing = {part: why for part, why in base.missing.items() if part not in map(weight_names.part, trained)}
        # layers behind the pooling belong to the weights that were there before
        return dataclasses.replace(base, tensors=tensors, missing=missing, sentence=Sentence())

    @functools.cached_property
    def model(self):
        """The trained encoder as a model of its own: for embeddings, and to fit other tasks on."""
        model = Model(self.checkpoint(), self.base.source, stored=False, origin=self.base.origin)
        if "pooler/kernel" not in self.task.tensors(self.network.head):  # else the trained pooler is the head's
            model.backbone = self.network.backbone
            model.release()
        return model
