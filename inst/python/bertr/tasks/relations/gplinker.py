"""Relations in one pass: an entity pointer finds spans that are heads or tails; two more pointers link the first tokens
and the last tokens of head and tail, with one kind per relation.

Sources: GPLinker (Su 2022, https://kexue.fm/archives/8888) with efficient GlobalPointers (Su et al. 2022,
arXiv:2208.03054), the multilabel cross-entropy of https://kexue.fm/archives/7359, rotary positions of Su et al. 2021
(arXiv:2104.09864).
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ...nn.heads import ACTIVATIONS, DenseHead

SIZE = 64  # of the queries and keys of a pointer
PRIOR = -7.0  # initial value of every score: fewer than one pair in a thousand is right, and learning that takes long
MASKED = -1e9
LEAST = 1e-30  # lower bound for arguments of log
MOST = 100  # heads and tails per row to link, best first: an untrained model accepts half of all spans


class PointerHead(keras.layers.Layer):
    """For every token and pointer a query and a key, and for every kind of pair two biases: as first and as second
    token. The score of tokens i and j for a kind is `query_i . key_j + first_i + second_j`."""

    def __init__(
        self,
        kinds: Sequence[int],
        units: list[int],
        dropout: float,
        seed: int,
        activation: str = ACTIVATIONS[0],
        **kwargs: Any,
    ):
        """`kinds`: number of kinds of each pointer."""
        super().__init__(dtype="float32", **kwargs)
        self.project = DenseHead(2 * SIZE * len(kinds), units, dropout, seed, activation, name="project")
        self.biases = [
            keras.layers.Dense(
                2 * n,
                kernel_initializer=keras.initializers.GlorotUniform(seed + 101 + i),
                bias_initializer=keras.initializers.Constant(PRIOR),
                name=f"bias_{i}",
                dtype=self.dtype_policy,
            )
            for i, n in enumerate(kinds)
        ]

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.project.build(shape)
        for layer in self.biases:
            layer.build((None, 2 * SIZE))
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        """[batch, length, hidden] -> [batch, length, sum of 2 * (SIZE + kinds)]."""
        x, out = self.project(x, training=training), []
        for i, layer in enumerate(self.biases):
            both = x[..., 2 * SIZE * i : 2 * SIZE * (i + 1)]
            query, key = both[..., :SIZE] / SIZE**0.5, both[..., SIZE:]
            if i == 0:  # rotary positions: the end of an entity depends on its start
                query, key = rotate(query), rotate(key)
            out += [query, key, layer(both) / 2.0]
        return ops.concatenate(out, axis=-1)


def rotate(x: Any) -> Any:
    """Rotary position embedding of [..., length, size]: dot products depend only on the distance of positions."""
    half = x.shape[-1] // 2
    speed = 10000.0 ** (-np.arange(half, dtype=np.float32) / half)
    angle = ops.cast(ops.arange(ops.shape(x)[-2]), "float32")[:, None] * speed  # [length, half]
    a, b, cos, sin = x[..., :half], x[..., half:], ops.cos(angle), ops.sin(angle)
    return ops.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def split(outputs: Any, kinds: Sequence[int]) -> list[tuple[Any, ...]]:
    """The parts of the outputs of a PointerHead.

    Args:
        outputs: float [..., length, sum of 2 * (SIZE + kinds)], a tensor or array.
        kinds: number of kinds of each pointer.

    Returns:
        (query, key, first, second) of each pointer: [..., length, SIZE] twice, [..., length, kinds] twice.
    """
    at, out = 0, []
    for n in kinds:
        ends = np.cumsum([at, SIZE, SIZE, n, n]).tolist()
        out.append(tuple(outputs[..., a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)))
        at = ends[-1]
    return out


class GPLinker:
    """Loss and decoding of heads, relations and tails; rows are [CLS] text [SEP]."""

    def __init__(self, relations: int):
        self.kinds = (2, relations, relations)  # head and tail; one kind per relation, twice

    def head(self, units: list[int], dropout: float, seed: int, activation: str) -> PointerHead:
        return PointerHead(self.kinds, units, dropout, seed, activation, name="head")

    def sample(self, triples: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
        """There is nothing to sample."""
        return -1, -1

    def loss(self, info: Any, triples: Any, outputs: Any) -> Any:
        """The loss of each row, [batch]; info[:, 0] is its length, triples are [batch, most, 5]."""
        place = ops.arange(ops.shape(outputs)[1])
        real = (place > 0) & (place < info[:, :1] - 1)  # [batch, length], neither [CLS] nor [SEP]
        pairs = real[:, :, None] & real[:, None, :]
        h_start, h_end, relation, t_start, t_end = (triples[:, :, i] for i in range(5))
        there = relation >= 0
        kind = ops.concatenate([ops.where(there, 0, -1), ops.where(there, 1, -1)], axis=1)
        first, second = ops.concatenate([h_start, t_start], axis=1), ops.concatenate([h_end, t_end], axis=1)
        entity, starts, ends = split(outputs, self.kinds)
        return (
            pointer_loss(entity, pairs & (place[:, None] <= place), kind, first, second)
            + pointer_loss(starts, pairs, relation, h_start, t_start)
            + pointer_loss(ends, pairs, relation, h_end, t_end)
        )

    def decode(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Triples [n, 5] of one row's tokens and their scores [n], from 0.5 to 1; `outputs` [length, ...], numpy."""
        entity, starts, ends = split(outputs[1:-1], self.kinds)
        allowed = np.triu(np.ones((len(outputs) - 2,) * 2, bool))
        query, key, first, second = entity
        scores = np.where(allowed, query @ key.T, MASKED)
        (hs, he, heads), (ts, te, tails) = (_best(scores + first[:, [k]] + second[:, k]) for k in (0, 1))
        # [heads, tails, relations]: the minimum of all scores of a triple
        least = np.minimum(heads[:, None], tails)[:, :, None]
        for (query, key, first, second), h, t in ((starts, hs, ts), (ends, he, te)):
            link = (query[h] @ key[t].T)[:, :, None] + first[h][:, None] + second[t]
            least = np.minimum(least, link)
        h, t, relation = np.nonzero(least > 0)
        triples = np.column_stack([hs[h] + 1, he[h] + 1, relation, ts[t] + 1, te[t] + 1])
        return triples, 1.0 / (1.0 + np.exp(-least[h, t, relation].astype(np.float64)))


