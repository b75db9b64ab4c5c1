"""Metrics against scikit-learn, scipy and hand counts."""

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from bertr import bridge
from bertr.tasks import find_task, metrics
from bertr.tasks.entities.word_accuracy import word_accuracy
from bertr.tasks.predictions import Predictions


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def rows_of(columns):
    """{(metric, estimator): estimate}, and with a level or an outcome {(that, metric, estimator): estimate}."""
    groups = [columns[name] for name in ("level", "outcome") if name in columns]
    keys = list(zip(*groups, columns["metric"], columns["estimator"], strict=True))
    assert len(set(keys)) == len(keys) == len(columns["estimate"])
    return dict(zip(keys, columns["estimate"], strict=True))


def classified(label_ids, prob, levels, event=None, classes=None):
    task = find_task("classification")({"levels": list(levels)})
    truth = {"label_ids": label_ids, "levels": list(classes or levels)}
    return task.metric_table(truth, of_classes(prob), event)


def of_classes(prob):
    return {"prob": np.asarray(prob), "chosen": np.argmax(prob, axis=1)}


# ---------------------------------------------------------------- classification


def test_metrics_of_classes_by_hand():
    prob = [[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.1, 0.6, 0.3], [0.5, 0.3, 0.2]]
    out = classified([0, 0, 1, 1, 2], prob, "abc")
    # predicted: a b b b a, so counts are a: 1 of 2 right, b: 2 of 2, c: 0 of 1
    by_chance = 0.4 * 0.4 + 0.4 * 0.6
    expected = [
        3 / 5,
        (0.6 - by_chance) / (1 - by_chance),
        np.mean([2 / 4, 4 / 5, 0]),
        -np.mean(np.log([0.7, 0.2, 0.8, 0.6, 0.2])),
        # bins of 1/15: both 0.7 in one, of which one is right; 0.8 and 0.6 are right, 0.5 is not
        (abs(1 - 1.4) + abs(1 - 0.8) + abs(1 - 0.6) + abs(0 - 0.5)) / 5,
    ]
    np.testing.assert_allclose(out["estimate"], expected)
    assert out["metric"] == ["accuracy", "kap", "f_meas", "mn_log_loss", "ece"]
    assert out["estimator"] == ["multiclass", "multiclass", "macro", "multiclass", "multiclass"]


@pytest.mark.parametrize("event", [0, 1])
def test_of_two_classes_the_events_metrics_are_those_of_scikit_learn(rng, event):
    truth = rng.integers(0, 2, 50)
    p = np.where(truth == 1, 0.6, 0.3) + rng.uniform(-0.3, 0.3, 50)
    predicted = (p > 0.5).astype(int)
    out = rows_of(classified(truth, np.stack([1 - p, p], axis=1), ["no", "yes"], event))
    for metric, score in (("precision", "precision"), ("recall", "recall"), ("f_meas", "f1")):
        expected = getattr(sklearn.metrics, f"{score}_score")(truth, predicted, pos_label=event)
        assert out[metric, "binary"] == pytest.approx(expected)
    assert out["f_meas", "macro"] == pytest.approx(sklearn.metrics.f1_score(truth, predicted, average="macro"))


def test_of_many_classes_metrics_are_those_of_scikit_learn(rng):
    truth, prob = rng.integers(0, 5, 300), rng.dirichlet(np.full(5, 0.3), 300)
    out, predicted = rows_of(classified(truth, prob, "abcde")), prob.argmax(axis=1)
    assert out["accuracy", "multiclass"] == pytest.approx(sklearn.metrics.accuracy_score(truth, predicted))
    assert out["kap", "multiclass"] == pytest.approx(sklearn.metrics.cohen_kappa_score(truth, predicted))
    assert out["f_meas", "macro"] == pytest.approx(sklearn.metrics.f1_score(truth, predicted, average="macro"))
    assert out["mn_log_loss", "multiclass"] == pytest.approx(sklearn.metrics.log_loss(truth, prob))


