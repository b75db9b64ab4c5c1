"""ALBERT (Lan et al. 2020, google-research/albert `modeling.py`)."""

import dataclasses
from typing import Any

from ..checkpoints import heads, weight_names
from ..checkpoints.config import LAYERS, SIZE, BertConfig
from ..checkpoints.vocabulary import check_size
from ..errors import BertrError
from ..nn.layers import Block, Embeddings
from ..text.sentencepiece import open_model, pieces_of
from .base import Family
from .base import read_tokenizer as read_bert_tokenizer

# {i} is the group of layers that share the block's weights; no official TF2 code saves ALBERT.
_GROUP, _HF_GROUP = "encoder/transformer/group_{i}/inner_group_0/", "encoder.albert_layer_groups.{i}.albert_layers.0."

TENSORS = (
    *weight_names.TENSORS[:3],
    ("mlm/bias", "cls/predictions/output_bias", None, "predictions.bias"),
    ("nsp/kernel", "cls/seq_relationship/output_weights", None, "sop_classifier.classifier.weight"),
    ("nsp/bias", "cls/seq_relationship/output_bias", None, "sop_classifier.classifier.bias"),
)

DENSE = (
    ("embeddings/projection", "encoder/embedding_hidden_mapping_in", None, "encoder.embedding_hidden_mapping_in"),
    ("block_{i}/attention/query", _GROUP + "attention_1/self/query", None, _HF_GROUP + "attention.query"),
    ("block_{i}/attention/key", _GROUP + "attention_1/self/key", None, _HF_GROUP + "attention.key"),
    ("block_{i}/attention/value", _GROUP + "attention_1/self/value", None, _HF_GROUP + "attention.value"),
    ("block_{i}/attention/output", _GROUP + "attention_1/output/dense", None, _HF_GROUP + "attention.dense"),
    ("block_{i}/feed_forward/inner", _GROUP + "ffn_1/intermediate/dense", None, _HF_GROUP + "ffn"),
    ("block_{i}/feed_forward/outer", _GROUP + "ffn_1/intermediate/output/dense", None, _HF_GROUP + "ffn_output"),
    ("pooler", "pooler/dense", None, "pooler"),
    ("mlm/transform", "cls/predictions/transform/dense", None, "predictions.dense"),
)

NORMS = (
    ("embeddings/norm", "embeddings/LayerNorm", None, "embeddings.LayerNorm"),
    ("block_{i}/attention/norm", _GROUP + "LayerNorm", None, _HF_GROUP + "attention.LayerNorm"),
    ("block_{i}/feed_forward/norm", _GROUP + "LayerNorm_1", None, _HF_GROUP + "full_layer_layer_norm"),
    ("mlm/norm", "cls/predictions/transform/LayerNorm", None, "predictions.LayerNorm"),
)

NAMES = weight_names.Names(
    TENSORS,
    DENSE,
    NORMS,
    {
        "google": {},
        "google2": {},
        "huggingface": {"predictions.decoder.weight": "embeddings/word", "predictions.decoder.bias": "mlm/bias"},
    },
)


@dataclasses.dataclass(frozen=True)
class AlbertConfig(BertConfig):
    """ALBERT (Lan et al. 2020, google-research/albert `modeling.py`): embeddings narrower than the layers, and groups
    of layers that share weights; Google's models have one group."""

    embedding_size: int = 128
    num_groups: int = 1

    model_type = "albert"
    title = "an ALBERT"
    names = NAMES
    heads = heads.ALBERT
    more = {"embedding_size": ("embedding_size", SIZE), "num_hidden_groups": ("num_groups", LAYERS)}

    @property
    def projects_embeddings(self) -> bool:
        return True

    @property
    def num_blocks(self) -> int:
        return self.num_groups

    def block_of(self, layer: int) -> int:
        return layer * self.num_groups // self.num_layers

    def cut(self, layers: int) -> "AlbertConfig":
        run = self.num_layers // self.num_groups  # layers per group
        if layers > run and layers % run:
            raise BertrError(
                "layers",
                f"`layers` is {layers}, but this model's layers share weights in groups of {run}.",
                f"Give a multiple of {run}.",
            )
        return dataclasses.replace(self, num_layers=layers, num_groups=-(-layers // run))

    def __post_init__(self):
        super().__post_init__()
        if self.num_layers % self.num_groups:
            raise BertrError(
                "config",
                f"num_hidden_layers {self.num_layers} is not a multiple of num_hidden_groups {self.num_groups}.",
                "Use another checkpoint.",
            )

    @classmethod
    def _read(cls, d, where):
        if d.get("inner_group_num", 1) != 1:
            raise BertrError(
                "config",
                f"The config file's 'inner_group_num' is {d['inner_group_num']!r}, but bertr "
                "supports only 1, one block a layer.",
                "Use another checkpoint.",
            )
        d = {"hidden_act": "gelu_new", "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0, **d}
        return super()._read(d, where)

    def to_huggingface(self) -> dict[str, Any]:
        out = super().to_huggingface()
        act = "gelu_new" if self.activation == "gelu_tanh" else out["hidden_act"]  # as in all published ALBERTs
        return {
            **out,
            "architectures": ["AlbertModel"],
            "model_type": "albert",
            "hidden_act": act,
            "embedding_size": self.embedding_size,
            "num_hidden_groups": self.num_groups,
            "inner_group_num": 1,
        }


def from_google(d: dict[str, Any]) -> dict[str, Any] | None:
    """Google's config file in Hugging Face's terms. In Google's ALBERTs "gelu" is the tanh form.

    Args:
        d: the JSON of the file, a dict.

    Returns:
        A dict for `AlbertConfig.from_dict`, or None if the file is not an ALBERT's.
    """
    if "embedding_size" not in d:
        return None
    return {**d, "hidden_act": "gelu_new"} if d.get("hidden_act") == "gelu" else d


def read_tokenizer(reader: Any, folder: str, config: BertConfig) -> tuple[list[str], dict[str, Any], bytes | None]:
    """As `base.read_tokenizer`; a SentencePiece model if there is one, BERT's tokenizer otherwise (Chinese ALBERTs).

    Raises:
        BertrError: vocabulary, tokenizer, sentencepiece and others of the reader.
    """
    spiece = reader.read_spiece(folder)
    if spiece is None:
        return read_bert_tokenizer(reader, folder, config)
    vocab = pieces_of(open_model(spiece))
    settings = reader.read_sentencepiece(folder, vocab)
    check_size(len(vocab), config.vocab_size, folder)
    return vocab, settings, spiece


ALBERT = Family(AlbertConfig, from_google, read_tokenizer, Embeddings, Block)
