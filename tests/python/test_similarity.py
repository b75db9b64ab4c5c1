"""Cosine similarities against plain computations."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from bertr import bridge, events, similarity
from bertr.nn.unit import unit_rows


def plain(x, y):
    """In float64, one pair a cell."""
    x, y = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x.astype(np.float64), y.astype(np.float64)))
    return x @ y.T


def plain_nearest(scores, k, itself):
    """By a stable sort of every row."""
    scores = scores.copy()
    if itself:
        np.fill_diagonal(scores, -np.inf)
    places = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return places, np.take_along_axis(scores, places, axis=1)


def nearest(x, y, k, events=None):
    rows = [list(range(len(v))) for v in (x, x if y is None else y)]
    out = bridge.nearest(
        bridge.as_vectors(x),
        rows[0],
        None if y is None else bridge.as_vectors(y),
        None if y is None else rows[1],
        k,
        events,
    )
    return out["place"].reshape(len(x), k), out["similarity"].reshape(len(x), k)


@pytest.fixture(params=["one block", "many blocks", "one row a block"])
def blocks(request, monkeypatch):
    cells = {"one block": 2**24, "many blocks": 700, "one row a block": 1}[request.param]
    monkeypatch.setattr(similarity, "CELLS", cells)


@pytest.mark.parametrize("k", [1, 5, 79])
def test_the_nearest_are_those_of_a_plain_computation(blocks, k):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 12)), rng.normal(size=(80, 12)) * rng.uniform(0.01, 100, size=(80, 1))
    for other in (y, None):
        k_here = min(k, 49) if other is None else k
        places, values = nearest(x, other, k_here)
        expected = plain_nearest(plain(x, x if other is None else other), k_here, other is None)
        assert np.array_equal(places, expected[0])
        np.testing.assert_allclose(values, expected[1], atol=1e-6)
    every = list(range(50)), list(range(80))
    cosines = bridge.cosines(bridge.as_vectors(x), every[0], bridge.as_vectors(y), every[1])
    np.testing.assert_allclose(cosines, plain(x, y), atol=1e-6)
    assert cosines.dtype == np.float64


@pytest.mark.parametrize("itself", [False, True])
def test_equal_vectors_come_in_their_order(blocks, itself):
    """Also with ties at rank k, and with equal rows that are far apart in the matrix."""
    rng = np.random.default_rng(2)
    y = rng.normal(size=(7, 33)).astype(np.float32)[rng.integers(0, 7, 300)]
    x = y if itself else y[::5]
    places, values = nearest(x, None if itself else y, 60)
    _, first, which = np.unique(y, axis=0, return_index=True, return_inverse=True)
    scores = plain(x, y[first])[:, which.reshape(-1)]
    expected = plain_nearest(scores, 60, itself)
    assert np.array_equal(places, expected[0])
    np.testing.assert_allclose(values, expected[1], atol=1e-6)


def test_different_vectors_that_are_equally_far_come_in_their_order(blocks):
    places, values = nearest(np.eye(6), None, 3)
    assert places.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2], [0, 1, 2]]
    assert not values.any()


def test_values_stay_within_one_and_zeros_finite():
    x = np.concatenate([np.random.default_rng(3).normal(size=(200, 5)), np.zeros((1, 5))])
    rows = list(range(201))
    whole = bridge.cosines(bridge.as_vectors(x), rows, None, None)
    assert np.abs(whole).max() <= 1 and np.array_equal(whole, whole.T) and not whole[200].any()
    assert nearest(x, None, 3)[1].max() <= 1


def test_matrices_as_r_sends_them():
    x = np.asfortranarray(np.random.default_rng(4).normal(size=(9, 4)))
    x.flags.writeable = False
    np.testing.assert_array_equal(nearest(x, None, 2)[0], nearest(x.copy(order="C"), None, 2)[0])
    whole = np.asfortranarray(np.arange(12, dtype=np.int32).reshape(4, 3))
    np.testing.assert_allclose(unit_rows(whole), whole / np.linalg.norm(whole, axis=1, keepdims=True), rtol=1e-6)


def test_texts_are_kept_once_and_compared_by_their_rows(tiny, sentences):
    model = bridge.load(tiny, {})
    texts = sentences[0][:20]
    options = {"pool": "cls", "layer": [1, 3], "combine": "concatenate"}
    kept = bridge.new_vectors()
    for part in (texts[:9], texts[9:]):
        out = bridge.keep_vectors(model, part, None, {**options, "kept": kept}, None)
        assert out == {"n_truncated": 0, "max_len": model.max_len}
    x, y = [3, 3, 0, 19], [5, 19, 5, 2, 3]
    vectors = bridge.embed(model, texts, None, options, None)["values"]
    expected = plain(vectors[x], vectors[y])
    np.testing.assert_allclose(bridge.cosines(kept, x, kept, y), expected, atol=1e-6)
    out = bridge.nearest(kept, x, kept, y, 2, None)
    assert np.array_equal(out["place"].reshape(4, 2)[0], plain_nearest(expected, 2, False)[0][0])
    assert out["place"].reshape(4, 2)[3, 0] == 1
    np.testing.assert_allclose(out["similarity"].reshape(4, 2), plain_nearest(expected, 2, False)[1], atol=1e-6)
    assert len(kept) == 1 and kept[0].dtype == np.float32


def test_progress_and_an_interrupt(monkeypatch):
    monkeypatch.setattr(similarity, "CELLS", 100)
    monkeypatch.setattr(events, "EVENT_SECONDS", 0.0)
    seen = []
    nearest(np.random.default_rng(5).normal(size=(50, 3)), None, 1, lambda kind, v: seen.append((kind, v["done"])))
    assert seen == [("compare", done) for done in range(2, 51, 2)]
    with pytest.raises(KeyboardInterrupt):
        nearest(np.eye(50), None, 1, lambda kind, v: True)


JAX = """
import json, sys
import numpy as np
from bertr import bridge, similarity
similarity.CELLS = 90
x = np.random.default_rng(6).normal(size=(30, 4))[np.arange(31) % 30]
out = bridge.nearest(bridge.as_vectors(x), list(range(31)), None, None, 3, None)
looked = bridge.attention(bridge.load(sys.argv[1], {}), ["the cat"], None, {})
print(json.dumps([out["place"].tolist(), out["similarity"].tolist(), looked["values"].tolist()]))
"""


def test_jax_finds_the_same(tiny):
    both = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", JAX, tiny],
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "KERAS_BACKEND": backend},
            ).stdout
        )
        for backend in ("tensorflow", "jax")
    ]
    assert both[0][0] == both[1][0]
    for ours, theirs in zip(both[0][1:], both[1][1:], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
