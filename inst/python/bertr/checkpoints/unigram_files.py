"""Reads the files of a unigram tokenizer: `tokenizer.json`, or `sentencepiece.bpe.model` as XLM-RoBERTa and CamemBERT
use it.

Sources: Hugging Face tokenizers, for the format of `tokenizer.json`; transformers `convert_slow_tokenizer.py` and
`tokenization_xlm_roberta.py` and `tokenization_camembert.py`, for what they make of a SentencePiece model.
"""

import base64
import binascii
import json
import math
import os
import struct
from typing import Any

from ..errors import COPY_AGAIN, BertrError
from ..shapes import TEXT, check, fields, one_of, plain, whole
from ..text.chunks import required
from ..text.encodings import MARK
from ..text.sentencepiece import read_fields
from ..text.unigram import SPECIAL
from .files import optional_json
from .tokenizer_files import GENERIC, KIND, NOT_USED, PIPELINE, Files, frame, listed, read_vocabulary, refuse_odd, steps
from .vocabulary import read_bytes

SPM, JSON = "sentencepiece.bpe.model", "tokenizer.json"
# The first tokens, which replace those of a SentencePiece model
FIRST = {"<s>": 0.0, "<pad>": 0.0, "</s>": 0.0, "<unk>": 0.0}
FIRST_CAMEMBERT = {NOT_USED: 0.0, "<pad>": 0.0, "</s>NOTUSED": 0.0, "<unk>": 0.0, "<unk>NOTUSED": -100.0}

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
_FILE = fields({"model": fields({"type": one_of("Unigram"), "vocab": _SCORED, "unk_id": whole()})}, PIPELINE)
_SPACES = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}  # several spaces are one


class UnigramFiles(Files):
    """The tokenizer files of a folder with a unigram model, read once."""

    owner, way = "XLM-RoBERTa", "unigram tokenizer"
    same = GENERIC | {f"{name}Tokenizer{fast}" for name in ("XLMRoberta", "Camembert") for fast in ("", "Fast")}

    @property
    def special(self) -> dict[str, str]:
        return SPECIAL

    def read_json(self) -> dict[str, Any]:
        path = os.path.join(self.folder, JSON)
        if not os.path.exists(path):
            return _from_sentencepiece(os.path.join(self.folder, SPM), self.kind.startswith("Camembert"))
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
    content = files.json
    names = {token["content"] for token in content.get("added_tokens") or []}
    if any(token["content"] not in names for token in added):  # those of other files
        content = {**content, "added_tokens": listed(added)}
    return vocab, {"special": files.named, "added": added, **_pipeline(files), "mode": "unigram"}, _bytes(content)


def model_of(data: bytes) -> dict[str, Any]:
    """The arguments `scores` and `charsmap` of `UnigramTokenizer` in the content of a `tokenizer.json`."""
    content = json.loads(data)
    normalizers = steps(content.get("normalizer"), "normalizers")
    charsmaps = [step["precompiled_charsmap"] for step in normalizers if step["type"] == "Precompiled"]
    return {
        "scores": [score for _, score in content["model"]["vocab"]],
        "charsmap": base64.b64decode(charsmaps[0]) if charsmaps else b"",
    }


def _bytes(content):
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _pipeline(files):
    """The settings `spaces` and `one_segment`; an error unless the pipeline is one of XLM-RoBERTa's two."""
    normalizers = steps(files.json.get("normalizer"), "normalizers")
    splits = steps(files.json.get("pre_tokenizer"), "pretokenizers")
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
    if (one_segment := frame(files)) is None:
        odd.append("special tokens in another order")
    refuse_odd(odd, files)
    for step in normalizers:
        if step["type"] == "Precompiled":
            _check_base64(step.get("precompiled_charsmap"), files.folder)
    return {"spaces": spaces, "one_segment": one_segment}


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


def _from_sentencepiece(path, is_camembert):
    """What transformers makes of a SentencePiece model, as the content of a `tokenizer.json`."""
    try:
        pieces, charsmap = _read_sentencepiece(read_bytes(path))
    except (IndexError, KeyError, TypeError, ValueError, struct.error):
        raise BertrError(
            "vocabulary", f"'{path}' is not a SentencePiece model, or it is damaged.", COPY_AGAIN
        ) from None
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    first, replaced = (FIRST_CAMEMBERT, 1) if is_camembert else (FIRST, 3)
    vocab = [[name, score] for name, score in first.items()] + pieces[replaced:]
    index = {name: i for i, (name, _) in enumerate(vocab)}
    required(index, SPECIAL, COPY_AGAIN)
    cls, sep = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("<s>", "</s>"))
    a, b = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    mask = {"id": len(vocab), "content": "<mask>", **special, "lstrip": True}
    return {
        "version": "1.0",
        "added_tokens": [*({"id": index[name], "content": name, **special} for name in FIRST), mask],
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
            "special_tokens": {name: {"id": name, "ids": [index[name]], "tokens": [name]} for name in ("<s>", "</s>")},
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
