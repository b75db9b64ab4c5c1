"""RoBERTa (Liu et al. 2019), XLM-RoBERTa (Conneau et al. 2020) and CamemBERT (Martin et al. 2020).

They are BERTs with other tokenizers, one segment, and positions that start after the row of the padding token. Source:
transformers `modeling_roberta.py`.
"""

import dataclasses
from typing import Any

from ..checkpoints import heads, weight_names
from ..checkpoints.config import BertConfig
from ..errors import BertrError
from ..nn.layers import Block, Embeddings
from ..shapes import whole
from .base import Family, as_in_bert, no_google, read_tokenizer

NAMES = weight_names.huggingface_names(
    (*as_in_bert(weight_names.TENSORS), ("mlm/bias", "lm_head.bias")),
    (*as_in_bert(weight_names.DENSE), ("mlm/transform", "lm_head.dense")),
    (*as_in_bert(weight_names.NORMS), ("mlm/norm", "lm_head.layer_norm")),
    {"lm_head.decoder.weight": "embeddings/word", "lm_head.decoder.bias": "mlm/bias"},
)


@dataclasses.dataclass(frozen=True)
class RobertaConfig(BertConfig):
    """`max_positions` does not count the rows of the position table up to the padding token's, which no token uses."""

    pad_id: int = 1

    model_type = "roberta"
    title = "a RoBERTa"
    heads = heads.ROBERTA
    names = NAMES
    architecture = "RobertaModel"
    more = {"pad_token_id": ("pad_id", whole())}

    @property
    def mlm_activation(self) -> str:
        return "gelu_erf"

    @property
    def first_position(self) -> int:
        return self.pad_id + 1

    @classmethod
    def _read(cls, d, where):
        out = super()._read(d, where)
        rows = out.get("max_positions", cls.max_positions)
        out["max_positions"] = rows - out.get("pad_id", cls.pad_id) - 1
        if out["max_positions"] < 1:
            raise BertrError(
                "config",
                f"The max_position_embeddings in {where} are {rows}, but positions start after the padding token's id.",
                "The config file is damaged or belongs to another model.",
            )
        return out

    def to_huggingface(self) -> dict[str, Any]:
        return {
            **super().to_huggingface(),
            "architectures": [self.architecture],
            "model_type": self.model_type,
            "max_position_embeddings": self.position_rows,
            "pad_token_id": self.pad_id,
            "bos_token_id": 0,
            "eos_token_id": 2,
        }


class XLMRobertaConfig(RobertaConfig):
    model_type = "xlm-roberta"
    title = "an XLM-RoBERTa"
    architecture = "XLMRobertaModel"


class CamembertConfig(RobertaConfig):
    model_type = "camembert"
    title = "a CamemBERT"
    architecture = "CamembertModel"


ROBERTA, XLM_ROBERTA, CAMEMBERT = (
    Family(config, no_google, read_tokenizer, Embeddings, Block)
    for config in (RobertaConfig, XLMRobertaConfig, CamembertConfig)
)