def test_classes_not_seen_in_training_count_as_wrong_as_scikit_learn_counts_them():
    prob = np.array([0.9, 0.8, 0.4, 0.6, 0.1, 0.2, 0.3])
    prob = np.stack([prob, 1 - prob], axis=1)
    truth, predicted = [0, 2, 1, 1, 3, 2, 0], [0, 0, 1, 0, 1, 1, 1]
    out = rows_of(classified(truth, prob, "ab", 1, ["a", "b", "new", "odd"]))
    assert out["accuracy", "binary"] == pytest.approx(2 / 7)
    assert out["kap", "binary"] == pytest.approx(sklearn.metrics.cohen_kappa_score(truth, predicted))
    assert out["f_meas", "macro"] == pytest.approx(sklearn.metrics.f1_score(truth, predicted, average="macro"))
    assert out["precision", "binary"] == pytest.approx(1 / 4) and out["recall", "binary"] == pytest.approx(1 / 2)
    assert out["mn_log_loss", "binary"] == pytest.approx(-np.mean(np.log([0.9, 0.6, 0.4, 0.3])))
    only = rows_of(classified([2], prob[:1], "ab", None, ["a", "b", "new"]))
    assert only["accuracy", "binary"] == 0
    assert np.isnan(only["mn_log_loss", "binary"]) and np.isnan(only["ece", "binary"])


def test_the_calibration_error_is_the_mean_distance_from_the_diagonal(rng):
    confidence = rng.uniform(0.5, 1, 20000)
    right = rng.random(20000) < confidence
    assert metrics.calibration_error(right, confidence) < 0.02
    shifted = metrics.calibration_error(right, np.minimum(1, confidence + 0.1))
    assert shifted == pytest.approx(0.1, rel=0.15)
    assert metrics.calibration_error(np.array([True, False]), np.array([0.0, 1.0])) == 1


def test_a_probability_of_0_has_a_finite_log_loss():
    out = rows_of(classified([1], [[1.0, 0.0]], "ab"))
    assert out["mn_log_loss", "binary"] == pytest.approx(-np.log(np.finfo(float).eps))


# ---------------------------------------------------------------- multi-label


def test_f1_of_label_sets_is_that_of_scikit_learn(rng):
    y, chosen = rng.random((50, 6)) > 0.7, rng.random((50, 6)) > 0.6
    counts = metrics.count_sets(y, chosen)
    macro = sklearn.metrics.f1_score(y, chosen, average="macro")
    assert metrics.mean_of_defined(counts.f_meas()) == pytest.approx(macro)
    assert counts.total().f_meas() == pytest.approx(sklearn.metrics.f1_score(y, chosen, average="micro"))


def test_of_several_labels_per_row_those_not_seen_in_training_are_never_found():
    truth = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]])
    chosen = np.array([[1, 0], [0, 0], [1, 1], [1, 0], [0, 0]], bool)
    prob = np.array([[0.9, 0.1], [0.2, 0.3], [0.6, 0.7], [0.8, 0.4], [0.3, 0.2]])
    task = find_task("multilabel")({"levels": ["a", "b"]})
    out = rows_of(task.metric_table({"values": truth}, {"prob": prob, "chosen": chosen}, None))
    predicted = np.pad(chosen, ((0, 0), (0, 2)))
    for average in ("macro", "micro"):
        expected = sklearn.metrics.f1_score(truth, predicted, average=average)
        assert out["f_meas", average] == pytest.approx(expected)
    assert out["precision", "micro"] == pytest.approx(3 / 4) and out["recall", "micro"] == pytest.approx(3 / 6)
    assert out["accuracy", "multilabel"] == pytest.approx(2 / 5)
    each = np.where(truth[:, :2] == 1, np.log(prob), np.log(1 - prob))
    assert out["mn_log_loss", "multilabel"] == pytest.approx(-each.mean())


