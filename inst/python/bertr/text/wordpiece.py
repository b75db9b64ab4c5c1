"""BERT's WordPiece tokenizer, and a mode with one token per character."""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BertrError
from . import basic as basic
from .added_tokens import AddedTokens
from .encodings import TextEncoder, int32
from .ragged import positions, splits

if TYPE_CHECKING:
    from .encodings import Encodings

SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}  # BERT's own names
SPACE_TOKEN = "[unused1]"  # a space in character mode, as in bojone/bert_in_keras
CACHE_SIZE = 2**16  # chunks, about 13 MB
LONGEST_CACHED = 64  # characters; longer chunks rarely repeat


class Tokenizer(TextEncoder):
    """Turns texts into ids with a vocabulary.

    BERT processes each whitespace-separated chunk of a text independently, so the ids of a chunk are computed once and
    cached. In character mode every character is a chunk.

    Args:
        vocab: list of str in the order of ids.
        lower_case: whether to lower-case texts.
        strip_accents: whether to remove accents; None: as `lower_case`.
        chinese_chars: whether each CJK character is a word.
        max_word_chars: longer words become [UNK].
        special: dict of the names of the special tokens pad, unk, cls, sep and mask; the vocabulary may lack only mask.
        added: list of dicts, tokens that are matched before words are split (see added_tokens.py), each with `piece`:
            whether WordPiece may produce it too. None: the special tokens.
        mode: "wordpiece" or "characters".

    Raises:
        BertrError: tokenizer (unknown mode), vocabulary (missing or misplaced tokens).
    """

    def __init__(
        self,
        vocab: list[str],
        lower_case: bool = True,
        strip_accents: bool | None = None,
        chinese_chars: bool = True,
        max_word_chars: int = 100,
        special: dict[str, str] = SPECIAL,
        added: list[dict[str, Any]] | None = None,
        mode: str = "wordpiece",
    ):
        if mode not in ("wordpiece", "characters"):
            raise BertrError(
                "tokenizer",
                f"`mode` is '{mode}', which is not a way of tokenizing.",
                "Use 'wordpiece' or 'characters'.",
            )
        self.vocab = list(vocab)
        self.lower_case = lower_case
        self.strip_accents = strip_accents
        self.chinese_chars = chinese_chars
        self.max_word_chars = max_word_chars
        self.mode = mode
        self.literals = tuple(special.values())
        index = {token: i for i, token in enumerate(self.vocab)}  # the last of duplicates, as in Rust
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = _required(index, special)
        self.mask_name, self.mask_id = special["mask"], index.get(special["mask"])
        self._basic = basic.BasicTokenizer(
            lower_case, lower_case if strip_accents is None else strip_accents, chinese_chars
        )
        added = [literal(name, index[name]) for name in self.literals if name in index] if added is None else added
        if mode == "characters":  # special tokens in a text are split into characters
            added = [token for token in added if token["content"] not in self.literals]
        _check_added(added, self.vocab)
        self._added = AddedTokens(added, self._basic.normalise)
        not_pieces = {token["id"] for token in added if not token["piece"]}
        self._index = {token: i for token, i in index.items() if i not in not_pieces}  # what WordPiece may produce
        self._inside = {token[2:]: i for token, i in self._index.items() if token.startswith("##")}
        self._longest = max(map(len, self.vocab))
        if mode == "wordpiece":
            self._starts, self._cut = basic.chunk_starts, self._pieces
            self._chunks = basic.chunks
            if self._added.any_wide:
                self._chunks = _whole_or(basic.chunks, self._added.reach_over_space)
        else:
            self._starts, self._cut = lambda text: range(len(text)), self._characters
            self._chunks = _whole_or(str, self._added.anywhere) if added else str
        self._ids = _Cache(self._ids_of)
        self._spans = _Cache(self._spans_of)

    def inside_word(self, token: str) -> bool:
        return token.startswith("##")

    def inside_words(self, encodings: "Encodings", texts: list[str]) -> np.ndarray:
        return np.array([self.inside_word(token) for token in self.vocab])[encodings.ids]

    def _words(self, ids):
        return " ".join(self.vocab[i] for i in ids).replace(" ##", "")

    def _rows(self, texts):
        return [b"".join(map(self._ids.__getitem__, self._chunks(text))) for text in texts]

    def _offsets(self, texts, counts, kept):
        chunks = list(map(self._chunks, texts))
        flat = list(itertools.chain.from_iterable(chunks))
        spans = list(map(self._spans.__getitem__, flat))
        pieces = np.fromiter(map(len, spans), np.int32, len(spans)) // 8  # pieces per chunk
        starts = self._chunk_starts(texts, chunks, flat)
        out = np.frombuffer(b"".join(spans), np.int32).reshape(-1, 2) + np.repeat(starts, pieces)[:, None]
        return out[positions(counts) < np.repeat(kept, counts)]

    def _chunk_starts(self, texts, chunks, flat):
        """Start of every chunk in its text, int32: computed for all texts with single spaces between chunks, searched
        for in the others."""
        ends = splits(np.fromiter(map(len, flat), np.int64, len(flat)) + 1)
        rows = splits(np.fromiter(map(len, chunks), np.int64, len(chunks)))
        first = ends[rows[:-1]]
        starts = ends[:-1] - np.repeat(first, np.diff(rows))
        regular = ends[rows[1:]] - first - 1 == np.fromiter(map(len, texts), np.int64, len(texts))
        for row in np.flatnonzero(~regular & (np.diff(rows) > 0)):
            starts[rows[row] : rows[row + 1]] = list(self._starts(texts[row]))
        return starts.astype(np.int32)

    def _ids_of(self, chunk):
        """The ids of a chunk as int32 bytes. The words of a plain chunk are looked up as chunks, mostly cached."""
        if self._is_plain(chunk):
            words = basic.plain_words(chunk.lower() if self.lower_case else chunk)
            if len(words) > 1:
                return b"".join(map(self._ids.__getitem__, words))
            return int32([i for i, _, _ in self._word(words[0])])
        return int32([i for i, _, _ in self._cut(chunk)])

    def _spans_of(self, chunk):
        """(start, end) of each piece of a chunk, as int32 bytes."""
        if self._is_plain(chunk):
            spans, at = [], 0
            for word in basic.plain_words(chunk.lower() if self.lower_case else chunk):
                for _, start, end in self._word(word):
                    spans += (at + start, at + end)
                at += len(word)
            return int32(spans)
        return int32([at for _, start, end in self._cut(chunk) for at in (start, end)])

    def _is_plain(self, chunk):
        """Whether a chunk needs only lower-casing (ASCII without brackets) and neither it nor a word holds an added
        token."""
        if self.mode != "wordpiece" or not basic.is_plain(chunk):
            return False
        added = self._added
        return not (added.any_plain and (added.in_plain(chunk) or self.lower_case and added.in_plain(chunk.lower())))

    def _pieces(self, text):
        """(id, start, end) of every piece of a chunk, or of a whole text."""
        return self._with_added(text, self._word_pieces)

    def _with_added(self, text, pieces):
        """(id, start, end) of added tokens, and of the `pieces(normal, source)` of the normalised text between them."""
        out = []
        for token, start, end in self._added.split_raw(text):
            if token is not None:
                out.append((token, start, end))
                continue
            normal, source = self._basic.normalise(text[start:end])
            for i, first, last in self._added.split_normalised(normal):
                where = source[first:last]
                found = pieces(normal[first:last], where) if i is None else [(i, where[0], where[-1] + 1)]
                out += [(i, start + a, start + b) for i, a, b in found]
        return out

    def _word_pieces(self, normal, source):
        return [
            (i, where[a], where[b - 1] + 1)
            for word, where in basic.words(normal, source)
            for i, a, b in self._word(word)
        ]

    def _word(self, word):
        """Greedy longest-match-first; a word that cannot be fully matched is one [UNK]."""
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

    def _characters(self, text):
        """One piece per character or added token, so that tokens align with characters (as in bojone/bert_in_keras)."""
        out, done = [], 0
        for token, start, end in [*self._with_added(text, lambda *_: []), (None, len(text), len(text))]:
            out += [(self._character(text[i]), i, i + 1) for i in range(done, start)]
            if token is not None:
                out.append((token, start, end))
            done = end
        return out

    def _character(self, char):
        if basic.is_space(char):
            char = SPACE_TOKEN
        elif self.lower_case and len(basic.lower(char)) == 1:
            char = basic.lower(char)
        return self._index.get(char, self.unk_id)


