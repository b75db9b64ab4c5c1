"""ALBERT's tokenizer: splits texts into the pieces of a SentencePiece model.

Sources: google-research/albert `tokenization.py`; Hugging Face transformers (version 4) `AlbertTokenizer`, which adds
the quotes; Kudo and Richardson 2018, SentencePiece. The only module that uses the Python package sentencepiece.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import COPY_AGAIN, BertrError
from .encodings import MARK, TextEncoder, any_of, int32, refuse_mode

REQUIRED = ("<pad>", "<unk>", "[CLS]", "[SEP]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class SentencePieceTokenizer(TextEncoder):
    """Turns texts into ids with a SentencePiece model, given as the bytes of its file.

    SentencePiece gets whole texts, not words: it sums scores over a text in float32, so the preceding text can decide
    between two splits of a word with equal scores ("aaa").

    Args:
        spiece: bytes.
        lower_case: whether to lower-case texts.
        keep_accents: whether to keep accents.
        quotes: whether `` and '' become ".
        keep_special: whether [MASK] and the like in a text are special tokens.
        mode: "sentencepiece".

    Raises:
        BertrError: tokenizer (another mode), vocabulary (damaged model), sentencepiece (package not installed).
    """

    literals = (*REQUIRED, "[MASK]")
    mask_name = "[MASK]"

    def __init__(
        self,
        spiece: bytes,
        lower_case: bool = True,
        keep_accents: bool = False,
        quotes: bool = True,
        keep_special: bool = True,
        mode: str = "sentencepiece",
    ):
        refuse_mode(mode, "sentencepiece", "SentencePiece model")
        self.lower_case, self.keep_accents, self.quotes = lower_case, keep_accents, quotes
        self._model = open_model(spiece)
        self.vocab = pieces_of(self._model)
        index = {piece: i for i, piece in enumerate(self.vocab)}
        missing = [token for token in REQUIRED if token not in index]
        if missing:
            raise BertrError(
                "vocabulary",
                f"The SentencePiece model has no {' and no '.join(missing)}.",
                "Is this the model of an ALBERT checkpoint?",
            )
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = (index[token] for token in REQUIRED)
        self.mask_id = index.get("[MASK]")
        self._special = {token: index[token] for token in self.literals if keep_special and token in index}
        self._literals = any_of(self._special)
        self._unit = re.compile("``|''|." if quotes else ".", re.DOTALL)
        self._numbers = {
            i: self._without_comma(piece)
            for i, piece in enumerate(self.vocab)
            if piece[-1:] == "," and piece[-2:-1].isdigit()
        }
        self._blanks = {" ": True}

    def _without_comma(self, piece):
        """A piece like "9," as several pieces (id, number of characters): ALBERT splits a number before its comma."""
        number = self._model.encode(piece[:-1].replace(MARK, ""), out_type=str)
        if piece[0] != MARK and number[0][0] == MARK:
            number = number[1:] if len(number[0]) == 1 else [number[0][1:], *number[1:]]
        return [(self._model.piece_to_id(p), len(p.replace(MARK, ""))) for p in [*number, ","]]

    def inside_word(self, token: str) -> bool:
        """As in ALBERT's `create_pretraining_data.py`: numbers, marks and other scripts start a word."""
        return re.fullmatch("[A-Za-z]+", token) is not None

    def _words(self, ids):
        words = [MARK + self.vocab[i] if i == self.mask_id else self.vocab[i] for i in ids]
        return "".join(words).replace(MARK, " ").strip()

    # ------------------------------------------------------------ ids

    def _rows(self, texts):
        parts = [self._parts(text) for text in texts]
        plain = [self._normalise(part) for row in parts for part in row if part not in self._special]
        encoded = iter(self._model.encode(plain))
        return [int32([i for part in row for i in self._ids(part, encoded)]) for row in parts]

    def _parts(self, text):
        """The text split at its special tokens, which are separate parts."""
        return self._literals.split(text) if self._literals.search(text) else [text]

    def _ids(self, part, encoded):
        if part in self._special:
            return [self._special[part]]
        ids = next(encoded)
        if self._numbers.keys().isdisjoint(ids):
            return ids
        return [part_id for i in ids for part_id, _ in self._numbers.get(i, [(i, 0)])]

    def _normalise(self, text):
        """The text as SentencePiece gets it."""
        text = " ".join(text.split())
        if self.quotes:
            text = text.replace("``", '"').replace("''", '"')
        return self._fold(text)

    def _fold(self, text):
        if text.isascii():
            return text.lower() if self.lower_case else text
        if not self.keep_accents:
            text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
        if self.lower_case:
            text = text.replace("\u03a3", "\u03c3").lower()  # character by character: no final sigma
        return _SURROGATE.sub("\ufffd", text)

    # ------------------------------------------------------------ places

    def _offsets(self, texts, counts, kept):
        spans = [span for text, n in zip(texts, kept, strict=True) for span in self._spans(text)[:n]]
        return np.array(spans, np.int32).reshape(-1, 2)

    def _spans(self, text):
        """(start, end) of every piece. A piece that is only the space before a word (because "(" is a separate piece)
        gets the word's first character."""
        out, at = [], 0
        for part in self._parts(text):
            if part in self._special:
                out.append((at, at + len(part)))
            else:
                normal, starts, ends = self._trace(part)
                for i, first, last in self._real_pieces(normal):
                    out += [(at + starts[a], at + ends[b]) for a, b in self._cut_number(i, first, last)]
            at += len(part)
        return out

    def _trace(self, text):
        """The normalised text, and the start and end in `text` of each of its characters."""
        out, starts, ends = [], [], []
        for found in re.finditer(r"\S+", text):
            word, at = found.group(), found.start()
            if out:
                out.append(" ")
                starts.append(at)
                ends.append(at)
            if word.isascii() and "``" not in word and "''" not in word:
                out.append(self._fold(word))
                starts += range(at, at + len(word))
                ends += range(at + 1, at + 1 + len(word))
                continue
            for unit in self._unit.finditer(word):
                new = '"' if len(unit.group()) == 2 else self._fold(unit.group())
                out.append(new)
                starts += [at + unit.start()] * len(new)
                ends += [at + unit.end()] * len(new)
        return "".join(out), starts, ends

    def _real_pieces(self, normal):
        """(id, first, last character in `normal`) of every piece, without the spaces before it."""
        chars = np.cumsum([len(c.encode()) for c in normal]).tolist() if not normal.isascii() else None
        place = {0: 0, **{end: i + 1 for i, end in enumerate(chars)}} if chars else range(len(normal) + 1)
        for i, start, end in _read_pieces(self._model.encode(normal, out_type="serialized_proto")):
            first, last = place[start], place[end] - 1
            while first < len(normal) - 1 and self._is_blank(normal[first]):
                first += 1
            while last > first and self._is_blank(normal[last]):
                last -= 1
            yield i, first, max(first, last)

    def _is_blank(self, char):
        """Whether SentencePiece treats a character as a space or drops it."""
        if char not in self._blanks:
            self._blanks[char] = not "".join(self._model.encode(char, out_type=str)).strip(MARK)
        return self._blanks[char]

    def _cut_number(self, i, first, last):
        """(first, last) characters of a piece, or of the pieces that `_numbers` splits it into."""
        for _, length in self._numbers.get(i, [(i, 0)])[:-1]:
            yield first, max(first, min(first + length, last) - 1)
            first = min(first + length, last)
        yield first, last


