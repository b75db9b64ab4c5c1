"""Finds all strings of a vocabulary at all places of a text at once."""

from collections.abc import Iterator

import numpy as np

from .pair_table import PairTable


def code_points(text: str) -> np.ndarray:
    """int64 [characters]"""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)


class Trie:
    """A trie whose edges are pairs (node, character); the number of an edge is that of the node that it leads to.

    Args:
        ids: the id of each string.
    """

    def __init__(self, ids: dict[str, int]):
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        codes = code_points("".join(ids))
        starts = np.cumsum(lengths) - lengths
        self._edges = PairTable(len(codes))  # fewer are needed, as strings share their first ones
        self._root = self._edges.size
        node, depth = np.full(len(ids), self._root), 0
        longer = np.flatnonzero(lengths)
        while len(longer):
            node[longer] = self._edges.add(node[longer], codes[starts[longer] + depth])
            depth += 1
            longer = longer[lengths[longer] > depth]
        self._ids = np.full(self._root + 1, -1, np.int32)
        self._ids[node] = np.fromiter(ids.values(), np.int32, len(ids))

    def matches(self, codes: np.ndarray, starts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(starts, ids) of the strings of 1, 2, ... characters that begin at some of the `starts` in `codes`, which end
        with NONE."""
        node, length = np.full(len(starts), self._root), 0
        while len(starts):
            node, known = self._edges.find(node, codes[starts + length])
            known = np.flatnonzero(known)  # faster than a mask that is used twice
            node, starts = node[known], starts[known]
            length += 1
            ids = self._ids[node]
            whole = np.flatnonzero(ids >= 0)
            yield starts[whole], ids[whole]
