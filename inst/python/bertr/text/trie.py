"""Finds all strings of a vocabulary at all places of a text at once."""

from collections.abc import Iterator

import numpy as np

CHAR_BITS = 21  # of a code point
NO_CHAR = 2**CHAR_BITS - 1  # larger than any code point
_EMPTY = -1
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio (Knuth, The Art of Computer Programming 3, 6.4)


def code_points(text: str) -> np.ndarray:
    """int64 [characters]"""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)


class Trie:
    """A trie whose edges are in a hash table with linear probing: the slot of the edge (node, character) is the number
    of the node that it leads to. Edges are compared as a whole, so equal hashes do no harm.

    Args:
        ids: the id of each string.
    """

    def __init__(self, ids: dict[str, int]):
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        codes = code_points("".join(ids))
        starts = np.cumsum(lengths) - lengths
        bits = len(codes).bit_length()  # more slots than edges, as strings share their first ones
        self._root, self._shift = 2**bits, np.uint64(64 - bits)
        self._edges = np.full(2**bits, _EMPTY, np.int64)
        node, depth = np.full(len(ids), self._root), 0
        longer = np.flatnonzero(lengths)
        while len(longer):
            node[longer] = self._add(_edge(node[longer], codes[starts[longer] + depth]))
            depth += 1
            longer = longer[lengths[longer] > depth]
        self._ids = np.full(2**bits + 1, -1, np.int32)
        self._ids[node] = np.fromiter(ids.values(), np.int32, len(ids))

    def matches(self, codes: np.ndarray, starts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(starts, ids) of the strings of 1, 2, ... characters that begin at some of the `starts` in `codes`, which end
        with NO_CHAR."""
        node, length = self._root, 0
        while len(starts):
            node, known = self._find(_edge(node, codes[starts + length]))
            known = np.flatnonzero(known)  # faster than a mask that is used twice
            node, starts = node[known], starts[known]
            length += 1
            ids = self._ids[node]
            whole = np.flatnonzero(ids >= 0)
            yield starts[whole], ids[whole]

    def _add(self, edges):
        """The slot of each edge. Of several new edges with the same free slot the one written last gets it."""
        slots, known = self._find(edges)
        while not known.all():
            self._edges[slots[~known]] = edges[~known]
            slots, known = self._find(edges)
        return slots

    def _find(self, edges):
        """(the slot of each edge, or a free one for it; whether the edge is there)"""
        slots = (edges.view(np.uint64) * _MIX >> self._shift).view(np.int64)
        there = self._edges[slots]
        known = there == edges
        others = np.flatnonzero(~known & (there != _EMPTY))  # in slots of other edges
        while len(others):
            slots[others] = at = slots[others] + 1 & self._root - 1
            there = self._edges[at]
            known[others] = same = there == edges[others]
            others = others[~same & (there != _EMPTY)]
        return slots, known


def _edge(node, code):
    return node << CHAR_BITS | code
