"""Texts over the limit: split into overlapping windows, or shortened to head and tail.

Sources: Devlin et al. 2019 (windows over the context of a question, as in google-research/bert `run_squad.py`); Sun et
al. 2019, How to Fine-Tune BERT for Text Classification (head and tail).
"""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from .ragged import splits

if TYPE_CHECKING:
    from .encodings import Encodings

HEAD_SHARE = 0.25  # share of the tokens for the beginning of a text (Sun et al.: 128 of 510)


def windows(encodings: "Encodings", max_len: int, overlap: int) -> "Encodings":
    """Splits untruncated rows into windows of at most `max_len` tokens; neighbours share `overlap` tokens. In pairs
    only the second text is split, and every window starts with the first. `owner` is the text of each window."""
    return _rows_of(
        encodings,
        max_len,
        lambda n, room: [
            range(start, min(start + room, n)) for start in range(0, max(1, n - overlap), max(1, room - overlap))
        ],
    )


def head_and_tail(encodings: "Encodings", max_len: int) -> "Encodings":
    """Shortens rows to `max_len` tokens: the beginning and the end of each text, in pairs of the second text."""

    def ends(n, room):
        head = int(HEAD_SHARE * room)
        return [[*range(head), *range(n - room + head, n)]]

    out = _rows_of(encodings, max_len, ends)
    return dataclasses.replace(
        out, owner=None, n_truncated=int((encodings.lengths > max_len).sum()), full_lengths=encodings.full_lengths
    )


def _rows_of(encodings, max_len, choose):
    """`choose(n, room)` returns, for each row of a text, indices of at most `room` of the n tokens of the text that is
    split."""
    places, owner, cut = [], [], 0
    for row, length in enumerate(encodings.lengths.tolist()):
        start = int(encodings.row_splits[row])
        if length <= max_len:
            chosen = [np.arange(start, start + length)]
        else:
            last = int(encodings.segments[start + length - 1])  # the segment that is split
            body = start + int(np.searchsorted(encodings.segments[start : start + length], last)) + (last == 0)
            lead = np.arange(start, body)[: max(1, max_len // 2)]  # [CLS], or [CLS] and the first text with its [SEP]
            if lead[-1] != body - 1:  # a first text longer than half is truncated, but keeps its [SEP]
                seps = 1 + encodings.one_segment
                lead[-seps:] = range(body - seps, body)
                cut += 1
            n, end = start + length - 1 - body, start + length - 1  # excluding the last [SEP]
            room = max_len - len(lead) - 1
            chosen = [np.concatenate([lead, body + np.asarray(part, int), [end]]) for part in choose(n, room)]
        places += chosen
        owner += [row] * len(chosen)
    at = np.concatenate(places) if places else np.zeros(0, int)
    lengths = np.array([len(p) for p in places], np.int64)
    return dataclasses.replace(
        encodings,
        ids=encodings.ids[at],
        segments=encodings.segments[at],
        row_splits=splits(lengths),
        n_truncated=cut,
        full_lengths=lengths.astype(np.int32),
        start=None if encodings.start is None else encodings.start[at],
        end=None if encodings.end is None else encodings.end[at],
        owner=np.array(owner, np.int32),
    )
