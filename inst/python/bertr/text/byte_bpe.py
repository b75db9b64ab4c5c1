"""The byte-level BPE tokenizer of RoBERTa.

Sources: Sennrich et al. 2016, Neural Machine Translation of Rare Words with Subword Units; openai/gpt-2 `encoder.py`;
Hugging Face tokenizers, `models/bpe/` and `pre_tokenizers/byte_level.rs`. Ids are those of Hugging Face's tokenizer. So
are the places (with its `trim_offsets`), except where a space is added before a text: then the reference may include
the text's own space, or leave out a word's first letter.
"""

import heapq
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import COPY_AGAIN, BertrError
from .basic import WHITE_SPACE, regex_class
from .chunks import ChunkEncoder, required, trimmed
from .encodings import int32, refuse_mode
from .letters import LETTERS, NUMBERS
from .merges import Merges
from .ragged import row_bytes, splits
from .unigram import SPECIAL

SHORT = 64  # characters; longer chunks are merged one by one, as the time of Merges grows with the square of the length

# Every byte is a character of the vocabulary: itself if it is printable, else one of those from U+0100 on
_PRINTABLE = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]
LETTER = [chr(byte if byte in _PRINTABLE else 256 + _OTHERS.index(byte)) for byte in range(256)]
_BYTE = {letter: byte for byte, letter in enumerate(LETTER)}
SPACE = LETTER[ord(" ")]


def _chunk(letters, numbers):
    """A pattern for words with the space before them."""
    a, n, s = regex_class(letters), regex_class(numbers), re.escape(WHITE_SPACE)
    return re.compile(f"'(?:[stmd]|re|ve|ll)| ?[{a}]+| ?[{n}]+| ?[^{s}{a}{n}]+|[{s}]+(?![^{s}])|[{s}]+")


def _below_astral(ranges):
    return " ".join(r for r in ranges.split() if len(r.rpartition("-")[2]) <= 4)


_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_CHUNK = _chunk(LETTERS, NUMBERS)
_CHUNK_BELOW = _chunk(_below_astral(LETTERS), _below_astral(NUMBERS))  # five times as fast


