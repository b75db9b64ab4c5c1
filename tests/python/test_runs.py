"""Fits that are interrupted, fail or are impossible; their progress events; their plans."""

import functools

import numpy as np
import pytest
from conftest import changed_parts, fit_sentences, probabilities_of, target

from bertr import bridge, events
from bertr.errors import BertrError
from bertr.tasks import find_task
from bertr.training import head_steps
from bertr.training.plan import make_plan

fit = functools.partial(fit_sentences, seed=1, learning_rate=3e-3, epochs=8)


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


def test_an_interrupted_head_tells_of_all_epochs_it_was_trained(model, sentences, monkeypatch):
    """Many epochs run in one call; the events must match what was done."""
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


@pytest.mark.parametrize(
    "options, code", [({"train": "top:9"}, "train"), ({"train": "some"}, "train"), ({"max_len": 65}, "max_len")]
)
def test_impossible_options(model, sentences, options, code):
    with pytest.raises(BertrError) as e:
        fit(model, sentences, **options)
    assert e.value.code == code and e.value.hint


@pytest.mark.parametrize("train", ["all", "head"])
@pytest.mark.parametrize("size", [16, 60])  # 60: the only step, so that no loss is seen after it
def test_a_loss_that_is_no_number_is_told(model, sentences, train, size):
    with pytest.raises(BertrError, match="infinite or NaN") as e:
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