def test_without_any_label_f1_is_undefined_and_0_in_validation():
    task = find_task("multilabel")({"levels": ["a", "b"], "fixed": 0.5})
    nothing = np.zeros((3, 2))
    predicted = {"prob": nothing + 0.1, "chosen": nothing > 0}
    out = rows_of(task.metric_table({"values": nothing}, predicted, None))
    assert np.isnan([out["f_meas", "macro"], out["f_meas", "micro"], out["recall", "micro"]]).all()
    assert task.metrics(nothing, nothing - 1.0) == {"f_meas_macro": 0.0, "f_meas_micro": 0.0}


# ---------------------------------------------------------------- regression


def test_metrics_of_numbers_are_those_of_scikit_learn_and_scipy(rng):
    y, z = rng.normal(size=(60, 2)), rng.normal(size=(60, 2))
    y[:, 1], z[:20, 1] = np.round(y[:, 1]), 0.5  # with ties
    task = find_task("regression")({"outputs": ["a", "b"], "mean": [0, 0], "sd": [1, 1]})
    columns = task.metric_table({"values": y}, {"values": z + y}, None)
    assert list(columns) == ["outcome", "metric", "estimator", "estimate"]
    out = rows_of(columns)
    for k, name in enumerate("ab"):
        pair = y[:, k], (z + y)[:, k]
        pearson = scipy.stats.pearsonr(*pair)[0]
        expected = {
            "rmse": sklearn.metrics.mean_squared_error(*pair) ** 0.5,
            "mae": sklearn.metrics.mean_absolute_error(*pair),
            "rsq": pearson**2,
            "pearson": pearson,
            "spearman": scipy.stats.spearmanr(*pair)[0],
        }
        assert {metric: out[name, metric, "standard"] for metric in expected} == pytest.approx(expected)


def test_ranks_are_scipys(rng):
    x = np.round(rng.normal(size=100), 1)
    np.testing.assert_array_equal(metrics.ranks(x), scipy.stats.rankdata(x))


def test_the_correlation_with_a_constant_is_undefined_and_0_in_validation():
    task = find_task("regression")({"outputs": ["a"], "mean": [0], "sd": [1]})
    y, same = np.array([[0.1], [0.2], [0.4]]), np.full((3, 1), 0.1)
    out = rows_of(task.metric_table({"values": y}, {"values": same}, None))
    assert np.isnan([out[metric, "standard"] for metric in ("rsq", "pearson", "spearman")]).all()
    assert task.metrics(y, same) == {"pearson": 0.0}
    one = rows_of(task.metric_table({"values": y[:1]}, {"values": y[:1]}, None))
    assert np.isnan(one["pearson", "standard"]) and one["rmse", "standard"] == 0


def test_with_a_link_the_cross_entropy_is_added(rng):
    y, p = rng.random((20, 1)), rng.random((20, 1))
    task = find_task("regression")({"outputs": ["a"], "link": "logit", "log_odds": [0.0]})
    columns = task.metric_table({"values": y}, {"values": p}, None)
    assert columns["metric"] == ["rmse", "mae", "rsq", "pearson", "spearman", "mn_log_loss"]
    assert columns["estimate"][5] == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
    certain = task.metric_table({"values": np.array([[1.0], [0.0]])}, {"values": np.array([[1.0], [1.0]])}, None)
    assert certain["estimate"][5] == pytest.approx(-np.log(np.finfo(float).eps) / 2)  # not NaN


# ---------------------------------------------------------------- entities and relations


def entity_table(truth, found, levels, words=False):
    """`truth` and `found` are (text, start, end, label), from 0, ends exclusive."""
    row, start, end, code = np.array(truth, int).reshape(-1, 4).T
    given = {"row": row, "start": start, "end": end, "code": code, "levels": levels, "words": words}
    task = find_task("entities")({"levels": levels, "crf": False, "words": "space"})
    return task.metric_table(given, {"found": np.array(found, int).reshape(-1, 4)}, None)


