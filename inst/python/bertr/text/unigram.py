"""The unigram tokenizer of XLM-RoBERTa and of the multilingual sentence models.

Sources: Kudo 2018, Subword Regularization; Hugging Face tokenizers, `models/unigram/model.rs`, `pre_tokenizers/
metaspace.rs`; transformers `tokenization_xlm_roberta.py`. Ids are those of Hugging Face's tokenizer. So are the places,
but without the space before a word.
"""

import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .basic import WHITE_SPACE
from .best_splits import BestSplits
from .charsmap import Charsmap
from .chunks import ChunkEncoder, required
from .encodings import MARK, int32, refuse_mode
from .graphemes import joins_space
from .ragged import row_bytes

SPECIAL = {"pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}  # XLM-RoBERTa's own names
UNKNOWN_PENALTY = 10.0  # the score of an unknown character is so much lower than the lowest score of a piece

_RUN = re.compile(f"[^{re.escape(WHITE_SPACE)}]+")
_SPACES = re.compile(" +")
_UNIT = re.compile(" +|[^ ]", re.DOTALL)
_MARKED = re.compile(f"{MARK}[^{MARK}]*")


class UnigramTokenizer(ChunkEncoder):
    """Splits each word into the pieces with the highest sum of scores (Viterbi).

    Args:
        vocab: list of str in the order of ids.
        scores: float of each.
        added: list of dicts, tokens that are matched before words are split (see added_tokens.py).
        special: dict of the names of the special tokens pad, unk, cls, sep and mask; the vocabulary may lack only mask.
        charsmap: the table of replacements, bytes; empty: no normalisation.
        spaces: whether only spaces separate words, of which several count as one, and a space at the end of a text is
            a piece (transformers 4.3 and later); otherwise all white space does.
        one_segment: see `TextEncoder`.
        mode: "unigram".

    Raises:
        BertrError: tokenizer (another mode), vocabulary (missing or misplaced tokens, damaged table).
    """

    many = True

    def __init__(
        self,
        vocab: list[str],
        scores: Sequence[float],
        added: list[dict[str, Any]],
        special: dict[str, str] = SPECIAL,
        charsmap: bytes = b"",
        spaces: bool = False,
        one_segment: bool = True,
        mode: str = "unigram",
    ):
        refuse_mode(mode, "unigram", "vocabulary")
        self.vocab, self.spaces, self.one_segment = list(vocab), spaces, one_segment
        self.literals = tuple(special.values())
        self._index = {piece: i for i, piece in enumerate(self.vocab)}  # the last of duplicates, as in Rust
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = required(
            self._index, special, "If these tokens have other names, tokenizer_config.json must give them."
        )
        self.mask_name, self.mask_id = special["mask"], self._index.get(special["mask"])
        pieces = dict(self._index)
        for token in self.vocab[len(scores) :]:
            pieces.pop(token, None)
        self._best = BestSplits(pieces, scores, self.unk_id, min(scores) - UNKNOWN_PENALTY)
        self._map = Charsmap(charsmap)
        gap = " \\t\\n\\r" if not spaces or all(self._map[c] == " " for c in "\t\n\r") else " "
        self._chunk = re.compile(f"[^{gap}]+")
        super().__init__(added, self._map.normalise)

    def inside_word(self, token: str) -> bool:
        return not token.startswith(MARK)

    def _words(self, ids):
        words = [MARK + self.vocab[i] if i == self.mask_id else self.vocab[i] for i in ids]
        return "".join(words).replace(MARK, " ").strip()

    # ------------------------------------------------------------ chunks

    def _chunks(self, text):
        """The text split at spaces; or the whole text, marked by a space before it, if a rule reaches over a space."""
        if not self._is_divisible(text):
            return [" " + text]
        return text.split() if text.isprintable() else self._chunk.findall(text)  # the same, and faster

    def _starts(self, text):
        return [found.start() for found in self._chunk.finditer(text)] if self._is_divisible(text) else [0]

    def _is_divisible(self, text):
        if self._added.anywhere(text):
            return False
        if self._is_plain(text):
            return not (self.spaces and text[-1:] == " ")
        if self.spaces and self._normalise(text[-5:])[0][-1:] in (" ", ""):  # no cluster that is replaced is longer
            return False
        return self._normalise(text[:1])[0] != "" and not joins_space(text)

    def _is_plain(self, text):
        """Whether normalisation cannot change a text."""
        return text.isascii() and text.isprintable() and self._map.keeps_ascii

    def _ids_of(self, chunks):
        return self._values(chunks, slice(1), lambda found, *_: found.ids)

    def _spans_of(self, chunks):
        return self._values(chunks, slice(1, 3), _places)

    def _values(self, chunks, columns, of_pieces):
        """The values of the pieces of each chunk as int32 bytes: these columns of added tokens, and
        `of_pieces(splits, words, sources)` of words."""
        plain = self._are_words(chunks)
        words = [MARK + chunk for chunk in itertools.compress(chunks, plain)]
        parts = [list(self._parts(chunk)) for chunk, is_plain in zip(chunks, plain, strict=True) if not is_plain]
        others = [part for row in parts for part in row if len(part) == 2]
        sources = [None] * len(words) + [source for _, source in others]  # None: consecutive places
        words += [word for word, _ in others]
        values = [b""] * len(words)
        for found in self._best(words):
            table = of_pieces(found, words, sources)
            for i, value in zip(found.words.tolist(), row_bytes(table, found.counts), strict=True):
                values[i] = value
        of_plain, of_others = iter(values), iter(values[len(words) - len(others) :])
        of_parts = iter(
            [b"".join(next(of_others) if len(part) == 2 else int32(part[columns]) for part in row) for row in parts]
        )
        return [next(of_plain if is_plain else of_parts) for is_plain in plain]

    def _are_words(self, chunks):
        """Whether each chunk is one word that normalisation does not change."""
        keeps_ascii, keeps = self._map.keeps_ascii, self._map.keeps
        return [
            chunk.isprintable()  # has no white space but spaces
            and chunk[0] != " "
            and (keeps_ascii if chunk.isascii() else MARK not in chunk and keeps(chunk))
            for chunk in chunks
        ]

    def _parts(self, chunk):
        """(word, source of each character) of the words of a chunk, (id, start, end) of added tokens."""
        if chunk[:1] == " ":
            return self._with_added(chunk[1:], self._split)
        normal, source = self._normalise(" " + chunk)
        return [(word, [at - 1 for at in where]) for word, where in self._split(normal.rstrip(" "), source)]

    def _split(self, normal, source):
        """(word, source) of each word, which begins with MARK. The source of MARK is that of the next character."""
        if self.spaces:
            places = [
                source[min(found.end(), len(normal) - 1) if found.group()[0] == " " else found.start()]
                for found in _UNIT.finditer(normal)
            ]
            runs = [(_SPACES.sub(MARK, normal), places)]
        else:
            runs = [(found.group(), source[found.start() : found.end()]) for found in _RUN.finditer(normal)]
        for run, where in runs:
            if run and run[0] != MARK:
                run, where = MARK + run, [where[0], *where]
            for found in _MARKED.finditer(run):
                yield found.group(), where[found.start() : found.end()]


def _places(found, words, sources):
    """Start and end of each piece, int32 [pieces, 2]."""
    places = [sources[i] or range(-1, len(words[i]) - 1) for i in found.words.tolist()]
    source = np.fromiter(itertools.chain.from_iterable(places), np.int32)
    source = np.maximum(source, 0)  # that of MARK is -1 in plain chunks, but its place is the next character's
    return np.stack([source[found.starts], source[found.ends - 1] + 1], 1)
