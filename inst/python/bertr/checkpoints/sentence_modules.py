"""The modules of a sentence model after the encoder (pooling, dense layers, scaling to length 1), and prompts.

Source: Reimers and Gurevych 2019; sentence-transformers, `modules.json` and a folder for each module.
"""

import dataclasses
import os
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import COPY_AGAIN, BertrError
from ..safetensors_file import save_tensors
from ..shapes import FLAG, TEXT, either, fields, list_of, or_null, plain, table_of, whole
from .files import optional_json, read_json
from .tensor_file import TensorFile
from .torch_file import TorchFile

# Name in `1_Pooling/config.json` -> our name, in the order of concatenation
POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
MODES = tuple(POOLING_FLAGS.values())
POOLING = "pooler|({0})([+]({0}))*".format("|".join(MODES))  # a pattern: BERT's own, or modes that are concatenated

ACTIVATIONS = {
    "Identity": lambda x: x,
    "Tanh": np.tanh,
    "ReLU": lambda x: np.maximum(x, 0),
    "Sigmoid": lambda x: 0.5 * (1 + np.tanh(0.5 * x)),  # this form does not overflow
}

_MODULES = list_of(fields({"path": TEXT, "type": TEXT}))
_POOLING = fields(
    optional={
        **dict.fromkeys(POOLING_FLAGS, FLAG),
        "include_prompt": or_null(FLAG),
        "pooling_mode": or_null(either(TEXT, list_of(TEXT, least=1))),
    }
)
_DENSE = fields(
    {"in_features": whole(1), "out_features": whole(1)},
    {
        "bias": FLAG,
        "activation_function": or_null(TEXT),
        "use_residual": or_null(FLAG),
        "module_input_name": or_null(TEXT),
    },
)
_SETTINGS = fields(
    optional={  # config_sentence_transformers.json
        "prompts": or_null(table_of(or_null(TEXT))),
        "default_prompt_name": or_null(TEXT),
        "truncate_dim": or_null(whole(1)),
    }
)
_SENTENCE = fields(optional={"max_seq_length": or_null(whole(3))})
# tokenizer_config.json; "no limit" is 1e30 there
_TOKENIZER = fields(
    optional={
        "model_max_length": or_null(
            plain(
                "a number of at least 3", lambda x: isinstance(x, (int, float)) and not isinstance(x, bool) and x >= 3
            )
        )
    }
)


@dataclasses.dataclass
class Dense:
    """A dense layer on pooled vectors."""

    kernel: np.ndarray  # float32 [in, out]
    bias: np.ndarray  # float32 [out]
    activation: str  # a name in `ACTIVATIONS`

    def __call__(self, values):
        """[rows, in] to [rows, out]."""
        return ACTIVATIONS[self.activation](values @ self.kernel + self.bias)


@dataclasses.dataclass
class Sentence:
    """`pooling`: modes joined by "+", or None; `steps`: Dense layers and "normalize", in their order."""

    pooling: str | None = None
    max_len: int | None = None
    steps: list = dataclasses.field(default_factory=list)
    prompts: dict = dataclasses.field(default_factory=dict)
    default_prompt: str | None = None
    pools_prompt: bool = True  # whether pooling includes the prompt's tokens
    truncate_dim: int | None = None  # number of leading columns to keep

    def described(self) -> list[str]:
        """The steps in words."""
        out = [step if step == "normalize" else f"{len(step.bias)} dense ({step.activation})" for step in self.steps]
        return [*out, f"the first {self.truncate_dim} columns"] if self.truncate_dim else out

    def width(self, pooled: int) -> int:
        """Width of the final vectors, from the width after pooling."""
        dense = [step for step in self.steps if isinstance(step, Dense)]
        width = len(dense[-1].bias) if dense else pooled
        return min(width, self.truncate_dim or width)

    def prompt(self, name: str | None) -> str:
        """The text of a prompt; None: the default prompt, or ""."""
        name = self.default_prompt if name is None else name
        if name is None:
            return ""
        if name not in self.prompts:
            known = ", ".join(f'"{known}"' for known in self.prompts)
            raise BertrError(
                "prompt",
                f'`prompt` is "{name}", but this model has ' + (f"only {known}." if known else "no prompts."),
                "Leave `prompt` out, or paste your own in front of the texts.",
            )
        if not self.pools_prompt and self.prompts[name]:
            raise BertrError(
                "prompt",
                "This model excludes a prompt's tokens from pooling, which bertr does not support.",
                "Use another model.",
            )
        return self.prompts[name]


