"""Regression: units, pairs by cosine, learning."""

import json

import numpy as np
import pytest
import torch

from bertr import bridge
from bertr.errors import BertrError
from bertr.tasks import find_task


def options(**more):
    return {"head": {**more.pop("head", {})}, "seed": 1, "epochs": 30, "learning_rate": 3e-3, "dropout": 0.0, **more}


@pytest.fixture
def measured(sentences):
    """Two numbers a text, far from mean 0 and deviation 1."""
    texts = sentences[0]
    cats = np.array([100.0 + 50 * ("cat" in t.split()) for t in texts])
    return texts, {"values": np.stack([cats, -0.001 * cats], axis=1), "outputs": ["size", "loss"]}


def test_learns_in_the_unit_of_the_outcome(tiny, measured, tmp_path):
    texts, target = measured
    seen = {"a": texts, "b": None, "target": target}
    fitted = bridge.fit(bridge.load(tiny, {}), "regression", texts, None, target, seen, options(), None)
    values = bridge.predict(fitted, texts, None, {}, None)["values"]
    np.testing.assert_allclose(values[:, 0], target["values"][:, 0], atol=12)
    np.testing.assert_allclose(values[:, 1], target["values"][:, 1], atol=0.012)
    expected = np.mean([np.corrcoef(values[:, k], target["values"][:, k])[0, 1] for k in range(2)])
    assert fitted.history["val_pearson"][-1] == pytest.approx(expected, abs=1e-5)
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    back = bridge.load(str(tmp_path / "fit"), {})
    np.testing.assert_allclose(bridge.predict(back, texts, None, {}, None)["values"], values, atol=1e-4)


def cosines(model, a, b):
    u, v = (bridge.embed(model, t, None, {"normalise": True}, None)["values"] for t in (a, b))
    return (u * v).sum(axis=1)


@pytest.mark.parametrize("train", ["all", "head"])
def test_a_pair_starts_as_the_line_through_the_encoders_cosines(tiny, sentences, train):
    model = bridge.load(tiny, {})
    a = sentences[0][:40]
    b = [t + " red sun" for t in a[1:]] + a[:1]
    cosine = cosines(model, a, b)
    y = 3.0 + 2.0 * cosine + np.random.default_rng(1).normal(size=40) * 0.01
    target = {"values": y[:, None], "outputs": ["y"]}
    fitted = bridge.fit(
        model,
        "regression",
        a,
        b,
        target,
        None,
        options(train=train, epochs=1, learning_rate=1e-9, head={"pair": "cosine"}),
        None,
    )
    values = bridge.predict(fitted, a, b, {}, None)["values"][:, 0]
    slope, start = np.polyfit(cosine, y, 1)
    np.testing.assert_allclose(values, start + slope * cosine, atol=1e-3)
    alone = [bridge.predict(fitted, a[i : i + 1], b[i : i + 1], {}, None)["values"][0, 0] for i in range(3)]
    np.testing.assert_allclose(alone, values[:3], atol=1e-5)


def test_a_pair_learns_what_the_cosine_does_not_tell(tiny, sentences, tmp_path):
    model = bridge.load(tiny, {})
    a, b = sentences[0][:30], [sentences[0][i] for i in np.random.default_rng(2).integers(0, 60, 30)]
    y = np.array([float(("cat" in s.split()) == ("cat" in t.split())) for s, t in zip(a, b, strict=True)])
    target = {"values": y[:, None], "outputs": ["same"]}
    fitted = bridge.fit(model, "regression", a, b, target, None, options(epochs=100, head={"pair": "cosine"}), None)
    values = bridge.predict(fitted, a, b, {}, None)["values"][:, 0]
    assert np.corrcoef(values, y)[0, 1] > 0.9
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    back = bridge.load(str(tmp_path / "fit"), {})
    np.testing.assert_allclose(bridge.predict(back, a, b, {}, None)["values"][:, 0], values, atol=1e-5)


def test_a_cosine_needs_two_texts_and_one_number(tiny, measured):
    texts, target = measured
    with pytest.raises(BertrError, match="one number"):
        bridge.fit(
            bridge.load(tiny, {}), "regression", texts, texts, target, None, options(head={"pair": "cosine"}), None
        )
    target = {"values": target["values"][:, :1], "outputs": ["size"]}
    with pytest.raises(BertrError, match="two text columns"):
        bridge.fit(
            bridge.load(tiny, {}), "regression", texts, None, target, None, options(head={"pair": "cosine"}), None
        )


