"""Encodes texts into rows for the encoder: one per text or pair, or several, which `nn/join.py` joins again."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BertrError
from ..text.windows import head_and_tail, windows

if TYPE_CHECKING:
    from ..text.encodings import Encodings
    from .base import Task

OVERLAP = 0.25  # share of a window that overlaps the next one


def encode(
    model: Any,
    task: "Task",
    head_options: dict[str, Any],
    a: Any,
    b: list[str] | None,
    max_len: int,
    pieces: bool = False,
) -> "Encodings":
    """The Encodings of texts or pairs for a task with this head; with `pieces` `start` and `end` are those of every
    piece.

    Raises:
        BertrError: max_len, pairs.
    """
    if head_options["pair"] == "cosine":
        return _each_alone(model, a, b, max_len, pieces)
    long = head_options["long"]
    if long == "truncate" or task.per_token:
        return (task.pieces if pieces else task.encode)(model, a, b, max_len)
    whole = model.encode_whole(a, b, offsets=pieces)
    if long == "head_tail":
        return head_and_tail(whole, max_len)
    return windows(whole, max_len, int(OVERLAP * max_len))


def _each_alone(model, a, b, max_len, offsets):
    """The texts of pairs as separate rows: a, b, a, b ..."""
    if b is None:
        raise BertrError(
            "pairs",
            "A head that compares two texts needs two text columns.",
            "Write both on the right-hand side, as in score ~ a + b.",
        )
    both = model.encode([text for pair in zip(a, b, strict=True) for text in pair], None, max_len, offsets)
    return dataclasses.replace(both, owner=np.repeat(np.arange(len(a), dtype=np.int32), 2))
