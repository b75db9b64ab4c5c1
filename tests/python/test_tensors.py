"""A checkpoint's tensors use memory only while nothing else holds the same numbers, and their values never change."""

import gc
import shutil
import tracemalloc

import numpy as np
import pytest
from conftest import fit_sentences

from bertr import bridge
from bertr.errors import BertrError


@pytest.fixture
def folder(tiny, tmp_path):
    bridge.save(bridge.load(tiny, {}), str(tmp_path / "model"), "")
    return tmp_path / "model"


@pytest.fixture
def model(folder):
    return bridge.load(str(folder), {})


def vectors(thing):
    return bridge.embed(thing, ["the cat sleeps", "a red bird"], None, {"pool": "mean"}, None)["values"]


@pytest.fixture
def in_memory():
    """Megabytes of arrays that came since, but for those that TensorFlow made of what it was given: some of them it
    takes over as a variable's own memory."""
    kinds = [tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain), tracemalloc.Filter(False, "*/constant_op.py")]
    tracemalloc.start()

    def now():
        gc.collect()
        return sum(s.size for s in tracemalloc.take_snapshot().filter_traces(kinds).statistics("filename")) / 2**20

    yield now
    tracemalloc.stop()


def test_scoring_and_training_leave_no_second_copy(minilm, in_memory):
    model = bridge.load(minilm, {})
    facts = bridge.describe(model)
    whole = facts["parameters"] * 4 / 2**20
    assert in_memory() > 0.99 * whole
    fitted = bridge.fit(
        model,
        "classification",
        ["a cat", "a dog"] * 2,
        None,
        {"label_ids": np.array([0, 1, 0, 1], np.int32), "levels": ["cat", "dog"]},
        None,
        {"head": {}, "seed": 1, "epochs": 1},
        None,
    )
    assert in_memory() < 0.1 * whole
    vectors(model)
    assert in_memory() < 0.1 * whole
    vectors(fitted)
    assert in_memory() < 0.1 * whole
    assert bridge.describe(model) == facts and in_memory() < 0.1 * whole


def test_nor_do_fits_of_a_folder_and_of_a_head(minilm, in_memory, tmp_path):
    model = bridge.load(minilm, {})
    whole = in_memory()
    fitted = bridge.fit(
        model,
        "classification",
        ["a cat", "a dog"],
        None,
        {"label_ids": np.array([0, 1], np.int32), "levels": ["cat", "dog"]},
        None,
        {"head": {}, "train": "head", "seed": 1, "epochs": 1},
        None,
    )
    vectors(fitted)
    assert in_memory() < 0.1 * whole
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    assert in_memory() < 0.1 * whole
    again = bridge.load(str(tmp_path / "fit"), {})
    bridge.describe(again)
    vectors(again)
    assert in_memory() < 0.1 * whole


def test_all_comes_back(model, folder, sentences):
    before = {name: x.copy() for name, x in model.checkpoint.tensors.items()}
    for use in (fit_sentences, vectors, fit_sentences):
        use(model, *[sentences] * (use is fit_sentences))
        now = model.checkpoint.tensors
        assert list(now) == list(before) and all(np.array_equal(now[name], before[name]) for name in before)


def test_the_heads_of_pre_training_come_back_too(pretrained, sentences):
    """Tensors outside the encoder stay; the other weights are released to the encoder after they were read again."""

    def ask(model):
        return bridge.fill_mask(model, ["the [MASK] sleeps"], None, {"top": 3}, None)["probability"]

    model, fresh = (bridge.load(pretrained[1], {}) for _ in range(2))
    fit_sentences(model, sentences)
    np.testing.assert_array_equal(ask(model), ask(fresh))


def test_a_second_fit_starts_where_the_first_did(model, tiny, sentences):
    first, second, third = (fit_sentences(m, sentences, seed=3) for m in (model, model, bridge.load(tiny, {})))
    assert first.history["loss"] == second.history["loss"] == third.history["loss"]


@pytest.mark.parametrize(
    "harm, message",
    [
        (shutil.rmtree, "can no longer be read"),
        (lambda folder: spoil(folder / "model.safetensors"), "no longer the one that was loaded"),
    ],
)
def test_a_folder_that_is_no_longer_the_same_is_told(model, folder, sentences, harm, message):
    fitted = fit_sentences(model, sentences)
    expected = vectors(fitted)
    harm(folder)
    with pytest.raises(BertrError, match=message):
        fit_sentences(model, sentences)
    np.testing.assert_array_equal(vectors(fitted), expected)  # nothing is lost
    bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)


def spoil(path):
    """Changes one number."""
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)


def test_a_folder_that_changed_before_the_first_fit_takes_nothing_from_the_model(model, folder, sentences):
    expected = vectors(bridge.load(str(folder), {}))
    spoil(folder / "model.safetensors")
    fit_sentences(model, sentences)
    np.testing.assert_allclose(vectors(model), expected, atol=1e-6)


def test_what_is_saved_over_it_takes_nothing_from_the_model(model, folder, sentences):
    other, expected = bridge.load(str(folder), {}), vectors(bridge.load(str(folder), {}))
    fitted = fit_sentences(model, sentences)
    bridge.save(fitted, str(folder), "{}")
    assert not np.allclose(vectors(bridge.load(str(folder), {})), expected, atol=1e-4)
    for one in (model, other):  # left to the folder before it was saved over, and not
        for _ in range(2):
            fit_sentences(one, sentences)
        np.testing.assert_allclose(vectors(one), expected, atol=1e-6)
