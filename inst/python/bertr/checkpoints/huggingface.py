"""Reads and writes Hugging Face folders: `config.json`, `model.safetensors` or `pytorch_model.bin`, `vocab.txt` or
`tokenizer.json`, for ALBERT `spiece.model`, for RoBERTa `vocab.json` and `merges.txt`."""

import json
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import COPY_AGAIN, BertrError
from ..safetensors_file import save_tensors
from ..shapes import FLAG, TEXT, fields, list_of, matching, or_null, table_of
from . import weight_names
from .byte_bpe_files import VOCAB, read_byte_bpe
from .files import optional_json, read_json, refuse_pointer
from .heads import Head, head_config, head_tensors
from .sentence_modules import read_sentence, write_sentence, write_settings
from .tensor_file import TensorFile
from .tokenizer_files import tokenizer_config, tokenizer_kind
from .torch_file import TorchFile
from .unigram_files import JSON, SPM, read_unigram
from .vocabulary import read_bytes
from .wordpiece_files import read_sentencepiece, read_wordpiece

if TYPE_CHECKING:
    from .checkpoint import Checkpoint
    from .config import BertConfig

WEIGHTS = "model.safetensors"
SHARDS = "model.safetensors.index.json"
TORCH, TORCH_SHARDS = "pytorch_model.bin", "pytorch_model.bin.index.json"
NOT_YET = {"modernbert": "ModernBERT", "deberta": "DeBERTa", "deberta-v2": "DeBERTa of version 2 or 3"}
OTHERS = {"tf_model.h5": "from_tf=True", "flax_model.msgpack": "from_flax=True"}  # unsupported weights
SPIECE = "spiece.model"
# Patterns of all files that `write_huggingface` writes
FILES = (
    "config.json",
    "vocab.txt",
    SPIECE,
    JSON,
    "tokenizer_config.json",
    WEIGHTS,
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "modules.json",
    os.path.join("1_Pooling", "config.json"),
    os.path.join("[0-9]*_Dense", "config.json"),
    os.path.join("[0-9]*_Dense", "model.safetensors"),
)
# also used by checkpoint.py
__all__ = ["read_byte_bpe", "read_sentence", "read_sentencepiece", "read_unigram", "read_wordpiece"]
# Shapes of the JSON files
CONFIG = fields(
    optional={
        "model_type": or_null(TEXT),
        "architectures": or_null(list_of(TEXT)),
        "position_embedding_type": or_null(TEXT),
        "is_decoder": or_null(FLAG),
    }
)
INDEX = fields({"weight_map": table_of(matching(r"(?!\.\.?$)[^/\\:]+", "the name of a file in the same folder"))})


def missing_files(folder: str) -> list[str]:
    """The files that a Hugging Face checkpoint in this folder lacks."""
    weights = (WEIGHTS, SHARDS, TORCH, TORCH_SHARDS)
    wanted = (("config.json",), weights, ("vocab.txt", JSON, SPIECE, SPM, VOCAB))
    return [
        " or ".join(n for n in either if n not in (*weights[1:], SPIECE, SPM, VOCAB))
        for either in wanted
        if not any(os.path.exists(os.path.join(folder, n)) for n in either)
    ]


def refuse_others(folder: str) -> None:
    """Raises an error if the folder has only weights of Keras or Flax, or torch weights with another file name."""
    names = [name for name in sorted(os.listdir(folder)) if name in OTHERS or name.endswith((".bin", ".pt", ".pth"))]
    if names:
        how = f", {OTHERS[names[0]]}" if names[0] in OTHERS else ""
        raise BertrError(
            "checkpoint",
            f"The weights in '{folder}' are in '{names[0]}', but bertr reads only {WEIGHTS} and {TORCH}.",
            "Convert them once in Python: from transformers import AutoModel; "
            f'AutoModel.from_pretrained("{folder}"{how}).save_pretrained("{folder}")',
        )


def model_type(folder: str, families: dict[str, Any]) -> str:
    """The model type in the config file; an error if it is none of the families."""
    d = optional_json(folder, "config.json", CONFIG)
    kind = d.get("model_type") or ((d.get("architectures") or ["bert"])[0].partition("For")[0].removesuffix("Model"))
    names = {name.replace("-", ""): name for name in families}  # "XLMRobertaModel" is of type "xlm-roberta"
    name = names.get(kind.lower().replace("-", ""))
    if name is None:
        *most, last = (f'"{name}"' for name in families)
        what = f"a {NOT_YET[kind]}" if kind in NOT_YET else f"a model of type '{kind}'"
        raise BertrError(
            "not_bert",
            f"'{folder}' holds {what}, which bertr does not read{' yet' if kind in NOT_YET else ''}.",
            f'bertr reads models whose config.json says "model_type": {", ".join(most)} or {last}.',
        )
    return name


