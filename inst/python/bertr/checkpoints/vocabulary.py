"""Reads `vocab.txt` and guesses whether a vocabulary is lower-case."""

import os
import re

from ..access import unreadable
from ..errors import COPY_AGAIN, BertrError
from ..text.basic import WHITE_SPACE


def read_vocab_txt(path: str) -> list[str]:
    """The tokens of a `vocab.txt`, one per line, without trailing white space; blank lines at the end are dropped.

    Lines end at "\\n" only: `str.splitlines()` would also cut at U+2028 and U+0085, which are tokens.
    """
    try:
        lines = read_bytes(path).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as e:
        raise BertrError("vocabulary", f"'{path}' could not be read as UTF-8 text: {e}.", COPY_AGAIN) from None
    while lines and not lines[-1].strip("\r"):
        lines.pop()
    return [line.rstrip(WHITE_SPACE) or line.removesuffix("\r") for line in lines]


def read_bytes(path: str) -> bytes:
    """A file's bytes."""
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as e:
        raise unreadable(path, e) from None


def guess_lower_case(folder: str, vocab: list[str]) -> bool:
    """Guesses whether a checkpoint was trained on lower-case text: by its folder's name (as Google's names say), else
    by capitals outside special tokens such as [CLS] or <S>."""
    name = os.path.basename(os.path.abspath(folder)).lower()
    if "uncased" in name:
        return True
    if re.search(r"(?<![a-z])cased", name):
        return False
    return not any(t != t.lower() for t in vocab if not re.fullmatch(r"\[.*\]|<.*>", t))


def check_size(tokens: int, rows: int, folder: str) -> None:
    """Checks that the word embedding has a row for each token; it may have unused rows."""
    if tokens > rows:
        raise BertrError(
            "vocabulary",
            f"The vocabulary in '{folder}' has {tokens} tokens, but the word embedding has only {rows} rows.",
            "Use the vocabulary that the weights were trained with.",
        )