def pooled_width(pooling: str, hidden: int) -> int:
    return hidden * (pooling.count("+") + 1)


def read_sentence(folder: str, hidden: int) -> Sentence:
    """The Sentence of a folder; empty if the folder has no modules."""
    out = Sentence(
        max_len=optional_json(folder, "sentence_bert_config.json", _SENTENCE).get("max_seq_length")
        or optional_json(folder, "tokenizer_config.json", _TOKENIZER).get("model_max_length")
    )
    _read_settings(folder, out)
    width = hidden
    for kind, path in _modules(folder):
        if kind == "Pooling":
            config = optional_json(folder, os.path.join(path, "config.json"), _POOLING)
            out.pooling, out.pools_prompt = _pooling(config, folder), config.get("include_prompt") is not False
            width = pooled_width(out.pooling, hidden)
        elif kind == "Dense":
            out.steps.append(_dense(os.path.join(folder, path), width))
            width = out.steps[-1].kernel.shape[1]
        elif kind == "Normalize":
            out.steps.append("normalize")
        elif kind not in ("Transformer", "Dropout"):  # dropout acts only in training
            raise BertrError(
                "checkpoint",
                f"'{folder}' has a module of the type {kind} after the encoder, which bertr does not support.",
                "It supports Pooling, Dense and Normalize: use another model.",
            )
    return out


def _modules(folder):
    """(kind, path) of all modules, including the encoder."""
    path = os.path.join(folder, "modules.json")
    if not os.path.exists(path):
        return [("Pooling", "1_Pooling")] if os.path.exists(os.path.join(folder, "1_Pooling", "config.json")) else []
    modules = [(module["type"].rpartition(".")[2], module["path"]) for module in read_json(path, _MODULES, list)]
    outside = next((path for _, path in modules if not re.fullmatch(r"(?!\.\.?$)[^/\\:]*", path)), None)
    if outside is not None:
        raise BertrError(
            "config", f"'{path}' names the folder '{outside}', which is not a subfolder of the model's.", COPY_AGAIN
        )
    return modules


def _pooling(config, folder):
    modes = config.get("pooling_mode") or [ours for name, ours in POOLING_FLAGS.items() if config.get(name)] or "mean"
    modes = [modes] if isinstance(modes, str) else modes
    unknown = next((mode for mode in modes if mode not in MODES), None)
    if unknown is not None:
        raise BertrError(
            "pool",
            f"'{folder}' uses the pooling '{unknown}', which bertr does not support.",
            "It supports " + ", ".join(MODES) + ".",
        )
    return "+".join(modes)


