"""A checkpoint's vocabulary: reading `vocab.txt`, and whether its words are in lower case."""

import os
import re

from ..errors import COPY_AGAIN, BertrError
from ..text.basic import WHITE_SPACE


def read_vocab_txt(path):
    """The tokens of a `vocab.txt`, one a line, without the white space after them; the last lines may be blank.

    Lines end at "\\n" only: `str.splitlines()` would also cut at U+2028 and U+0085, which are tokens.
    """
    try:
        lines = read_bytes(path).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as e:
        raise BertrError("vocabulary", f"'{path}' could not be read as UTF-8 text: {e}.",
                         COPY_AGAIN) from None
    while lines and not lines[-1].strip("\r"):
        lines.pop()
    return [line.rstrip(WHITE_SPACE) or line.removesuffix("\r") for line in lines]


def read_bytes(path):
    """A file's bytes."""
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as e:
        raise BertrError("vocabulary", f"'{path}' could not be read: {e}.",
                         COPY_AGAIN) from None


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


def check_size(tokens, rows, folder):
    """The word embedding has a row for each token; it may have more, which nobody uses."""
    if tokens > rows:
        raise BertrError("vocabulary", f"The vocabulary in '{folder}' has {tokens} tokens, but the word embedding has "
                         f"only {rows} rows.", "Use the vocabulary that the weights were trained with.")