def test_metrics_of_entities_are_those_of_seqeval():
    truth = [(0, 0, 3, 0), (0, 8, 12, 1), (2, 0, 5, 0)]
    found = [(0, 0, 3, 0), (0, 8, 12, 0), (1, 0, 3, 1), (2, 0, 5, 0)]
    out = entity_table(truth, found, ["a", "b", "c"])
    assert out["metric"] == ["precision", "recall", "f_meas"] * 4
    assert out["level"].tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    expected = [2 / 4, 2 / 3, 4 / 7, 2 / 3, 1, 4 / 5, 0, 0, 0, np.nan, np.nan, np.nan]
    np.testing.assert_allclose(out["estimate"], expected)
    assert out["estimator"] == ["micro"] * 3 + ["binary"] * 9
    np.testing.assert_array_equal(entity_table([], [], ["a"])["estimate"], np.nan)


def test_entities_not_seen_in_training_are_never_found():
    out = entity_table([(0, 0, 3, 0), (0, 8, 12, 1), (1, 0, 5, 0)], [(0, 0, 3, 0), (1, 0, 4, 0)], ["a", "new"])
    np.testing.assert_allclose(out["estimate"], [1 / 2, 1 / 3, 2 / 5, 1 / 2, 1 / 2, 1 / 2, 0, 0, 0])


# words of three texts, with their labels
TAGGED = [
    *((0, 0, 4, 0), (0, 5, 7, 1), (0, 8, 11, 2), (0, 12, 16, 3), (0, 17, 18, 4)),
    *((1, 0, 1, 0), (1, 2, 6, 3), (1, 7, 11, 0), (1, 12, 13, 4)),
    *((2, 0, 4, 5), (2, 5, 9, 3), (2, 10, 11, 4)),
]


def test_where_every_word_is_labeled_there_is_an_accuracy_over_words():
    truth = np.array(TAGGED)
    assert word_accuracy(truth, truth) == 1
    other = truth.copy()
    other[[1, 6], 3] = 9
    assert word_accuracy(truth, other) == pytest.approx(10 / 12)
    part = np.delete(truth, [0, 11], axis=0)  # the first and the last word are not found
    assert word_accuracy(truth, part) == pytest.approx(10 / 12)
    wide = np.delete(truth, 3, axis=0)  # "n't come" is one entity of the label of "n't"
    wide[2, 2] = 15
    assert word_accuracy(truth, wide) == pytest.approx(11 / 12)
    assert word_accuracy(truth, truth[::-1]) == 1
    assert word_accuracy(truth, truth[:0]) == 0
    out = entity_table(TAGGED, TAGGED, list("abcdef"), words=True)
    assert (out["metric"][-1], out["estimator"][-1], out["level"][-1]) == ("accuracy", "multiclass", 0)
    assert out["estimate"][-1] == 1


def relation_table(truth, found, levels):
    """`truth` and `found` are (text, head_start, head_end, relation, tail_start, tail_end)."""
    names = ("text", "head_start", "head_end", "relation", "tail_start", "tail_end")
    given = dict(zip(names, np.array(truth).reshape(-1, 6).T, strict=True))
    task = find_task("relations")({"levels": levels, "form": "gplinker"})
    return task.metric_table({**given, "levels": levels}, {"found": np.array(found, int).reshape(-1, 6)}, None)


def test_metrics_of_relations_are_those_counted_by_hand():
    there, back = (0, 3), (8, 11)
    truth = [(0, *there, 0, *back), (0, *back, 1, *there), (1, *there, 0, *back)]
    found = [(0, *there, 0, *back), (0, *there, 1, *back), (1, *back, 0, *there), (2, *there, 1, *back)]
    out = relation_table(truth, found, ["met", "saw", "x"])
    expected = [1 / 4, 1 / 3, 2 / 7, 1 / 2, 1 / 2, 1 / 2, 0, 0, 0, np.nan, np.nan, np.nan]
    np.testing.assert_allclose(out["estimate"], expected)
    assert out["estimator"] == ["micro"] * 3 + ["binary"] * 9
    np.testing.assert_array_equal(relation_table(truth, [], ["met", "saw", "x"])["estimate"][:3], 0)
    far = (0, 99999, 100002, 0, 100003, 100006)
    np.testing.assert_array_equal(relation_table([far, far], [far], ["met"])["estimate"], 1)  # a duplicate counts once


