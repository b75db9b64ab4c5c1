"""Reads the files of a byte-level BPE tokenizer: `tokenizer.json`, or RoBERTa's `vocab.json` and `merges.txt`.

Sources: Hugging Face tokenizers, for the format of the files; transformers `tokenization_roberta.py`, for what it makes
of them.
"""

import json
import os
from typing import Any

from ..errors import COPY_AGAIN, BertrError
from ..shapes import FLAG, TEXT, check, fields, list_of, number, one_of, or_null, plain, table_of, whole
from ..text.byte_bpe import LETTER
from ..text.chunks import required
from ..text.unigram import SPECIAL
from .files import optional_json, read_json
from .tokenizer_files import GENERIC, KIND, PIPELINE, Files, frame, listed, read_vocabulary, refuse_odd, steps
from .vocabulary import read_bytes

VOCAB, MERGES, JSON = "vocab.json", "merges.txt", "tokenizer.json"

_MERGE = plain(
    "a pair of tokens",
    lambda x: (
        (isinstance(x, str) and TEXT(x, "") is None and x.count(" ") == 1)
        or (isinstance(x, list) and len(x) == 2 and all(TEXT(token, "") is None for token in x))
    ),
)
_IDS = table_of(whole())
_FILE = fields(
    {
        "model": fields(
            {"vocab": _IDS, "merges": list_of(_MERGE)},
            {
                "type": or_null(one_of("BPE")),
                "dropout": or_null(number(0, 1)),
                **dict.fromkeys(("unk_token", "continuing_subword_prefix", "end_of_word_suffix"), or_null(TEXT)),
                **dict.fromkeys(("fuse_unk", "byte_fallback", "ignore_merges"), or_null(FLAG)),
            },
        )
    },
    PIPELINE,
)


class ByteBPEFiles(Files):
    """The tokenizer files of a folder with a byte-level BPE, read once."""

    owner, way = "RoBERTa", "byte-level BPE"
    same = GENERIC | {"RobertaTokenizer", "RobertaTokenizerFast"}

    @property
    def special(self) -> dict[str, str]:
        return SPECIAL

    @property
    def wide_mask(self) -> bool:
        return True

    def read_json(self) -> dict[str, Any]:
        path = os.path.join(self.folder, JSON)
        if not os.path.exists(path):
            return _from_two_files(self.folder)
        return check(optional_json(self.folder, JSON, KIND), _FILE, f"'{path}'", COPY_AGAIN, "vocabulary")

    def read_words(self) -> dict[int, str]:
        vocab = self.json["model"]["vocab"]
        words = {i: token for token, i in vocab.items()}
        if len(words) < len(vocab):
            token, i = next((token, i) for token, i in vocab.items() if words[i] != token)
            raise BertrError(
                "vocabulary",
                f"The tokens '{token}' and '{words[i]}' in '{self.folder}' have the same id, {i}.",
                COPY_AGAIN,
            )
        return words


def is_byte_bpe(folder: str) -> bool:
    """Whether the folder's tokenizer is a BPE."""
    if os.path.exists(os.path.join(folder, "vocab.txt")):
        return False
    if os.path.exists(os.path.join(folder, JSON)):
        model = optional_json(folder, JSON, KIND).get("model") or {}
        return (model.get("type") or ("BPE" if "merges" in model else None)) == "BPE"  # old files have no type
    return os.path.exists(os.path.join(folder, VOCAB))


def read_byte_bpe(folder: str, rows: int) -> tuple[list[str], dict[str, Any], bytes] | None:
    """Reads a byte-level BPE tokenizer.

    Args:
        folder: a path.
        rows: the number of rows of the word embedding.

    Returns:
        (tokens in the order of ids; settings of `ByteBPETokenizer`; the content of a `tokenizer.json`), or None if the
        folder has another kind of tokenizer.

    Raises:
        BertrError: vocabulary, not_bert.
    """
    if not is_byte_bpe(folder):
        return None
    vocab, added, files = read_vocabulary(ByteBPEFiles(folder), rows)
    settings = {"special": files.named, "added": added, **_pipeline(files), "mode": "byte_bpe"}
    return vocab, settings, _bytes(files.json, vocab, settings)


