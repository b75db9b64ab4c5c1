"""The families of encoders that bertr reads. A new one needs a file here and an entry below."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..checkpoints import checkpoint
from ..checkpoints.byte_bpe_files import merges_of
from ..checkpoints.tokenizer_files import tokenizer_kind
from ..checkpoints.unigram_files import model_of
from ..nn.backbone import Backbone
from ..text.byte_bpe import ByteBPETokenizer
from ..text.chunks import ChunkEncoder
from ..text.sentencepiece import SentencePieceTokenizer
from ..text.unigram import UnigramTokenizer
from ..text.wordpiece import Tokenizer
from .albert import ALBERT
from .bert import BERT
from .distilbert import DISTILBERT
from .electra import ELECTRA
from .mpnet import MPNET
from .roberta import CAMEMBERT, ROBERTA, XLM_ROBERTA

if TYPE_CHECKING:
    from ..checkpoints.checkpoint import Checkpoint
    from ..checkpoints.config import BertConfig
    from .base import Family

FAMILIES = {}  # the "model_type" of a config.json -> Family


def register(family: "Family") -> None:
    """Registers a family; its folders can then be loaded, trained and saved.

    Args:
        family: a Family.
    """
    FAMILIES[family.config.model_type] = family


for known in (BERT, ALBERT, ROBERTA, XLM_ROBERTA, CAMEMBERT, DISTILBERT, ELECTRA, MPNET):
    register(known)


def read_checkpoint(folder: str, layers: int | None = None) -> "Checkpoint":
    """Reads a checkpoint of any format and family.

    Args:
        folder: a path.
        layers: number of lower layers to keep; None: all.

    Returns:
        A Checkpoint.

    Raises:
        BertrError: checkpoint, config, vocabulary, not_bert, layers and others of checkpoints/.
    """
    return checkpoint.read_checkpoint(folder, FAMILIES, layers)


def open_checkpoint(
    folder: str, layers: int | None = None, head: bool = False, labels: list[str] | None = None
) -> "Callable[[], Checkpoint]":
    """As `read_checkpoint`, but reads the weights later from files that are opened now.

    Args:
        folder, layers: as in `read_checkpoint`.
        head: whether to read the head of a task model of Hugging Face.
        labels: the names of its outputs; None: those of the folder.

    Returns:
        A function without arguments that returns the Checkpoint.
    """
    return checkpoint.open_checkpoint(folder, FAMILIES, layers, head, labels)


def new_backbone(config: "BertConfig", has_pooler: bool, seed: int = 0, dtype: Any = "float32") -> Backbone:
    """Builds the encoder of a family; all its weights are zero.

    Args:
        config: a BertConfig, or the subclass of a registered family.
        has_pooler: whether it has a pooler.
        seed: int, for dropout.
        dtype: a name or policy of Keras.

    Returns:
        A Backbone.
    """
    family = FAMILIES[config.model_type]
    backbone = Backbone(
        config, family.embeddings, family.block, has_pooler=has_pooler, seed=seed, name="bert", dtype=dtype
    )
    backbone.build()
    return backbone


def build_backbone(checkpoint: "Checkpoint", seed: int = 0, dropout: float | None = None) -> Backbone:
    """Builds the encoder of a checkpoint and assigns its weights.

    Args:
        checkpoint: a Checkpoint.
        seed: int, for dropout.
        dropout: overrides both rates; None: the checkpoint's.

    Returns:
        A Backbone.
    """
    backbone = new_backbone(with_dropout(checkpoint.config, dropout), "pooler/kernel" in checkpoint.tensors, seed)
    backbone.set_tensors(checkpoint.tensors)
    return backbone


def with_dropout(config: "BertConfig", dropout: float | None) -> "BertConfig":
    """The config with both dropout rates replaced.

    Args:
        config: a BertConfig.
        dropout: the rate; None: unchanged.

    Returns:
        A BertConfig of the same class.
    """
    if dropout is None:
        return config
    return dataclasses.replace(config, hidden_dropout=dropout, attention_dropout=dropout)


def make_tokenizer(checkpoint: "Checkpoint") -> ChunkEncoder | SentencePieceTokenizer:
    """The tokenizer of a checkpoint.

    Args:
        checkpoint: a Checkpoint.

    Returns:
        A Tokenizer (WordPiece), UnigramTokenizer, ByteBPETokenizer or SentencePieceTokenizer.

    Raises:
        BertrError: vocabulary, tokenizer, sentencepiece.
    """
    if checkpoint.spiece is None:
        return Tokenizer(checkpoint.vocab, **checkpoint.tokenizer)
    kind = tokenizer_kind(checkpoint.spiece)
    if kind == "byte_bpe":
        return ByteBPETokenizer(checkpoint.vocab, merges_of(checkpoint.spiece), **checkpoint.tokenizer)
    if kind == "unigram":
        return UnigramTokenizer(checkpoint.vocab, **model_of(checkpoint.spiece), **checkpoint.tokenizer)
    return SentencePieceTokenizer(checkpoint.spiece, **checkpoint.tokenizer)
