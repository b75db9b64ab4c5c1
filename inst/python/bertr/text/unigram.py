"""The unigram tokenizer of XLM-RoBERTa and of the multilingual sentence models.

Sources: Kudo 2018, Subword Regularization; Hugging Face tokenizers, `models/unigram/model.rs`, `pre_tokenizers/
metaspace.rs`; transformers `tokenization_xlm_roberta.py`. Ids are those of Hugging Face's tokenizer. So are the places,
but without the space before a word.
"""

import re
from collections.abc import Sequence
from typing import Any

from .basic import WHITE_SPACE
from .charsmap import Charsmap
from .chunks import ChunkEncoder, required
from .encodings import MARK, int32, refuse_mode
from .graphemes import joins_space

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
        self._pieces = {piece: (i, scores[i]) for piece, i in self._index.items() if i < len(scores)}
        self._unknown = min(scores) - UNKNOWN_PENALTY
        self._longest: dict[str, int] = {}  # the length of the longest piece by first character
        for piece in self._pieces:
            self._longest[piece[:1]] = max(self._longest.get(piece[:1], 0), len(piece))
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
        return self._chunk.findall(text) if self._is_divisible(text) else [" " + text]

    def _starts(self, text):
        return [found.start() for found in self._chunk.finditer(text)] if self._is_divisible(text) else [0]

    def _is_divisible(self, text):
        if self._added.anywhere(text):
            return False
        if text.isascii() and text.isprintable() and self._map.keeps_ascii:
            return not (self.spaces and text[-1:] == " ")
        if self.spaces and self._normalise(text[-5:])[0][-1:] in (" ", ""):  # no cluster that is replaced is longer
            return False
        return self._normalise(text[:1])[0] != "" and not joins_space(text)

    def _ids_of(self, chunk):
        return int32([i for i, _, _ in self._cut(chunk)])

    def _spans_of(self, chunk):
        return int32([at for _, start, end in self._cut(chunk) for at in (start, end)])

    def _cut(self, chunk):
        """(id, start, end) of every piece of a chunk."""
        if chunk[:1] == " ":
            return self._with_added(chunk[1:], self._word_pieces)
        inner = self._with_added(" " + chunk, lambda normal, source: self._word_pieces(normal.rstrip(" "), source))
        return [(i, start - 1, end - 1) for i, start, end in inner]

    def _word_pieces(self, normal, source):
        return [
            (i, where[a], where[b - 1] + 1)
            for word, where in self._split(normal, source)
            for i, a, b in self._best(word)
        ]

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

    def _best(self, word):
        """(id, start, end) of the pieces of the best split. Of equally good ones the longest first pieces win, as the
        reference replaces a path only by a better one."""
        n = len(word)
        score, back, ids = [0.0] * (n + 1), [-1] * (n + 1), [self.unk_id] * (n + 1)
        for start in range(n):
            here, known = score[start], False
            for end in range(start + 1, min(n, start + self._longest.get(word[start], 0)) + 1):
                found = self._pieces.get(word[start:end])
                if found is None:
                    continue
                known = known or end == start + 1
                if back[end] < 0 or here + found[1] > score[end]:
                    score[end], back[end], ids[end] = here + found[1], start, found[0]
            if not known and (back[start + 1] < 0 or here + self._unknown > score[start + 1]):
                score[start + 1], back[start + 1], ids[start + 1] = here + self._unknown, start, self.unk_id
        out, end = [], n
        while end > 0:
            if out and out[-1][0] == self.unk_id == ids[end]:  # adjacent unknown characters are one piece
                out[-1] = (self.unk_id, back[end], out[-1][2])
            else:
                out.append((ids[end], back[end], end))
            end = back[end]
        return out[::-1]
