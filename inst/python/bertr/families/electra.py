"""ELECTRA (Clark et al. 2020), discriminators and generators: a BERT without a pooler, whose embeddings may be narrower
than the layers. Source: transformers `modeling_electra.py`."""

import dataclasses
from typing import Any

from ..checkpoints import heads, weight_names
from ..checkpoints.config import SIZE, BertConfig
from ..nn.layers import Block, Embeddings
from .base import Family, as_in_bert, no_google, read_tokenizer


def _names(projects):
    return weight_names.huggingface_names(
        (*as_in_bert(weight_names.TENSORS), ("mlm/bias", "generator_lm_head.bias")),
        (
            *([("embeddings/projection", "embeddings_project")] if projects else []),
            *as_in_bert(weight_names.DENSE, without=("mlm", "nsp", "pooler")),
            ("mlm/transform", "generator_predictions.dense"),
        ),
        (*as_in_bert(weight_names.NORMS), ("mlm/norm", "generator_predictions.LayerNorm")),
        {"generator_lm_head.weight": "embeddings/word"},
    )


NAMES, NAMES_WITH_PROJECTION = _names(False), _names(True)


@dataclasses.dataclass(frozen=True)
class ElectraConfig(BertConfig):
    embedding_size: int = 128

    model_type = "electra"
    title = "an ELECTRA"
    heads = heads.ELECTRA
    more = {"embedding_size": ("embedding_size", SIZE)}

    @property
    def names(self) -> weight_names.Names:
        return NAMES_WITH_PROJECTION if self.projects_embeddings else NAMES

    @property
    def projects_embeddings(self) -> bool:
        return self.embedding_size != self.hidden_size

    @property
    def mlm_activation(self) -> str:
        return "gelu_erf"

    def to_huggingface(self) -> dict[str, Any]:
        return {
            **super().to_huggingface(),
            "architectures": ["ElectraModel"],
            "model_type": self.model_type,
            "embedding_size": self.embedding_size,
        }


ELECTRA = Family(ElectraConfig, no_google, read_tokenizer, Embeddings, Block)