def merges_of(data: bytes) -> list[list[str]]:
    """The argument `merges` of `ByteBPETokenizer` in the content of a `tokenizer.json`."""
    merges = json.loads(data)["model"]["merges"]
    return [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]


def _pipeline(files):
    """The settings that the pipeline has; an error unless it is RoBERTa's or differs only in them."""
    model = files.json["model"]
    splits = steps(files.json.get("pre_tokenizer"), "pretokenizers")
    types = [step["type"] for step in splits]
    odd = [f"the step {step['type']}" for step in steps(files.json.get("normalizer"), "normalizers")]
    if types != ["ByteLevel"]:
        odd.append(f"the pre_tokenizer {' and '.join(types) or 'null'}")
    elif splits[0].get("use_regex") is False:
        odd.append("a ByteLevel that does not split texts")
    if model.get("dropout"):
        odd.append("a dropout")
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        odd += [f"the {name} '{model[name]}'"] if model.get(name) else []
    if model.get("byte_fallback"):
        odd.append("a fallback to bytes")
    unknown = model.get("unk_token") if any(letter not in model["vocab"] for letter in LETTER) else None
    if unknown and model.get("fuse_unk"):
        odd.append("joined unknown bytes")
    if (one_segment := frame(files)) is None:
        odd.append("special tokens in another order")
    refuse_odd(odd, files)
    prefix_space = splits[0].get("add_prefix_space") is not False if files.is_generic else None
    return {
        "prefix_space": bool(files.config.get("add_prefix_space")) if prefix_space is None else prefix_space,
        "ignore_merges": bool(model.get("ignore_merges")),
        "unknown": unknown,
        "one_segment": one_segment,
    }


def _bytes(content, vocab, settings):
    """The content of a tokenizer.json with these settings, which begins as `tokenizer_kind()` expects it."""
    ids = required({token: i for i, token in enumerate(vocab)}, settings["special"], COPY_AGAIN)
    space = {"add_prefix_space": settings["prefix_space"]}
    out = {
        "model": {"type": "BPE", **{key: value for key, value in content["model"].items() if key != "type"}},
        **{key: value for key, value in content.items() if key != "model"},
        "added_tokens": listed(settings["added"]),
        "pre_tokenizer": {"type": "ByteLevel", "trim_offsets": True, "use_regex": True, **space},
    }
    if settings["one_segment"]:
        cls, sep = ([settings["special"][name], i] for name, i in zip(("cls", "sep"), ids[2:], strict=True))
        out["post_processor"] = {"type": "RobertaProcessing", "sep": sep, "cls": cls, "trim_offsets": True, **space}
    return json.dumps(out, ensure_ascii=False, separators=(",", ":")).encode()


def _from_two_files(folder):
    """What transformers makes of vocab.json and merges.txt, as the content of a `tokenizer.json`."""
    path = os.path.join(folder, MERGES)
    try:
        lines = read_bytes(path).decode().split("\n")
    except UnicodeDecodeError as e:
        raise BertrError("vocabulary", f"'{path}' could not be read as UTF-8 text: {e}.", COPY_AGAIN) from None
    merges = [
        line.removesuffix("\r").split(" ") for line in lines if not line.startswith("#version") and line.strip("\r")
    ]
    wrong = next((merge for merge in merges if len(merge) != 2), None)
    if wrong:
        raise BertrError(
            "vocabulary", f"A line of '{path}' is '{' '.join(wrong)[:60]}', not a pair of tokens.", COPY_AGAIN
        )
    return {
        "version": "1.0",
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
        "post_processor": {"type": "RobertaProcessing"},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": read_json(os.path.join(folder, VOCAB), _IDS), "merges": merges},
    }
