"""What a fit does to weights, seeds and history."""

import functools
import gc
import os
import subprocess
import sys
import tempfile
import textwrap

import numpy as np
import pytest
from conftest import changed_parts, fit_sentences, target

from bertr import bridge
from bertr.nn import scorer
from bertr.nn.scorer import scoring_batches
from bertr.training import fine_tuning
from bertr.training.batches import training_batches

fit = functools.partial(fit_sentences, seed=1, learning_rate=3e-3, epochs=8)


def accuracy(fitted, sentences):
    prob = bridge.predict(fitted, sentences[0], None, {}, None)["prob"]
    assert prob.shape == (len(sentences[0]), 2)
    np.testing.assert_allclose(prob.sum(axis=1), 1, atol=1e-12)
    return np.mean(prob.argmax(axis=1) == sentences[1])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"train": "top:2"},
        {"head": {"units": [16], "dropout": 0.0}},
        {"head": {"pool": "cls"}},
        {"head": {"pool": "pooler"}},
        {"head": {"pool": "max"}},
    ],
)
def test_learns_what_one_word_tells(model, sentences, options):
    fitted = fit(model, sentences, epochs=20, **options)
    assert accuracy(fitted, sentences) > 0.95
    losses = fitted.history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_the_model_is_not_changed_by_a_fit(model, sentences):
    before = {k: v.copy() for k, v in model.backbone.tensors().items()}
    fitted = fit(model, sentences, epochs=1)
    after = model.backbone.tensors()
    assert all(np.array_equal(before[k], after[k]) for k in before)
    assert not np.array_equal(fitted.network.backbone.tensors()["embeddings/word"], before["embeddings/word"])


def test_which_part_is_trained(model, sentences):
    blocks = {"block_0", "block_1", "block_2"}
    mean = {"pool": "mean"}
    assert changed_parts(model, fit(model, sentences, epochs=1, head=mean)) == blocks | {"embeddings"}
    assert changed_parts(model, fit(model, sentences, epochs=1, head=mean, train="top:2")) == {"block_1", "block_2"}
    assert changed_parts(model, fit(model, sentences, epochs=1, head=mean, train="top:3")) == blocks
    pooled = fit(model, sentences, epochs=1, train="top:1", head={"pool": "pooler"})
    assert changed_parts(model, pooled) == {"block_2", "pooler"}
    frozen = fit(model, sentences, epochs=1, train="head")
    assert frozen.network.backbone is model.backbone


def test_a_head_is_trained_on_kept_features(model, sentences, monkeypatch):
    calls = []
    real = scorer.Scorer.encodings
    monkeypatch.setattr(scorer.Scorer, "encodings", lambda self, e, *p: calls.append(len(e)) or real(self, e, *p))
    texts, codes = sentences
    seen = {"a": texts[:10], "b": None, "target": target(codes[:10])}
    fitted = fit(model, sentences, seen, train="head", epochs=50, head={"units": [32, 32], "dropout": 0.5})
    assert calls == [60, 10]  # once per text, whatever the epochs
    assert len(fitted.history["loss"]) == 50
    monkeypatch.undo()
    # the metrics of the last epoch are those of the fit as it predicts
    assert fitted.history["val_accuracy"][-1] == pytest.approx(accuracy(fitted, (texts[:10], codes[:10])))


def test_validation_is_measured_as_it_predicts(model, sentences):
    texts, codes = sentences
    fitted = fit(
        model,
        sentences,
        {"a": texts[:20], "b": None, "target": target(codes[:20])},
        epochs=3,
        head={"calibrate": False},
    )
    prob = bridge.predict(fitted, texts[:20], None, {}, None)["prob"]
    assert fitted.history["val_accuracy"][-1] == pytest.approx(np.mean(prob.argmax(1) == codes[:20]))
    assert fitted.history["val_loss"][-1] == pytest.approx(-np.log(prob[np.arange(20), codes[:20]]).mean(), abs=1e-5)
    assert fitted.history["epoch"] == [1, 2, 3]


ONE_STEP = {"batch_size": 60, "schedule": "constant", "warmup": 0.0, "dropout": 0.0}
SAME_WEIGHTS = {"learning_rate": 1e-12, "dropout": 0.0, "batch_size": 7}


@pytest.mark.parametrize("train", ["all", "head"])
def test_training_accuracy_is_that_of_the_weights_before_the_step(model, sentences, train):
    one = fit(model, sentences, epochs=1, train=train, learning_rate=0.03, **ONE_STEP)
    two = fit(model, sentences, epochs=2, train=train, learning_rate=0.03, **ONE_STEP)
    assert two.history["accuracy"][0] == one.history["accuracy"][0]
    assert two.history["accuracy"][1] == pytest.approx(accuracy(one, sentences), abs=1e-6)
    assert one.history["accuracy"][0] != pytest.approx(accuracy(one, sentences), abs=1e-6)  # else it shows nothing


