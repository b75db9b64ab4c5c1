"""Encoded texts with targets, from which batches are taken. A sample is one row, or all rows of a text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..text.ragged import row_numbers, splits

if TYPE_CHECKING:
    from ..text.encodings import Encodings
    from .base import Task

WINDOWS_AT_ONCE = 8  # most windows of a text in a training step, drawn at random each time: bounds memory


class Samples:
    """`grouped`: a sample is all rows with the same `encodings.owner`."""

    def __init__(self, encodings: "Encodings", targets: Any, task: "Task", grouped: bool, notes: Sequence[str] = ()):
        self.encodings, self.targets, self.task = encodings, targets, task
        self.notes = notes  # notes for the user about the targets
        self.first: Any = None  # of grouped samples: first row of each, and the end of the last
        self.lengths = encodings.lengths  # tokens of each sample
        if grouped:
            count = np.bincount(encodings.owner)
            self.first = np.concatenate([[0], np.cumsum(count)])
            self.lengths = np.add.reduceat(encodings.lengths, self.first[:-1])

    def __len__(self):
        return len(self.lengths)

    def batch(
        self, chosen: np.ndarray | list[int], rng: np.random.Generator
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """(targets, (ids, segments, mask[, first])) of the chosen samples, see `Network.call`."""
        if self.first is None:
            ids, segments, mask = self.encodings.pad(chosen)
            targets, ids = self.task.batch(self.targets, self.encodings, chosen, ids, rng)
            return targets, (ids, segments, mask)
        rows = [self._some_rows(i, rng) for i in chosen]
        first = splits(np.array([len(r) for r in rows])).astype(np.int32)
        return self.targets[chosen], (*self.encodings.pad(np.concatenate(rows)), first)

    def _some_rows(self, sample, rng):
        rows = np.arange(self.first[sample], self.first[sample + 1])
        return rows if len(rows) <= WINDOWS_AT_ONCE else np.sort(rng.choice(rows, WINDOWS_AT_ONCE, replace=False))

    def some(self, most: int, seed: int) -> "Samples":
        """At most `most` samples, drawn at random; not for tasks per token."""
        if len(self) <= most:
            return self
        return self.only(np.sort(np.random.default_rng(seed).permutation(len(self))[:most]))

    def only(self, chosen: np.ndarray) -> "Samples":
        """These samples; not for tasks per token."""
        return Samples(self.take(chosen), self.targets[chosen], self.task, self.first is not None)

    def take(self, chosen: np.ndarray) -> "Encodings":
        """The encodings of some samples, with owners renumbered from 0."""
        if self.first is None:
            return self.encodings.take(chosen)
        rows = [np.arange(self.first[i], self.first[i + 1]) for i in chosen]
        out = self.encodings.take(np.concatenate(rows))
        out.owner = row_numbers([len(r) for r in rows]).astype(np.int32)
        return out
