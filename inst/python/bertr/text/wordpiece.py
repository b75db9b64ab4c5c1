"""BERT's WordPiece tokenizer, and a mode with one token per character."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BertrError
from . import basic as basic
from .added_tokens import literal
from .chunks import ChunkEncoder, required, whole_or
from .encodings import int32

if TYPE_CHECKING:
    from .encodings import Encodings

SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}  # BERT's own names
_OTHER_NAMES = (
    "Is this the vocab.txt of a BERT checkpoint? If these tokens have other names, "
    'tokenizer_config.json must give them, as "pad_token" and so on.'
)
SPACE_TOKEN = "[unused1]"  # a space in character mode, as in bojone/bert_in_keras


class Tokenizer(ChunkEncoder):
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
        one_segment: see `TextEncoder`; True for MPNet.
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
        one_segment: bool = False,
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
        self.one_segment = self.trims_added = one_segment
        self.mode = mode
        self.literals = tuple(special.values())
        index = {token: i for i, token in enumerate(self.vocab)}  # the last of duplicates, as in Rust
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = required(index, special, _OTHER_NAMES)
        self.mask_name, self.mask_id = special["mask"], index.get(special["mask"])
        self._basic = basic.BasicTokenizer(
            lower_case, lower_case if strip_accents is None else strip_accents, chinese_chars
        )
        added = [literal(name, index[name]) for name in self.literals if name in index] if added is None else added
        if mode == "characters":  # special tokens in a text are split into characters
            added = [token for token in added if token["content"] not in self.literals]
        super().__init__(added, self._basic.normalise)
        not_pieces = {token["id"] for token in added if not token["piece"]}
        self._index = {token: i for token, i in index.items() if i not in not_pieces}  # what WordPiece may produce
        self._inside = {token[2:]: i for token, i in self._index.items() if token.startswith("##")}
        self._longest = max(map(len, self.vocab))
        if mode == "wordpiece":
            self._starts, self._cut = basic.chunk_starts, self._pieces
            self._chunks = basic.chunks
            if self._added.any_wide:
                self._chunks = whole_or(basic.chunks, self._added.reach_over_space)
        else:
            self._starts, self._cut = lambda text: range(len(text)), self._characters
            self._chunks = whole_or(str, self._added.anywhere) if added else str

    def inside_word(self, token: str) -> bool:
        return token.startswith("##")

    def surface(self, token: str) -> tuple[str, bool]:
        continues = self.inside_word(token) and len(token) > 2
        return (token[2:] if continues else token), continues

    def inside_words(self, encodings: "Encodings", texts: list[str]) -> np.ndarray:
        return np.array([self.inside_word(token) for token in self.vocab])[encodings.ids]

    def _words(self, ids):
        return " ".join(self.vocab[i] for i in ids).replace(" ##", "")

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
