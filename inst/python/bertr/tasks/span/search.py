"""Spans of a context in encoded rows: conversion from characters to tokens, and search for the best spans.

Source: google-research/bert `run_squad.py`: windows without the answer have [CLS] as the target; scores are sums of two
logits, compared over the windows of a text; a span counts in the window with the most context around its start.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from ...text.ragged import sort_keys

if TYPE_CHECKING:
    from ...text.encodings import Encodings


@dataclasses.dataclass
class Contexts:
    """Positions of the last text of every row among all tokens: [first, stop). A span may start (`opens`) or end
    (`closes`) only at a token that shares no character with the neighbour outside."""

    first: np.ndarray  # int64 [rows]
    stop: np.ndarray  # int64 [rows]
    row: np.ndarray  # int64 [tokens]: the row of each token
    inside: np.ndarray  # bool [tokens]
    opens: np.ndarray  # bool [tokens]
    closes: np.ndarray  # bool [tokens]


def contexts(encodings: "Encodings") -> Contexts:
    """The Contexts of encoded rows; `encodings` has offsets of the last text."""
    start, end, row = encodings.start, encodings.end, encodings.row
    stop = encodings.row_splits[1:] - 1  # the last [SEP]
    inside = (encodings.segments == encodings.segments[stop][row]) & (end > 0)
    # np.roll stays within a row, because [CLS] and [SEP] separate rows
    opens = inside & ~(np.roll(inside, 1) & (np.roll(end, 1) > start))
    closes = inside & ~(np.roll(inside, -1) & (np.roll(start, -1) < end))
    first = stop - np.bincount(row[inside], minlength=len(encodings))
    return Contexts(first, stop, row, inside, opens, closes)


def locate(where: Contexts, encodings: "Encodings", start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The tokens of spans of characters.

    Args:
        where: the Contexts of `encodings`.
        encodings: an Encodings with offsets.
        start, end: int [texts], the span [start, end) of each text; `end` is 0 if there is none.

    Returns:
        int64 [rows, 2]: first and last token, counted within each row. (0, 0), which is [CLS], if a text has no span or
        the row does not contain all of it.
    """
    n, text = len(encodings), encodings.text
    out = np.zeros((n, 2), np.int64)
    hit = np.flatnonzero(where.inside & (encodings.end > start[text]) & (encodings.start < end[text]))
    if not len(hit):
        return out
    rows, at = np.unique(where.row[hit], return_index=True)
    first, last = hit[at], hit[np.append(at[1:], len(hit)) - 1]
    index = np.arange(len(text))
    first = np.maximum.accumulate(np.where(where.opens, index, 0))[first]
    last = np.minimum.accumulate(np.where(where.closes, index, len(index))[::-1])[::-1][last]
    owner = encodings.owner[rows]
    begins, ends = np.full(len(start), np.iinfo(np.int32).max), np.zeros(len(start), np.int64)  # of the whole span
    np.minimum.at(begins, owner, encodings.start[first])
    np.maximum.at(ends, owner, encodings.end[last])
    whole = (encodings.start[first] == begins[owner]) & (encodings.end[last] == ends[owner])
    out[rows[whole]] = (np.stack([first, last], axis=1) - encodings.row_splits[rows][:, None])[whole]
    return out


def fullest(where: Contexts, encodings: "Encodings") -> np.ndarray:
    """Bool [tokens]: the tokens at which spans may start, each once per text. If several rows contain one, the row with
    the most characters on its shorter side is taken."""
    at = np.flatnonzero(where.opens)
    row = where.row[at]
    start = encodings.start[at].astype(np.int64)
    around = np.minimum(start - encodings.start[where.first[row]], encodings.end[where.stop[row] - 1] - start)
    key = sort_keys(encodings.owner[row], start)
    order = np.lexsort((-around, key))
    best = order[np.append(True, key[order][1:] != key[order][:-1])] if len(order) else order
    out = np.zeros(len(where.opens), bool)
    out[at[best]] = True
    return out


def best_spans(begin: np.ndarray, close: np.ndarray, longest: int, most: int) -> tuple[Any, Any, np.ndarray, Any]:
    """The best spans of a row.

    Args:
        begin, close: float [n], scores of first and last tokens, -inf where not allowed.
        longest: most tokens of a span.
        most: most spans of the result.

    Returns:
        (first, last, score, total): int, int and float [spans], best first, and log(sum(exp(score))) over all spans.
    """
    n, longest = len(begin), min(longest, len(begin))
    if n:
        closes = np.append(close, np.full(longest - 1, -np.inf))
        z = (begin[:, None] + np.lib.stride_tricks.sliding_window_view(closes, longest)).ravel()  # [n * longest]
        top = np.argpartition(-z, most)[:most] if len(z) > most else np.arange(len(z))
        top = top[np.argsort(-z[top], kind="stable")]
        top = top[z[top] > -np.inf]
    if not n or not len(top):
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0), -np.inf
    first = top // longest
    return first, first + top % longest, z[top], z[top[0]] + np.log(np.exp(z - z[top[0]]).sum())


@dataclasses.dataclass
class Found:
    """Results for one text: its best spans (score, start, end) in characters, best first; log(sum(exp(score))) over all
    its spans; and the score of no answer."""

    spans: list
    total: float = -np.inf
    none: float = np.inf


def search(outputs: np.ndarray, encodings: "Encodings", longest: int, most: int) -> list[Found]:
    """The best spans of all texts.

    Args:
        outputs: float [tokens, 2], scores of tokens as first and last of a span.
        encodings: an Encodings with offsets and owners.
        longest: most tokens of a span.
        most: most spans of a text.

    Returns:
        A list of Found, one for every text.
    """
    where, z = contexts(encodings), outputs.astype(np.float64)
    begin = np.where(fullest(where, encodings), z[:, 0], -np.inf)
    close = np.where(where.closes, z[:, 1], -np.inf)
    none = z[encodings.row_splits[:-1]].sum(axis=1)  # both at [CLS]
    out = [Found([]) for _ in range(int(encodings.owner[-1]) + 1)]
    for row, text in enumerate(encodings.owner):
        part, found = slice(where.first[row], where.stop[row]), out[text]
        first, last, score, total = best_spans(begin[part], close[part], longest, most)
        start, end = encodings.start[part][first], encodings.end[part][last]
        found.spans += zip(score.tolist(), start.tolist(), end.tolist(), strict=True)
        found.total = np.logaddexp(found.total, total)
        found.none = min(found.none, none[row])
    for found in out:
        found.spans = sorted(found.spans, key=lambda span: (-span[0], *span[1:]))[:most]
    return out
