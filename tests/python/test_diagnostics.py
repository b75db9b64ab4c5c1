"""Metrics of each class, confusion matrices, curves and reliability against scikit-learn and hand counts."""

from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.calibration
import sklearn.metrics

from bertr import bridge
from bertr.tasks import find_task, metrics
from bertr.tasks.predictions import Predictions


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def handle(task, levels, **spec):
    return SimpleNamespace(task=find_task(task)({"levels": list(levels), **spec}))


def kept(**columns):
    out = Predictions()
    out.add(columns, len(columns["prob"]))
    return out


def classified(prob):
    return kept(prob=np.asarray(prob), chosen=np.argmax(prob, axis=1).astype(np.int32))


def drawn(rng, rows, classes):
    return rng.integers(0, classes, rows), rng.dirichlet(np.full(classes, 0.4), rows)


def test_metrics_of_each_class_are_those_of_scikit_learn(rng):
    truth, prob = drawn(rng, 200, 4)
    out = bridge.evaluate_classes(
        handle("classification", "abcd"), classified(prob), {"label_ids": truth.tolist(), "levels": list("abcd")}
    )
    expected = sklearn.metrics.precision_recall_fscore_support(truth, prob.argmax(axis=1))
    np.testing.assert_allclose(np.reshape(out["estimate"], (4, 4)).T, expected)
    assert out["metric"] == ["precision", "recall", "f_meas", "support"] * 4
    assert out["level"].tolist() == np.repeat([1, 2, 3, 4], 4).tolist()


def test_metrics_of_each_label_are_those_of_scikit_learn(rng):
    truth, prob = rng.random((100, 3)) < 0.3, rng.random((100, 3))
    unseen = np.zeros((100, 1), bool)
    unseen[:7] = True
    out = bridge.evaluate_classes(
        handle("multilabel", "abc"),
        kept(prob=prob, chosen=prob > 0.6),
        {"values": np.hstack([truth, unseen]), "levels": list("abcx")},
    )
    expected = sklearn.metrics.precision_recall_fscore_support(truth, prob > 0.6)
    found = np.reshape(out["estimate"], (4, 4)).T
    np.testing.assert_allclose(found[:, :3], expected)
    assert found[:, 3].tolist() == [0, 0, 0, 7]  # an unseen label is never found


def test_a_confusion_matrix_is_that_of_scikit_learn_with_rows_of_unseen_classes(rng):
    truth, prob = drawn(rng, 150, 3)
    truth[:9] = 3
    out = bridge.confusion(
        handle("classification", "abc"), classified(prob), {"label_ids": truth.tolist(), "levels": list("abcx")}
    )
    expected = sklearn.metrics.confusion_matrix(truth, prob.argmax(axis=1), labels=range(4))
    assert out.tolist() == expected[:, :3].tolist() and out.dtype == np.int32


@pytest.mark.parametrize("tied", [False, True])
def test_curves_and_areas_are_those_of_scikit_learn(rng, tied):
    truth, prob = drawn(rng, 120, 3)
    prob = prob.round(1) if tied else prob
    given = {"label_ids": truth.tolist(), "levels": list("abc")}
    fit = handle("classification", "abc")
    for kind, area in (
        ("roc", sklearn.metrics.roc_auc_score),
        ("pr", sklearn.metrics.average_precision_score),
    ):
        out = bridge.curves(fit, classified(prob), given, kind, None)
        assert out["skipped"].tolist() == [] and out["area"]["level"].tolist() == [1, 2, 3]
        for k in range(3):
            assert out["area"]["estimate"][k] == pytest.approx(area(truth == k, prob[:, k]))
            one = {name: column[out["curve"]["level"] == k + 1] for name, column in out["curve"].items()}
            if kind == "roc":
                fpr, tpr, at = sklearn.metrics.roc_curve(truth == k, prob[:, k], drop_intermediate=False)
                expected = at[::-1], 1 - fpr[::-1], tpr[::-1]
                found = one["threshold"], one["specificity"], one["sensitivity"]
            else:
                precision, recall, at = sklearn.metrics.precision_recall_curve(truth == k, prob[:, k])
                expected = np.append(at, np.inf)[::-1], recall[::-1], precision[::-1]
                found = one["threshold"], one["recall"], one["precision"]
            for x, y in zip(found, expected, strict=True):
                np.testing.assert_allclose(x, y)


def test_a_curve_by_hand():
    cuts = metrics.Cuts.of(np.array([True, False, True, False]), np.array([0.9, 0.5, 0.5, 0.1]))
    assert [c.tolist() for c in (cuts.score, cuts.right, cuts.taken)] == [[0.9, 0.5, 0.1], [1, 2, 2], [1, 3, 4]]
    assert metrics.roc_curve(cuts)[3] == (0.5 + 1) / 2 * 0.5 + 0.5  # (0, 0), (0, 0.5), (0.5, 1), (1, 1)
    assert metrics.pr_curve(cuts)[3] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_a_class_with_no_or_all_rows_has_no_curve(rng):
    prob = rng.dirichlet(np.ones(3), 6)
    truth = {"label_ids": [0, 0, 1, 1, 3, 3], "levels": list("abcx")}
    out = bridge.curves(handle("classification", "abc"), classified(prob), truth, "roc", None)
    assert out["skipped"].tolist() == [3] and out["area"]["level"].tolist() == [1, 2]
    # rows of an unseen class are in no class
    expected = sklearn.metrics.roc_auc_score([1, 1, 0, 0, 0, 0], prob[:, 0])
    assert out["area"]["estimate"][0] == pytest.approx(expected)
    only = bridge.curves(handle("classification", "abc"), classified(prob), truth, "roc", 1)
    assert only["skipped"].tolist() == [] and only["area"]["level"].tolist() == [2]
    nothing = bridge.curves(
        handle("classification", "abc"), classified(prob), {**truth, "label_ids": [3] * 6}, "pr", None
    )
    assert nothing["skipped"].tolist() == [1, 2, 3] and "curve" not in nothing


def test_labels_have_curves_too(rng):
    truth, prob = rng.random((80, 2)) < 0.4, rng.random((80, 2))
    out = bridge.curves(
        handle("multilabel", "ab"),
        kept(prob=prob, chosen=prob > 0.5),
        {"values": truth.astype(int), "levels": ["a", "b"]},
        "pr",
        None,
    )
    expected = [sklearn.metrics.average_precision_score(truth[:, k], prob[:, k]) for k in range(2)]
    np.testing.assert_allclose(out["area"]["estimate"], expected)


def test_reliability_is_that_of_scikit_learn(rng):
    truth, prob = drawn(rng, 400, 3)
    truth[:20] = 3  # without a probability, so left out
    given = {"label_ids": truth.tolist(), "levels": list("abcx")}
    fit = handle("classification", "abc")
    out = bridge.reliability(fit, classified(prob), given)
    known, confidence = truth < 3, prob.max(axis=1)
    right = (prob.argmax(axis=1) == truth)[known]
    share, mean = sklearn.calibration.calibration_curve(right, confidence[known], n_bins=metrics.BINS)
    filled = out["n"] > 0
    np.testing.assert_allclose(out["accuracy"][filled], share)
    np.testing.assert_allclose(out["confidence"][filled], mean)
    assert np.all(np.isnan(out["accuracy"][~filled])) and out["n"].sum() == 380
    gap = np.abs(out["accuracy"] - out["confidence"])[filled]
    assert out["ece"] == pytest.approx(np.average(gap, weights=out["n"][filled]))
    table = fit.task.metric_table(given, classified(prob).joined(), None)
    assert out["ece"] == table["estimate"][table["metric"].index("ece")]
