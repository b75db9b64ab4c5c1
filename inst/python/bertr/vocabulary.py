"""A checkpoint's vocabulary: reading `vocab.txt` or `tokenizer.json`, and whether its words are in lower case."""

import os
import re

from .config import read_json
from .errors import BertrError
from .shapes import TEXT, check, fields, list_of, or_null, table_of, whole

TOKENIZER = fields(optional={  # tokenizer.json
    "model": or_null(fields(optional={"type": or_null(TEXT)})),
    "added_tokens": or_null(list_of(fields({"content": TEXT, "id": whole()}))),
})
VOCAB = fields({"model": fields({"vocab": table_of(whole())})})  # that of a WordPiece model
ADDED = table_of(whole())  # added_tokens.json


def read_vocab_txt(path, strip=False):
    """The tokens of a `vocab.txt`, one a line; `strip` takes white space off each line, as Google's code does.

    Lines end at "\\n" only: `str.splitlines()` would also cut at U+2028 and U+0085, which are tokens.
    """
    try:
        lines = read_bytes(path).decode("utf-8").split("\n")
    except UnicodeDecodeError as e:
        raise BertrError("vocabulary", f"'{path}' could not be read as UTF-8 text: {e}.",
                         "Copy the checkpoint folder again.") from None
    if lines[-1] == "":
        lines.pop()
    return [line.strip() if strip else line.removesuffix("\r") for line in lines]


def read_bytes(path):
    """A file's bytes."""
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as e:
        raise BertrError("vocabulary", f"'{path}' could not be read: {e}.",
                         "Copy the checkpoint folder again.") from None


def read_huggingface_vocab(folder):
    """The tokens of a Hugging Face folder in the order of their ids, those added after pre-training included."""
    path = os.path.join(folder, "vocab.txt")
    if os.path.exists(path):
        tokens = dict(enumerate(read_vocab_txt(path)))
    else:
        path = os.path.join(folder, "tokenizer.json")
        tokens = _tokenizer_json_vocab(path)
    for token, i in _added_tokens(folder):
        tokens.setdefault(i, token)
    if sorted(tokens) != list(range(len(tokens))):
        raise BertrError("vocabulary", f"The token ids of '{path}' are not 0 to {len(tokens) - 1} without a gap.",
                         "Copy the checkpoint folder again.")
    return [tokens[i] for i in range(len(tokens))]


def _tokenizer_json_vocab(path):
    content = read_json(path, TOKENIZER)
    kind = (content.get("model") or {}).get("type") or "WordPiece"
    if kind != "WordPiece":
        raise BertrError("vocabulary", f"'{path}' holds a {kind} tokenizer, where BERT has a WordPiece vocabulary.",
                         "Only models with BERT's own tokenizer can be read.")
    check(content, VOCAB, f"'{path}'", "Copy the checkpoint folder again.", "vocabulary")
    return {i: token for token, i in content["model"]["vocab"].items()}


def _added_tokens(folder):
    """(token, id) pairs from `added_tokens.json` and `tokenizer.json`."""
    path = os.path.join(folder, "added_tokens.json")
    if os.path.exists(path):
        yield from read_json(path, ADDED).items()
    path = os.path.join(folder, "tokenizer.json")
    if os.path.exists(path):
        yield from ((t["content"], t["id"]) for t in read_json(path, TOKENIZER).get("added_tokens") or [])


def guess_lower_case(folder, vocab):
    """Whether a checkpoint that does not say so was trained on lower-case text.

    Its folder's name says it, as Google's do; else capitals outside of special tokens such as [CLS] or <S> do.
    """
    name = os.path.basename(os.path.abspath(folder)).lower()
    if "uncased" in name:
        return True
    if re.search(r"(?<![a-z])cased", name):
        return False
    return not any(t != t.lower() for t in vocab if not re.fullmatch(r"\[.*\]|<.*>", t))


def check_size(vocab, config, folder):
    """One row of the word embedding for each token: anything else is a vocabulary of another model."""
    if len(vocab) != config.vocab_size:
        raise BertrError(
            "vocabulary",
            f"The vocabulary in '{folder}' has {len(vocab)} tokens, but the word embedding has "
            f"{config.vocab_size} rows.",
            "Use the vocabulary the weights were trained with; for an embedding padded on purpose, append one "
            "unused token (such as [padding1]) for each further row to vocab.txt.")
