"""MPNet (Song et al. 2020): a BERT without segments, whose attention scores depend on how far apart two tokens are.

Sources: microsoft/MPNet; transformers `modeling_mpnet.py`. The distances are those of T5 (Raffel et al. 2020).
"""

import dataclasses
import math
from typing import Any

import numpy as np
from keras import ops

from ..checkpoints import heads, weight_names
from ..nn.layers import Block, Embeddings
from ..shapes import whole
from .base import Family, as_in_bert, no_google, read_tokenizer
from .roberta import RobertaConfig

BUCKETS, FARTHEST = 32, 128  # kinds of distances; tokens at least so far apart are of one kind
_LAYER = "encoder.layer.{i}."

NAMES = weight_names.huggingface_names(
    (
        *(row for row in as_in_bert(weight_names.TENSORS) if row[0] != "embeddings/segment"),
        ("embeddings/relative", "encoder.relative_attention_bias.weight"),
        ("mlm/bias", "lm_head.bias"),
    ),
    (
        ("block_{i}/attention/query", _LAYER + "attention.attn.q"),
        ("block_{i}/attention/key", _LAYER + "attention.attn.k"),
        ("block_{i}/attention/value", _LAYER + "attention.attn.v"),
        ("block_{i}/attention/output", _LAYER + "attention.attn.o"),
        *(row for row in as_in_bert(weight_names.DENSE) if "/attention/" not in row[0]),
        ("mlm/transform", "lm_head.dense"),
    ),
    (
        ("embeddings/norm", "embeddings.LayerNorm"),
        ("block_{i}/attention/norm", _LAYER + "attention.LayerNorm"),
        ("block_{i}/feed_forward/norm", _LAYER + "output.LayerNorm"),
        ("mlm/norm", "lm_head.layer_norm"),
    ),
    {"lm_head.decoder.weight": "embeddings/word", "lm_head.decoder.bias": "mlm/bias"},
)


@dataclasses.dataclass(frozen=True)
class MPNetConfig(RobertaConfig):
    num_segments: int = 0

    model_type = "mpnet"
    title = "an MPNet"
    heads = heads.MPNET
    names = NAMES
    architecture = "MPNetModel"
    more = {**RobertaConfig.more, "type_vocab_size": ("num_segments", whole(0, 0))}

    @classmethod
    def _read(cls, d, where):
        # neither is in MPNet's config files; positions start after 1 whatever the padding token is
        return super()._read({**d, "type_vocab_size": 0, "pad_token_id": 1}, where)

    def more_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"embeddings/relative": (BUCKETS, self.num_heads)}

    def to_huggingface(self) -> dict[str, Any]:
        return {**super().to_huggingface(), "relative_attention_num_buckets": BUCKETS}


def kinds_of_distances(length: int) -> np.ndarray:
    """The kind of each distance from 1 - length to length - 1, of a key from its query: int32 [2 * length - 1].

    Half of the kinds are for keys on the right. In each half, half of the kinds are one distance each, the others
    cover ranges that grow by a constant factor."""
    distance = np.arange(1 - length, length)
    half, exact = BUCKETS // 2, BUCKETS // 4
    far = np.abs(distance).astype(np.float32)
    ratio = np.log(np.maximum(far, exact) / np.float32(exact)) / np.float32(math.log(FARTHEST / exact))
    large = np.minimum(exact + (ratio * np.float32(half - exact)).astype(np.int32), half - 1)
    return np.where(far < exact, np.abs(distance), large).astype(np.int32) + half * (distance > 0).astype(np.int32)


class MPNetEmbeddings(Embeddings):
    def build(self, *_: Any) -> None:
        super().build()
        self.relative = self.add_weight(shape=(BUCKETS, self.config.num_heads), initializer="zeros", name="relative")
        self.kinds = kinds_of_distances(self.config.position_rows)  # [2 * rows - 1]

    def more_variables(self) -> dict[str, Any]:
        return {"embeddings/relative": self.relative}

    def score_bias(self, length: Any) -> Any:
        places = ops.arange(length)
        distance = places[None, :] - places[:, None] + (self.config.position_rows - 1)  # [length, length]
        # first one small matrix product per distance: its gradient is a product too, not a contended scatter
        kinds = ops.one_hot(self.kinds, BUCKETS, dtype=self.compute_dtype)  # [2 * rows - 1, kinds]
        of_distance = ops.transpose(ops.matmul(kinds, self.relative))  # [heads, 2 * rows - 1]
        return ops.take(of_distance, distance, axis=1)[None]


MPNET = Family(MPNetConfig, no_google, read_tokenizer, MPNetEmbeddings, Block)
