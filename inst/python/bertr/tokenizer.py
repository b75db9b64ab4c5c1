"""BERT's WordPiece tokenizer, and one token per character: texts to one flat array of token ids."""

import array
import dataclasses
import itertools
import re

import numpy as np

from . import text as basic
from .errors import BertrError

REQUIRED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
LITERALS = (*REQUIRED, "[MASK]")
SPACE_TOKEN = "[unused1]"  # a space in character mode, as in bojone/bert_in_keras
CACHE_SIZE = 2**18  # chunks, about 50 MB
LONGEST_CACHED = 64  # characters; longer chunks hardly come twice


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

    def take(self, rows):
        """The rows asked for, in that order."""
        rows = np.asarray(rows, np.int64)
        lengths = self.row_splits[rows + 1] - self.row_splits[rows]
        splits = _splits(lengths)
        at = np.arange(splits[-1]) + np.repeat(self.row_splits[rows] - splits[:-1], lengths)  # [total]
        full = self.full_lengths[rows]
        return Encodings(
            self.ids[at], self.segments[at], splits, int((full > lengths).sum()), full,
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


class Tokenizer:
    """Turns texts into ids by a vocabulary.

    Everything BERT does to a text stays within a chunk, a stretch between white space, so a chunk's ids are
    found once and looked up ever after. In character mode every character is a chunk.
    """

    def __init__(self, vocab, lower_case=True, strip_accents=None, chinese_chars=True, max_word_chars=100,
                 keep_special=True, mode="wordpiece"):
        if mode not in ("wordpiece", "characters"):
            raise BertrError("tokenizer", f"`mode` is '{mode}', which is no way of cutting text into tokens.",
                             "Use 'wordpiece' or 'characters'.")
        self.vocab = list(vocab)
        self.lower_case = lower_case
        self.strip_accents = strip_accents
        self.chinese_chars = chinese_chars
        self.max_word_chars = max_word_chars
        self.keep_special = keep_special
        self.mode = mode
        self._index = _index(self.vocab)
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = (self._index[token] for token in REQUIRED)
        self.mask_id = self._index.get("[MASK]")
        self._inside = {token[2:]: i for token, i in self._index.items() if token.startswith("##")}
        self._longest = max(map(len, self.vocab))
        self._basic = basic.BasicTokenizer(
            lower_case, lower_case if strip_accents is None else strip_accents, chinese_chars)
        self._literals = _any_of([token for token in LITERALS if token in self._index] if keep_special else [])
        if mode == "wordpiece":
            self._chunks, self._starts, self._cut = basic.chunks, basic.chunk_starts, self._pieces
        else:
            self._chunks, self._starts, self._cut = str, lambda text: range(len(text)), self._character
        self._ids = _Cache(self._ids_of)
        self._spans = _Cache(self._spans_of)

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
            row_splits=_splits(lengths.sum(1)),
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
        silent = {self.pad_id, self.cls_id, self.sep_id}
        return " ".join(self.vocab[i] for i in ids if i not in silent).replace(" ##", "")

    def _rows(self, texts):
        """The ids of every text as int32 bytes: joining and cutting bytes never makes a Python integer."""
        return [b"".join(map(self._ids.__getitem__, self._chunks(text))) for text in texts]

    def _join(self, rows, kept):
        """All ids in one array [total], special tokens put in, from rows [sides][n] of bytes."""
        cls, sep = _int32([self.cls_id]), _int32([self.sep_id])
        cut = [[row[: 4 * k] for row, k in zip(side, keep, strict=True)]
               for side, keep in zip(rows, kept.T.tolist(), strict=True)]
        texts = [sep.join(parts) for parts in zip(*cut, strict=True)]
        return np.frombuffer(cls + (sep + cls).join(texts) + sep if texts else b"", np.int32).copy()

    def _offsets(self, texts, counts, kept):
        """(start, end) of every kept piece: int32 [sum of kept, 2]."""
        chunks = list(map(self._chunks, texts))
        flat = list(itertools.chain.from_iterable(chunks))
        spans = list(map(self._spans.__getitem__, flat))
        pieces = np.fromiter(map(len, spans), np.int32, len(spans)) // 8  # a chunk
        starts = self._chunk_starts(texts, chunks, flat)
        out = np.frombuffer(b"".join(spans), np.int32).reshape(-1, 2) + np.repeat(starts, pieces)[:, None]
        place = np.arange(len(out)) - np.repeat(_splits(counts)[:-1], counts)  # of the piece in its text
        return out[place < np.repeat(kept, counts)]

    def _chunk_starts(self, texts, chunks, flat):
        """Where every chunk begins in its text: worked out at once where one space follows each chunk but the last,
        else looked for."""
        ends = _splits(np.fromiter(map(len, flat), np.int64, len(flat)) + 1)
        rows = _splits(np.fromiter(map(len, chunks), np.int64, len(chunks)))
        first = ends[rows[:-1]]
        starts = ends[:-1] - np.repeat(first, np.diff(rows))
        regular = ends[rows[1:]] - first - 1 == np.fromiter(map(len, texts), np.int64, len(texts))
        for row in np.flatnonzero(~regular & (np.diff(rows) > 0)):
            starts[rows[row]:rows[row + 1]] = list(self._starts(texts[row]))
        return starts.astype(np.int32)

    def _ids_of(self, chunk):
        """The ids of a chunk as bytes. ASCII without brackets needs no normalising but lower case, and its words
        are chunks of their own, mostly met before."""
        if self.mode == "wordpiece" and basic.is_plain(chunk):
            words = basic.plain_words(chunk.lower() if self.lower_case else chunk)
            if len(words) > 1:
                return b"".join(map(self._ids.__getitem__, words))
            return _int32([i for i, _, _ in self._word(words[0])])
        return _int32([i for i, _, _ in self._cut(chunk)])

    def _spans_of(self, chunk):
        """Where the pieces of a chunk start and end in it, as bytes."""
        if self.mode == "wordpiece" and basic.is_plain(chunk):
            spans, at = [], 0
            for word in basic.plain_words(chunk.lower() if self.lower_case else chunk):
                for _, start, end in self._word(word):
                    spans += (at + start, at + end)
                at += len(word)
            return _int32(spans)
        return _int32([at for _, start, end in self._cut(chunk) for at in (start, end)])

    def _pieces(self, chunk):
        """(id, start, end) of every piece of a chunk."""
        out, at = [], 0
        for part in self._literals.split(chunk):
            if self._literals.fullmatch(part):
                out.append((self._index[part], at, at + len(part)))
            else:
                for word, source in self._basic.words(part):
                    out += [(i, at + source[start], at + source[end - 1] + 1) for i, start, end in self._word(word)]
            at += len(part)
        return out

    def _word(self, word):
        """Greedy longest match first; a word that does not come out even is one [UNK]."""
        unknown = [(self.unk_id, 0, len(word))]
        if len(word) > self.max_word_chars:
            return unknown
        whole = self._index.get(word)
        if whole is not None:
            return [(whole, 0, len(word))]
        out, start, index = [], 0, self._index
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start, -1):
                if (i := index.get(word[start:end])) is not None:
                    break
            else:
                return unknown
            out.append((i, start, end))
            start, index = end, self._inside
        return out

    def _character(self, char):
        """Always one piece, so that tokens and characters stay in step (as in bojone/bert_in_keras)."""
        if basic.is_space(char):
            char = SPACE_TOKEN
        elif self.lower_case and len(basic.lower(char)) == 1:
            char = basic.lower(char)
        return [(self._index.get(char, self.unk_id), 0, 1)]


