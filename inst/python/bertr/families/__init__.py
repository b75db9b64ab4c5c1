"""The families of encoders that can be read. A new one is a file here and an entry below."""

import dataclasses

from ..checkpoints import checkpoint
from ..nn.backbone import Backbone
from ..text.sentencepiece import SentencePieceTokenizer
from ..text.wordpiece import Tokenizer
from .albert import ALBERT
from .bert import BERT

FAMILIES = {}  # the "model_type" of a config.json -> Family


def register(family):
    """Makes a Family known: its folders can be loaded, trained and saved."""
    FAMILIES[family.config.model_type] = family


for known in (BERT, ALBERT):
    register(known)


def read_checkpoint(folder, layers=None):
    """The `Checkpoint` in `folder`, whatever its format and family; `layers` keeps only that many lower blocks."""
    return checkpoint.read_checkpoint(folder, FAMILIES, layers)


def open_checkpoint(folder, layers=None):
    """A function that gives the same: its files are read now, but for the weights, which are open."""
    return checkpoint.open_checkpoint(folder, FAMILIES, layers)


def build_backbone(checkpoint, seed=0, dropout=None):
    """The encoder of a `Checkpoint`, with its weights; `dropout` overrides both rates."""
    config = checkpoint.config
    family = FAMILIES[config.model_type]
    if dropout is not None:
        config = dataclasses.replace(config, hidden_dropout=dropout, attention_dropout=dropout)
    backbone = Backbone(config, family.embeddings, family.block, has_pooler="pooler/kernel" in checkpoint.tensors,
                        seed=seed, name="bert")
    backbone.build()
    backbone.set_tensors(checkpoint.tensors)
    return backbone


def make_tokenizer(checkpoint):
    """The tokenizer of a `Checkpoint`: by a SentencePiece model where it has one."""
    if checkpoint.spiece:
        return SentencePieceTokenizer(checkpoint.spiece, **checkpoint.tokenizer)
    return Tokenizer(checkpoint.vocab, **checkpoint.tokenizer)
