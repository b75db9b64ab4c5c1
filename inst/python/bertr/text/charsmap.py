"""The normalisation that a SentencePiece model carries: a table of replacements.

Sources: google/sentencepiece `src/normalizer.cc`, for the format; huggingface/spm_precompiled and tokenizers
`normalizers/precompiled.rs`, for the way it is applied. The table is a trie in a double array (Aoe 1989, An Efficient
Digital Search Algorithm by Using a Double-Array Structure; units as in s-yata/darts-clone), then the replacements, each
ended by a zero byte.
"""

from collections.abc import Sequence

import numpy as np

from ..errors import COPY_AGAIN, BertrError
from .graphemes import are_single, clusters

_WHOLE = 6  # bytes; a cluster of fewer is replaced as a whole


class Charsmap(dict):
    """Normalises texts with a table of replacements; the dict caches what was looked up.

    A cluster of fewer than six bytes is replaced as a whole by what the shortest key at its start stands for, others
    character by character. SentencePiece itself takes the longest key; this is how Hugging Face applies the table, and
    models are used with their tokenizers.

    Args:
        data: the table as stored in a SentencePiece model, bytes; empty: nothing is replaced.

    Raises:
        BertrError: vocabulary (damaged).
    """

    def __init__(self, data: bytes):
        super().__init__()
        size = int.from_bytes(data[:4], "little")
        if data and (not 4 <= size <= len(data) - 4 or size % 4):
            raise _damaged()
        self._units = np.frombuffer(data[4 : 4 + size], "<u4").tolist() or [0]
        self._texts = data[4 + size :]
        self._kept: set[str] = set()  # characters that are not replaced
        self.keeps_ascii = all(self[chr(i)] is None for i in range(32, 127))  # printable

    def normalise(self, text: str) -> tuple[str, Sequence[int]]:
        """(normalised text, source index of each of its characters).

        The reference derives the source from the numbers of characters added and removed. It does not count characters
        that are removed at the start of the text, so all indices are then too small by their number.
        """
        if self.keeps(text):
            return text, range(len(text))
        new: list[tuple[str, int]] = []  # (character, 1: inserted, 0: replaces the next one, -n: so many removed after)
        for cluster in clusters(text):
            whole = len(cluster) == 1 or len(_bytes(cluster)) < _WHOLE and self[cluster] is not None
            for part in [cluster] if whole else cluster:
                replacement = self[part]
                _replace(new, len(part), part if replacement is None else replacement)
        out, source, at = [], [], 0
        for char, change in new:
            out.append(char)
            source.append(max(at - (change > 0), 0))
            at += max(1 - change, 0)
        return "".join(out), source

    def keeps(self, text: str) -> bool:
        """Whether normalisation certainly does not change a text."""
        if self.keeps_ascii and text.isascii() and text.isprintable():
            return True
        if not are_single(text):
            return False
        new = set(text) - self._kept
        self._kept.update(char for char in new if self[char] is None)
        return new <= self._kept

    def __missing__(self, text):
        """The replacement for the shortest key at the start of the text, or None."""
        node, found = _child(self._units[0]), None
        for byte in _bytes(text):
            node ^= byte
            unit = self._units[node] if node < len(self._units) else 0
            if unit & 0x800000FF != byte or not byte:
                break
            node ^= _child(unit)
            if unit >> 8 & 1:
                found = self._replacement(node)
                break
        self[text] = found
        return found

    def _replacement(self, node):
        try:
            start = self._units[node] & 0x7FFFFFFF
            return self._texts[start : self._texts.index(0, start)].decode()
        except (IndexError, ValueError):  # UnicodeDecodeError is a ValueError
            raise _damaged() from None


def _replace(new, old_count, text):
    """Appends the characters of `text`, which replaces `old_count` characters."""
    more = len(text) - old_count
    new += [(char, int(i >= old_count)) for i, char in enumerate(text)]
    if more < 0 and new:
        char, change = new[-1]
        new[-1] = char, change + more


def _child(unit):
    """What leads from a node of the trie to its children."""
    return (unit >> 10) << ((unit & 0x200) >> 6)


def _bytes(text):
    return text.encode("utf-8", "surrogatepass")


def _damaged():
    return BertrError("vocabulary", "The tokenizer's table of character replacements is damaged.", COPY_AGAIN)
