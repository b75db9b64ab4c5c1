"""Token ids of many texts in one flat array, and how every tokenizer makes them of a text's pieces."""

import array
import dataclasses
import re

import numpy as np

from ..errors import BertrError
from .ragged import positions, row_numbers, runs, splits


@dataclasses.dataclass
class Encodings:
    """Token ids of n texts (or pairs) without padding: row r is [row_splits[r]:row_splits[r + 1]]."""

    ids: np.ndarray  # int32 [total]
    segments: np.ndarray  # int8 [total]: 0 over "[CLS] a [SEP]", 1 over "b [SEP]"
    row_splits: np.ndarray  # int64 [n + 1]
    n_truncated: int
    full_lengths: np.ndarray  # int32 [n], special tokens included, before truncation
    start: np.ndarray | None = None  # int32 [total]: first code point in the token's own text; (0, 0) for [CLS], [SEP]
    end: np.ndarray | None = None  # int32 [total], exclusive
    pad_id: int = 0
    owner: np.ndarray | None = None  # int32 [n], ascending: which text each row is of, where texts make several rows

    def __len__(self):
        return len(self.row_splits) - 1

    @property
    def lengths(self):
        return np.diff(self.row_splits)

    @property
    def row(self):
        """The row of each token: int64 [total]."""
        return row_numbers(self.lengths)

    @property
    def position(self):
        """The place of each token in its row, from 0: int64 [total]."""
        return positions(self.lengths)

    @property
    def text(self):
        """The text of each token, where texts make several rows: int64 [total]."""
        return self.owner[self.row].astype(np.int64)

    def places(self, rows):
        """Where the tokens of these rows lie in `ids`, one row after the other."""
        return runs(self.row_splits[rows], self._lengths(rows))

    def _lengths(self, rows):  # not by `lengths`, which are those of all rows
        rows = np.asarray(rows)
        return self.row_splits[rows + 1] - self.row_splits[rows]

    def take(self, rows):
        """The rows asked for, in that order."""
        rows = np.asarray(rows, np.int64)
        at, lengths, full = self.places(rows), self._lengths(rows), self.full_lengths[rows]
        return Encodings(
            self.ids[at], self.segments[at], splits(lengths), int((full > lengths).sum()), full,
            None if self.start is None else self.start[at],
            None if self.end is None else self.end[at],
            self.pad_id,
            None if self.owner is None else self.owner[rows])

    def pad(self, rows):
        """(ids, segments, mask), int32 [len(rows), longest of them]."""
        taken = self.take(rows)
        filled = np.arange(taken.lengths.max(initial=0)) < taken.lengths[:, None]  # [rows, longest]
        ids = np.full(filled.shape, self.pad_id, np.int32)
        segments = np.zeros(filled.shape, np.int32)
        ids[filled] = taken.ids
        segments[filled] = taken.segments
        return ids, segments, filled.astype(np.int32)