@pytest.fixture
def shares(sentences):
    """Two fractions a text, one of them rare."""
    texts = sentences[0]
    cat = np.array(["cat" in t.split() for t in texts])
    return texts, {
        "values": np.stack([np.where(cat, 0.9, 0.2), np.where(cat, 0.1, 0.0)], axis=1),
        "outputs": ["toxic", "threat"],
    }


def as_logit(head_options=None, **more):
    return options(head={"link": "logit", **(head_options or {})}, **more)


def test_shares_are_learnt_by_cross_entropy():
    rng = np.random.default_rng(5)
    y, z = rng.random((7, 3)).astype(np.float32), rng.normal(size=(7, 3)).astype(np.float32) * 4
    expected = torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(z), torch.tensor(y), reduction="none")
    task = find_task("regression")({"outputs": list("abc"), "link": "logit"})
    np.testing.assert_allclose(task.loss(y, z, None), expected.mean(dim=1), atol=1e-6)
    expected = np.mean([np.corrcoef(y[:, k], torch.sigmoid(torch.tensor(z))[:, k])[0, 1] for k in range(3)])
    assert task.metrics(y, z)["pearson"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("train", ["all", "head"])
def test_the_bias_of_shares_starts_at_their_mean_and_they_stay_within_0_and_1(tiny, shares, tmp_path, train):
    texts, target = shares
    model, seen = bridge.load(tiny, {}), {"a": texts, "b": None, "target": target}
    start = bridge.fit(
        model, "regression", texts, None, target, seen, as_logit(train=train, epochs=1, learning_rate=1e-9), None
    )
    n, mean = len(texts), target["values"].mean(axis=0)
    bias = torch.sigmoid(torch.tensor(np.array(start.network.head.stack[-1].bias)))
    np.testing.assert_allclose(bias, (n * mean + 0.5) / (n + 1), atol=1e-5)
    fitted = bridge.fit(model, "regression", texts, None, target, seen, as_logit(train=train, epochs=60), None)
    values = bridge.predict(fitted, texts, None, {}, None)["values"]
    assert values.min() > 0 and values.max() < 1
    p = np.clip(values, 1e-12, 1 - 1e-12)
    loss = -(target["values"] * np.log(p) + (1 - target["values"]) * np.log(1 - p)).mean()
    assert fitted.history["val_loss"][-1] == pytest.approx(loss, abs=1e-4)
    assert fitted.history["val_loss"][-1] < start.history["val_loss"][-1]
    assert np.corrcoef(values[:, 0], target["values"][:, 0])[0, 1] > (0.8 if train == "all" else 0.2)
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    back = bridge.load(str(tmp_path / "fit"), {})
    np.testing.assert_allclose(bridge.predict(back, texts, None, {}, None)["values"], values, atol=1e-5)


def test_a_cosine_can_have_a_link(tiny, sentences):
    model, texts = bridge.load(tiny, {}), sentences[0]
    a, b = texts[:30], [texts[i] for i in np.random.default_rng(2).integers(0, 60, 30)]
    y = (cosines(model, a, b) > 0.5).astype(float)
    y[:2] = 0.0, 1.0
    target = {"values": y[:, None], "outputs": ["same"]}
    fitted = bridge.fit(model, "regression", a, b, target, None, as_logit({"pair": "cosine"}, epochs=3), None)
    values = bridge.predict(fitted, a, b, {}, None)["values"][:, 0]
    assert np.isfinite(values).all() and values.min() > 0 and values.max() < 1


def test_what_is_no_share_is_refused(tiny, shares):
    texts, target = shares
    large = {**target, "values": target["values"] * 100}
    for trained, seen in ((large, None), (target, {"a": texts, "b": None, "target": large})):
        with pytest.raises(BertrError, match="from 0 to 1, not"):
            bridge.fit(bridge.load(tiny, {}), "regression", texts, None, trained, seen, as_logit(), None)


def test_a_fit_of_before_there_was_a_link_loads(tiny, measured, tmp_path):
    texts, target = measured
    fitted = bridge.fit(bridge.load(tiny, {}), "regression", texts, None, target, None, options(epochs=1), None)
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    meta = tmp_path / "fit" / "bertr.json"
    kept = json.loads(meta.read_text())
    del kept["fit"]["head"]["link"]
    meta.write_text(json.dumps(kept))
    values = [bridge.predict(f, texts, None, {}, None)["values"] for f in (fitted, bridge.load(str(meta.parent), {}))]
    np.testing.assert_allclose(values[1], values[0], atol=1e-4)
