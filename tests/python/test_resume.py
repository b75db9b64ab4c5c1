"""A run that is killed and started again is the run that was not."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from bertr import bridge, events
from bertr.errors import BertrError


class Killed(Exception):
    pass


def target(codes):
    return {"codes": np.array(codes, np.int32), "levels": ["cat", "dog"]}


def fit(tiny, sentences, on_event=None, validated=True, **options):
    """With a model read anew, as in another session."""
    texts, codes = sentences
    seen = {"a": texts[:20], "b": None, "target": target(codes[:20])} if validated else None
    options = {"head": {}, "seed": 3, "learning_rate": 1e-3, "epochs": 4, **options}
    return bridge.fit(bridge.load(tiny, {}), "classification", texts, None, target(codes), seen, options, on_event)


def kill_at(kind, epoch):
    def on_event(k, values):
        if k == kind and values.get("epoch") == epoch:
            raise Killed

    return on_event


def bits(fitted):
    """All weights, the history without its times, and what was chosen after training."""
    history = {k: v for k, v in fitted.history.items() if k != "seconds"}
    weights = [np.array(v.value) for v in fitted.network.weights]
    return json.dumps([history, fitted.task.spec]), [w.tobytes() for w in weights], fitted.facts["best_epoch"]


def one_by_one(monkeypatch):
    monkeypatch.setattr(events, "EVENT_SECONDS", -1)  # every event comes through


@pytest.mark.parametrize("options", [
    {}, {"train": "top:1"}, {"train": "head", "head": {"units": [8], "dropout": 0.3}},
    {"train": "head", "ema": 0.9, "early_stopping": 1}, {"ema": 0.9, "weight_decay": 0.5}, {"early_stopping": 2},
    {"accumulate": 2, "batch_size": 8, "adversarial": 0.3, "layer_decay": 0.8, "schedule": "keras_bert"}],
    ids=lambda o: "-".join(map(str, o)))
def test_killed_and_started_again(tiny, sentences, tmp_path, monkeypatch, options):
    one_by_one(monkeypatch)
    whole = bits(fit(tiny, sentences, **options))
    folder = str(tmp_path / "new" / "run")
    with pytest.raises(Killed):
        fit(tiny, sentences, kill_at("epoch", 2), checkpoint=folder, **options)
    kind = "epoch" if options.get("train") == "head" else "step"
    told = []
    with pytest.raises(Killed):  # and once more, in the middle of an epoch
        fit(tiny, sentences, lambda k, v: told.append((k, v)) or kill_at(kind, 3)(k, v), checkpoint=folder, **options)
    assert next(v for k, v in told if k == "resume")["epoch"] == 2
    assert bits(fit(tiny, sentences, checkpoint=folder, **options)) == whole
    assert len(os.listdir(folder)) == 2


def test_a_task_that_draws_words_goes_on(tiny, sentences, tmp_path):
    """Masked language modelling: other words every epoch, the whole word table trained."""
    def adapt(on_event=None, **options):
        options = {"head": {}, "seed": 3, "epochs": 3, "accumulate": 2, "batch_size": 8, "ema": 0.9,
                   "adversarial": 0.1, "layer_decay": 0.9, **options}
        target = {"pairs": False}
        return bridge.fit(bridge.load(tiny, {}), "mlm", sentences[0], None, target, None, options, on_event)

    with pytest.raises(Killed):
        adapt(kill_at("epoch", 1), checkpoint=str(tmp_path))
    assert bits(adapt(checkpoint=str(tmp_path))) == bits(adapt())


def test_a_process_that_dies(tiny, sentences, tmp_path):
    script = """
