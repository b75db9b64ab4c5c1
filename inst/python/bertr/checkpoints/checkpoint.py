"""Reads a checkpoint folder of any known format into a Checkpoint: config, tensors, vocabulary, tokenizer settings."""

import collections.abc
import dataclasses
import hashlib
import math
import os
import zlib
from typing import Any

import numpy as np

from ..errors import BertrError
from . import google, huggingface, weight_names
from .config import BertConfig
from .heads import NO_HEAD, Head, open_head
from .moment import at_one_moment
from .sentence_modules import Sentence


@dataclasses.dataclass
class Checkpoint:
    config: BertConfig
    tensors: collections.abc.Mapping  # canonical name -> contiguous float32 array, kernels (in, out)
    vocab: list
    tokenizer: dict  # keyword arguments of the tokenizer, see families.make_tokenizer
    pooling: str  # recommended: "pooler", or modes of sentence_modules.py joined by "+"
    max_len: int  # tokens, recommended
    format: str  # "google", "google2", "huggingface" or "bertr"
    folder: str
    unread: dict  # variable of the file -> why it was not read
    missing: dict  # "pooler", "mlm" or "nsp" -> what that means
    spiece: bytes | None = None  # what the tokenizer needs beside `vocab`: a SentencePiece model or a tokenizer.json
    stamp: list = dataclasses.field(default_factory=list)  # the folder's stamp when it was read
    sentence: Sentence = dataclasses.field(default_factory=Sentence)  # pooling and the modules after it
    head: Head | None = None  # of a task model, if it was asked for


def fingerprint(checkpoint: Checkpoint) -> str:
    """Identifies config, weights and vocabulary, independent of folder and format. Hashes CRC-32 checksums, which takes
    a tenth of the time of hashing every byte."""
    parts = [f"{name} {value.shape} {zlib.crc32(value.data)}" for name, value in sorted(checkpoint.tensors.items())]
    parts.append(repr(checkpoint.config))
    parts.append(str(zlib.crc32("\n".join(checkpoint.vocab).encode("utf-8", "surrogatepass"))))
    if checkpoint.spiece:
        parts.append(str(zlib.crc32(checkpoint.spiece)))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def read_checkpoint(folder: str, families: dict[str, Any], layers: int | None = None) -> Checkpoint:
    """Reads the Checkpoint in a folder of any format. `families`: model_type -> Family; `layers`: number of lower
    layers to keep, None: all."""
    folder = os.path.expanduser(str(folder))
    read, stamp = at_one_moment(folder, lambda: open_checkpoint(folder, families, layers))
    return dataclasses.replace(read(), stamp=stamp)


def open_checkpoint(
    folder: str,
    families: dict[str, Any],
    layers: int | None = None,
    head: bool = False,
    labels: list[str] | None = None,
) -> collections.abc.Callable[[], Checkpoint]:
    """A function that returns the Checkpoint. Everything except the tensors is read now; their files are opened now, so
    that later changes of the folder have no effect. `head`: whether to read the head of a task model, with these
    `labels`."""
    reader = _reader(folder, families)
    config = reader.read_config(folder, families)
    cut = config.cut(_check_layers(layers, config))
    fmt, shapes, read = reader.open_variables(folder)
    _check_format(fmt, config, folder)
    found, unread = _match(shapes, config, fmt)
    missing = _check_complete(found, shapes, config, fmt, folder)
    for name in [name for name in found if weight_names.part(name) in missing]:
        unread[found.pop(name)] = "its head is incomplete in the file"
    _check_shapes(found, shapes, config, fmt, folder)
    vocab, tokenizer, spiece = families[config.model_type].read_tokenizer(reader, folder, config)
    sentence = reader.read_sentence(folder, config.hidden_size)

    def floats(name):
        array = read(name).astype(np.float32)
        check_finite(name, array, f"'{folder}'")
        return array

    wanted = head and reader is huggingface
    of_head, read_head, no_head = open_head(folder, config, shapes, floats, labels) if wanted else NO_HEAD
    unread = {variable: why for variable, why in unread.items() if variable not in of_head}
    checkpoint = Checkpoint(
        config=cut,
        tensors={},
        vocab=vocab,
        tokenizer=tokenizer,
        pooling=sentence.pooling or ("pooler" if "pooler/kernel" in found else "cls"),
        sentence=sentence,
        max_len=int(min(sentence.max_len or config.max_positions, config.max_positions)),
        format="bertr" if os.path.exists(os.path.join(folder, "bertr.json")) else fmt,
        folder=folder,
        unread=unread,
        missing=missing | no_head,
        spiece=spiece,
    )

    def whole():
        tensors = _read_tensors(config, cut, found, fmt, read, folder)
        aliases = _explain_aliases(shapes, config, fmt, found, tensors, read)
        return dataclasses.replace(checkpoint, tensors=tensors, unread=unread | aliases, head=read_head())

    if reader is google:  # TensorFlow opens files only when it reads them
        at_once = whole()
        return lambda: at_once
    return whole