class _Cache(dict):
    """A chunk's values as int32 bytes, computed at the first look-up; emptied when full."""

    def __init__(self, values):
        super().__init__()
        self._values = values

    def __missing__(self, chunk):
        out = self._values(chunk)
        if len(chunk) <= LONGEST_CACHED:
            if len(self) >= CACHE_SIZE:
                self.clear()
            self[chunk] = out
        return out


def _int32(values):
    return array.array("i", values).tobytes()


def _any_of(literals):
    """A pattern whose `split` also returns what it split at; without literals it never matches."""
    return re.compile(f"({'|'.join(map(re.escape, literals))})" if literals else "(?!)")


def _index(vocab):
    """Token to id; a vocabulary that BERT cannot work with is an error."""
    index = {token: i for i, token in enumerate(vocab)}
    if len(index) < len(vocab):
        twice = next(token for i, token in enumerate(vocab) if index[token] != i)
        raise BertrError("vocabulary", f"The vocabulary holds the token '{twice}' more than once.",
                         "Every line of vocab.txt must be a token of its own.")
    missing = [token for token in REQUIRED if token not in index]
    if missing:
        raise BertrError("vocabulary", f"The vocabulary has no {' and no '.join(missing)}.",
                         "Is this the vocab.txt of a BERT checkpoint?")
    return index


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


def _splits(lengths):
    """Where rows of these lengths begin, and where the last one ends: int64 [n + 1]."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