@pytest.mark.parametrize(
    "options",
    [{"train": "head"}, {"accumulate": 2, "adversarial": 0.5, "class_weights": [1.0, 9.0]}],
    ids=["head", "all"],
)
def test_training_accuracy_counts_every_row_once(model, sentences, options):
    """With batches of different sizes, whatever the loss weighs."""
    rows = (sentences[0][:17], sentences[1][:17])
    fitted = fit(model, rows, epochs=1, **SAME_WEIGHTS, **options)
    assert fitted.history["accuracy"] == pytest.approx([accuracy(fitted, rows)], abs=1e-6)
    assert 0 < fitted.history["accuracy"][0] < 1
    assert list(fitted.history) == ["epoch", "loss", "accuracy", "seconds"]


SCRIPT = """
    import sys, hashlib, numpy as np
    from bertr import bridge
    texts, codes = {sentences!r}
    model = bridge.load({tiny!r}, {{}})
    target = {{"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}}
    for train, seed in (("all", 5), ("all", 6), ("head", 5), ("head", 6)):
        options = {{"head": {{"units": [8] * (train == "head")}}, "seed": seed, "epochs": 2, "train": train}}
        fit = bridge.fit(model, "classification", texts, None, target, None, options, None)
        prob = bridge.predict(fit, texts, None, {{}}, None)["prob"]
        print(hashlib.sha256(b"".join(bridge.to_bytes(fit, "{{}}"))[-fit.facts["parameters_trained"] * 4:]
              + prob.tobytes()).hexdigest())
"""


def test_same_seed_same_bits_in_two_processes(tiny, sentences):
    script = textwrap.dedent(SCRIPT.format(sentences=sentences, tiny=tiny))
    first, second = (
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "BERTR_THREADS": "2"},
        ).stdout.split()
        for _ in range(2)
    )
    assert len(set(first)) == 4 and first == second


def test_a_pair_is_read_together(model):
    a = ["the cat", "the dog"] * 20
    b = ["sleeps", "sleeps", "runs", "runs"] * 10
    codes = [0, 1, 1, 0] * 10  # neither text determines the class alone
    options = {"head": {}, "seed": 1, "learning_rate": 3e-3, "epochs": 60}
    fitted = bridge.fit(model, "classification", a, b, target(codes), None, options, None)
    prob = bridge.predict(fitted, a, b, {}, None)["prob"]
    assert np.mean(prob.argmax(1) == codes) > 0.95


def test_batches_hold_every_row_once():
    lengths = np.random.default_rng(0).integers(3, 200, 1001)
    epoch = training_batches(lengths, 16, np.random.default_rng(1))
    assert sorted(np.concatenate(epoch)) == list(range(1001))
    assert sorted(map(len, epoch)) == [9] + [16] * 62
    scoring = list(scoring_batches(lengths, 512))
    assert sorted(np.concatenate(scoring)) == list(range(1001))
    assert all(len(b) == 1 or len(b) * lengths[b].max() <= 512 for b in scoring)
    padding = [1 - lengths[b].mean() / lengths[b].max() for b in epoch]
    assert np.mean(padding) < 0.15


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_training_the_words_in_use_is_training_all_words(model, sentences, monkeypatch, weight_decay):
    """Against a run with the whole word table: AdamW only decays the rows that are not in use."""
    options = {"epochs": 2, "learning_rate": 1e-3, "weight_decay": weight_decay, "seed": 5}
    some = fit(model, sentences, **options)
    real = fine_tuning.WordRows
    monkeypatch.setattr(fine_tuning, "WordRows", lambda table, ids: real(table, np.arange(table.shape[0])))
    every = fit(model, sentences, **options)
    assert some.history["loss"] == pytest.approx(every.history["loss"], rel=1e-6)
    ours, theirs = (f.network.backbone.tensors() for f in (some, every))
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-6, err_msg=name)
    untouched = model.tokenizer.vocab.index("[MASK]")
    before = model.checkpoint.tensors["embeddings/word"][untouched]
    shrunk = np.linalg.norm(ours["embeddings/word"][untouched]) / np.linalg.norm(before)
    assert (shrunk == 1.0) if weight_decay == 0 else (0.99 < shrunk < 1.0)


def test_a_fit_leaves_nothing_in_memory(model, sentences):
    """Every weight and optimizer moment is a handle; leaked graphs would keep them alive."""
    import tensorflow as tf

    def handles():
        gc.collect()
        return sum(type(thing) is type(tf.constant(0)) and thing.dtype == tf.resource for thing in gc.get_objects())

    counts = []
    for _ in range(3):
        fit(model, sentences, epochs=1)
        counts.append(handles())
    assert counts[0] == counts[1] == counts[2]


def test_training_a_head_leaves_no_files(model, sentences, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fit_sentences(model, sentences, train="head", epochs=2, seed=1, head={"units": [7]})
    assert os.listdir(tmp_path) == []
