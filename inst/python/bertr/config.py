"""What a BERT encoder looks like: its sizes and constants, read from Google's or Hugging Face's config."""

import dataclasses
import json

from .errors import BertrError

ACTIVATIONS = {
    # name in a config file -> our name. "gelu" was the exact form when Google released BERT, and Hugging Face reads
    # all of Google's checkpoints so; Google's later code has the tanh form, 4.7e-4 away at most
    "gelu": "gelu_erf",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_tanh": "gelu_tanh",
    "gelu_erf": "gelu_erf",
    "gelu_python": "gelu_erf",
    "relu": "relu",
    "tanh": "tanh",
    "linear": "linear",
}


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

    model_type = "bert"  # as Hugging Face calls it; not a field

    @property
    def head_size(self):
        return self.hidden_size // self.num_heads

    @property
    def embedding_size(self):
        """Width of the embeddings."""
        return self.hidden_size

    @property
    def num_blocks(self):
        """How many blocks have weights of their own."""
        return self.num_layers

    @property
    def shares_blocks(self):
        return self.num_blocks < self.num_layers

    def block_of(self, layer):
        """The block whose weights a layer (from 0) has."""
        return layer

    def cut(self, layers):
        """The same encoder with its lower layers only."""
        return dataclasses.replace(self, num_layers=layers)

    @classmethod
    def from_dict(cls, d):
        """From the JSON of Google's `bert_config.json` or Hugging Face's `config.json`."""
        return cls(**cls._read(d))

    @classmethod
    def _read(cls, d):
        act = d.get("hidden_act", "gelu")
        activation = ACTIVATIONS.get(act) if isinstance(act, str) else None
        if activation is None:
            raise BertrError(
                "config", f"The checkpoint's activation is '{act}', which is not one of BERT's.",
                "Known: " + ", ".join(ACTIVATIONS) + ".")
        out = dict(
            vocab_size=_size(d, "vocab_size"),
            hidden_size=_size(d, "hidden_size"),
            num_layers=_size(d, "num_hidden_layers"),
            num_heads=_size(d, "num_attention_heads"),
            intermediate_size=_size(d, "intermediate_size"),
            max_positions=_size(d, "max_position_embeddings", 512),
            num_segments=_size(d, "type_vocab_size", 2),
            activation=activation,
            hidden_dropout=_share(d, "hidden_dropout_prob", 0.1),
            attention_dropout=_share(d, "attention_probs_dropout_prob", 0.1),
            layer_norm_eps=_share(d, "layer_norm_eps", 1e-12),
            initializer_range=_share(d, "initializer_range", 0.02),
        )
        if out["hidden_size"] % out["num_heads"]:
            raise BertrError("config", f"hidden_size {out['hidden_size']} is not a multiple of "
                             f"num_attention_heads {out['num_heads']}.", "The config file is damaged.")
        return out

    def to_huggingface(self):
        """The same as Hugging Face's `config.json` says it, so that transformers opens our folders."""
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


@dataclasses.dataclass(frozen=True)
class AlbertConfig(BertConfig):
    """ALBERT (Lan et al. 2020, google-research/albert `modeling.py`): embeddings narrower than the layers, and layers
    in groups that share their weights, in all of Google's models one group."""

    embedding_size: int = 128
    num_groups: int = 1

    model_type = "albert"

    @property
    def num_blocks(self):
        return self.num_groups

    def block_of(self, layer):
        return layer * self.num_groups // self.num_layers

    def cut(self, layers):
        run = self.num_layers // self.num_groups  # layers a group
        if layers > run and layers % run:
            raise BertrError("layers", f"`layers` is {layers}, but this model's layers share their weights by {run}.",
                             f"Give a multiple of {run}.")
        return dataclasses.replace(self, num_layers=layers, num_groups=-(-layers // run))

    @classmethod
    def _read(cls, d):
        if d.get("inner_group_num", 1) != 1:
            raise BertrError("config", f"The config file's 'inner_group_num' is {d['inner_group_num']!r}: bertr reads "
                             "ALBERTs whose layers are one block each.", "Use another checkpoint.")
        d = {"hidden_act": "gelu_new", "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0, **d}
        out = {**super()._read(d), "embedding_size": _size(d, "embedding_size", 128),
               "num_groups": _size(d, "num_hidden_groups", 1)}
        if out["num_layers"] % out["num_groups"]:
            raise BertrError("config", f"num_hidden_layers {out['num_layers']} is not a multiple of num_hidden_groups "
                             f"{out['num_groups']}.", "Use another checkpoint.")
        return out

    def to_huggingface(self):
        out = super().to_huggingface()
        act = "gelu_new" if self.activation == "gelu_tanh" else out["hidden_act"]  # as all ALBERTs have it
        return {**out, "architectures": ["AlbertModel"], "model_type": "albert", "hidden_act": act,
                "embedding_size": self.embedding_size, "num_hidden_groups": self.num_groups, "inner_group_num": 1}


def config_of(fields):
    """The config with these fields (`dataclasses.asdict`)."""
    return AlbertConfig(**fields) if "num_groups" in fields else BertConfig(**fields)


def _size(d, key, default=None):
    """A whole number of at least 1."""
    value = d.get(key, default)
    if value is None:
        raise BertrError("config", f"The config file has no '{key}'.", "Is this the folder of a BERT checkpoint?")
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BertrError("config", f"The config file's '{key}' is {value!r}, where a whole number of at least 1 is "
                         "needed.", "The config file is damaged.")
    return value


def _share(d, key, default):
    """A number from 0 to 1."""
    value = d.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise BertrError("config", f"The config file's '{key}' is {value!r}, where a number from 0 to 1 is needed.",
                         "The config file is damaged.")
    return float(value)


def read_json(path):
    """The JSON object in a file, or one sentence saying that it is damaged."""
    try:
        with open(path, encoding="utf-8") as f:
            out = json.load(f)
    except (OSError, ValueError, RecursionError) as e:
        raise BertrError("config", f"'{path}' could not be read as JSON: {e}.",
                         "Copy the checkpoint folder again.") from None
    if not isinstance(out, dict):
        raise BertrError("config", f"'{path}' holds no JSON object.", "Copy the checkpoint folder again.")
    return out
