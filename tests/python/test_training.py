"""What a fit does to weights, seeds, graphs and history."""

import functools
import gc
import os
import subprocess
import sys
import tempfile
import textwrap

import numpy as np
import pytest
from conftest import fit_sentences, target

from bertr import bridge, engine, events, head_steps, infer, train
from bertr.batches import scoring_batches, training_batches
from bertr.errors import BertrError
from bertr.plan import make_plan
from bertr.tasks import find_task

fit = functools.partial(fit_sentences, seed=1, learning_rate=3e-3, epochs=8)


def accuracy(fitted, sentences):
    prob = bridge.predict(fitted, sentences[0], None, {}, None)["prob"]
    assert prob.shape == (len(sentences[0]), 2)
    np.testing.assert_allclose(prob.sum(axis=1), 1, atol=1e-12)
    return np.mean(prob.argmax(axis=1) == sentences[1])


@pytest.mark.parametrize("options", [
    {}, {"train": "top:2"}, {"head": {"units": [16], "dropout": 0.0}}, {"head": {"pool": "cls"}},
    {"head": {"pool": "pooler"}}, {"head": {"pool": "max"}}])
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


def changed_parts(model, fitted):
    before, after = model.backbone.tensors(), fitted.network.backbone.tensors()
    return {k.split("/")[0] for k in before if not np.array_equal(before[k], after[k])}


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
    real = infer.Scorer.encodings
    monkeypatch.setattr(infer.Scorer, "encodings", lambda self, e, *p: calls.append(len(e)) or real(self, e, *p))
    texts, codes = sentences
    seen = {"a": texts[:10], "b": None, "target": target(codes[:10])}
    fitted = fit(model, sentences, seen, train="head", epochs=50, head={"units": [32, 32], "dropout": 0.5})
    assert calls == [60, 10]  # once per text, whatever the epochs
    assert len(fitted.history["loss"]) == 50
    monkeypatch.undo()
    # the measures of the last epoch are those of the fit as it predicts
    assert fitted.history["val_accuracy"][-1] == pytest.approx(accuracy(fitted, (texts[:10], codes[:10])))


def test_validation_is_measured_as_it_predicts(model, sentences):
    texts, codes = sentences
    fitted = fit(model, sentences, {"a": texts[:20], "b": None, "target": target(codes[:20])}, epochs=3,
                 head={"calibrate": False})
    prob = bridge.predict(fitted, texts[:20], None, {}, None)["prob"]
    assert fitted.history["val_accuracy"][-1] == pytest.approx(np.mean(prob.argmax(1) == codes[:20]))
    assert fitted.history["val_loss"][-1] == pytest.approx(
        -np.log(prob[np.arange(20), codes[:20]]).mean(), abs=1e-5)
    assert fitted.history["epoch"] == [1, 2, 3]


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
    bound = engine._bound
    monkeypatch.setattr(engine, "_bound", lambda graph, variables: bound(lambda *x: graph(*x), variables))
    long = fit(bridge.load(tiny, {}), sentences, epochs=2, accumulate=2)
    assert long.history["loss"] == short.history["loss"]
    np.testing.assert_array_equal(probabilities_of(long, sentences), expected)


OTHERS = [{"weight_decay": 0.5}, {"train": "top:2"}, {"dropout": 0.3}, {"clip": None}, {"ema": 0.9}, {"accumulate": 2},
          {"adversarial": 0.1}, {"layer_decay": 0.5}, {"schedule": "constant"}, {"label_smoothing": 0.1},
          {"class_weights": "balanced"}, {"head": {"units": [4]}}, {"head": {"pool": "cls"}}]


def test_a_second_fit_of_a_kind_makes_no_graph_and_gives_what_it_gives_alone(tiny, sentences, traced):
    """Kept graphs must take nothing over: weights, moments, random numbers, schedule, words in use, levels."""
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
    engine._kept.clear()
    alone = fit(bridge.load(tiny, {}), other, valid, seed=2, epochs=3, learning_rate=1e-2, batch_size=3)
    assert len(traced) > count
    assert second.history["loss"] == alone.history["loss"] and second.history["val_loss"] == alone.history["val_loss"]
    np.testing.assert_array_equal(predicted, probabilities_of(alone, sentences))


