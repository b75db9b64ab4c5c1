"""Reads the files of a unigram tokenizer: `tokenizer.json`, or `sentencepiece.bpe.model` as XLM-RoBERTa uses it.

Sources: Hugging Face tokenizers, for the format of `tokenizer.json`; transformers `convert_slow_tokenizer.py` and
`tokenization_xlm_roberta.py`, for what they make of a SentencePiece model.
"""

import base64
import binascii
import json
import math
import os
import struct
from typing import Any

from ..errors import COPY_AGAIN, BertrError
from ..shapes import TEXT, check, fields, list_of, one_of, or_null, plain, whole
from ..text.sentencepiece import read_fields
from ..text.unigram import MARK, SPECIAL
from .files import optional_json
from .tokenizer_files import ADDED_TOKEN, GENERIC, KIND, Files, read_vocabulary
from .vocabulary import read_bytes

SPM, JSON = "sentencepiece.bpe.model", "tokenizer.json"
FIRST = ("<s>", "<pad>", "</s>", "<unk>")  # XLM-RoBERTa's ids 0 to 3; a SentencePiece model begins with other tokens

_SCORED = plain(
    "a list of pairs of a string and a number",
    lambda x: (
        isinstance(x, list)
        and all(
            isinstance(pair, list)
            and len(pair) == 2
            and TEXT(pair[0], "") is None
            and isinstance(pair[1], (int, float))
            and math.isfinite(pair[1])
            for pair in x
        )
    ),
)
_STEP = or_null(fields({"type": TEXT}))
_FILE = fields(
    {"model": fields({"type": one_of("Unigram"), "vocab": _SCORED, "unk_id": whole()})},
    {
        "normalizer": _STEP,
        "pre_tokenizer": _STEP,
        "post_processor": _STEP,
        "added_tokens": or_null(list_of(ADDED_TOKEN)),
    },
)
_SPACES = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}  # several spaces are one
_SINGLE, _PAIR = ["cls", "A", "sep"], ["cls", "A", "sep", "sep", "B", "sep"]


class UnigramFiles(Files):
    """The tokenizer files of a folder with a unigram model, read once."""

    same = GENERIC | {"XLMRobertaTokenizer", "XLMRobertaTokenizerFast"}
    special = SPECIAL

    def read_json(self) -> dict[str, Any]:
        path = os.path.join(self.folder, JSON)
        if not os.path.exists(path):
            return _from_sentencepiece(os.path.join(self.folder, SPM))
        return check(optional_json(self.folder, JSON, KIND), _FILE, f"'{path}'", COPY_AGAIN, "vocabulary")

    def read_words(self) -> dict[int, str]:
        return {i: piece for i, (piece, _) in enumerate(self.json["model"]["vocab"])}


def is_unigram(folder: str) -> bool:
    """Whether the folder's tokenizer is a unigram model."""
    if os.path.exists(os.path.join(folder, "vocab.txt")):
        return False
    if os.path.exists(os.path.join(folder, JSON)):
        return (optional_json(folder, JSON, KIND).get("model") or {}).get("type") == "Unigram"
    return os.path.exists(os.path.join(folder, SPM))


def read_unigram(folder: str, rows: int) -> tuple[list[str], dict[str, Any], bytes] | None:
    """Reads a unigram tokenizer.

    Args:
        folder: a path.
        rows: the number of rows of the word embedding.

    Returns:
        (tokens in the order of ids; settings of `UnigramTokenizer`; the content of a `tokenizer.json`), or None if the
        folder has another kind of tokenizer.

    Raises:
        BertrError: vocabulary, not_bert.
    """
    if not is_unigram(folder):
        return None
    vocab, added, files = read_vocabulary(UnigramFiles(folder), rows)
    if files.lowered:
        raise BertrError(
            "not_bert",
            f"The sentence model in '{folder}' lower-cases texts before its unigram tokenizer, which bertr does not.",
            "Use another checkpoint.",
        )
    return vocab, {"special": files.named, "added": added, **_pipeline(files), "mode": "unigram"}, _bytes(files.json)


def model_of(data: bytes) -> dict[str, Any]:
    """The arguments `scores` and `charsmap` of `UnigramTokenizer` in the content of a `tokenizer.json`."""
    content = json.loads(data)
    steps = _steps(content.get("normalizer"), "normalizers")
    charsmaps = [step["precompiled_charsmap"] for step in steps if step["type"] == "Precompiled"]
    return {
        "scores": [score for _, score in content["model"]["vocab"]],
        "charsmap": base64.b64decode(charsmaps[0]) if charsmaps else b"",
    }


