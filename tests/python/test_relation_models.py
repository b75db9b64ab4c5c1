"""GPLinker and the heads-first model: decoders and losses against brute force, the head against its definition."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from bertr.tasks.relations.gplinker import SIZE, GPLinker, PointerHead, pointer_loss, rotate, split
from bertr.tasks.relations.subject_first import SubjectFirst

# ---------------------------------------------------------------- decoding


def triples_of(found):
    return {tuple(t) for t in found[0].tolist()}


def test_gplinker_decodes_what_all_quadruples_give():
    rng, kinds = np.random.default_rng(1), (2, 3, 3)
    seen = 0
    for length in (2, 3, 6, 9):
        outputs = rng.normal(size=(length, 6 * SIZE + 2 * sum(kinds))).astype(np.float32)
        entity, starts, ends = (
            (query @ key.T)[:, :, None] + a[:, None] + b[None] for query, key, a, b in split(outputs, kinds)
        )
        expected = {}
        for hs, he, ts, te in itertools.product(range(1, length - 1), repeat=4):
            for r in range(3 if hs <= he and ts <= te else 0):
                least = min(entity[hs, he, 0], entity[ts, te, 1], starts[hs, ts, r], ends[he, te, r])
                if least > 0:
                    expected[hs, he, r, ts, te] = 1 / (1 + np.exp(-least))
        triples, scores = GPLinker(3).decode(outputs)
        assert triples_of((triples, scores)) == set(expected) and len(scores) == len(expected)
        np.testing.assert_allclose(scores, [expected[tuple(t)] for t in triples.tolist()], atol=1e-5)
        seen += len(expected)
    assert seen > 100


def test_the_best_spans_are_linked_where_there_are_too_many():
    outputs = np.random.default_rng(1).normal(size=(40, 6 * SIZE + 8)).astype(np.float32)
    outputs[:, 2 * SIZE : 2 * SIZE + 4] += 50
    triples, _ = GPLinker(1).decode(outputs)
    assert len(np.unique(triples[:, :2], axis=0)) <= 100 and len(triples) > 1000


def test_subject_first_decodes_what_all_heads_relations_and_tails_give():
    rng, relations = np.random.default_rng(2), 3
    seen = 0
    for length in (2, 3, 6, 9):
        z = rng.normal(size=(length, 2 + 2 * relations))

        def spans(start, end, last=length - 1):
            """(first, last) with a start above 0.5 and the nearest end above 0.4"""
            p, q = 1 / (1 + np.exp(-start)), 1 / (1 + np.exp(-end))
            for i in range(1, last):
                for j in range(i, last):
                    if q[j] > 0.4:
                        if p[i] > 0.5:
                            yield i, j, min(p[i], q[j])
                        break

        expected = {}
        for hs, he, p_head in spans(z[:, 0], z[:, 1]):
            with_head = z[:, 2:] + (z[hs, 2:] + z[he, 2:]) / 2
            for r in range(relations):
                for ts, te, p_tail in spans(with_head[:, r], with_head[:, relations + r]):
                    expected[hs, he, r, ts, te] = min(p_head, p_tail)
        triples, scores = SubjectFirst(relations).decode(z)
        assert triples_of((triples, scores)) == set(expected) and len(scores) == len(expected)
        np.testing.assert_allclose(scores, [expected[tuple(t)] for t in triples.tolist()], atol=1e-9)
        seen += len(expected)
    assert seen > 20


def test_adding_outputs_is_adding_states_before_a_linear_layer():
    rng = np.random.default_rng(3)
    t, w, b = rng.normal(size=(5, 7)), rng.normal(size=(7, 4)), rng.normal(size=4)
    z = t @ w + b / 2  # each output carries half of the bias
    np.testing.assert_allclose((t + (t[1] + t[3]) / 2) @ w + b, z + (z[1] + z[3]) / 2, atol=1e-12)


# ---------------------------------------------------------------- losses


def dense_loss(pointer, allowed, kind, first, second):
    """The definition, over the whole [kinds, length, length]."""
    query, key, a, b = pointer
    out = []
    for r in range(len(query)):
        scores = (query[r] @ key[r].T)[:, :, None] + a[r][:, None] + b[r][None]
        total = 0.0
        for k in range(a.shape[2]):
            right = {(i, j) for c, i, j in zip(kind[r], first[r], second[r], strict=True) if c == k}
            pairs = [(i, j) for i, j in np.argwhere(allowed[r]).tolist()]
            total += np.log1p(sum(np.exp(scores[i, j, k]) for i, j in pairs if (i, j) not in right))
            total += np.log1p(sum(np.exp(-scores[i, j, k]) for i, j in right))
        out.append(total)
    return np.array(out)


@pytest.fixture
def pointer_case():
    rng, batch, length, kinds = np.random.default_rng(4), 3, 7, 3
    pointer = [rng.normal(size=(batch, length, n)) for n in (5, 5, kinds, kinds)]
    allowed = np.zeros((batch, length, length), bool)
    for r, n in enumerate((7, 5, 4)):  # padding behind n
        allowed[r, 1 : n - 1, 1 : n - 1] = np.triu(np.ones((n - 2, n - 2), bool))
    # one pair twice, two in one line, two kinds of one pair; one pair alone; none
    kind = np.array([[0, 0, 0, 2, 2], [1, -1, -1, -1, -1], [-1] * 5], np.int32)
    first = np.array([[1, 1, 1, 1, 3], [2, -1, -1, -1, -1], [-1] * 5], np.int32)
    second = np.array([[2, 2, 4, 2, 3], [2, -1, -1, -1, -1], [-1] * 5], np.int32)
    return pointer, allowed, kind, first, second


def test_pointer_loss_is_the_sum_over_all_pairs(pointer_case):
    pointer, *others = pointer_case
    expected = dense_loss(pointer, *others)
    value = pointer_loss([tf.constant(x, "float32") for x in pointer], *map(tf.constant, others))
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_pointer_loss_has_the_gradient_of_the_definition(pointer_case):
    pointer, *others = pointer_case
    variables = [tf.constant(x, "float32") for x in pointer]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        value = tf.reduce_sum(pointer_loss(variables, *map(tf.constant, others)))
    gradients = tape.gradient(value, variables)
    rng, step = np.random.default_rng(5), 1e-5
    for i, x in enumerate(pointer):
        for _ in range(6):
            at = tuple(rng.integers(0, n) for n in x.shape)
            up, down = ([np.array(y) for y in pointer] for _ in range(2))
            up[i][at] += step
            down[i][at] -= step
            slope = (dense_loss(up, *others) - dense_loss(down, *others)).sum() / (2 * step)
            assert abs(float(gradients[i][at]) - slope) < 1e-4


def test_pointer_loss_stays_finite_where_scores_are_large(pointer_case):
    pointer, *others = pointer_case
    pointer = [10.0 * x for x in pointer]
    variables = [tf.constant(x, "float32") for x in pointer]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        value = pointer_loss(variables, *map(tf.constant, others))
    assert all(np.isfinite(g.numpy()).all() for g in tape.gradient(value, variables))
    np.testing.assert_allclose(value, dense_loss(pointer, *others), rtol=1e-4)


def test_gplinker_loss_by_hand():
    """Log of 1 plus all wrong pairs where every score is 0, and of 2 for each kind with a right one."""
    form, length = GPLinker(2), 5  # three tokens of a text: 6 spans, 9 pairs
    outputs = ops.zeros((1, length, 6 * SIZE + 2 * (2 + 2 + 2)))
    loss = form.loss(ops.array([[length, -1, -1]]), ops.array([[[1, 1, 0, 2, 3], [-1] * 5]]), outputs)
    entity = 2 * (np.log(1 + 5) + np.log(2))
    link = np.log(1 + 8) + np.log(2) + np.log(1 + 9)
    np.testing.assert_allclose(loss, [entity + 2 * link], rtol=1e-6)


def test_subject_first_loss_is_that_of_the_recipe():
    rng, relations, length = np.random.default_rng(6), 3, 6
    form = SubjectFirst(relations)
    triples = np.array(
        [
            [[1, 2, 0, 4, 4], [1, 2, 2, 4, 4], [3, 3, 1, 1, 1], [1, 2, 0, 3, 4]],
            [[2, 2, 1, 1, 1], [-1] * 5, [-1] * 5, [-1] * 5],
            [[-1] * 5] * 4,
        ],
        np.int32,
    )
    info = np.array([[6, 1, 2], [4, 2, 2], [5, -1, -1]], np.int32)
    z = rng.normal(size=(3, length, 2 + 2 * relations)).astype(np.float32)

    def cross_entropy(y, logits):
        p = 1 / (1 + np.exp(-logits.astype(np.float64)))
        return -(y * np.log(p) + (1 - y) * np.log(1 - p))

    heads, tails, tokens, asked = 0.0, 0.0, 0, 0
    for r, (n, k1, k2) in enumerate(info):
        s, o = np.zeros((length, 2)), np.zeros((length, 2 * relations))
        for hs, he, c, ts, te in triples[r]:
            if c >= 0:
                s[hs, 0] = s[he, 1] = 1
                if (hs, he) == (k1, k2):
                    o[ts, c] = o[te, relations + c] = 1
        heads += cross_entropy(s, z[r, :, :2])[:n].sum()
        tokens += n
        if k1 >= 0:
            logits = z[r, :, 2:] + (z[r, k1, 2:] + z[r, k2, 2:]) / 2
            tails += cross_entropy(o, logits)[:n].sum()
            asked += n
    loss = form.loss(ops.array(info), ops.array(triples), ops.array(z))
    np.testing.assert_allclose(np.mean(loss), heads / tokens + tails / asked, rtol=1e-5)


def test_heads_are_sampled_with_mismatches():
    triples = np.array([[1, 3, 0, 7, 7], [1, 3, 1, 8, 8], [2, 2, 0, 1, 1], [5, 6, 0, 1, 1]], np.int32)
    rng = np.random.default_rng(0)
    drawn = {SubjectFirst(2).sample(triples, rng) for _ in range(300)}
    assert drawn == {(i, j) for i in (1, 2, 5) for j in (2, 3, 6) if j >= i}
    assert SubjectFirst(2).sample(triples[:0], rng) == (-1, -1)


# ---------------------------------------------------------------- the head


def test_rotated_products_depend_on_the_distance_alone():
    rng = np.random.default_rng(7)
    q, k = rng.normal(size=(2, 16)).astype(np.float32)
    turned_q, turned_k = (np.asarray(rotate(np.tile(x, (9, 1)))) for x in (q, k))
    scores = turned_q @ turned_k.T
    for distance in range(-8, 9):
        diagonal = np.diagonal(scores, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], atol=1e-5)
    assert abs(scores[0, 0] - scores[0, 5]) > 0.1
    np.testing.assert_allclose(np.linalg.norm(turned_q, axis=1), np.linalg.norm(q), rtol=1e-5)
    by_complex = (q[:8] + 1j * q[8:]) * np.exp(1j * 5 * 10000.0 ** (-np.arange(8) / 8))
    np.testing.assert_allclose(turned_q[5], np.concatenate([by_complex.real, by_complex.imag]), atol=1e-5)


def test_the_pointer_head_by_hand():
    head = PointerHead((2, 3, 3), [], 0.0, seed=1)
    head.build((None, 8))
    x = np.random.default_rng(8).normal(size=(2, 4, 8)).astype(np.float32)
    out = np.asarray(head(x))
    dense = head.project.stack[0]
    projected = x @ np.asarray(dense.kernel) + np.asarray(dense.bias)
    for i, (query, key, a, b) in enumerate(split(out, (2, 3, 3))):
        both = projected[..., 2 * SIZE * i : 2 * SIZE * (i + 1)]
        bias = (both @ np.asarray(head.biases[i].kernel) + np.asarray(head.biases[i].bias)) / 2
        np.testing.assert_allclose(np.concatenate([a, b], axis=-1), bias, atol=1e-5)
        if i == 0:
            continue
        np.testing.assert_allclose(
            query @ key.swapaxes(1, 2), both[..., :SIZE] @ both[..., SIZE:].swapaxes(1, 2) / 8, atol=1e-4
        )
