"""Sizes and constants of a BERT encoder, read from Google's or Hugging Face's config."""

import dataclasses
from typing import Any

from ..errors import BertrError
from ..shapes import check, fields, number, one_of, whole
from . import heads, weight_names

ACTIVATIONS = {
    # name in a config file -> our name. "gelu" was the exact form when Google released BERT, and Hugging Face
    # interprets all of Google's checkpoints that way; Google's later code has the tanh form, which differs by at most
    # 4.7e-4
    "gelu": "gelu_erf",
    **dict.fromkeys(
        ("gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate", "gelu_tanh"), "gelu_tanh"
    ),
    "gelu_erf": "gelu_erf",
    "gelu_python": "gelu_erf",
    "swish": "silu",
    **{
        name: name
        for name in (
            "relu",
            "tanh",
            "linear",
            "gelu_10",
            "hardswish",
            "laplace",
            "leaky_relu",
            "mish",
            "quick_gelu",
            "relu2",
            "relu6",
            "sigmoid",
            "silu",
            "sqrtsoftplus",
        )
    },
}

SIZE, SHARE = whole(1), number(0, 1)
# an upper limit for damaged files: with ALBERT's shared blocks no tensor reveals an absurd number
LAYERS = whole(1, 1000)

# name in a config file -> (our name, shape); fields in `OPTIONAL` may be absent
NEEDED = {
    "vocab_size": ("vocab_size", SIZE),
    "hidden_size": ("hidden_size", SIZE),
    "num_hidden_layers": ("num_layers", LAYERS),
    "num_attention_heads": ("num_heads", SIZE),
    "intermediate_size": ("intermediate_size", SIZE),
}
OPTIONAL = {
    "max_position_embeddings": ("max_positions", SIZE),
    "type_vocab_size": ("num_segments", SIZE),
    "hidden_dropout_prob": ("hidden_dropout", SHARE),
    "attention_probs_dropout_prob": ("attention_dropout", SHARE),
    "layer_norm_eps": ("layer_norm_eps", SHARE),
    "initializer_range": ("initializer_range", SHARE),
}
DAMAGED = "The config file is damaged or does not belong to a BERT checkpoint."


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """Sizes of a post-LN BERT encoder (Devlin et al. 2019, google-research/bert `modeling.py`)."""

    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    intermediate_size: int
    max_positions: int = 512
    num_segments: int = 2
    activation: str = "gelu_erf"
    hidden_dropout: float = 0.1
    attention_dropout: float = 0.1
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02

    # class attributes, not fields
    model_type = "bert"  # Hugging Face's name of the family
    title = "a BERT"
    names = weight_names.BERT
    heads = heads.BERT  # of Hugging Face's task models
    more = {}  # additional fields of the family, as in `OPTIONAL`

    @property
    def projects_embeddings(self) -> bool:
        """Whether embeddings are projected to the hidden size."""
        return False

    @property
    def predicts_pairs(self) -> bool:
        """Whether the family has a next-sentence or sentence-order head."""
        return any(name == "nsp/kernel" for name, *_ in self.names.tensors)

    def more_shapes(self) -> dict[str, tuple[int, ...]]:
        """Canonical name -> shape, of tensors that only this family has."""
        return {}

    @property
    def mlm_activation(self) -> str:
        """The activation of the masked-word head."""
        return self.activation

    @property
    def first_position(self) -> int:
        """The row of the position table of the first token."""
        return 0

    @property
    def position_rows(self) -> int:
        return self.max_positions + self.first_position

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.num_heads

    @property
    def embedding_size(self) -> int:
        """Width of the embeddings."""
        return self.hidden_size

    @property
    def num_blocks(self) -> int:
        """Number of blocks with distinct weights."""
        return self.num_layers

    @property
    def shares_blocks(self) -> bool:
        return self.num_blocks < self.num_layers

    def block_of(self, layer: int) -> int:
        """The block whose weights a layer (from 0) uses."""
        return layer

    def cut(self, layers: int) -> "BertConfig":
        """The config of the encoder's lower `layers` layers."""
        return dataclasses.replace(self, num_layers=layers)

    def __post_init__(self):
        if self.hidden_size % self.num_heads:
            raise BertrError(
                "config",
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_heads}.",
                DAMAGED,
            )

    @classmethod
    def from_dict(cls, d: dict[str, Any], where: str = "the config file") -> "BertConfig":
        """From the JSON of Google's `bert_config.json` or Hugging Face's `config.json`."""
        return cls(**cls._read(d, where))

    @classmethod
    def from_fields(cls, values: dict[str, Any], where: str = "the config") -> "BertConfig":
        """The inverse of `dataclasses.asdict`."""
        table = {**NEEDED, **OPTIONAL, **cls.more}
        shape = fields({ours: shape for ours, shape in table.values()} | {"activation": one_of(*ACTIVATIONS.values())})
        check(values, shape, where)
        return cls(**{field.name: values[field.name] for field in dataclasses.fields(cls)})

    @classmethod
    def _read(cls, d, where):
        """Field -> value, from the JSON of a config file."""
        optional = {**OPTIONAL, **cls.more}
        check(
            d,
            fields(*({name: shape for name, (_, shape) in part.items()} for part in (NEEDED, optional))),
            where,
            DAMAGED,
            "config",
        )
        act = d.get("hidden_act", "gelu")
        activation = ACTIVATIONS.get(act) if isinstance(act, str) else None
        if activation is None:
            raise BertrError(
                "config",
                f"The checkpoint uses the activation '{act}', which bertr does not know.",
                "Known: " + ", ".join(ACTIVATIONS) + ".",
            )
        given = {ours: d[name] for name, (ours, _) in {**NEEDED, **optional}.items() if name in d}
        shares = {ours: float(given[ours]) for ours, shape in optional.values() if shape is SHARE and ours in given}
        return {"activation": activation, **given, **shares}

    def to_huggingface(self) -> dict[str, Any]:
        """The content of Hugging Face's `config.json`, so that transformers opens our folders."""
        act = {"gelu_erf": "gelu", "gelu_tanh": "gelu_pytorch_tanh"}.get(self.activation, self.activation)
        return {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": self.num_heads,
            "intermediate_size": self.intermediate_size,
            "hidden_act": act,
            "hidden_dropout_prob": self.hidden_dropout,
            "attention_probs_dropout_prob": self.attention_dropout,
            "max_position_embeddings": self.max_positions,
            "type_vocab_size": self.num_segments,
            "initializer_range": self.initializer_range,
            "layer_norm_eps": self.layer_norm_eps,
            "position_embedding_type": "absolute",
            "pad_token_id": 0,
        }
