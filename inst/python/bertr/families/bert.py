"""BERT (Devlin et al. 2019, google-research/bert `modeling.py`)."""

from typing import Any

from ..checkpoints.config import BertConfig
from ..nn.layers import Block, Embeddings
from .base import Family, read_tokenizer


def from_google(d: dict[str, Any]) -> dict[str, Any] | None:
    """Google's config file, whose terms are also Hugging Face's.

    Args:
        d: the JSON of the file, a dict.

    Returns:
        The same dict, for `BertConfig.from_dict`, or None if the file is not a BERT's.
    """
    return None if "embedding_size" in d else d


BERT = Family(BertConfig, from_google, read_tokenizer, Embeddings, Block)