def _read_tensors(config, cut, found, fmt, read, folder):
    """Canonical name -> array, for tensors in the file that belong to the kept layers."""
    dropped = {f"block_{i}" for i in range(cut.num_blocks, config.num_blocks)}
    tensors = _empty(
        {
            name: shape
            for name, shape in weight_names.tensor_shapes(config).items()
            if name in found and weight_names.part(name) not in dropped
        }
    )
    for name, tensor in tensors.items():
        x = read(found[name])
        tensor[...] = (x.T if weight_names.is_transposed(name, fmt) else x).reshape(tensor.shape)  # joins TF2's heads
        check_finite(found[name], tensor, f"'{folder}'")
    return tensors


def check_finite(name: str, array: np.ndarray, where: str) -> None:
    """Checks that all weights are finite."""
    with np.errstate(all="ignore"):
        finite = np.isfinite(array.sum()) or np.isfinite(array).all()  # the sum needs no temporary array
    if not finite:
        raise BertrError(
            "damaged",
            f"'{name}' in {where} holds infinite or NaN values.",
            "The training that produced these weights failed, or the file is damaged: use another.",
        )


def check_tensors(tensors: collections.abc.Mapping[str, np.ndarray], config: BertConfig, where: str) -> None:
    """Checks that these tensors (by canonical name) have the names and shapes that this config requires."""
    for name, shape in weight_names.tensor_shapes(config).items():
        found = tensors[name].shape if name in tensors else None
        if found != shape and (found or weight_names.part(name) not in weight_names.PARTS):
            what = f"has the shape {_by(found)}" if found else "is missing"
            raise BertrError(
                "damaged",
                f"'{name}' in {where} {what}, but its config requires {_by(shape)}.",
                "It is damaged: save or fit it again.",
            )
    for name, tensor in tensors.items():
        check_finite(name, tensor, where)


