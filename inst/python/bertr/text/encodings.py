"""Token ids of many texts in one flat array, and the part of encoding that all tokenizers share."""

import array
import dataclasses
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import BertrError
from .basic import parts_words
from .ragged import positions, row_numbers, runs, splits

MARK = "\u2581"  # in SentencePiece's and unigram models: the space before a word


@dataclasses.dataclass
class Encodings:
    """Token ids of n texts (or pairs) without padding: row r is [row_splits[r]:row_splits[r + 1]]."""

    ids: np.ndarray  # int32 [total]
    segments: np.ndarray  # int8 [total]: 0 over "[CLS] a [SEP]", 1 over "b [SEP]"
    row_splits: np.ndarray  # int64 [n + 1]
    n_truncated: int
    full_lengths: np.ndarray  # int32 [n], special tokens included, before truncation
    start: Any = None  # int32 [total], if asked for: first code point in its text; (0, 0) for [CLS], [SEP]
    end: Any = None  # int32 [total], exclusive
    pad_id: int = 0
    owner: Any = None  # int32 [n], ascending: the text of each row, if texts may have several rows
    one_segment: bool = False  # the network's input is segment 0 for all tokens

    def __len__(self):
        return len(self.row_splits) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.row_splits)

    @property
    def row(self) -> np.ndarray:
        """The row of each token: int64 [total]."""
        return row_numbers(self.lengths)

    @property
    def position(self) -> np.ndarray:
        """The position of each token in its row, from 0: int64 [total]."""
        return positions(self.lengths)

    @property
    def text(self) -> np.ndarray:
        """The text of each token, if texts may have several rows: int64 [total]."""
        return self.owner[self.row].astype(np.int64)

    def places(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Indices in `ids` of the tokens of these rows, concatenated."""
        return runs(self.row_splits[rows], self._lengths(rows))

    def _lengths(self, rows):  # faster than indexing `lengths`, which computes all
        rows = np.asarray(rows)
        return self.row_splits[rows + 1] - self.row_splits[rows]

    def take(self, rows: Sequence[int] | np.ndarray) -> "Encodings":
        """The Encodings of these rows, in this order."""
        rows = np.asarray(rows, np.int64)
        at, lengths, full = self.places(rows), self._lengths(rows), self.full_lengths[rows]
        return Encodings(
            self.ids[at],
            self.segments[at],
            splits(lengths),
            int((full > lengths).sum()),
            full,
            None if self.start is None else self.start[at],
            None if self.end is None else self.end[at],
            self.pad_id,
            None if self.owner is None else self.owner[rows],
            self.one_segment,
        )

    def pad(self, rows: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(ids, segments, mask), int32 [len(rows), longest of them]."""
        taken = self.take(rows)
        real = np.arange(taken.lengths.max(initial=0)) < taken.lengths[:, None]  # [rows, longest]
        ids = np.full(real.shape, self.pad_id, np.int32)
        segments = np.zeros(real.shape, np.int32)
        ids[real] = taken.ids
        if not self.one_segment:
            segments[real] = taken.segments
        return ids, segments, real.astype(np.int32)


class TextEncoder:
    """Adds special tokens, joins pairs and truncates.

    A subclass sets these attributes and splits texts into pieces in `_rows` and `_offsets`.
    """

    vocab: list[str]
    literals: Any  # tokens of `vocab` that represent no text
    pad_id: int
    unk_id: int
    cls_id: int
    sep_id: int
    mask_name: str
    mask_id: int | None
    mask_takes_space = False  # whether the mask includes the white space before it
    one_segment = False  # RoBERTa's way: all tokens have segment 0, and a pair has two [SEP] in the middle

    def inside_word(self, token: str) -> bool:
        """Whether this token of the vocabulary continues a word."""
        raise NotImplementedError

    def surface(self, token: str) -> tuple[str, bool]:
        """(the text of a token, whether it continues the word before it). This is for pieces that mark a space."""
        return (token[1:], False) if token.startswith(MARK) else (token, True)

    def inside_words(self, encodings: Encodings, texts: list[str]) -> np.ndarray:
        """Which tokens continue the word of the token before, bool [tokens]; `encodings` are those of whole texts, with
        offsets.

        Determined from the text, because pieces mark only spaces. A token continues a word if there is no space, no
        punctuation and no Chinese character (a word in BERT) before it or at its start, or if two pieces share a
        character.
        """
        out = np.zeros(len(encodings.ids), bool)
        for row, text in enumerate(texts):
            first, stop = encodings.row_splits[row] + 1, encodings.row_splits[row + 1] - 1  # without [CLS] and [SEP]
            starts, ends = encodings.start[first:stop].tolist(), encodings.end[first:stop].tolist()
            out[first + 1 : stop] = [
                start < end or (end > 0 and not parts_words(text[end - 1 : start + 1]))
                for end, start in zip(ends, starts[1:], strict=False)
            ]
        return out

    def _rows(self, texts):
        """The ids of every text as int32 bytes: joining and slicing bytes creates no Python integers."""
        raise NotImplementedError

    def _offsets(self, texts, counts, kept):
        """(start, end) of the first `kept` pieces of each text, int32 [sum of kept, 2]; texts have `counts` pieces."""
        raise NotImplementedError

    def _words(self, ids):
        """The text of ids without [CLS], [SEP] and [PAD]."""
        raise NotImplementedError

    def encode(
        self, texts: list[str], pairs: list[str] | None = None, max_len: int = 512, offsets: bool = False
    ) -> Encodings:
        """`[CLS] text [SEP]` or `[CLS] text [SEP] pair [SEP]` for every text, truncated to `max_len` tokens. If
        `one_segment`, a second [SEP] belongs to the first text.

        Args:
            texts, pairs: lists of str; pairs None: single texts.
            max_len: tokens, special ones included.
            offsets: whether to compute `start` and `end`.

        Returns:
            An Encodings.

        Raises:
            BertrError: max_len (too small), pairs (another number of texts).
        """
        sides = _sides(texts, pairs)
        special = self._special_tokens(sides)
        if max_len < special + 1:
            raise BertrError(
                "max_len",
                f"`max_len` is {max_len}, but {special} special tokens and a text need at least {special + 1}.",
                "Use a larger `max_len`.",
            )
        rows = [self._rows(side) for side in sides]
        counts = _counts(rows)
        kept = truncate(counts, max_len - special)
        lengths = kept + 1  # [n, sides]: a text and its [SEP] ...
        lengths[:, 0] += special - len(sides)  # ... and the first one's [CLS], and second [SEP]
        out = Encodings(
            ids=self._join(rows, kept),
            segments=np.repeat(np.tile(np.arange(len(sides), dtype=np.int8), len(texts)), lengths.ravel()),
            row_splits=splits(lengths.sum(1)),
            n_truncated=int((kept < counts).any(1).sum()),
            full_lengths=(counts.sum(1) + special).astype(np.int32),
            pad_id=self.pad_id,
            one_segment=self.one_segment,
        )
        if offsets:
            ordinary = np.ones(len(out.ids), bool)  # neither [CLS] nor [SEP]
            ordinary[out.row_splits[:-1]] = False
            ordinary[np.cumsum(lengths) - 1] = False
            if special > len(sides) + 1:
                ordinary[np.cumsum(lengths)[::2] - 2] = False
            out.start, out.end = np.zeros((2, len(out.ids)), np.int32)
            for i, side in enumerate(sides):
                where = ordinary & (out.segments == i)
                out.start[where], out.end[where] = self._offsets(side, counts[:, i], kept[:, i]).T
        return out

    def count(self, texts: list[str], pairs: list[str] | None = None) -> np.ndarray:
        """Tokens of each text before truncation, special ones included: int32 [n]."""
        sides = _sides(texts, pairs)
        return (_counts([self._rows(side) for side in sides]).sum(1) + self._special_tokens(sides)).astype(np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of one row of ids, without [CLS], [SEP] and [PAD].

        Raises:
            BertrError: token_id (not in the vocabulary).
        """
        ids = [int(i) for i in ids]
        wrong = [i for i in ids if not 0 <= i < len(self.vocab)]
        if wrong:
            raise BertrError(
                "token_id", f"Token id {wrong[0]} is not in the vocabulary.", f"Its ids are 0 to {len(self.vocab) - 1}."
            )
        return self._words([i for i in ids if i not in (self.pad_id, self.cls_id, self.sep_id)])

    def _special_tokens(self, sides):
        """How many special tokens a row has."""
        return len(sides) + 1 + (self.one_segment and len(sides) > 1)

    def _join(self, rows, kept):
        """All ids with special tokens in one array [total], from rows [sides][n] of bytes."""
        cls, sep = int32([self.cls_id]), int32([self.sep_id])
        cut = [
            [row[: 4 * k] for row, k in zip(side, keep, strict=True)]
            for side, keep in zip(rows, kept.T.tolist(), strict=True)
        ]
        between = sep + sep if self.one_segment else sep
        texts = cut[0] if len(cut) == 1 else list(map(between.join, zip(*cut, strict=True)))
        return np.frombuffer(cls + (sep + cls).join(texts) + sep if texts else b"", np.int32).copy()


def int32(values: Iterable[int]) -> bytes:
    """Integers as int32 bytes."""
    return array.array("i", values).tobytes()


def any_of(literals: Collection[str]) -> re.Pattern[str]:
    """A pattern whose `split` also returns the separators; without literals it never matches."""
    return re.compile(f"({'|'.join(map(re.escape, literals))})" if literals else "(?!)")


def refuse_mode(mode: str, only: str, source: str) -> None:
    """An error if another mode is asked of a tokenizer that has `only` one; `source` is where its pieces are."""
    if mode != only:
        raise BertrError(
            "tokenizer",
            f"`tokens` is '{mode}', but this model only knows the pieces of its {source}.",
            "Leave `tokens` out.",
        )


def _sides(texts, pairs):
    if pairs is None:
        return [texts]
    if len(texts) != len(pairs):
        raise BertrError(
            "pairs", f"There are {len(texts)} texts, but {len(pairs)} second texts.", "Every row needs both."
        )
    return [texts, pairs]


def _counts(rows):
    """Number of pieces of every text: int64 [n, sides]."""
    return np.array([[len(row) // 4 for row in side] for side in rows], np.int64).T


def truncate(counts: np.ndarray, budget: int) -> np.ndarray:
    """Number of pieces of every text to keep: [n, sides].

    A pair loses pieces from the longer text, or from the second on a tie (Google's `_truncate_seq_pair`). Hugging
    Face's Rust tokenizers give the odd piece of the budget to the longer text, Google to the first.
    """
    if counts.shape[1] == 1:
        return np.minimum(counts, budget)
    a, b = counts.T
    keep_b = np.minimum(b, np.maximum(budget // 2, budget - a))
    return np.stack([np.minimum(a, budget - keep_b), keep_b], axis=1)
