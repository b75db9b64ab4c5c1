"""Graphs that are reused by later fits of the same kind, with the same results as new graphs."""

import functools

import numpy as np
import pytest
from conftest import fit_sentences, probabilities_of, target

from bertr import bridge
from bertr.kernels import compiled_tensorflow as compiled
from bertr.training import head_steps

fit = functools.partial(fit_sentences, seed=1, learning_rate=3e-3, epochs=8)


def test_graphs_are_traced_once_whatever_the_lengths(model, sentences, traced):
    texts, codes = sentences
    model.scorers.clear()
    fitted = fit(model, sentences, {"a": texts, "b": None, "target": target(codes)}, epochs=3, batch_size=7)
    assert len(traced) == 3  # features, steps, outputs
    for n in (1, 5, 60):
        bridge.predict(fitted, texts[:n], None, {}, None)
    assert len(traced) == 3


def test_a_tensorflow_without_the_short_way_into_a_graph_gives_the_same(tiny, sentences, monkeypatch):
    short = fit(bridge.load(tiny, {}), sentences, epochs=2, accumulate=2)
    expected = probabilities_of(short, sentences)
    bound = compiled._bound
    monkeypatch.setattr(compiled, "_bound", lambda graph, variables: bound(lambda *x: graph(*x), variables))
    long = fit(bridge.load(tiny, {}), sentences, epochs=2, accumulate=2)
    assert long.history["loss"] == short.history["loss"]
    np.testing.assert_array_equal(probabilities_of(long, sentences), expected)


OTHERS = [
    {"weight_decay": 0.5},
    {"train": "top:2"},
    {"dropout": 0.3},
    {"clip": None},
    {"ema": 0.9},
    {"accumulate": 2},
    {"adversarial": 0.1},
    {"layer_decay": 0.5},
    {"schedule": "constant"},
    {"label_smoothing": 0.1},
    {"class_weights": "balanced"},
    {"head": {"units": [4]}},
    {"head": {"pool": "cls"}},
]


def test_a_second_fit_of_a_kind_makes_no_graph_and_gives_what_it_gives_alone(tiny, sentences, traced):
    """Cached graphs must carry nothing over: weights, moments, random states, schedule, words in use, levels."""
    texts, codes = sentences
    other = (texts[:4], codes[:4])
    assert len(set(codes[:4])) == 2
    valid = {"a": texts[:20], "b": None, "target": target(codes[:20])}
    first = fit(bridge.load(tiny, {}), sentences, valid, seed=1, epochs=2, learning_rate=1e-3)
    before, count = probabilities_of(first, sentences), len(traced)
    second = fit(bridge.load(tiny, {}), other, valid, seed=2, epochs=3, learning_rate=1e-2, batch_size=3)
    predicted = probabilities_of(second, sentences)
    assert len(traced) == count
    words = [len(set(" ".join(part).split())) for part in (texts, other[0])]
    assert words[1] < words[0]  # so the tables of words have other sizes
    np.testing.assert_array_equal(probabilities_of(first, sentences), before)
    compiled._kept.clear()
    alone = fit(bridge.load(tiny, {}), other, valid, seed=2, epochs=3, learning_rate=1e-2, batch_size=3)
    assert len(traced) > count
    assert second.history["loss"] == alone.history["loss"] and second.history["val_loss"] == alone.history["val_loss"]
    np.testing.assert_array_equal(predicted, probabilities_of(alone, sentences))


@pytest.fixture(scope="module")
def graphs_of_defaults():
    """Filled by the first test that needs it."""
    return {}


@pytest.mark.parametrize("setting", OTHERS, ids=lambda s: "-".join(s))
def test_a_fit_of_another_kind_does_not_take_the_graph(model, sentences, setting, graphs_of_defaults):
    options = {"seed": 3, "epochs": 2, "learning_rate": 1e-3, **setting}
    compiled._kept.clear()
    if not graphs_of_defaults:
        fit(model, sentences, seed=1, epochs=1)
        graphs_of_defaults.update(compiled._kept)
    compiled._kept.update(graphs_of_defaults)
    after = fit(model, sentences, **options)
    compiled._kept.clear()
    alone = fit(model, sentences, **options)
    assert after.history["loss"] == alone.history["loss"]
    np.testing.assert_array_equal(probabilities_of(after, sentences), probabilities_of(alone, sentences))


def test_a_second_head_trains_in_the_graph_of_the_first_with_its_own_numbers(tiny, sentences):
    """Cached steps must carry nothing over: weights, moments, random states, schedule, rows."""
    other = (sentences[0][:40], sentences[1][:40])
    options = {"train": "head", "head": {"units": [8], "dropout": 0.5}, "epochs": 5, "batch_size": 16}
    kept = bridge.load(tiny, {})
    fit(kept, sentences, seed=1, learning_rate=1e-2, **options)
    second = fit(kept, other, seed=2, learning_rate=1e-3, **options)
    (steps,) = head_steps._kept.values()
    fit(bridge.load(tiny, {}), sentences, seed=1, **options)  # also of another model
    assert list(head_steps._kept.values()) == [steps] and steps.steps.traces() == 1
    assert steps.head is None and steps.steps.data is None
    head_steps._kept.clear()
    fresh = fit(bridge.load(tiny, {}), other, seed=2, learning_rate=1e-3, **options)
    assert second.history["loss"] == fresh.history["loss"]
    np.testing.assert_array_equal(probabilities_of(second, sentences), probabilities_of(fresh, sentences))
    fit(kept, other, seed=2, weight_decay=0.5, **options)
    assert len(head_steps._kept) == 1  # another kind: the last one is kept, not all
