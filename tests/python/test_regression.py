"""Regression: units, pairs by cosine, learning."""

import numpy as np
import pytest

from bertr import bridge
from bertr.errors import BertrError


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
    fitted = bridge.fit(model, "regression", a, b, target, None,
                        options(train=train, epochs=1, learning_rate=1e-9, head={"pair": "cosine"}), None)
    values = bridge.predict(fitted, a, b, {}, None)["values"][:, 0]
    slope, start = np.polyfit(cosine, y, 1)
    np.testing.assert_allclose(values, start + slope * cosine, atol=1e-3)
    alone = [bridge.predict(fitted, a[i:i + 1], b[i:i + 1], {}, None)["values"][0, 0] for i in range(3)]
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
        bridge.fit(bridge.load(tiny, {}), "regression", texts, texts, target, None, options(head={"pair": "cosine"}),
                   None)
    target = {"values": target["values"][:, :1], "outputs": ["size"]}
    with pytest.raises(BertrError, match="two text columns"):
        bridge.fit(bridge.load(tiny, {}), "regression", texts, None, target, None, options(head={"pair": "cosine"}),
                   None)
