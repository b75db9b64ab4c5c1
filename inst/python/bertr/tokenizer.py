"""BERT's WordPiece tokenizer, and one token per character: texts to one flat array of token ids."""

import itertools

import numpy as np

from . import text as basic
from .encodings import TextEncoder, any_of, int32, splits
from .errors import BertrError

REQUIRED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
SPACE_TOKEN = "[unused1]"  # a space in character mode, as in bojone/bert_in_keras
CACHE_SIZE = 2**16  # chunks, about 13 MB
LONGEST_CACHED = 64  # characters; longer chunks hardly come twice


class Tokenizer(TextEncoder):
    """Turns texts into ids by a vocabulary.

    Everything BERT does to a text stays within a chunk, a stretch between white space, so a chunk's ids are
    found once and looked up ever after. In character mode every character is a chunk.
    """

    literals = (*REQUIRED, "[MASK]")

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
        self._literals = any_of([token for token in self.literals if token in self._index] if keep_special else [])
        if mode == "wordpiece":
            self._chunks, self._starts, self._cut = basic.chunks, basic.chunk_starts, self._pieces
        else:
            self._chunks, self._starts, self._cut = str, lambda text: range(len(text)), self._character
        self._ids = _Cache(self._ids_of)
        self._spans = _Cache(self._spans_of)

    def inside_word(self, token):
        return token.startswith("##")

    def inside_words(self, encodings, texts):
        return np.array([self.inside_word(token) for token in self.vocab])[encodings.ids]

    def _words(self, ids):
        return " ".join(self.vocab[i] for i in ids).replace(" ##", "")

    def _rows(self, texts):
        return [b"".join(map(self._ids.__getitem__, self._chunks(text))) for text in texts]

    def _offsets(self, texts, counts, kept):
        chunks = list(map(self._chunks, texts))
        flat = list(itertools.chain.from_iterable(chunks))
        spans = list(map(self._spans.__getitem__, flat))
        pieces = np.fromiter(map(len, spans), np.int32, len(spans)) // 8  # a chunk
        starts = self._chunk_starts(texts, chunks, flat)
        out = np.frombuffer(b"".join(spans), np.int32).reshape(-1, 2) + np.repeat(starts, pieces)[:, None]
        place = np.arange(len(out)) - np.repeat(splits(counts)[:-1], counts)  # of the piece in its text
        return out[place < np.repeat(kept, counts)]

    def _chunk_starts(self, texts, chunks, flat):
        """Where every chunk begins in its text: worked out at once where one space follows each chunk but the last,
        else looked for."""
        ends = splits(np.fromiter(map(len, flat), np.int64, len(flat)) + 1)
        rows = splits(np.fromiter(map(len, chunks), np.int64, len(chunks)))
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
            return int32([i for i, _, _ in self._word(words[0])])
        return int32([i for i, _, _ in self._cut(chunk)])

    def _spans_of(self, chunk):
        """Where the pieces of a chunk start and end in it, as bytes."""
        if self.mode == "wordpiece" and basic.is_plain(chunk):
            spans, at = [], 0
            for word in basic.plain_words(chunk.lower() if self.lower_case else chunk):
                for _, start, end in self._word(word):
                    spans += (at + start, at + end)
                at += len(word)
            return int32(spans)
        return int32([at for _, start, end in self._cut(chunk) for at in (start, end)])

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
