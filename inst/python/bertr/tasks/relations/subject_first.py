"""Relations in two steps: all heads (subjects) of a text, then relations and tails (objects) of each head.

Source: the model of bojone/bert_in_keras (`relation_extract.py`); CasRel (Wei et al. 2020, arXiv:1909.03227) is
similar.
"""

from typing import Any

import numpy as np
from keras import ops

from ...nn.heads import DenseHead
from ..base import count_rows
from .gplinker import MOST

START, END = 0.0, float(np.log(0.4 / 0.6))  # logit thresholds: probability 0.5 for a start, 0.4 for an end


class SubjectFirst:
    """Outputs of a token: whether it is the first or last token of a head; then for each relation, whether it is the
    first or last token of a tail. The model averages the states at the head's first and last token and adds the mean to
    every state before the last layer. That layer is linear, so adding outputs is equivalent, and the head need not be
    known when the text is encoded.
    """

    def __init__(self, relations: int):
        self.relations = relations

    def head(self, units: list[int], dropout: float, seed: int, activation: str) -> DenseHead:
        return DenseHead(2 + 2 * self.relations, units, dropout, seed, activation, name="head")

    def sample(self, triples: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
        """Samples a head of a row, (first, last) token: a first token, then a last token not before it. They may belong
        to different heads; such a pair has no tails, a negative example."""
        if len(triples) == 0:
            return -1, -1
        heads = np.unique(triples[:, :2], axis=0)
        first = rng.choice(heads[:, 0])
        return first, rng.choice(heads[heads[:, 1] >= first, 1])

    def loss(self, info: Any, triples: Any, outputs: Any) -> Any:
        """The loss of each row, [batch], scaled so that the mean is the mean over all tokens of the batch. `info`
        [batch, 3]: length and sampled head."""
        length = ops.shape(outputs)[1]
        real = ops.cast(ops.arange(length) < info[:, :1], "float32")  # [batch, length]
        h_start, h_end, t_start, t_end = (
            ops.one_hot(triples[:, :, i], length, dtype="float32") for i in (0, 1, 3, 4)
        )  # [batch, n, length]
        heads = ops.stack([ops.max(h_start, axis=1), ops.max(h_end, axis=1)], axis=-1)  # [batch, length, 2]
        of_heads = ops.sum(_entropy(heads, outputs[..., :2]), axis=-1)

        chosen = ops.all(triples[:, :, :2] == info[:, None, 1:], axis=-1, keepdims=True)
        relation = ops.one_hot(triples[:, :, 2], self.relations, dtype="float32") * ops.cast(chosen, "float32")
        tails = ops.concatenate([ops.matmul(ops.swapaxes(t, 1, 2), relation) for t in (t_start, t_end)], axis=-1)
        subject = ops.sum(ops.one_hot(info[:, 1:], length, dtype="float32"), axis=1, keepdims=True) / 2.0
        logits = outputs[..., 2:] + ops.matmul(subject, outputs[..., 2:])
        of_tails = ops.sum(_entropy(ops.minimum(tails, 1.0), logits), axis=-1)

        has_head = real * ops.cast(info[:, 1:2] >= 0, "float32")  # rows without triples have no sampled head
        return count_rows(info[:, 0]) * (_share(of_heads, real) + _share(of_tails, has_head))

    def decode(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Triples [n, 5] of one row's tokens and their scores [n], from 0.4 to 1; `outputs` [length, ...], numpy."""
        z = outputs[1:-1].astype(np.float64)
        hs, he, heads = _spans(z[:, :1], z[:, 1:2])[:3]
        best = np.argsort(-heads, kind="stable")[:MOST]
        out, scores = [np.zeros((0, 5), np.int64)], [np.zeros(0)]
        for first, last, score in zip(hs[best], he[best], heads[best], strict=True):
            logits = z[:, 2:] + (z[first, 2:] + z[last, 2:]) / 2.0
            ts, te, tails, relation = _spans(logits[:, : self.relations], logits[:, self.relations :])
            ones = np.ones_like(ts)
            out.append(np.column_stack([(first + 1) * ones, (last + 1) * ones, relation, ts + 1, te + 1]))
            scores.append(np.minimum(score, tails))
        return np.concatenate(out), 1.0 / (1.0 + np.exp(-np.concatenate(scores)))


def _spans(starts, ends):
    """(first tokens, last tokens, minimum of both logits, kinds) of each start with the nearest end not before it, from
    logits [length, kinds]."""
    length = len(starts)
    place = np.where(ends > END, np.arange(length)[:, None], length)
    nearest = np.minimum.accumulate(place[::-1], axis=0)[::-1]  # [length, kinds]
    first, kind = np.nonzero((starts > START) & (nearest < length))
    last = nearest[first, kind]
    return first, last, np.minimum(starts[first, kind], ends[last, kind]), kind


def _entropy(labels, logits):
    return ops.softplus(logits) - labels * logits


def _share(values, weights):
    """The contribution of each row, [batch], to the weighted mean of [batch, length]."""
    return ops.sum(values * weights, axis=1) / ops.maximum(ops.sum(weights), 1.0)