def _dense(folder, width):
    path = os.path.join(folder, "config.json")
    config = read_json(path, _DENSE)
    activation = (config.get("activation_function") or "Tanh").rpartition(".")[2]
    odd = next(
        (
            what
            for what, is_odd in (
                (f"the activation {activation}", activation not in ACTIVATIONS),
                ("a residual connection", config.get("use_residual")),
                (
                    f"the input {config.get('module_input_name')}",
                    (config.get("module_input_name") or "sentence_embedding") != "sentence_embedding",
                ),
                (f"{config['in_features']} inputs instead of {width}", config["in_features"] != width),
            )
            if is_odd
        ),
        None,
    )
    if odd:
        raise BertrError(
            "checkpoint",
            f"The dense layer in '{folder}' has {odd}, which bertr does not support.",
            "Use another model.",
        )
    file = _weights(folder)
    shapes = {"linear.weight": (config["out_features"], width), "linear.bias": (config["out_features"],)}
    if not config.get("bias", True):
        del shapes["linear.bias"]
    for name, shape in shapes.items():
        if file.shapes.get(name) != shape:
            raise BertrError(
                "checkpoint",
                f"'{name}' in '{file.path}' has the shape {file.shapes.get(name)}, but its config requires {shape}.",
                COPY_AGAIN,
            )
    bias = file.read("linear.bias") if "linear.bias" in shapes else np.zeros(config["out_features"])
    return Dense(np.ascontiguousarray(file.read("linear.weight").T, np.float32), bias.astype(np.float32), activation)


def _weights(folder):
    for name, read in (("model.safetensors", TensorFile), ("pytorch_model.bin", TorchFile)):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return read(path)
    raise BertrError("checkpoint", f"'{folder}' has no model.safetensors, the weights of its dense layer.", COPY_AGAIN)


def _read_settings(folder, out):
    d = optional_json(folder, "config_sentence_transformers.json", _SETTINGS)
    out.truncate_dim = d.get("truncate_dim")
    out.prompts = {name: text for name, text in (d.get("prompts") or {}).items() if text is not None}
    out.default_prompt = d.get("default_prompt_name")
    if out.default_prompt is not None and out.default_prompt not in out.prompts:
        raise BertrError(
            "config",
            f"'{folder}' names the default prompt \"{out.default_prompt}\", which is not among its prompts.",
            COPY_AGAIN,
        )


def write_sentence(
    folder: str, sentence: Sentence, pooling: str, hidden: int, write_json: Callable[[str, str, Any], None]
) -> None:
    """Writes the files that `read_sentence` reads, except sentence_bert_config.json."""
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    os.makedirs(os.path.join(folder, "1_Pooling"))
    modes = pooling.split("+")
    flags = {name: mode in modes for name, mode in POOLING_FLAGS.items()}
    write_json(
        folder,
        os.path.join("1_Pooling", "config.json"),
        {
            "word_embedding_dimension": hidden,
            "include_prompt": sentence.pools_prompt,
            # older versions of sentence-transformers know only the flags, which have a fixed order
            **(flags if modes == [mode for mode in MODES if mode in modes] else {"pooling_mode": modes}),
        },
    )
    for k, step in enumerate(sentence.steps, start=2):
        path = f"{k}_Dense" if isinstance(step, Dense) else f"{k}_Normalize"
        modules.append((path, path.partition("_")[2]))
        if isinstance(step, Dense):
            _write_dense(folder, path, step, write_json)
    write_json(
        folder,
        "modules.json",
        [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(modules)
        ],
    )


def write_settings(folder: str, sentence: Sentence, write_json: Callable[[str, str, Any], None]) -> None:
    """Writes prompts and the number of columns, if there are any."""
    if sentence.prompts or sentence.truncate_dim:
        write_json(
            folder,
            "config_sentence_transformers.json",
            {
                "prompts": sentence.prompts,
                "default_prompt_name": sentence.default_prompt,
                "truncate_dim": sentence.truncate_dim,
            },
        )


def _write_dense(folder, path, dense, write_json):
    os.makedirs(os.path.join(folder, path))
    place = "linear" if dense.activation == "Identity" else "activation"
    write_json(
        folder,
        os.path.join(path, "config.json"),
        {
            "in_features": len(dense.kernel),
            "out_features": len(dense.bias),
            "bias": True,
            "activation_function": f"torch.nn.modules.{place}.{dense.activation}",
        },
    )
    save_tensors(
        {"linear.weight": dense.kernel.T, "linear.bias": dense.bias}, os.path.join(folder, path, "model.safetensors")
    )