class TextEncoder:
    """What a tokenizer does above the pieces: special tokens, pairs, cutting.

    A subclass has `vocab`, `literals` (tokens of it that stand for no text), `pad_id`, `cls_id` and `sep_id`, and gives
    a text's pieces by `_rows` and `_offsets`.
    """

    def inside_word(self, token):
        """Does this token of the vocabulary go on with a word?"""
        raise NotImplementedError

    def inside_words(self, encodings, texts):
        """Which tokens go on with the word of the token before, bool [tokens]; `encodings` of whole texts, with
        places."""
        raise NotImplementedError

    def _rows(self, texts):
        """The ids of every text as int32 bytes: joining and cutting bytes never makes a Python integer."""
        raise NotImplementedError

    def _offsets(self, texts, counts, kept):
        """(start, end) of every kept piece: int32 [sum of kept, 2]; texts have `counts` pieces."""
        raise NotImplementedError

    def _words(self, ids):
        """Ids without [CLS], [SEP] and [PAD] as a text."""
        raise NotImplementedError

    def encode(self, texts, pairs=None, max_len=512, offsets=False):
        """`[CLS] text [SEP]`, or `[CLS] text [SEP] pair [SEP]`, of every text, cut to `max_len` tokens."""
        sides = _sides(texts, pairs)
        special = len(sides) + 1
        if max_len < special + 1:
            raise BertrError("max_len", f"`max_len` is {max_len}, but {special} special tokens and a text "
                             f"need at least {special + 1}.", "Use a larger `max_len`.")
        rows = [self._rows(side) for side in sides]
        counts = _counts(rows)
        kept = truncate(counts, max_len - special)
        lengths = kept + 1  # [n, sides]: a text and its [SEP] ...
        lengths[:, 0] += 1  # ... and the first one's [CLS]
        out = Encodings(
            ids=self._join(rows, kept),
            segments=np.repeat(np.tile(np.arange(len(sides), dtype=np.int8), len(texts)), lengths.ravel()),
            row_splits=splits(lengths.sum(1)),
            n_truncated=int((kept < counts).any(1).sum()),
            full_lengths=(counts.sum(1) + special).astype(np.int32),
            pad_id=self.pad_id,
        )
        if offsets:
            own = np.ones(len(out.ids), bool)  # neither [CLS] nor [SEP]: from a text
            own[out.row_splits[:-1]] = False
            own[np.cumsum(lengths) - 1] = False
            out.start, out.end = np.zeros((2, len(out.ids)), np.int32)
            for i, side in enumerate(sides):
                where = own & (out.segments == i)
                out.start[where], out.end[where] = self._offsets(side, counts[:, i], kept[:, i]).T
        return out

    def count(self, texts, pairs=None):
        """How many tokens each text has before any truncation, special ones included: int32 [n]."""
        sides = _sides(texts, pairs)
        return (_counts([self._rows(side) for side in sides]).sum(1) + len(sides) + 1).astype(np.int32)

    def decode(self, ids):
        """The words of one row of ids, without [CLS], [SEP] and [PAD]."""
        ids = [int(i) for i in ids]
        wrong = [i for i in ids if not 0 <= i < len(self.vocab)]
        if wrong:
            raise BertrError("token_id", f"Token id {wrong[0]} is not in the vocabulary.",
                             f"Its ids are 0 to {len(self.vocab) - 1}.")
        return self._words([i for i in ids if i not in (self.pad_id, self.cls_id, self.sep_id)])

    def _join(self, rows, kept):
        """All ids in one array [total], special tokens put in, from rows [sides][n] of bytes."""
        cls, sep = int32([self.cls_id]), int32([self.sep_id])
        cut = [[row[: 4 * k] for row, k in zip(side, keep, strict=True)]
               for side, keep in zip(rows, kept.T.tolist(), strict=True)]
        texts = [sep.join(parts) for parts in zip(*cut, strict=True)]
        return np.frombuffer(cls + (sep + cls).join(texts) + sep if texts else b"", np.int32).copy()


def int32(values):
    """Whole numbers as int32 bytes."""
    return array.array("i", values).tobytes()


def any_of(literals):
    """A pattern whose `split` also returns what it split at; without literals it never matches."""
    return re.compile(f"({'|'.join(map(re.escape, literals))})" if literals else "(?!)")


def _sides(texts, pairs):
    if pairs is None:
        return [texts]
    if len(texts) != len(pairs):
        raise BertrError("pairs", f"There are {len(texts)} texts, but {len(pairs)} second texts.",
                         "Every row needs both.")
    return [texts, pairs]


def _counts(rows):
    """Pieces of every text: int64 [n, sides]."""
    return np.array([[len(row) // 4 for row in side] for side in rows], np.int64).T


def truncate(counts, budget):
    """How many pieces of every text stay: [n, sides].

    A pair loses pieces from the longer text, on a tie from the second (Google's `_truncate_seq_pair`).
    Hugging Face's Rust tokenizers give the odd piece of the budget to the longer text, Google to the first.
    """
    if counts.shape[1] == 1:
        return np.minimum(counts, budget)
    a, b = counts.T
    keep_b = np.minimum(b, np.maximum(budget // 2, budget - a))
    return np.stack([np.minimum(a, budget - keep_b), keep_b], axis=1)
