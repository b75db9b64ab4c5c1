"""The words of encoded texts: split at white space and punctuation, as BERT does, or at white space only, for texts
that were joined from words."""

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np

from ...text.ragged import row_numbers, sort_keys

if TYPE_CHECKING:
    from ...text.encodings import Encodings


def at_words(encodings: "Encodings", inside: Any, texts: list[str]) -> np.ndarray:
    """Where words start and end. A combining mark belongs to the word it follows, although BERT may drop it.

    Args:
        encodings: an Encodings whose rows are whole texts, with offsets.
        inside: bool [tokens], pieces that continue a word.
        texts: list of str.

    Returns:
        int32 [2, tokens]: `start` and `end` of each whole word at its first piece, else (0, 0).
    """
    first = np.flatnonzero((encodings.end > encodings.start) & ~inside)
    others = np.flatnonzero(~inside)  # every row ends in one, [SEP]
    last = others[np.searchsorted(others, first, side="right")] - 1
    begin, stop = encodings.start[first], encodings.end[last]
    row = np.searchsorted(encodings.row_splits, first, side="right") - 1
    visible = np.ones(len(first), bool)  # byte-level BPE has tokens of white space
    for i in np.flatnonzero(~np.array([text.isprintable() for text in texts], bool)[row]):
        visible[i] = not texts[row[i]][begin[i] : stop[i]].isspace()
    for i in np.flatnonzero(~np.array([text.isascii() for text in texts], bool)[row]):
        text = texts[row[i]]
        limit = begin[i + 1] if i + 1 < len(row) and row[i + 1] == row[i] else len(text)
        while stop[i] < limit and unicodedata.category(text[stop[i]])[0] == "M":
            stop[i] += 1
    out = np.zeros((2, len(encodings.ids)), np.int32)
    out[:, first[visible]] = begin[visible], stop[visible]
    return out


def at_spaces(encodings: "Encodings", texts: list[str]) -> np.ndarray:
    """As `at_words`, for words that end only at white space, such as `don't` and `U.S.`"""
    spans = [[m.span() for m in re.finditer(r"\S+", text)] for text in texts]
    begin, stop = np.array([span for row in spans for span in row], np.int64).reshape(-1, 2).T
    words = sort_keys(row_numbers([len(row) for row in spans]), begin)
    token = np.flatnonzero(encodings.end > 0)
    row = encodings.row[token]
    word = np.searchsorted(words, sort_keys(row, encodings.start[token]), side="right") - 1
    new = np.diff(word, prepend=-1) > 0
    out = np.zeros((2, len(encodings.ids)), np.int32)
    out[:, token[new]] = begin[word[new]], stop[word[new]]
    return out


def word_places(encodings: "Encodings") -> tuple[np.ndarray, np.ndarray]:
    """The token of each word. A word in several windows is taken from the one with the most context on its shorter
    side.

    Args:
        encodings: an Encodings with `start` and `end` as from `at_words`, split into windows.

    Returns:
        (int [words], token numbers in the order of texts; int [texts + 1], boundaries of each text's words).
    """
    at = np.flatnonzero(encodings.end > 0)
    row = encodings.row[at]
    context = np.minimum(at - encodings.row_splits[row], encodings.row_splits[row + 1] - at)
    text, start = encodings.owner[row], encodings.start[at]
    order = np.lexsort((-context, start, text))
    text, start = text[order], start[order]
    new = np.append(True, (np.diff(text) > 0) | (np.diff(start) > 0))[: len(at)]
    texts = int(encodings.owner[-1]) + 1
    return at[order[new]], np.concatenate([[0], np.cumsum(np.bincount(text[new], minlength=texts))])