@pytest.fixture(scope="module")
def graphs_of_defaults():
    """Filled by the first test that needs them."""
    return {}


@pytest.mark.parametrize("setting", OTHERS, ids=lambda s: "-".join(s))
def test_a_fit_of_another_kind_does_not_take_the_graph(model, sentences, setting, graphs_of_defaults):
    options = {"seed": 3, "epochs": 2, "learning_rate": 1e-3, **setting}
    engine._kept.clear()
    if not graphs_of_defaults:
        fit(model, sentences, seed=1, epochs=1)
        graphs_of_defaults.update(engine._kept)
    engine._kept.update(graphs_of_defaults)
    after = fit(model, sentences, **options)
    engine._kept.clear()
    alone = fit(model, sentences, **options)
    assert after.history["loss"] == alone.history["loss"]
    np.testing.assert_array_equal(probabilities_of(after, sentences), probabilities_of(alone, sentences))


SCRIPT = """
    import sys, hashlib, numpy as np
    from bertr import bridge
    texts, codes = {sentences!r}
    model = bridge.load({tiny!r}, {{}})
    target = {{"codes": np.array(codes, np.int32), "levels": ["cat", "dog"]}}
    for train in ("all", "head"):
        options = {{"head": {{"units": [8] * (train == "head")}}, "seed": {seed}, "epochs": 2, "train": train}}
        fit = bridge.fit(model, "classification", texts, None, target, None, options, None)
        prob = bridge.predict(fit, texts, None, {{}}, None)["prob"]
        print(hashlib.sha256(b"".join(bridge.to_bytes(fit, "{{}}"))[-fit.facts["parameters_trained"] * 4:]
              + prob.tobytes()).hexdigest())
"""


def test_same_seed_same_bits_in_two_processes(tiny, sentences):
    def run(seed):
        script = textwrap.dedent(SCRIPT.format(sentences=sentences, tiny=tiny, seed=seed))
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    first, second, other = run(5), run(5), run(6)
    assert len(first) == 2 and first == second
    assert first[0] != other[0] and first[1] != other[1]


def interrupt_at(kind, epoch=None):
    return lambda k, values: k == kind and epoch in (None, values.get("epoch"))


def test_an_interrupt_gives_the_fit_so_far(model, sentences):
    options = {"learning_rate": 1e-3, "epochs": 4}
    fitted = fit(model, sentences, on_event=interrupt_at("epoch", 2), **options)
    facts = bridge.describe_fit(fitted)
    assert facts["interrupted"] and facts["epochs_done"] == 2 and facts["epochs"] == 4
    whole = fit(model, sentences, **options)
    assert not bridge.describe_fit(whole)["interrupted"]
    assert fitted.history["loss"] == whole.history["loss"][:2]  # the same run, ended earlier
    assert changed_parts(model, fitted)
    assert probabilities_of(fitted, sentences).shape == (60, 2)


def probabilities_of(fitted, sentences):
    return bridge.predict(fitted, sentences[0], None, {}, None)["prob"]


def test_an_interrupted_head_tells_of_all_epochs_it_was_trained(model, sentences, monkeypatch):
    """Many epochs run in one call: what is told must be what was done."""
    steps = []
    real = head_steps.HeadSteps.__call__
    monkeypatch.setattr(head_steps.HeadSteps, "__call__", lambda self, b: steps.extend(b) or real(self, b))
    fitted = fit(model, sentences, on_event=interrupt_at("epoch", 3), train="head", epochs=2000, batch_size=30)
    done = bridge.describe_fit(fitted)["epochs_done"]
    assert 3 <= done < 2000 and len(fitted.history["loss"]) == done == len(steps) / 2


def test_an_interrupt_while_validating_keeps_the_epoch(model, sentences, monkeypatch):
    monkeypatch.setattr(events, "EVENT_SECONDS", -1)  # every event comes through
    texts, codes = sentences
    kinds = []

    def stop_at_third_scoring(kind, values):
        kinds.append(kind)
        return kinds.count("step") == 2 and kind == "encode"

    seen = {"a": texts, "b": None, "target": target(codes)}
    fitted = fit(model, sentences, seen, on_event=stop_at_third_scoring, epochs=3, batch_size=60)
    assert fitted.facts["interrupted"] and fitted.history["epoch"] == [1, 2]
    assert np.isnan(fitted.history["val_loss"]).tolist() == [False, True]


