"""DistilBERT (Sanh et al. 2019): a BERT without segments and without a pooler. Source: transformers
`modeling_distilbert.py`."""

import dataclasses
from typing import Any

from ..checkpoints import heads, weight_names
from ..checkpoints.config import BertConfig
from ..nn.layers import Block, Embeddings
from ..shapes import whole
from .base import Family, no_google, read_tokenizer

_LAYER = "transformer.layer.{i}."

NAMES = weight_names.huggingface_names(
    (
        ("embeddings/word", "embeddings.word_embeddings.weight"),
        ("embeddings/position", "embeddings.position_embeddings.weight"),
        ("mlm/bias", "vocab_projector.bias"),
    ),
    (
        ("block_{i}/attention/query", _LAYER + "attention.q_lin"),
        ("block_{i}/attention/key", _LAYER + "attention.k_lin"),
        ("block_{i}/attention/value", _LAYER + "attention.v_lin"),
        ("block_{i}/attention/output", _LAYER + "attention.out_lin"),
        ("block_{i}/feed_forward/inner", _LAYER + "ffn.lin1"),
        ("block_{i}/feed_forward/outer", _LAYER + "ffn.lin2"),
        ("mlm/transform", "vocab_transform"),
    ),
    (
        ("embeddings/norm", "embeddings.LayerNorm"),
        ("block_{i}/attention/norm", _LAYER + "sa_layer_norm"),
        ("block_{i}/feed_forward/norm", _LAYER + "output_layer_norm"),
        ("mlm/norm", "vocab_layer_norm"),
    ),
    {"vocab_projector.weight": "embeddings/word"},
)

# DistilBERT's name in a config file -> BERT's
FIELDS = {
    "dim": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "hidden_dim": "intermediate_size",
    "activation": "hidden_act",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
}


@dataclasses.dataclass(frozen=True)
class DistilBertConfig(BertConfig):
    num_segments: int = 0

    model_type = "distilbert"
    title = "a DistilBERT"
    heads = heads.DISTILBERT
    names = NAMES
    more = {"type_vocab_size": ("num_segments", whole(0, 0))}

    @classmethod
    def _read(cls, d, where):
        constant = {"layer_norm_eps": 1e-12, "type_vocab_size": 0}  # not in DistilBERT's config files
        return super()._read({**{FIELDS.get(name, name): value for name, value in d.items()}, **constant}, where)

    def to_huggingface(self) -> dict[str, Any]:
        bert = super().to_huggingface()
        return {
            "architectures": ["DistilBertModel"],
            "model_type": self.model_type,
            **{theirs: bert[name] for theirs, name in FIELDS.items()},
            **{name: bert[name] for name in ("vocab_size", "max_position_embeddings", "initializer_range")},
            "pad_token_id": 0,
        }


DISTILBERT = Family(DistilBertConfig, no_google, read_tokenizer, Embeddings, Block)
