"""Temperature: the right one, from rows that were not trained on, and probabilities that follow it."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
from conftest import fit_sentences, target

from bertr import bridge, events
from bertr.errors import BertrError
from bertr.tasks import classification
from bertr.tasks.base import Task
from bertr.tasks.calibration import PRIOR_SD, best_temperature, stratified
from bertr.tasks.classification import Classification
from bertr.training.plan import make_plan


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def drawn(rng, rows, classes, sharpness):
    """Logits that are too large by a factor of `sharpness`, and classes drawn from the right probabilities."""
    z = rng.normal(size=(rows, classes)) * 2
    codes = np.array([rng.choice(classes, p=p) for p in scipy.special.softmax(z, axis=1)])
    return (sharpness * z).astype(np.float32), codes


@pytest.mark.parametrize(("rows", "classes"), [(8, 2), (100, 2), (400, 7)])
@pytest.mark.parametrize("sharpness", [0.5, 1.0, 4.0])
def test_the_temperature_is_the_most_likely(rng, rows, classes, sharpness):
    z, codes = drawn(rng, rows, classes, sharpness)
    weights = rng.uniform(1, 5, rows)

    def unlikely(u):
        p = scipy.special.log_softmax(z.astype(np.float64) / np.exp(u), axis=1)[np.arange(rows), codes]
        return -np.sum(weights * p) / weights.mean() - scipy.stats.norm.logpdf(u, scale=PRIOR_SD)

    expected = scipy.optimize.minimize_scalar(unlikely, bounds=np.log([0.2, 20]), method="bounded").x
    assert best_temperature(z, codes, weights) == pytest.approx(np.exp(expected), rel=0.015)


def test_too_sharp_outputs_are_mended(rng):
    z, codes = drawn(rng, 5000, 3, 3.0)
    assert best_temperature(z, codes, np.ones(5000)) == pytest.approx(3.0, rel=0.1)


def test_few_rows_say_little():
    z = np.array([[5.0, 0.0], [4.0, 0.0]], np.float32)  # both right, as sure as may be
    assert 0.5 < best_temperature(z, np.array([0, 0]), np.ones(2)) <= 1.0


@pytest.mark.parametrize("counts", [[100, 50, 7, 1], [2, 2, 2], [1, 30]])
def test_every_class_gives_its_share_and_keeps_a_row(rng, counts):
    codes = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    for seed in range(20):
        held = stratified(codes, 0.3, np.random.default_rng(seed))
        assert np.array_equal(held, stratified(codes, 0.3, np.random.default_rng(seed)))
        assert np.array_equal(held, np.unique(held))
        taken = np.bincount(codes[held], minlength=len(counts))
        assert np.all(taken < counts) and np.all(np.abs(taken - 0.3 * np.array(counts)) <= 1)


# ---------------------------------------------------------------- in a fit


@pytest.fixture
def many(sentences, monkeypatch):
    """120 rows, here enough for holding some out."""
    monkeypatch.setattr(classification, "MANY", 100)
    texts, codes = sentences
    return [*texts, *(f"{t} over" for t in texts)], codes * 2


def held_rows(codes, seed):
    task = Classification({"levels": ["cat", "dog"], "temperature": None})
    return task.hold_out(np.array(codes), np.random.default_rng(seed))


def fit(tiny, rows, **options):
    """With a newly loaded model, as in another session."""
    return fit_sentences(bridge.load(tiny, {}), rows, **{"seed": 2, "epochs": 2, "learning_rate": 1e-3, **options})


def weights(fitted):
    return [np.array(v.value).tobytes() for v in fitted.network.weights]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"train": "top:1"},
        {"train": "head"},
        {"train": "head", "head": {"units": [8]}},
        {"max_len": 8, "head": {"long": "window"}},
        {"class_weights": [1.0, 3.0]},
    ],
    ids=lambda o: "-".join(map(str, o)),
)
def test_held_out_rows_are_not_trained_on(tiny, many, options):
    """Replacing them by other texts changes no weight."""
    texts, codes = many
    held = held_rows(codes, 2)
    assert len(held) == 12
    other = [f"the {t} cat dog" if i in held else t for i, t in enumerate(texts)]
    one, two = fit(tiny, many, **options), fit(tiny, (other, codes), **options)
    assert weights(one) == weights(two)
    assert one.facts["held_rows"] == 12 and one.facts["rows"] == 120


def test_one_seed_gives_one_temperature_by_the_held_out_rows(tiny, many):
    texts, codes = many
    one, again = fit(tiny, many), fit(tiny, many)
    assert weights(again) == weights(one) and again.task.spec == one.task.spec
    held = held_rows(codes, 2)
    outputs = one.scorer.encodings(one.base.encode([texts[i] for i in held], None))
    assert one.facts["temperature"] == best_temperature(outputs, np.array(codes)[held], np.ones(12))


def test_probabilities_follow_the_temperature(tiny, many, tmp_path):
    fitted = fit(tiny, many)
    texts = many[0]
    temperature = fitted.facts["temperature"]
    assert temperature == fitted.task.spec["temperature"] and abs(temperature - 1) > 0.01
    prob = bridge.predict(fitted, texts, None, {}, None)["prob"]
    del fitted.task.spec["temperature"]  # like older fits, without a temperature
    plain = bridge.predict(fitted, texts, None, {}, None)["prob"]
    np.testing.assert_allclose(prob, scipy.special.softmax(np.log(plain) / temperature, axis=1), atol=1e-6)
    assert np.array_equal(prob.argmax(axis=1), plain.argmax(axis=1))
    fitted.task.spec["temperature"] = temperature
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    for back in (bridge.load(str(tmp_path / "fit"), {}), bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)):
        np.testing.assert_allclose(bridge.predict(back, texts, None, {}, None)["prob"], prob, atol=1e-6)


def test_it_is_fitted_on_validation_rows_where_they_are_given(tiny, many):
    texts, codes = many
    seen = {"a": texts[:50], "b": None, "target": target(codes[:50])}
    fitted = fit(tiny, (texts[50:], codes[50:]), validation=seen)
    assert fitted.facts["held_rows"] == 0
    outputs = fitted.scorer.encodings(fitted.base.encode(texts[:50], None))
    assert fitted.facts["temperature"] == best_temperature(outputs, np.array(codes[:50]), np.ones(50))


def test_pairs_are_held_out_as_pairs(tiny, many):
    texts, codes = many

    def of(a, b):
        return bridge.fit(
            bridge.load(tiny, {}),
            "classification",
            a,
            b,
            target(codes),
            None,
            {"head": {}, "seed": 2, "epochs": 1},
            None,
        )

    held = held_rows(codes, 2)
    other = ["a cat" if i in held else t for i, t in enumerate(texts[::-1])]
    assert weights(of(texts, texts[::-1])) == weights(of(texts, other))


def test_class_weights_count_in_the_temperature(tiny, many):
    fitted = fit(tiny, many, class_weights=[1.0, 3.0])
    texts, codes = many
    held = held_rows(codes, 2)
    outputs = fitted.scorer.encodings(fitted.base.encode([texts[i] for i in held], None))
    held_codes = np.array(codes)[held]
    assert fitted.facts["temperature"] == best_temperature(outputs, held_codes, np.array([1.0, 3.0])[held_codes])


def test_nothing_is_held_out_of_few_rows_or_unasked(tiny, many, sentences):
    for rows, options in ((sentences, {}), (many, {"head": {"calibrate": False}})):
        fitted = fit(tiny, rows, epochs=1, **options)
        assert fitted.facts["held_rows"] == 0 and fitted.facts["temperature"] is None
    few_of_class = Classification({"levels": list("abcdef"), "temperature": None})
    assert len(few_of_class.hold_out(np.arange(120) % 6, np.random.default_rng(0))) == 0


def test_an_interrupted_fit_has_its_temperature(tiny, many):
    fitted = fit(tiny, many, on_event=lambda kind, values: kind == "epoch" and values["epoch"] == 1)
    assert fitted.facts["interrupted"] and fitted.facts["temperature"] > 0


def test_a_killed_fit_goes_on_to_the_same_temperature(tiny, many, tmp_path, monkeypatch):
    monkeypatch.setattr(events, "EVENT_SECONDS", -1)  # every event comes through
    whole = fit(tiny, many)

    def kill(kind, values):
        if kind == "epoch":
            raise Killed

    with pytest.raises(Killed):
        fit(tiny, many, on_event=kill, checkpoint=str(tmp_path))
    again = fit(tiny, many, checkpoint=str(tmp_path))
    assert weights(again) == weights(whole) and again.task.spec == whole.task.spec
    monkeypatch.setattr(classification, "MANY", 1_000)
    with pytest.raises(BertrError, match="differs in held_rows"):
        fit(tiny, many, checkpoint=str(tmp_path))


class Killed(Exception):
    pass


@pytest.mark.parametrize(
    ("rows", "classes", "epochs", "rate"),
    [
        (207, 30, 10, 1e-4),
        (770, 77, 8, 1e-4),
        (1500, 150, 8, 1e-4),
        (999, 2, 8, 1e-4),  # few, or not many a class
        (1300, 10, 8, 1e-4),
        (1500, 2, 3, 5e-5),
        (2000, 2, 2, 5e-5),
        (50_000, 2, 2, 5e-5),
    ],
)
def test_many_rows_a_class_take_fewer_epochs(rows, classes, epochs, rate):
    task = Classification({"levels": list(range(classes))})
    plan = make_plan({}, rows, 384, task)
    assert (plan.epochs, plan.learning_rate) == (epochs, pytest.approx(rate))
    assert make_plan({}, rows, 768, task).learning_rate == pytest.approx(rate / 2)
    head = {"train": "head"}
    assert make_plan(head, rows, 384, task).epochs == make_plan(head, rows, 384, Task({})).epochs