def open_model(spiece: bytes) -> Any:
    """The SentencePiece model in these bytes."""
    try:
        import sentencepiece
    except ImportError:
        raise BertrError(
            "sentencepiece",
            "This model's tokenizer needs the Python package sentencepiece, which is not installed.",
            'Install it with reticulate::py_install("sentencepiece") or `pip install sentencepiece` and restart R.',
        ) from None
    try:
        model = sentencepiece.SentencePieceProcessor()
        model.load_from_serialized_proto(spiece)
        return model
    except Exception:  # the type depends on the version, and the message is about C++
        raise BertrError(
            "vocabulary", "The SentencePiece model could not be read: it is damaged or cut short.", COPY_AGAIN
        ) from None


def pieces_of(model: Any) -> list[str]:
    """A SentencePiece model's vocabulary."""
    return [model.id_to_piece(i) for i in range(model.get_piece_size())]


# ---------------------------------------------------------------- SentencePieceText, a protocol buffer


def _read_pieces(data):
    """(id, start, end) of every piece, in bytes. Parsed by hand, because this is the only interface for offsets that is
    the same in all versions of sentencepiece. Format: google/sentencepiece `src/sentencepiece.proto`."""
    for number, value in read_fields(data):
        if number == 2:
            piece = dict(read_fields(value))
            yield piece[2], piece.get(4, 0), piece.get(5, 0)


def read_fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of the fields of a protocol buffer."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _varint(data, at) if tag & 7 in (0, 2) else (4, at)
        if tag & 7:  # `value` bytes follow
            value, at = data[at : at + value], at + value
        yield tag >> 3, value


def _varint(data, at):
    value = shift = 0
    while data[at] & 128:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return value | data[at] << shift, at + 1
