"""Tokenizers that process each chunk of a text independently."""

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import BertrError
from .added_tokens import AddedTokens
from .basic import WHITE_SPACE
from .encodings import TextEncoder
from .ragged import positions, splits

CACHE_SIZE = 2**16  # chunks, about 13 MB
ROOM = 2**19  # characters of texts whose chunks are computed together
LONGEST_CACHED = 64  # characters; longer chunks rarely repeat


class ChunkEncoder(TextEncoder):
    """The ids of a chunk are computed once and cached.

    A subclass sets `vocab` before and these functions after its call of `__init__`: `_chunks(text)` returns the chunks,
    `_starts(text)` the start of each; `_ids_of(chunk)` the ids as int32 bytes, `_spans_of(chunk)` the start and end of
    each piece; or both as lists, of a list of chunks, if `many`.

    Args:
        added: list of dicts, as `AddedTokens` takes them.
        normalise: returns (normalised text, source index of each character).

    Raises:
        BertrError: vocabulary (an added token is not in the vocabulary under its id).
    """

    _chunks: Callable[[str], list[str]]
    _starts: Callable[[str], Any]
    many = False  # whether `_ids_of` and `_spans_of` take many chunks at once
    trims_added = False  # whether places of added tokens leave out the white space that these include, as in RoBERTa

    def __init__(self, added: list[dict[str, Any]], normalise: Callable[[str], tuple[str, Sequence[int]]]):
        _check_added(added, self.vocab)
        self._normalise = normalise
        self._added = AddedTokens(added, normalise)
        cache = _CacheOfMany if self.many else _Cache
        self._ids = cache(self._ids_of)
        self._spans = cache(self._spans_of)

    def _ids_of(self, chunk):
        raise NotImplementedError

    def _spans_of(self, chunk):
        raise NotImplementedError

    def _rows(self, texts):
        out = []
        for part in _parts(texts):
            chunks = list(map(self._chunks, part))
            ids = iter(self._ids.of(list(itertools.chain.from_iterable(chunks))))
            out += [b"".join(itertools.islice(ids, len(row))) for row in chunks]
        return out

    def _offsets(self, texts, counts, kept):
        chunks = list(map(self._chunks, texts))
        flat = list(itertools.chain.from_iterable(chunks))
        spans = self._spans.of(flat)
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

    def _with_added(self, text, pieces):
        """(id, start, end) of added tokens, and the `pieces(normal, source)` of the normalised text between them."""
        out = []
        for token, start, end in self._added.split_raw(text):
            if token is not None:
                out.append((token, *self._place(text, start, end)))
                continue
            normal, source = self._normalise(text[start:end])
            for i, first, last in self._added.split_normalised(normal):
                where = source[first:last]
                if start:
                    where = [start + place for place in where]
                if i is None:
                    out += pieces(normal[first:last], where)
                else:
                    out.append((i, *self._place(text, where[0], where[-1] + 1)))
        return out

    def _place(self, text, start, end):
        """The place of an added token."""
        return trimmed(text, start, end, WHITE_SPACE) if self.trims_added else (start, end)


class _Cache(dict):
    """Values of chunks as int32 bytes, computed at the first lookup; emptied when full."""

    def __init__(self, values: Callable[[str], bytes]):
        super().__init__()
        self._values = values

    def of(self, chunks: list[str]) -> list[bytes]:
        """The values of all chunks."""
        return list(map(self.__getitem__, chunks))

    def __missing__(self, chunk):
        out = self._values(chunk)
        if len(chunk) <= LONGEST_CACHED:
            if len(self) >= CACHE_SIZE:
                self.clear()
            self[chunk] = out
        return out


class _CacheOfMany(dict):
    """Values of chunks as int32 bytes. `values` takes many chunks: new ones are computed in one call. The newest ones
    are kept."""

    def __init__(self, values: Callable[[list[str]], list[bytes]]):
        super().__init__()
        self._values = values

    def of(self, chunks: list[str]) -> list[bytes]:
        """The values of all chunks."""
        found: list[Any] = list(map(self.get, chunks))
        new = list(dict.fromkeys(itertools.compress(chunks, map(operator.is_, found, itertools.repeat(None)))))
        if not new:
            return found
        values = dict(zip(new, self._values(new), strict=True))
        self.update((chunk, value) for chunk, value in values.items() if len(chunk) <= LONGEST_CACHED)
        for chunk in list(itertools.islice(self, max(0, len(self) - CACHE_SIZE))):
            del self[chunk]
        return [values[chunk] if value is None else value for chunk, value in zip(chunks, found, strict=True)]


def _parts(texts):
    """The texts in groups of about ROOM characters."""
    part, size = [], 0
    for text in texts:
        part.append(text)
        size += len(text)
        if size >= ROOM:
            yield part
            part, size = [], 0
    yield part


def _check_added(added, vocab):
    wrong = next((token for token in added if vocab[token["id"] : token["id"] + 1] != [token["content"]]), None)
    if wrong:
        raise BertrError(
            "vocabulary",
            f"The added token '{wrong['content']}' is not in the vocabulary under its id {wrong['id']}.",
            "Save or fit it again.",
        )


def trimmed(text: str, start: int, end: int, spaces: str) -> tuple[int, int]:
    """(start, end) without the spaces at both ends; both are `end` if nothing else is there."""
    part = text[start:end]
    start = end - len(part.lstrip(spaces))
    return start, max(start, end - len(part) + len(part.rstrip(spaces)))


def whole_or(chunks: Callable[[str], Any], is_whole: Callable[[str], bool]) -> Callable[[str], Any]:
    """A function that splits a text into chunks, unless `is_whole(text)`: then the text is one chunk."""
    return lambda text: [text] if is_whole(text) else chunks(text)


def required(index: dict[str, int], special: dict[str, str], hint: str) -> list[int]:
    """The ids of the special tokens pad, unk, cls and sep.

    Args:
        index: the id of every token.
        special: the names of the special tokens.
        hint: for the error.

    Raises:
        BertrError: vocabulary (a token is missing).
    """
    names = [special[kind] for kind in ("pad", "unk", "cls", "sep")]
    missing = [name for name in names if name not in index]
    if missing:
        raise BertrError("vocabulary", f"The vocabulary has no {' and no '.join(missing)}.", hint)
    return [index[name] for name in names]
