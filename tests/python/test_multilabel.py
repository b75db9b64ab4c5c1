"""Multi-label: its loss, its thresholds, and learning."""

import numpy as np
import pytest
import sklearn.metrics
import torch

from bertr import bridge
from bertr.nn.network import read_head_options
from bertr.tasks import find_task, multilabel
from bertr.tasks.multilabel import MultiLabel, best_thresholds


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def options(**more):
    return {"head": {**more.pop("head", {})}, "seed": 1, "epochs": 30, "learning_rate": 3e-3, "dropout": 0.0, **more}


@pytest.fixture
def labelled(sentences):
    texts = sentences[0]
    words = ("sun", "moon", "cat")
    values = np.array([[w in t.split() for w in words] for t in texts], np.int32)
    return texts, {"values": values, "levels": list(words)}


def test_loss_is_binary_cross_entropy(rng):
    y, z = (rng.random((5, 4)) > 0.6).astype(np.float32), rng.normal(size=(5, 4)).astype(np.float32) * 3
    expected = torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(z), torch.tensor(y), reduction="none")
    task = find_task("multilabel")({"levels": list("abcd")})
    np.testing.assert_allclose(task.loss(y, z, None), expected.mean(dim=1), atol=1e-6)


def test_thresholds_are_the_best_there_are(rng):
    y, p = (rng.random((100, 3)) > 0.7).astype(float), rng.random((100, 3))
    y[:, 2] = 0
    y[:2, 2] = 1  # too few for a separate threshold
    got = best_thresholds(y, p)
    every = np.concatenate([[0.0], np.sort(p.ravel())])
    for k in range(2):
        best = max(sklearn.metrics.f1_score(y[:, k], p[:, k] > t) for t in every)
        assert sklearn.metrics.f1_score(y[:, k], p[:, k] > got[k]) == pytest.approx(best)
    best = max(sklearn.metrics.f1_score(y.ravel(), p.ravel() > t) for t in every)
    assert sklearn.metrics.f1_score(y.ravel(), p.ravel() > got[2]) == pytest.approx(best)


def test_the_bias_starts_at_the_log_odds():
    values = np.zeros((99, 2))
    values[:9, 0] = 1
    head_options = read_head_options(type("M", (), {"pool": lambda self, kind: "mean"})(), {})
    task = MultiLabel.from_target({"values": values, "levels": ["a", "b"]}, head_options)
    head = task.head(None, head_options, 0.0, 0)
    head.build((None, 8))
    np.testing.assert_allclose(head.stack[-1].bias, np.log([9.5 / 90.5, 0.5 / 99.5]), rtol=1e-5)


@pytest.mark.parametrize("train", ["all", "head"])
def test_learns_predicts_and_comes_back(tiny, labelled, train, tmp_path):
    texts, target = labelled
    model = bridge.load(tiny, {})
    seen = {"a": texts, "b": None, "target": target}
    fitted = bridge.fit(model, "multilabel", texts, None, target, seen, options(train=train, epochs=30), None)
    out = bridge.predict(fitted, texts, None, {}, None)
    assert out["prob"].shape == out["chosen"].shape == (60, 3)
    if train == "all":
        assert sklearn.metrics.f1_score(target["values"], out["chosen"], average="macro") > 0.95
    thresholds = np.array(fitted.task.spec["thresholds"])
    assert np.array_equal(out["chosen"], out["prob"] > thresholds)
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    for back in (bridge.load(str(tmp_path / "fit"), {}), bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)):
        again = bridge.predict(back, texts, None, {}, None)
        np.testing.assert_allclose(again["prob"], out["prob"], atol=1e-6)
        assert np.array_equal(back.task.spec["thresholds"], thresholds)


def test_a_fixed_threshold_is_kept(tiny, labelled):
    texts, target = labelled
    fitted = bridge.fit(
        bridge.load(tiny, {}),
        "multilabel",
        texts,
        None,
        target,
        None,
        options(epochs=1, head={"threshold": 0.25}),
        None,
    )
    out = bridge.predict(fitted, texts, None, {}, None)
    assert np.array_equal(out["chosen"], out["prob"] > 0.25)


def test_thresholds_come_from_rows_that_are_held_out_of_many(tiny, labelled, monkeypatch):
    monkeypatch.setattr(multilabel, "MANY", 60)
    texts, target = labelled
    held = (
        find_task("multilabel")
        .from_target(target, {"threshold": None, "calibrate": True})
        .hold_out(target["values"], np.random.default_rng(1))
    )
    assert len(held) == 6

    def fit(texts):
        return bridge.fit(bridge.load(tiny, {}), "multilabel", texts, None, target, None, options(epochs=2), None)

    one, two = fit(texts), fit(["the sun" if i in held else t for i, t in enumerate(texts)])
    for a, b in zip(one.network.weights, two.network.weights, strict=True):
        assert np.array_equal(a, b)
    prob = bridge.predict(one, [texts[i] for i in held], None, {}, None)["prob"]
    np.testing.assert_allclose(one.task.spec["thresholds"], best_thresholds(target["values"][held], prob), atol=1e-6)
    assert one.facts["held_rows"] == 6


@pytest.mark.parametrize("head", [{"threshold": 0.25, "calibrate": True}, {"threshold": None, "calibrate": False}])
def test_nothing_is_held_out_unasked(labelled, head):
    values = np.tile(labelled[1]["values"], (50, 1))
    task = find_task("multilabel").from_target({**labelled[1], "values": values}, head)
    assert len(task.hold_out(values, np.random.default_rng(1))) == 0
