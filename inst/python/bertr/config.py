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

    @property
    def head_size(self):
        return self.hidden_size // self.num_heads

    @classmethod
    def from_dict(cls, d):
        """From the JSON of Google's `bert_config.json` or Hugging Face's `config.json`."""
        act = d.get("hidden_act", "gelu")
        activation = ACTIVATIONS.get(act) if isinstance(act, str) else None
        if activation is None:
            raise BertrError(
                "config", f"The checkpoint's activation is '{act}', which is not one of BERT's.",
                "Known: " + ", ".join(ACTIVATIONS) + ".")
        out = cls(
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
        if out.hidden_size % out.num_heads:
            raise BertrError("config", f"hidden_size {out.hidden_size} is not a multiple of "
                             f"num_attention_heads {out.num_heads}.", "The config file is damaged.")
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