import json, os, sys
import numpy as np
from bertr import bridge, events
events.EVENT_SECONDS = -1  # every event comes through
tiny, folder, texts, codes, options = json.loads(sys.argv[1])
target = {"codes": np.array(codes, np.int32), "levels": ["cat", "dog"]}
on_event = lambda kind, values: os._exit(9) if kind == "step" and values["epoch"] == 3 else None
bridge.fit(bridge.load(tiny, {}), "classification", texts, None, target, None, options, on_event)
"""
    options = {"head": {}, "seed": 3, "learning_rate": 1e-3, "epochs": 4}
    folder = str(tmp_path / "run")
    given = json.dumps([tiny, folder, *sentences, {**options, "checkpoint": folder}])
    assert subprocess.run([sys.executable, "-c", script, given]).returncode == 9
    resumed = fit(tiny, sentences, validated=False, checkpoint=folder)
    assert bits(resumed) == bits(fit(tiny, sentences, validated=False))


def test_an_interrupted_fit_goes_on(tiny, sentences, tmp_path):
    folder = str(tmp_path)
    first = fit(tiny, sentences, lambda kind, values: kind == "epoch" and values["epoch"] == 1, checkpoint=folder)
    assert first.facts["interrupted"] and first.facts["epochs_done"] == 1
    whole = fit(tiny, sentences, checkpoint=folder)
    assert not whole.facts["interrupted"] and bits(whole) == bits(fit(tiny, sentences))


@pytest.mark.parametrize("options", [{}, {"train": "head"}, {"ema": 0.9, "early_stopping": 1}])
def test_a_finished_run_is_given_back(tiny, sentences, tmp_path, options):
    folder = str(tmp_path)
    first = fit(tiny, sentences, checkpoint=folder, **options)
    told = []
    again = fit(tiny, sentences, lambda kind, values: told.append(kind), checkpoint=folder, **options)
    assert bits(again) == bits(first) and not {"step", "epoch"} & set(told)
    assert again.facts["stopped_early"] == first.facts["stopped_early"]


def test_another_run_is_refused(tiny, sentences, tmp_path):
    folder = str(tmp_path)
    options = {"epochs": 1, "checkpoint": folder}
    fit(tiny, sentences, **options)
    assert bridge.kept_seed(folder) == 3 and bridge.kept_seed(str(tmp_path / "none")) is None
    with pytest.raises(BertrError, match="it differs in learning_rate, ema") as e:
        fit(tiny, sentences, learning_rate=1e-4, ema=0.9, **options)
    assert e.value.code == "checkpoint"
    texts, codes = sentences
    with pytest.raises(BertrError, match="it differs in data"):
        fit(tiny, ([*texts[1:], texts[0]], codes), **options)
    with pytest.raises(BertrError, match="it differs in data"):
        fit(tiny, (texts, [1 - codes[0], *codes[1:]]), **options)
    with pytest.raises(BertrError, match="it differs in data"):
        fit(tiny, sentences, validated=False, **options)
    with pytest.raises(BertrError, match="it differs in task"):
        fit(tiny, sentences, label_smoothing=0.1, **options)


def test_folders_that_are_none(tiny, sentences, tmp_path):
    file = tmp_path / "file"
    file.write_text("a")
    with pytest.raises(BertrError, match="is a file"):
        fit(tiny, sentences, epochs=1, checkpoint=str(file))
    with pytest.raises(BertrError, match="is a file"):
        bridge.kept_seed(str(file))
    folder = tmp_path / "run"
    fit(tiny, sentences, epochs=1, checkpoint=str(folder))
    (numbers,) = folder.glob("epoch-*")
    numbers.write_bytes(numbers.read_bytes()[:1000])
    with pytest.raises(BertrError, match="could not be read") as e:
        fit(tiny, sentences, epochs=1, checkpoint=str(folder))
    assert e.value.code == "damaged"
    (folder / "run.json").write_text("{")
    with pytest.raises(BertrError, match="could not be read"):
        fit(tiny, sentences, epochs=1, checkpoint=str(folder))


def test_a_folder_that_cannot_be_written(tiny, sentences, tmp_path):
    file = tmp_path / "file"
    file.write_text("a")
    with pytest.raises(BertrError, match="could not be written"):
        fit(tiny, sentences, epochs=1, checkpoint=str(file / "run"))


def test_without_a_folder_nothing_is_kept(tiny, sentences, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(tiny, sentences, epochs=1)
    assert not os.listdir(tmp_path)
