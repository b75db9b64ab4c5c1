"""Reads Google's TensorFlow checkpoints: `bert_config.json`, `bert_model.ckpt.*`, `vocab.txt`; for ALBERT
`albert_config.json`, `model.ckpt-best.*`, `30k-clean.model` (Chinese: `vocab_chinese.txt`)."""

import glob
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import COPY_AGAIN, BertrError
from ..text.wordpiece import SPECIAL
from .files import read_json, refuse_pointer
from .sentence_modules import Sentence
from .vocabulary import check_size, guess_lower_case, read_bytes, read_vocab_txt

if TYPE_CHECKING:
    from .config import BertConfig

CONFIGS = ("bert_config.json", "albert_config.json")
CHECKPOINTS = ("bert_model.ckpt", "model.ckpt-best")
# Patterns of all files that are read
FILES = (*CONFIGS, "*.index", "*.data-*-of-*", "vocab*.txt", "*.model")


def missing_files(folder: str) -> list[str]:
    """The files that a Google checkpoint in this folder lacks."""
    out = [] if _config_path(folder) else ["bert_config.json"]
    prefixes = _prefixes(folder)
    if not prefixes:
        out.append("bert_model.ckpt.index")
    if not any(_shards(p) for p in prefixes or [os.path.join(folder, "bert_model.ckpt")]):
        out.append("bert_model.ckpt.data-00000-of-00001")
    return out if _vocab_path(folder) or _spiece_path(folder) else [*out, "vocab.txt"]


def read_config(folder: str, families: dict[str, Any]) -> "BertConfig":
    path = _config_path(folder)
    d = read_json(path)
    fields, family = next((fields, family) for family in families.values() if (fields := family.from_google(d)))
    return family.config.from_dict(fields, f"'{path}'")


def read_wordpiece(folder: str, rows: int) -> tuple[list[str], dict[str, Any]]:
    """(vocabulary, settings) as in google-research/bert `tokenization.py`: words of up to 200 characters; special
    tokens in a text are split."""
    vocab = _read_vocab(folder)
    check_size(len(vocab), rows, folder)
    return vocab, {
        "lower_case": guess_lower_case(folder, vocab),
        "strip_accents": None,
        "chinese_chars": True,
        "max_word_chars": 200,
        "special": SPECIAL,
        "added": [],
        "one_segment": False,
        "mode": "wordpiece",
    }


def _read_vocab(folder):
    path = _vocab_path(folder)
    if path is None:
        raise BertrError("vocabulary", f"'{folder}' has no vocab.txt.", COPY_AGAIN)
    return [token.strip() for token in read_vocab_txt(path)]


def read_unigram(folder: str, rows: int) -> None:
    """Google's folders have no unigram tokenizer."""


def read_byte_bpe(folder: str, rows: int) -> None:
    """Google's folders have no byte-level BPE tokenizer."""


def read_spiece(folder: str) -> bytes | None:
    """The SentencePiece model, or None if there is a vocabulary file."""
    path = _spiece_path(folder)
    return path and read_bytes(path)


def read_sentencepiece(folder: str, pieces: list[str]) -> dict[str, Any]:
    """The tokenizer settings of google-research/albert `tokenization.py`."""
    return {"lower_case": True, "keep_accents": False, "quotes": False, "keep_special": False, "mode": "sentencepiece"}


def read_sentence(folder: str, hidden: int) -> Sentence:
    """Google's folders are never sentence models."""
    return Sentence()


def open_variables(folder: str) -> tuple[str, dict[str, tuple[int, ...]], Callable[[str], Any]]:
    """(format, {variable: shape}, read): the format is "google" (TF1) or "google2" (TF2 object checkpoint)."""
    prefix = _prefix(folder)
    for path in (prefix + ".index", *_shards(prefix)):
        refuse_pointer(path)
    try:
        import tensorflow as tf
    except ImportError:
        raise BertrError(
            "tensorflow",
            "Google's checkpoint format can only be read with TensorFlow, which this Python does not have.",
            "Install it with bert_install(), or use the Hugging Face files of the same model.",
        ) from None
    # TensorFlow reports damage with many types of exceptions (DataLoss, OutOfRange, ValueError, RuntimeError)
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes = {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
    except Exception as e:
        raise _damaged(prefix + ".index", e) from None

    def read(variable):
        try:
            return reader.get_tensor(variable)
        except Exception as e:
            raise _damaged(prefix + ".data-*", e) from None

    fmt = "google2" if any(".ATTRIBUTES/" in name for name in shapes) else "google"
    return fmt, shapes, read


def _config_path(folder) -> Any:
    return next(filter(os.path.exists, (os.path.join(folder, name) for name in CONFIGS)), None)


def _vocab_path(folder):
    return _only(folder, "vocab.txt") or _only(folder, "vocab*.txt")


def _spiece_path(folder):
    return _only(folder, "*.model")


def _only(folder, pattern):
    """The only file of this pattern, or None."""
    found = glob.glob(os.path.join(glob.escape(folder), pattern))
    return found[0] if len(found) == 1 else None


def _prefixes(folder):
    return sorted(p.removesuffix(".index") for p in glob.glob(os.path.join(glob.escape(folder), "*.index")))


def _shards(prefix):
    return glob.glob(glob.escape(prefix) + ".data-*-of-*")


def _prefix(folder):
    """The prefix of the folder's checkpoint: the one with Google's name, the one that the file `checkpoint` names (as
    TensorFlow does), or the only one."""
    prefixes = [p for p in _prefixes(folder) if _shards(p)]
    for name in CHECKPOINTS:
        if os.path.join(folder, name) in prefixes:
            return os.path.join(folder, name)
    latest = _latest(folder)
    if latest in prefixes:
        return latest
    if len(prefixes) > 1:
        names = ", ".join(os.path.basename(p) for p in prefixes)
        raise BertrError(
            "checkpoint",
            f"'{folder}' holds {len(prefixes)} checkpoints ({names}); none is called "
            "bert_model.ckpt, and no file `checkpoint` names one of them.",
            "Keep only one of them in the folder.",
        )
    return prefixes[0]


def _latest(folder):
    """The prefix that TensorFlow's file `checkpoint` names, in the same folder, or None."""
    path = os.path.join(folder, "checkpoint")
    text = read_bytes(path).decode("utf-8", "replace") if os.path.exists(path) else ""
    found = re.search(r'^model_checkpoint_path: "(?:.*[/\\])?([^/\\"]+)"', text, re.MULTILINE)
    return found and os.path.join(folder, found.group(1))


def _damaged(path, error):
    first_line = str(error).partition("\n")[0]
    return BertrError("checkpoint", f"'{path}' is damaged or cut short: {first_line}", COPY_AGAIN)