def _bytes(content):
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _steps(part, name):
    """The steps of a part of the pipeline, a list of dicts."""
    if not part:
        return []
    return part.get(name) or [] if part["type"] == "Sequence" else [part]


def _pipeline(files):
    """The settings `spaces` and `one_segment`; an error unless the pipeline is one of XLM-RoBERTa's two."""
    normalizers = _steps(files.json.get("normalizer"), "normalizers")
    splits = _steps(files.json.get("pre_tokenizer"), "pretokenizers")
    odd = [
        f"the step {step.get('type')}" for step in normalizers if step.get("type") != "Precompiled" and step != _SPACES
    ]
    spaces = [step.get("type") for step in splits] == ["Metaspace"]
    if not spaces and [step.get("type") for step in splits] != ["WhitespaceSplit", "Metaspace"]:
        odd.append(f"the pre_tokenizer {' and '.join(str(step.get('type')) for step in splits) or 'null'}")
    elif not _is_usual(splits[-1]):
        odd.append("a Metaspace with other settings")
    if spaces and _SPACES not in normalizers:
        odd.append("a word for each of several spaces")
    if files.json["model"].get("byte_fallback"):
        odd.append("a fallback to bytes")
    if (template := _template(files)) is None:
        odd.append("special tokens in another order")
    if odd:
        raise BertrError(
            "not_bert",
            f"The unigram tokenizer in '{files.folder}' has {' and '.join(odd)}, unlike XLM-RoBERTa's.",
            "Only models with XLM-RoBERTa's own tokenizer can be read.",
        )
    for step in normalizers:
        if step["type"] == "Precompiled":
            _check_base64(step.get("precompiled_charsmap"), files.folder)
    return {"spaces": spaces, "one_segment": template}


def _is_usual(step):
    always = step.get("prepend_scheme", "always" if step.get("add_prefix_space") else "never") == "always"
    return always and step.get("replacement") == MARK and step.get("split") is not False


def _check_base64(text, folder):
    try:
        base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise BertrError(
            "vocabulary", f"The table of character replacements in '{folder}/{JSON}' is damaged.", COPY_AGAIN
        ) from None


def _template(files):
    """Whether a pair has one segment and two separators; None: neither that nor BERT's way."""
    processor = files.json.get("post_processor") or {}
    if processor.get("type") == "RobertaProcessing":
        return True
    names = {files.named["cls"]: "cls", files.named["sep"]: "sep"}
    try:
        single, pair = ([_piece(piece, names) for piece in processor[kind]] for kind in ("single", "pair"))
    except (KeyError, TypeError, ValueError):
        return None
    if [name for name, _ in single] != _SINGLE:
        return None
    segments = [segment for _, segment in pair]
    if [name for name, _ in pair] == _PAIR and not any(segments):
        return True
    return False if pair == [*single, ("B", 1), ("sep", 1)] else None


def _piece(piece, names):
    ((kind, value),) = piece.items()
    return names[value["id"]] if kind == "SpecialToken" else value["id"], value["type_id"]


def _from_sentencepiece(path):
    """What transformers makes of a SentencePiece model, as the content of a `tokenizer.json`."""
    try:
        pieces, charsmap = _read_sentencepiece(read_bytes(path))
    except (IndexError, KeyError, TypeError, ValueError, struct.error):
        raise BertrError(
            "vocabulary", f"'{path}' is not a SentencePiece model, or it is damaged.", COPY_AGAIN
        ) from None
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    vocab = [[name, 0.0] for name in FIRST] + pieces[3:]
    cls, sep = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("<s>", "</s>"))
    a, b = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    mask = {"id": len(vocab), "content": "<mask>", **special, "lstrip": True}
    return {
        "version": "1.0",
        "added_tokens": [*({"id": i, "content": name, **special} for i, name in enumerate(FIRST)), mask],
        "normalizer": charsmap and {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": True},
            ],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [cls, a, sep],
            "pair": [cls, a, sep, sep, b, sep],
            "special_tokens": {
                name: {"id": name, "ids": [FIRST.index(name)], "tokens": [name]} for name in ("<s>", "</s>")
            },
        },
        "decoder": {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": True},
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocab, "byte_fallback": False},
    }


def _read_sentencepiece(data):
    """([piece, score] of every piece, table of replacements or None). Format: google/sentencepiece
    `src/sentencepiece_model.proto`."""
    pieces, charsmap = [], None
    for number, value in read_fields(data):
        if number == 1:
            piece = dict(read_fields(value))
            pieces.append([piece[1].decode(), struct.unpack("<f", piece.get(2, bytes(4)))[0]])
        elif number == 3:
            charsmap = dict(read_fields(value)).get(2) or None
    if len(pieces) < 4:
        raise ValueError
    return pieces, charsmap
