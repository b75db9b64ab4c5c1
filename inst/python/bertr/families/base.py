"""What distinguishes a family of encoders."""

import dataclasses
from collections.abc import Callable
from typing import Any

from ..checkpoints import weight_names
from ..checkpoints.config import BertConfig


@dataclasses.dataclass(frozen=True)
class Family:
    """Registered by `families.register`; no other code refers to a family by name."""

    config: type[BertConfig]  # sizes, how config files name them, and the names of the weights
    from_google: Callable  # the JSON of Google's config file -> what `config.from_dict` reads, or None: another family
    read_tokenizer: Callable  # (reader, folder, config) -> (vocabulary, settings, bytes of the tokenizer or None)
    embeddings: type  # Keras layer: (ids, segments, positions) to [tokens, hidden], see nn/layers.py
    block: type  # Keras layer: one transformer block


def no_google(d: dict[str, Any]) -> None:
    """`from_google` of a family that bertr reads only from Hugging Face's folders."""


def as_in_bert(
    table: tuple[tuple[Any, ...], ...], without: tuple[str, ...] = ("mlm", "nsp")
) -> tuple[tuple[str, str], ...]:
    """Ours and Hugging Face's names in a table of BERT's, without those of some parts of the model."""
    return tuple((row[0], row[3]) for row in table if weight_names.part(row[0]) not in without)


def read_tokenizer(reader: Any, folder: str, config: BertConfig) -> tuple[list[str], dict[str, Any], bytes | None]:
    """Reads a tokenizer of any kind but a SentencePiece model: unigram, byte-level BPE or WordPiece.

    Args:
        reader: the module that reads this format, checkpoints/google.py or checkpoints/huggingface.py.
        folder: a path.
        config: a BertConfig.

    Returns:
        (vocabulary, list of str; settings, a dict of the tokenizer's arguments; the bytes that it needs beside them, or
        None).

    Raises:
        BertrError: vocabulary and others of the reader.
    """
    rows = config.vocab_size
    found = reader.read_unigram(folder, rows) or reader.read_byte_bpe(folder, rows)
    return found or (*reader.read_wordpiece(folder, rows), None)