def read_config(folder: str, families: dict[str, Any]) -> "BertConfig":
    kind = model_type(folder, families)
    path = os.path.join(folder, "config.json")
    d, title = read_json(path, CONFIG), families[kind].config.title
    if (d.get("position_embedding_type") or "absolute") != "absolute":
        raise BertrError(
            "not_bert",
            f"'{folder}' holds {title} with '{d['position_embedding_type']}' positions, "
            "but bertr supports only absolute ones.",
            "Use another checkpoint.",
        )
    if d.get("is_decoder"):
        raise BertrError(
            "not_bert",
            f"'{folder}' holds {title} that is a decoder (a left-to-right model).",
            "bertr supports only encoders: use another checkpoint.",
        )
    return families[kind].config.from_dict(d, f"'{path}'")


def read_spiece(folder: str) -> bytes | None:
    """An ALBERT's SentencePiece model, or None if there is a vocabulary file."""
    path = os.path.join(folder, SPIECE)
    if os.path.exists(path):
        return read_bytes(path)
    if os.path.exists(os.path.join(folder, "vocab.txt")):
        return None
    raise BertrError(
        "vocabulary",
        f"'{folder}' has no {SPIECE}, which ALBERT's tokenizer needs; tokenizer.json alone is not enough.",
        "Copy it from the model that this one was derived from.",
    )


def open_variables(folder: str) -> tuple[str, dict[str, tuple[int, ...]], Callable[[str], np.ndarray]]:
    """("huggingface", {variable: shape}, read) of `model.safetensors`, `pytorch_model.bin` or their shards. The files
    are opened now, so `read` returns their current content even if they are replaced."""
    files = {}
    for path in _weight_files(folder):
        refuse_pointer(path)
        file = TorchFile(path) if path.endswith(".bin") else TensorFile(path)
        for name in file.shapes:
            if name in files:
                raise BertrError("checkpoint", f"'{name}' is both in '{files[name].path}' and in '{path}'.", COPY_AGAIN)
            files[name] = file
    return "huggingface", {name: file.shapes[name] for name, file in files.items()}, lambda name: files[name].read(name)


def _weight_files(folder):
    """The weight files; safetensors if there are both kinds."""
    for name in (WEIGHTS, SHARDS, TORCH, TORCH_SHARDS):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return _shards(path) if name in (SHARDS, TORCH_SHARDS) else [path]
    raise BertrError("checkpoint", f"'{folder}' has no {WEIGHTS}.", COPY_AGAIN)


def _shards(index):
    folder = os.path.dirname(index)
    shards = sorted(set(read_json(index, INDEX)["weight_map"].values()))
    absent = [s for s in shards if not os.path.exists(os.path.join(folder, s))]
    if absent or not shards:
        raise BertrError(
            "checkpoint",
            f"'{folder}' lacks {len(absent)} of the {len(shards)} files that "
            f"{os.path.basename(index)} names: {', '.join(absent)}.",
            COPY_AGAIN,
        )
    return [os.path.join(folder, s) for s in shards]


def huggingface_tensors(
    tensors: Mapping[str, np.ndarray], config: "BertConfig", prefix: str = ""
) -> dict[str, np.ndarray]:
    """Canonical tensors with Hugging Face's names and orientation, contiguous as safetensors requires; `prefix` comes
    before those of the encoder."""
    table = {
        ours: theirs if weight_names.part(ours) in ("mlm", "nsp") else prefix + theirs
        for ours, theirs in weight_names.file_names(config, "huggingface").items()
    }
    return {
        table[name]: np.ascontiguousarray(x.T if weight_names.is_transposed(name, "huggingface") else x)
        for name, x in tensors.items()
    }


def write_huggingface(folder: str, checkpoint: "Checkpoint", head: Head | None = None) -> None:
    """Writes a folder that transformers and sentence-transformers open as the same model, with `head` as a task model.

    The weights are written last: a folder without them is incomplete.
    """
    os.makedirs(folder, exist_ok=True)
    settings, more = checkpoint.tokenizer, head_config(head, checkpoint.config) if head else {}
    _write_json(folder, "config.json", {**checkpoint.config.to_huggingface(), **more})
    if checkpoint.spiece:
        name = SPIECE if tokenizer_kind(checkpoint.spiece) == "sentencepiece" else JSON
        with open(os.path.join(folder, name), "wb") as f:
            f.write(checkpoint.spiece)
    config, words = tokenizer_config(settings, checkpoint.vocab, checkpoint.config.model_type)
    if words:
        with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8", newline="") as f:
            f.writelines(token + "\n" for token in words)
    _write_json(folder, "tokenizer_config.json", {**config, "model_max_length": checkpoint.config.max_positions})
    _write_json(folder, "sentence_bert_config.json", {"max_seq_length": checkpoint.max_len, "do_lower_case": False})
    write_settings(folder, checkpoint.sentence, _write_json)
    if checkpoint.pooling != "pooler":
        write_sentence(folder, checkpoint.sentence, checkpoint.pooling, checkpoint.config.hidden_size, _write_json)
    prefix = f"{checkpoint.config.heads.encoder}." if head else ""
    tensors = huggingface_tensors(checkpoint.tensors, checkpoint.config, prefix)
    tensors |= head_tensors(head, checkpoint.config) if head else {}
    save_tensors(tensors, os.path.join(folder, WEIGHTS))


def _write_json(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        json.dump(value, f, indent=2, ensure_ascii=False)
        f.write("\n")
