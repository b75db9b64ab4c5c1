"""Linear chains against all label sequences, one by one."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from bertr.tasks.entities.crf import Chains, negative_log_likelihood
from bertr.tasks.entities.iob import allowed_pairs


def sequences(scores, transitions, allowed=None, first=None):
    """Every label sequence of one text with its score, those not allowed left out."""
    places, labels = scores.shape
    for path in itertools.product(range(labels), repeat=places):
        pairs = list(itertools.pairwise(path))
        if allowed is None or (first[path[0]] and all(allowed[p] for p in pairs)):
            yield path, sum(scores[range(places), path]) + sum(transitions[p] for p in pairs)


def logsumexp(x):
    return float(np.log(np.sum(np.exp(np.asarray(x, np.float64)))))


@pytest.fixture
def rows():
    """Scores of rows of 1 to 5 positions, in a wider array filled with other numbers."""
    rng = np.random.default_rng(3)
    lengths = np.array([3, 5, 1, 0, 4])
    return rng.normal(size=(5, 7, 3)).astype(np.float32) * 2, lengths, rng.normal(size=(3, 3)).astype(np.float32) * 2


def test_the_loss_is_that_of_all_sequences(rows):
    scores, lengths, transitions = rows
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 3, scores.shape[:2]).astype(np.int32)
    real = (np.arange(7) < lengths[:, None]).astype(np.float32)
    call = negative_log_likelihood
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        open_shapes = [
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None, None, 3]),
            tf.TensorSpec([3, 3]),
            tf.TensorSpec([None, None]),
        ]
        call = tf.function(call, input_signature=open_shapes, autograph=False)
    expected = []
    for row, n in enumerate(lengths):
        each = dict(sequences(scores[row, :n], transitions)) if n else {(): 0.0}
        expected.append(logsumexp(list(each.values())) - each[tuple(codes[row, :n].tolist())])
    for width in (7, 5):
        out = call(codes[:, :width], scores[:, :width], transitions, real[:, :width])
        np.testing.assert_allclose(ops.convert_to_numpy(out), expected, rtol=1e-5, atol=1e-5)
    one = call(codes[2:4, :1], scores[2:4, :1], transitions, real[2:4, :1])
    np.testing.assert_allclose(ops.convert_to_numpy(one), expected[2:4], rtol=1e-5, atol=1e-5)


def test_the_loss_by_hand():
    scores, transitions = np.array([[[1, 0], [0, 2]]], np.float32), np.array([[0, 0.5], [1, 0]], np.float32)
    # paths 00: 1, 01: 1 + 0.5 + 2, 10: 1, 11: 2
    out = negative_log_likelihood(np.array([[0, 1]]), scores, transitions, np.ones((1, 2), np.float32))
    assert float(out[0]) == pytest.approx(np.log(np.exp(1) + np.exp(3.5) + np.exp(1) + np.exp(2)) - 3.5, abs=1e-5)


def test_the_gradient_is_expected_minus_true():
    """The gradient of scores: the marginal probability of each label, minus 1 for the true label."""
    import tensorflow as tf

    rng = np.random.default_rng(2)
    scores, transitions = rng.normal(size=(1, 3, 3)).astype(np.float32), rng.normal(size=(3, 3)).astype(np.float32)
    codes = np.array([[2, 0, 1]], np.int32)

    @tf.function(autograph=False)
    def gradients(scores, transitions):
        return tf.gradients(negative_log_likelihood(codes, scores, transitions, tf.ones((1, 3))), [scores, transitions])

    all_paths = dict(sequences(scores[0], transitions))
    total = logsumexp(list(all_paths.values()))
    places, pairs = np.zeros((3, 3)), np.zeros((3, 3))
    for path, score in all_paths.items():
        p = np.exp(score - total) - (path == (2, 0, 1))
        for t in range(3):
            places[t, path[t]] += p
        for pair in itertools.pairwise(path):
            pairs[pair] += p
    of_scores, of_transitions = gradients(tf.constant(scores), tf.constant(transitions))
    np.testing.assert_allclose(of_scores[0], places, atol=1e-5)
    np.testing.assert_allclose(tf.convert_to_tensor(of_transitions), pairs, atol=1e-5)


@pytest.mark.parametrize("at_once", [1, 10**6])
def test_labels_and_probabilities_are_those_of_all_allowed_sequences(monkeypatch, at_once):
    monkeypatch.setattr("bertr.tasks.entities.crf.NUMBERS_AT_ONCE", at_once)
    rng = np.random.default_rng(5)
    allowed, first = allowed_pairs(2)
    lengths = np.array([2, 0, 4, 1, 3, 4])
    splits = np.concatenate([[0], np.cumsum(lengths)])
    scores, transitions = rng.normal(size=(splits[-1], 5)) * 3, rng.normal(size=(5, 5)) * 2
    chains = Chains(scores, splits, transitions, allowed, first)
    codes, free, nll = chains.best(), np.ones((5, 5), bool), 0.0
    for text, n in enumerate(lengths):
        if not n:
            continue
        mine = slice(splits[text], splits[text + 1])
        each = dict(sequences(scores[mine], transitions, allowed, first))
        best = max(each, key=each.get)
        assert tuple(codes[mine].tolist()) == best
        total = logsumexp(list(each.values()))
        for begin, end in itertools.combinations_with_replacement(range(n), 2):
            same = [s for path, s in each.items() if path[begin : end + 1] == best[begin : end + 1]]
            out = chains.log_probability(codes, splits[text] + np.array([begin]), splits[text] + np.array([end]))
            assert out[0] == pytest.approx(logsumexp(same) - total, abs=1e-9)
        everything = dict(sequences(scores[mine], transitions))
        nll += logsumexp(list(everything.values())) - everything[best]
    out = Chains(scores, splits, transitions, free, free[0]).negative_log_likelihood(codes)
    assert out == pytest.approx(nll, abs=1e-9)


def test_which_codes_may_follow_which():
    allowed, first = allowed_pairs(2)  # O, B-0, I-0, B-1, I-1
    assert first.tolist() == [True, True, False, True, False]
    assert [np.flatnonzero(row).tolist() for row in ~allowed] == [[2, 4], [4], [4], [2], [2]]