@pytest.mark.parametrize("train", ["all", "head"])
def test_an_interrupt_before_anything_is_learnt_is_an_interrupt(model, sentences, train, monkeypatch):
    monkeypatch.setattr(events, "EVENT_SECONDS", 0)
    for kind in ("start", "encode"):
        with pytest.raises(KeyboardInterrupt):
            fit(model, sentences, on_event=interrupt_at(kind), train=train)


def test_events_tell_of_every_epoch(model, sentences, monkeypatch):
    monkeypatch.setattr(events, "EVENT_SECONDS", -1)  # every event comes through
    told = []
    fit(model, sentences, on_event=lambda kind, values: told.append((kind, values)), epochs=3)
    assert told[0][0] == "start" and told[0][1]["rows"] == 60
    assert [v["epoch"] for k, v in told if k == "epoch"] == [1, 2, 3]
    assert {"step", "encode"} <= {k for k, _ in told}


def test_a_pair_is_read_together(model):
    a = ["the cat", "the dog"] * 20
    b = ["sleeps", "sleeps", "runs", "runs"] * 10
    codes = [0, 1, 1, 0] * 10  # neither text tells the class alone
    options = {"head": {}, "seed": 1, "learning_rate": 3e-3, "epochs": 60}
    fitted = bridge.fit(model, "classification", a, b, target(codes), None, options, None)
    prob = bridge.predict(fitted, a, b, {}, None)["prob"]
    assert np.mean(prob.argmax(1) == codes) > 0.95


@pytest.mark.parametrize("options, code", [
    ({"train": "top:9"}, "train"), ({"train": "some"}, "train"), ({"max_len": 65}, "max_len")])
def test_impossible_options(model, sentences, options, code):
    with pytest.raises(BertrError) as e:
        fit(model, sentences, **options)
    assert e.value.code == code and e.value.hint


@pytest.mark.parametrize("train", ["all", "head"])
@pytest.mark.parametrize("size", [16, 60])  # 60: the only step, so that no loss is seen after it
def test_a_loss_that_is_no_number_is_told(model, sentences, train, size):
    with pytest.raises(BertrError, match="no longer a number") as e:
        fit(model, sentences, train=train, learning_rate=1e38, epochs=1, batch_size=size)
    assert e.value.code == "diverged"


def test_plan_follows_rows_and_width():
    task = find_task("classification")({"levels": ["a", "b"]})
    few, many = (make_plan({}, rows, 384, task) for rows in (200, 50_000))
    assert few.epochs > many.epochs and few.learning_rate == 1e-4 and many.learning_rate == 5e-5  # many rows a class
    classes = find_task("classification")({"levels": [str(i) for i in range(200)]})
    assert make_plan({}, 50_000, 384, classes).learning_rate == 1e-4
    assert make_plan({}, 200, 768, task).learning_rate == pytest.approx(5e-5)
    mine = make_plan({"epochs": 2, "learning_rate": 0.5, "batch_size": 3, "clip": None}, 10, 384, task)
    assert (mine.epochs, mine.learning_rate, mine.batch_size, mine.clip) == (2, 0.5, 3, None)


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


def test_a_second_head_trains_in_the_graph_of_the_first_with_its_own_numbers(tiny, sentences):
    """Kept steps must take nothing over: weights, moments, random numbers, schedule, rows."""
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


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_training_the_words_in_use_is_training_all_words(model, sentences, monkeypatch, weight_decay):
    """Against a run whose table holds every word: AdamW leaves nothing to the others but decay."""
    options = {"epochs": 2, "learning_rate": 1e-3, "weight_decay": weight_decay, "seed": 5}
    some = fit(model, sentences, **options)
    real = train.WordRows
    monkeypatch.setattr(train, "WordRows", lambda table, ids: real(table, np.arange(table.shape[0])))
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
    """Every weight and every moment of the optimiser is a handle; graphs that stay alive would keep them."""
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
