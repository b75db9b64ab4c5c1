"""A finished fit, calibrated on other rows."""

import copy

import numpy as np
import pytest
import scipy.special
import sklearn.metrics
from conftest import fit_sentences, target

from bertr import bridge
from bertr.tasks.calibration import MEASURES, best_temperature, best_threshold
from bertr.tasks.multilabel import best_thresholds


@pytest.fixture
def fitted(tiny, sentences):
    texts, codes = sentences
    return fit_sentences(bridge.load(tiny, {}), (texts[:40], codes[:40]), seed=2, epochs=2, train="head")


def predict(fit, texts):
    return bridge.predict(fit, texts, None, {}, None)


def test_the_temperature_is_that_of_the_rows_and_the_old_fit_stays(fitted, sentences):
    texts, codes = sentences[0][40:], np.array(sentences[1][40:])
    before, spec, facts = predict(fitted, texts), copy.deepcopy(fitted.task.spec), dict(fitted.facts)
    out = bridge.calibrate(fitted, texts, None, target(codes.tolist()), None, None)
    outputs = fitted.scorer.encodings(fitted.base.encode(texts, None))
    expected = best_temperature(outputs, codes, np.ones(len(codes)))
    described = bridge.describe_fit(out["fit"])
    assert described["temperature"] == expected != 1.0
    assert described["calibration_rows"] == 20 and out["n_truncated"] == 0
    np.testing.assert_allclose(
        predict(out["fit"], texts)["prob"], scipy.special.softmax(outputs.astype(np.float64) / expected, axis=1)
    )
    assert np.array_equal(predict(fitted, texts)["prob"], before["prob"])
    assert fitted.task.spec == spec and fitted.facts == facts


def score(measure, truth, chosen):
    if measure == "f_meas":
        return sklearn.metrics.f1_score(truth, chosen)
    if measure == "accuracy":
        return sklearn.metrics.accuracy_score(truth, chosen)
    return sklearn.metrics.balanced_accuracy_score(truth, chosen) * 2 - 1


@pytest.mark.parametrize("measure", list(MEASURES))
@pytest.mark.parametrize("tied", [False, True])
def test_no_threshold_is_better(measure, tied):
    rng = np.random.default_rng(5)
    truth = rng.random(60) < 0.4
    prob = np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0.01, 0.99)
    prob = prob.round(1) if tied else prob
    found = score(measure, truth, prob > best_threshold(truth, prob, measure))
    candidates = np.append(0.0, np.unique(prob))[:-1]  # at least one row is selected
    assert found == pytest.approx(max(score(measure, truth, prob > at) for at in candidates))


@pytest.mark.parametrize("event", [0, 1])
def test_classes_follow_the_threshold_also_after_saving(fitted, sentences, event, tmp_path):
    texts, codes = sentences
    wanted = {"event": event, "measure": "f_meas"}
    fit = bridge.calibrate(fitted, texts[40:], None, target(codes[40:]), wanted, None)["fit"]
    found = bridge.describe_fit(fit)["event_threshold"]
    prob = predict(fit, texts[40:])["prob"][:, event]
    assert found == {**wanted, "value": best_threshold(np.array(codes[40:]) == event, prob, "f_meas")}
    fit.task.spec["event_threshold"]["value"] = 0.8  # far from where the more probable class changes
    bridge.save(fit, str(tmp_path / "fit"), "{}")
    again = [bridge.load(str(tmp_path / "fit"), {}), bridge.from_bytes(list(bridge.to_bytes(fit, "{}")), None)]
    for each in (fit, *again):
        out = predict(each, texts)
        assert np.array_equal(out["chosen"] == event, out["prob"][:, event] > 0.8)
        assert bridge.describe_fit(each)["calibration_rows"] == 20
    plain = bridge.calibrate(fit, texts[40:], None, target(codes[40:]), None, None)["fit"]
    out = predict(plain, texts)
    assert np.array_equal(out["chosen"], out["prob"].argmax(axis=1))


def test_labels_get_new_thresholds_also_where_one_was_fixed(tiny, sentences):
    texts = sentences[0]
    words = ["sun", "moon", "cat"]
    values = np.array([[word in text.split() for word in words] for text in texts], np.int32)
    options = {"head": {"threshold": 0.9}, "seed": 1, "epochs": 2, "train": "head"}
    labels = {"values": values, "levels": words}
    fit = bridge.fit(bridge.load(tiny, {}), "multilabel", texts, None, labels, None, options, None)
    new = bridge.calibrate(fit, texts, None, labels, None, None)["fit"]
    prob = predict(fit, texts)["prob"]
    np.testing.assert_allclose(bridge.describe_fit(new)["thresholds"], best_thresholds(values, prob), atol=1e-6)
    assert bridge.describe_fit(fit)["thresholds"] == [0.9] * 3