def _best(scores):
    """(first tokens, last tokens, scores) of the best MOST spans with a score above 0."""
    i, j = np.nonzero(scores > 0)
    best = np.argsort(-scores[i, j], kind="stable")[:MOST]
    return i[best], j[best], scores[i, j][best]


def pointer_loss(pointer: tuple[Any, ...], allowed: Any, kind: Any, first: Any, second: Any) -> Any:
    """Multilabel cross-entropy of every kind's score matrix, summed over kinds: [batch].

    `log(1 + sum of exp(s) over wrong pairs) + log(1 + sum of exp(-s) over right pairs)`, which pushes scores of right
    pairs above 0 and those of wrong pairs below. A score is q.k + a + b, so the sum of exp(a) exp(q.k) exp(b) over a
    matrix is a matrix product: memory holds [length, length] and [kinds, length], never [kinds, length, length].

    Args:
        pointer: (query, key, first, second), see `split`.
        allowed: bool [batch, length, length].
        kind, first, second: int [batch, n], the right pairs, -1 for none.

    Returns:
        Tensor [batch].
    """
    query, key, a, b = pointer
    length, kinds = ops.shape(a)[1], a.shape[2]
    a, b = ops.swapaxes(a, 1, 2), ops.swapaxes(b, 1, 2)  # [batch, kinds, length]
    scores = ops.where(allowed, ops.matmul(query, ops.swapaxes(key, 1, 2)), MASKED)  # [batch, length, length]
    at_kind, at_first, at_second = (  # [batch, n, ...], zeros where there is no pair
        ops.one_hot(x, n, dtype="float32") for x, n in ((kind, kinds), (first, length), (second, length))
    )

    # the row of scores that contains each right pair, [batch, n, length]
    line = (
        ops.matmul(at_first, scores)
        + ops.matmul(at_kind, b)
        + ops.sum(ops.matmul(at_first, ops.swapaxes(a, 1, 2)) * at_kind, axis=-1, keepdims=True)
    )
    there = (kind >= 0)[:, :, None]
    same_line = _equal(kind) & _equal(first) & there  # [batch, n, n]
    right = ops.matmul(ops.cast(same_line, "float32"), at_second) > 0  # [batch, n, length]
    rest = ops.logsumexp(ops.where(right, MASKED, line), axis=-1, keepdims=True)  # of the wrong pairs in the row
    new_line, new_pair = ~_repeated(same_line) & there, ~_repeated(same_line & _equal(second)) & there  # [batch, n, 1]

    wrong = _lines(scores, allowed, a, b)  # [batch, kinds, length]
    by_kind = ops.swapaxes(at_kind, 1, 2)
    with_right = ops.matmul(by_kind, at_first) > 0
    wrong = ops.where(with_right, ops.matmul(by_kind, at_first * ops.where(new_line, rest, 0.0)), wrong)
    score = ops.sum(line * at_second, axis=-1, keepdims=True)  # [batch, n, 1]
    negative = ops.where(new_pair & (at_kind > 0), -score, MASKED)  # [batch, n, kinds]
    return ops.sum(ops.softplus(ops.logsumexp(wrong, axis=2)) + ops.softplus(ops.logsumexp(negative, axis=1)), axis=1)


def _lines(scores, allowed, a, b):
    """log(sum over j of exp(scores_ij + a_i + b_j)), [batch, kinds, length], stabilized by the maximum of each row.
    Terms below LEAST relative to it are lost, which matters only if b varies by 60 or more."""
    top = ops.stop_gradient(ops.max(scores, axis=2))  # [batch, length]
    top_b = ops.stop_gradient(ops.max(b, axis=2, keepdims=True))
    shares = ops.where(allowed, ops.exp(scores - top[:, :, None]), 0.0)
    sums = ops.matmul(ops.exp(b - top_b), ops.swapaxes(shares, 1, 2))  # [batch, kinds, length]
    lines = ops.log(ops.maximum(sums, LEAST)) + top[:, None] + a + top_b
    return ops.where(ops.any(allowed, axis=2)[:, None], lines, MASKED)


def _equal(x):  # [batch, n] -> [batch, n, n]
    return x[:, :, None] == x[:, None, :]


def _repeated(same):
    """Whether an earlier entry is the same: [batch, n, n] -> [batch, n, 1]."""
    n = ops.arange(ops.shape(same)[1])
    return ops.any(same & (n[:, None] > n), axis=2, keepdims=True)
