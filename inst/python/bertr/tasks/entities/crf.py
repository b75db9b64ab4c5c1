"""Linear-chain conditional random fields (Lafferty et al. 2001): every label has a score at its position, and every
pair of neighbouring labels has one. The score of a label sequence is their sum, its probability the softmax over all
sequences of the text.

The loss is for graphs; decoding is in numpy.
"""

from typing import Any

import numpy as np
from keras import ops

from ...kernels.fold import fold

NUMBERS_AT_ONCE = 2**18  # entries of [rows, labels, labels] in decoding


def negative_log_likelihood(label_ids: Any, scores: Any, transitions: Any, real: Any) -> Any:
    """Negative log-likelihood of each row's labels; 0 for an empty row.

    Args:
        label_ids: int [batch, longest].
        scores: float [batch, longest, labels].
        transitions: float [from, to].
        real: float [batch, longest], 1, but 0 after a row's last position.

    Returns:
        Tensor [batch].
    """
    labels = scores.shape[-1]
    picked = ops.take_along_axis(scores, label_ids[..., None], axis=-1)[..., 0]
    pairs = ops.take(ops.reshape(transitions, (-1,)), label_ids[:, :-1] * labels + label_ids[:, 1:])
    total = ops.sum(picked * real, axis=1) + ops.sum(pairs * real[:, 1:], axis=1)

    def step(before, at):  # log-sum over all sequences that end in each label, [batch, labels]
        score, here = at
        after = ops.logsumexp(before[:, :, None] + transitions, axis=1) + score
        return ops.where(here[:, None] > 0, after, before)

    rest = ops.transpose(scores[:, 1:], (1, 0, 2)), ops.transpose(real[:, 1:])
    partition = ops.logsumexp(fold(step, scores[:, 0], rest), axis=1)
    return (partition - total) * real[:, 0]


class Chains:
    """Scores [positions, labels], where text i has the positions [splits[i]:splits[i + 1]], and `transitions` [from,
    to]. Sequences are restricted to pairs in `allowed`, bool [from, to], and initial labels in `first`, bool
    [labels]."""

    def __init__(
        self,
        scores: np.ndarray,
        splits: np.ndarray,
        transitions: np.ndarray | float,
        allowed: np.ndarray,
        first: np.ndarray,
    ):
        self.scores, self.splits = scores.astype(np.float64), splits
        self.transitions = np.where(allowed, transitions, -np.inf)
        self.first = np.where(first, 0.0, -np.inf)

    def best(self) -> np.ndarray:
        """The most probable labels (Viterbi): int32 [positions]."""
        out = np.zeros(len(self.scores), np.int32)
        for scores, lengths, places in self._batches():
            out[places] = _viterbi(scores, lengths, self.transitions, self.first)
        return out

    def log_probability(self, label_ids: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Marginal log-probability of the labels of spans, summed over all labels outside.

        Args:
            label_ids: int [positions].
            begin, end: int [spans], the first and last position of each; both are in the same text.

        Returns:
            float64 [spans].
        """
        into, out, along = np.zeros((3, len(self.scores)))
        for scores, lengths, places in self._batches():
            inside = np.arange(scores.shape[1]) < lengths[:, None]
            path = np.zeros(inside.shape, np.int64)
            path[inside] = label_ids[places]
            steps = _forward_backward(scores, lengths, self.transitions, self.first, path)
            into[places], out[places], along[places] = (x[inside] for x in steps)
        so_far = np.cumsum(along)
        return into[begin] + so_far[end] - so_far[begin] + out[end]

    def negative_log_likelihood(self, label_ids: np.ndarray) -> float:
        """The sum over all texts, from `label_ids`, int [positions]."""
        first = self.splits[:-1][np.diff(self.splits) > 0]
        last = self.splits[1:][np.diff(self.splits) > 0] - 1
        return -float(self.log_probability(label_ids, first, last).sum())

    def _batches(self):
        """(scores [rows, longest, labels], lengths [rows], positions) of batches of texts, the longest first."""
        lengths = np.diff(self.splits)
        filled = np.flatnonzero(lengths)
        labels = self.scores.shape[1]
        rows_at_once = max(1, NUMBERS_AT_ONCE // labels**2)
        order = filled[np.argsort(-lengths[filled], kind="stable")]
        for at in range(0, len(order), rows_at_once):
            rows = order[at : at + rows_at_once]
            longest = int(lengths[rows[0]])
            inside = np.arange(longest) < lengths[rows, None]
            places = (self.splits[rows, None] + np.arange(longest))[inside]
            scores = np.zeros((*inside.shape, labels))
            scores[inside] = self.scores[places]
            yield scores, lengths[rows], places


def _going(lengths):
    """The number of rows longer than 0, 1, ...; lengths are descending."""
    return (lengths[None, :] > np.arange(lengths[0])[:, None]).sum(axis=1)


def _viterbi(scores, lengths, transitions, first):
    """Labels of all rows, concatenated."""
    rows, longest, labels = scores.shape
    going, came_from = _going(lengths), np.zeros((longest, rows, labels), np.int32)
    best = scores[:, 0] + first
    for t in range(1, longest):
        n = going[t]
        each = best[:n, :, None] + transitions
        came_from[t, :n] = each.argmax(axis=1)
        best[:n] = each.max(axis=1) + scores[:n, t]
    path = np.zeros((rows, longest), np.int32)
    path[np.arange(rows), lengths - 1] = best.argmax(axis=1)
    for t in range(longest - 1, 0, -1):
        n = going[t]
        path[:n, t - 1] = came_from[t, np.arange(n), path[:n, t]]
    return path[np.arange(longest) < lengths[:, None]]


def _forward_backward(scores, lengths, transitions, first, path):
    """Log values along `path`, all [rows, longest]: normalized forward and backward probabilities at each position's
    label, and the factor of each step."""
    rows, longest, labels = scores.shape
    going = _going(lengths)
    weights, pair = np.exp(scores - scores.max(axis=2, keepdims=True)), np.exp(transitions - transitions.max())
    forward, backward = np.zeros_like(weights), np.ones_like(weights)
    size = np.ones((rows, longest))
    for t in range(longest):
        n = going[t]
        before = forward[:n, t - 1] @ pair if t else np.exp(first)
        forward[:n, t] = before * weights[:n, t]
        size[:n, t] = forward[:n, t].sum(axis=1)
        forward[:n, t] /= size[:n, t, None]
    for t in range(longest - 2, -1, -1):
        n = going[t + 1]
        backward[:n, t] = (weights[:n, t + 1] * backward[:n, t + 1]) @ pair.T / size[:n, t + 1, None]
    tiny = np.finfo(np.float64).tiny
    at = np.arange(rows)[:, None], np.arange(longest), path
    share = np.log(np.maximum(weights[at], tiny)) - np.log(size)
    share[:, 1:] += np.log(np.maximum(pair[path[:, :-1], path[:, 1:]], tiny))
    return np.log(np.maximum(forward[at], tiny)), np.log(np.maximum(backward[at], tiny)), share