class ByteBPETokenizer(ChunkEncoder):
    """Splits a text into words with the space before them, and merges the bytes of each in the order of the merges.

    Args:
        vocab: list of str in the order of ids.
        merges: list of pairs of str, the most frequent first.
        added: list of dicts, tokens that are matched before words are split (see added_tokens.py), each with `piece`:
            whether merges may produce it too.
        special: dict of the names of the special tokens pad, unk, cls, sep and mask; the vocabulary may lack only mask.
        prefix_space: whether a text gets a space before it, unless it begins with one.
        ignore_merges: whether a word that is a token is not merged.
        unknown: the token for bytes that the vocabulary lacks; None: they are dropped.
        one_segment: see `TextEncoder`.
        mode: "byte_bpe".

    Raises:
        BertrError: tokenizer (another mode), vocabulary (missing or misplaced tokens).
    """

    many = True
    trims_added = True

    def __init__(
        self,
        vocab: list[str],
        merges: Sequence[Sequence[str]],
        added: list[dict[str, Any]],
        special: dict[str, str] = SPECIAL,
        prefix_space: bool = False,
        ignore_merges: bool = False,
        unknown: str | None = None,
        one_segment: bool = True,
        mode: str = "byte_bpe",
    ):
        refuse_mode(mode, "byte_bpe", "vocabulary")
        self.vocab, self.one_segment = list(vocab), one_segment
        self.literals = tuple(special.values())
        index = {token: i for i, token in enumerate(self.vocab)}
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = required(
            index, special, "If these tokens have other names, tokenizer_config.json must give them."
        )
        self.mask_name, self.mask_id = special["mask"], index.get(special["mask"])
        self.mask_takes_space = any(token["id"] == self.mask_id and token["lstrip"] for token in added)
        super().__init__(added, lambda text: (text, range(len(text))))
        self._prefix_space, self._ignore_merges = prefix_space, ignore_merges
        not_pieces = {token["id"] for token in added if not token["piece"]}
        self._index = {token: i for token, i in index.items() if i not in not_pieces}
        self._ranks = _ranks(merges, self._index)
        self._merges = Merges(self._ranks)
        missing = -1 if unknown is None else self._index.get(unknown, -1)
        self._of_byte = np.array([self._index.get(letter, missing) for letter in LETTER])  # -1: dropped

    def inside_word(self, token: str) -> bool:
        return not token.startswith(SPACE)

    def surface(self, token: str) -> tuple[str, bool]:
        text = _bytes(token).decode("utf-8", "replace")
        return text.removeprefix(" "), self.inside_word(token)

    def _words(self, ids):
        parts = [_bytes(self.vocab[i]) for i in ids]
        if self.mask_takes_space:
            parts = [b" " + part if i == self.mask_id else part for i, part in zip(ids, parts, strict=True)]
        text = b"".join(parts).decode("utf-8", "replace")
        return text.removeprefix(" ") if self._prefix_space or ids[:1] == [self.mask_id] else text

    # ------------------------------------------------------------ chunks

    def _chunks(self, text):
        """The text split into words; or the whole text, if it holds an added token."""
        return [text] if self._added.anywhere(text) else self._split(text)

    def _split(self, text):
        if self._prefix_space and text and text[0] != " ":
            text = " " + text
        return (_CHUNK if _ASTRAL.search(text) else _CHUNK_BELOW).findall(text)

    def _chunk_starts(self, texts, chunks, flat):
        """Chunks follow one another. The first one starts at -1 if a space was added before the text."""
        ends, rows = splits(_lengths(flat)), splits(_lengths(chunks))
        begins = ends[rows[1:]] - _lengths(texts)
        return (ends[:-1] - np.repeat(begins, np.diff(rows))).astype(np.int32)

    def _ids_of(self, chunks):
        return self._values(chunks, slice(1), lambda ids, *_: ids)

    def _spans_of(self, chunks):
        return self._values(chunks, slice(1, 3), lambda _, *where: _places(*where))

    def _values(self, chunks, columns, of_pieces):
        """The values of the pieces of each chunk as int32 bytes: `of_pieces(ids, data, first byte, last byte, first
        byte of the chunk)` of usual chunks, these columns of others."""
        out, usual = [b""] * len(chunks), []
        for i, chunk in enumerate(chunks):
            if self._is_usual(chunk):
                usual.append(i)
            else:
                out[i] = int32([value for piece in self._cut(chunk) for value in piece[columns]])
        encoded = [_encoded(chunks[i]) for i in usual]
        data, begins = np.frombuffer(b"".join(encoded), np.uint8), splits(_lengths(encoded))
        ids = self._of_byte[data]
        known = np.flatnonzero(ids >= 0)
        for found in self._merges(ids[known], np.diff(np.searchsorted(known, begins))):
            begin = np.repeat(begins[found.words], found.counts)
            values = of_pieces(found.ids, data, known[found.starts], known[found.ends - 1], begin).astype(np.int32)
            for i, value in zip(found.words.tolist(), row_bytes(values, found.counts), strict=True):
                out[usual[i]] = value
        return out

    def _is_usual(self, chunk):
        """Whether a chunk can be merged together with others: it is short, without added tokens, and without spaces but
        at its start."""
        return not (
            self._ignore_merges or len(chunk) > SHORT or " " in chunk[1:] or not chunk or self._added.anywhere(chunk)
        )

    def _cut(self, chunk):
        """(id, start, end) of every piece of a chunk."""
        return self._with_added(chunk, self._segment) if self._added.anywhere(chunk) else self._pieces(chunk)

    def _segment(self, text, source):
        """The pieces of a part between added tokens."""
        chunks = self._split(text)
        out, at = [], source[0] + len(text) - sum(map(len, chunks))
        for chunk in chunks:
            out += [(i, at + start, at + end) for i, start, end in self._pieces(chunk)]
            at += len(chunk)
        return out

    def _pieces(self, chunk):
        """The pieces of a chunk without added tokens; their places leave out spaces at both ends."""
        data = _encoded(chunk)
        place = range(len(data)) if chunk.isascii() else _characters(chunk)
        return [(i, *trimmed(chunk, place[first], place[last - 1] + 1, " ")) for i, first, last in self._merged(data)]

    def _merged(self, data):
        """(id, first byte, last byte + 1) of the pieces of a word. The pair of neighbours whose merge comes first is
        merged, the leftmost of several, until none is left."""
        if self._ignore_merges and (whole := self._index.get("".join(map(LETTER.__getitem__, data)))) is not None:
            return [(whole, 0, len(data))]
        symbols = self._of_byte[np.frombuffer(data, np.uint8)].tolist()
        known = [(i, at) for at, i in enumerate(symbols) if i >= 0]
        ids = [i for i, _ in known]
        ends = [at + 1 for _, at in known]
        before, after = list(range(-1, len(ids) - 1)), list(range(1, len(ids) + 1))
        merges, heap = self._ranks, []
        for at, pair in enumerate(zip(ids, ids[1:], strict=False)):
            if pair in merges:
                heap.append((merges[pair], at, pair))
        heapq.heapify(heap)
        while heap:
            (_, merged), at, pair = heapq.heappop(heap)
            right = after[at]
            if right == len(ids) or (ids[at], ids[right]) != pair:  # one of the two was merged in the meantime
                continue
            ids[at], ends[at], ids[right] = merged, ends[right], -1
            after[at] = following = after[right]
            if following < len(ids):
                before[following] = at
                if (pair := (merged, ids[following])) in merges:
                    heapq.heappush(heap, (merges[pair], at, pair))
            if (previous := before[at]) >= 0 and (pair := (ids[previous], merged)) in merges:
                heapq.heappush(heap, (merges[pair], previous, pair))
        return [(i, known[at][1], ends[at]) for at, i in enumerate(ids) if i >= 0]


def _places(data, first, last, begin):
    """Start and end of each piece in its chunk, without the space before a word: int64 [pieces, 2]."""
    char = np.cumsum(data & 0xC0 != 0x80)  # of each byte; the first has the number 1
    starts = char[first] - char[begin] + (data[first] == ord(" "))
    return np.stack([starts, char[last] - char[begin] + 1], 1)


def _encoded(text):
    return text.encode("utf-8", "surrogatepass")


def _lengths(values):
    return np.fromiter(map(len, values), np.int64, len(values))


def _ranks(merges, index):
    """(rank, id of the merged token) of each pair of ids; the last of duplicates, as in Rust."""
    out = {}
    for rank, (left, right) in enumerate(merges):
        for token in (left, right, left + right):
            if token not in index:
                raise BertrError(
                    "vocabulary",
                    f"The tokenizer merges '{left}' and '{right}', but its vocabulary has no '{token}'.",
                    COPY_AGAIN,
                )
        out[index[left], index[right]] = rank, index[left + right]
    return out


def _characters(text):
    """The character of each byte."""
    return [i for i, char in enumerate(text) for _ in _encoded(char)]


def _bytes(token):
    """The bytes that a token stands for; those of its name, if that holds other characters (an added token)."""
    try:
        return bytes(_BYTE[char] for char in token)
    except KeyError:
        return _encoded(token)