def test_relations_not_seen_in_training_are_never_found():
    triples = [(0, 0, 3, 0, 4, 7), (1, 0, 3, 0, 4, 7)]
    out = relation_table([*triples, (1, 0, 3, 1, 4, 7)], triples, ["met", "saw"])
    np.testing.assert_allclose(out["estimate"], [1, 2 / 3, 4 / 5, 1, 1, 1, 0, 0, 0])


# ---------------------------------------------------------------- spans and masked words


def test_spans_are_scored_by_kind_of_question():
    task = find_task("span")({"none": True, "longest": 30, "threshold": 0.0})
    predicted = {"text": ["the big red dog", "", "sun"]}
    truth = {"golds": ["red dog!", "A cat", "", "moon"], "gold_counts": [2, 1, 1], "start": [3, -1, 0]}
    out = task.metric_table(truth, predicted, None)
    assert out["metric"] == ["exact_match", "f_meas", "n"] * 3
    assert out["estimator"] == ["standard"] * 3 + ["answerable"] * 3 + ["unanswerable"] * 3
    np.testing.assert_allclose(out["estimate"], [1 / 3, 1.8 / 3, 3, 0, 0.4, 2, 1, 1, 1])
    answered = {"golds": ["red dog!", "moon"], "gold_counts": [1, 1], "start": [3, 0]}
    out = rows_of(task.metric_table(answered, {"text": ["red dog", "sun"]}, None))
    assert out == {("exact_match", "standard"): 0.5, ("f_meas", "standard"): 0.5}


def test_masked_words_and_pairs_count_equally_in_all_chunks():
    kept = Predictions()
    for right in (3.0, 1.0):
        part = {"words": 4, "nll": 2, "right": 1, "pairs": 4, "pair_nll": 3, "pair_right": right}
        kept.add({name: np.array([float(value)]) for name, value in part.items()}, 4)
    task = find_task("mlm")({"pairs": True, "whole_words": False})
    out = task.metric_table({"pairs": True}, kept.joined(), None)
    assert out["metric"] == ["accuracy", "mn_log_loss", "perplexity", "nsp_accuracy"]
    np.testing.assert_allclose(out["estimate"], [0.25, 0.5, np.exp(0.5), 0.5])


# ---------------------------------------------------------------- chunks


def test_parts_are_joined_in_the_order_of_texts():
    kept = Predictions()
    kept.add({"found": np.array([[0, 5], [1, 6]]), "text": ["a", "b"]}, 3)
    kept.add({"found": np.zeros((0, 2), int), "text": []}, 2)
    kept.add({"found": np.array([[0, 7]]), "text": ["c"]}, 1)
    out = kept.joined()
    assert out["found"].tolist() == [[0, 5], [1, 6], [5, 7]] and out["text"] == ["a", "b", "c"]
    assert kept.joined() is out


def test_validation_and_evaluation_agree(model, sentences):
    texts, codes = sentences
    target = {"label_ids": codes, "levels": ["a", "b"][: max(codes) + 1]}
    seen = {"a": texts, "b": None, "target": target}
    options = {"head": {"calibrate": False}, "seed": 1, "epochs": 2, "train": "head"}
    fitted = bridge.fit(model, "classification", texts, None, target, seen, options, None)
    kept = bridge.new_predictions()
    for part in (texts[:5], texts[5:]):
        bridge.keep_predictions(fitted, part, None, {"kept": kept}, None)
    out = rows_of(bridge.evaluate(fitted, kept, target, None))
    assert out["accuracy", "binary"] == fitted.history["val_accuracy"][-1]
    assert out["mn_log_loss", "binary"] == pytest.approx(fitted.history["val_loss"][-1], rel=1e-5)
