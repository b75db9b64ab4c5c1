"""Numbers pairs of integers from 0 to 2^31 - 2, many at once."""

import numpy as np

NONE = 2**31 - 1  # larger than any number in a pair
_EMPTY = -1
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio (Knuth, The Art of Computer Programming 3, 6.4)


class PairTable:
    """A hash table with linear probing; the number of a pair is its slot. Pairs are compared as a whole, so equal
    hashes do no harm.

    Args:
        most: the number of pairs is at most so large.
    """

    def __init__(self, most: int):
        bits = most.bit_length()  # at least one free slot
        self.size = 2**bits
        self._shift = np.uint64(64 - bits)
        self._pairs = np.full(self.size, _EMPTY, np.int64)

    def add(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """The number of each pair. Of several new pairs with the same free slot the one written last gets it."""
        slots, known = self.find(first, second)
        new = np.flatnonzero(~known)
        while len(new):
            self._pairs[slots[new]] = _joined(first[new], second[new])
            slots[new], known = self.find(first[new], second[new])
            new = new[~known]
        return slots

    def find(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(the number of each pair; whether it is there). Pairs that are not get a free slot."""
        pairs = _joined(first, second)
        slots = (pairs.view(np.uint64) * _MIX >> self._shift).view(np.int64)
        there = self._pairs[slots]
        known = there == pairs
        others = np.flatnonzero(~known & (there != _EMPTY))  # in slots of other pairs
        while len(others):
            slots[others] = at = slots[others] + 1 & self.size - 1
            there = self._pairs[at]
            known[others] = same = there == pairs[others]
            others = others[~same & (there != _EMPTY)]
        return slots, known


def _joined(first, second):
    return first << 32 | second
