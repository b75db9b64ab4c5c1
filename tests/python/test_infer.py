"""Batches of scoring: what goes into them, and what comes back."""

import types

import numpy as np
import pytest

from bertr.nn.scorer import Scorer
from bertr.text.encodings import Encodings
from bertr.text.ragged import splits


def _texts(lengths, rng):
    """Encoded texts with these numbers of tokens, all tokens distinct."""
    row_splits = splits(np.array(lengths))
    n = int(row_splits[-1])
    return Encodings(
        ids=rng.permutation(n).astype(np.int32) + 1,
        segments=np.zeros(n, np.int8),
        row_splits=row_splits,
        n_truncated=0,
        full_lengths=np.array(lengths),
        pad_id=0,
    )


@pytest.fixture
def scorer():
    """Makes one whose batches have at most 400 tokens, and the shapes of those it had."""

    def make(per_token=False):
        def call(ids, segments, mask):
            shapes.append(ids.shape)
            return np.stack([ids, mask * 2], axis=-1) if per_token else np.stack([ids.sum(1), mask.sum(1)], axis=-1)

        shapes = []
        runner = types.SimpleNamespace(for_tokens=lambda tokens, budget: call)
        out = Scorer(runner, types.SimpleNamespace(hidden_size=384), per_token)
        out.budget = 400
        return out, shapes

    return make


@pytest.mark.parametrize("n", [1, 3, 127, 128, 2000])
@pytest.mark.parametrize("per_token", [False, True])
def test_every_text_gets_its_own_values(scorer, n, per_token):
    rng = np.random.default_rng(n)
    texts = _texts(rng.integers(3, 500, n) if n < 200 else rng.integers(3, 30, n), rng)
    values = scorer(per_token)[0].encodings(texts)
    if per_token:
        np.testing.assert_array_equal(values, np.stack([texts.ids, np.full(len(texts.ids), 2)], axis=-1))
    else:
        np.testing.assert_array_equal(
            values, np.stack([np.add.reduceat(texts.ids, texts.row_splits[:-1]), texts.lengths], axis=-1)
        )


def test_the_last_batches_of_many_calls_have_few_shapes(scorer):
    rng = np.random.default_rng(1)
    ours, shapes = scorer()
    for _ in range(50):
        ours.encodings(_texts(rng.integers(5, 30, 2000), rng))
    last = {shape for shape in shapes if shape[0] < 400 // shape[1]}
    assert len(last) <= 5  # rows of 5 tokens: 16, 32, 48 or 64, and not every number up to 79
    assert sum(rows * length for rows, length in shapes) < 1.01 * 50 * 2000 * 17  # the overhead is negligible


def test_few_texts_are_not_made_more(scorer):
    ours, shapes = scorer()
    ours.encodings(_texts([5] * 127, np.random.default_rng(1)))
    assert shapes == [(80, 5), (47, 5)]