def _empty(shapes):
    """Arrays of these shapes in one allocation, which returns to the system when all of them are freed; many separate
    allocations mostly would not."""
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    parts = np.split(np.empty(ends[-1], np.float32), ends[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def _reader(folder, families):
    """The module that reads this folder: `huggingface` (also for bertr's own folders) or `google`."""
    if not os.path.isdir(folder):
        what = "is a file, not the folder of a checkpoint" if os.path.exists(folder) else "does not exist"
        raise BertrError(
            "checkpoint", f"'{folder}' {what}.", "Give the folder that holds config.json or bert_config.json."
        )
    lacks = {reader: reader.missing_files(folder) for reader in (huggingface, google)}
    for reader, files in lacks.items():
        if not files:
            return reader
    huggingface.model_type(folder, families)  # an unsupported model is reported before missing files
    if huggingface.WEIGHTS in lacks[huggingface]:
        huggingface.refuse_others(folder)
    present = sorted(e.name + "/" * e.is_dir() for e in os.scandir(folder))
    holds = ", ".join(present[:10]) + (f" and {len(present) - 10} more" if len(present) > 10 else "")
    raise BertrError(
        "checkpoint",
        f"'{folder}' is not a complete BERT checkpoint: it holds {holds or 'nothing'}; a Hugging Face checkpoint also "
        f"needs {', '.join(lacks[huggingface])}; a Google checkpoint also needs {', '.join(lacks[google])}.",
        "Give the folder that holds these files.",
    )


def _check_layers(layers, config):
    """The number of layers to keep."""
    if layers is None:
        return config.num_layers
    if not isinstance(layers, (int, float)) or layers not in range(1, config.num_layers + 1):
        raise BertrError(
            "layers",
            f"`layers` is {layers}, but the checkpoint has layers 1 to {config.num_layers}.",
            f"Give a whole number from 1 to {config.num_layers}.",
        )
    return int(layers)


def _check_format(fmt, config, folder):
    if not any(row[weight_names.COLUMN[fmt]] for row in config.names.dense):
        raise BertrError(
            "checkpoint",
            f"'{folder}' holds {config.title} saved by Keras on TensorFlow 2, whose "
            "variable names bertr does not know.",
            "Use Google's TensorFlow 1 files or the Hugging Face files of the same model.",
        )


def _match(shapes, config, fmt):
    """({canonical name: variable}, {variable: why it is not read}). Unneeded aliases are in neither."""
    table = weight_names.file_names(config, fmt)
    known = {theirs: ours for ours, theirs in table.items()}
    aliases = config.names.aliases[fmt]
    found, unread, second = {}, {}, {}
    for variable in sorted(shapes):
        plain = weight_names.plain_name(variable, fmt, config)
        if plain in known and known[plain] not in found:
            found[known[plain]] = variable
        elif plain in known:
            unread[variable] = f"repeats '{found[known[plain]]}'"
        elif plain in aliases:
            second.setdefault(aliases[plain], variable)
        else:
            unread[variable] = weight_names.reason_unread(variable)
    return {**second, **found}, unread


def _explain_aliases(shapes, config, fmt, found, tensors, read):
    """Why aliases are not read, such as the masked-word head's copy of the word embedding: {variable: reason}."""
    out = {}
    for variable in shapes:
        ours = config.names.aliases[fmt].get(weight_names.plain_name(variable, fmt, config))
        if ours is None or found.get(ours) == variable:
            continue
        if ours not in tensors:
            out[variable] = "its head is incomplete in the file"
        elif np.array_equal(read(variable).astype(np.float32), tensors[ours]):
            out[variable] = f"repeats '{found[ours]}'"
        else:
            out[variable] = f"differs from the tensor it should duplicate ({ours})"
    return out


def _check_complete(found, shapes, config, fmt, folder):
    """The optional parts that the file lacks, with the consequences; an incomplete encoder is an error."""
    table = weight_names.file_names(config, fmt)
    lacking = [name for name in weight_names.tensor_shapes(config) if name not in found]
    missing = {part: weight_names.PARTS[part] for part in weight_names.PARTS if part in map(weight_names.part, lacking)}
    lacking = [name for name in lacking if weight_names.part(name) not in weight_names.PARTS]
    if lacking:
        other = weight_names.other_model(shapes)
        there = ", ".join(f"'{name}'" for name in sorted(shapes)[:3]) or "none"
        what = (
            f"they belong to {other}"
            if other
            else f"{len(lacking)} variables of the encoder are missing (first: '{table[lacking[0]]}'); the file holds "
            f"{len(shapes)} variables (first: {there})"
        )
        raise BertrError(
            "checkpoint",
            f"The weights in '{folder}' are not those of {config.title} with {config.num_layers} layers: {what}.",
            "Check that the config file and the weights belong together.",
        )
    return missing


def _check_shapes(found, shapes, config, fmt, folder):
    for name, expected in weight_names.tensor_shapes(config).items():
        expected = weight_names.file_shape(name, expected, config, fmt)
        if name in found and shapes[found[name]] != expected:
            raise BertrError(
                "checkpoint",
                f"'{found[name]}' in '{folder}' has the shape {_by(shapes[found[name]])}, but the config file "
                f"requires {_by(expected)}.",
                "Check that the config file and the weights belong together.",
            )


def _by(shape):
    return " x ".join(map(str, shape))