class _Cache(dict):
    """Values of chunks as int32 bytes, computed at the first lookup; emptied when full."""

    def __init__(self, values: Callable[[str], bytes]):
        super().__init__()
        self._values = values

    def __missing__(self, chunk):
        out = self._values(chunk)
        if len(chunk) <= LONGEST_CACHED:
            if len(self) >= CACHE_SIZE:
                self.clear()
            self[chunk] = out
        return out


def literal(content: str, token_id: int) -> dict[str, Any]:
    """An added token that is matched literally, a dict."""
    return {
        "content": content,
        "id": token_id,
        "normalized": False,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "piece": True,
    }


def _check_added(added, vocab):
    wrong = next((token for token in added if vocab[token["id"] : token["id"] + 1] != [token["content"]]), None)
    if wrong:
        raise BertrError(
            "vocabulary",
            f"The added token '{wrong['content']}' is not in the vocabulary under its id {wrong['id']}.",
            "Save or fit it again.",
        )


def _whole_or(chunks, is_whole):
    """A function that splits a text into chunks, unless `is_whole(text)`: then the text is one chunk."""
    return lambda text: [text] if is_whole(text) else chunks(text)


def _required(index, special):
    """The ids of the special tokens that every BERT needs."""
    names = [special[kind] for kind in ("pad", "unk", "cls", "sep")]
    missing = [name for name in names if name not in index]
    if missing:
        raise BertrError(
            "vocabulary",
            f"The vocabulary has no {' and no '.join(missing)}.",
            "Is this the vocab.txt of a BERT checkpoint? If these tokens have other names, "
            'tokenizer_config.json must give them, as "pad_token" and so on.',
        )
    return [index[name] for name in names]
