"""A run that is killed and restarted equals an uninterrupted run."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from bertr import bridge, events
from bertr.errors import BertrError
from bertr.training import run_folder
from bertr.training.run_folder import RunFolder


class Killed(Exception):
    pass


def target(codes):
    return {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}


def fit(tiny, sentences, on_event=None, validated=True, **options):
    """With a newly loaded model, as in another session."""
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
    """All weights, the history without times, and what calibration chose."""
    history = {k: v for k, v in fitted.history.items() if k != "seconds"}
    weights = [np.array(v.value) for v in fitted.network.weights]
    return json.dumps([history, fitted.task.spec]), [w.tobytes() for w in weights], fitted.facts["best_epoch"]


def one_by_one(monkeypatch):
    monkeypatch.setattr(events, "EVENT_SECONDS", -1)  # every event comes through


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"train": "top:1"},
        {"train": "head", "head": {"units": [8], "dropout": 0.3}},
        {"train": "head", "ema": 0.9, "early_stopping": 1},
        {"ema": 0.9, "weight_decay": 0.5},
        {"early_stopping": 2},
        {"accumulate": 2, "batch_size": 8, "adversarial": 0.3, "layer_decay": 0.8, "schedule": "keras_bert"},
    ],
    ids=lambda o: "-".join(map(str, o)),
)
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
    """Masked language modelling: other masks in every epoch, and the whole word table is trained."""

    def adapt(on_event=None, **options):
        options = {
            "head": {},
            "seed": 3,
            "epochs": 3,
            "accumulate": 2,
            "batch_size": 8,
            "ema": 0.9,
            "adversarial": 0.1,
            "layer_decay": 0.9,
            **options,
        }
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
target = {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}
on_event = lambda kind, values: os._exit(9) if kind == "step" and values["epoch"] == 3 else None
bridge.fit(bridge.load(tiny, {}), "classification", texts, None, target, None, options, on_event)
"""
    options = {"head": {}, "seed": 3, "learning_rate": 1e-3, "epochs": 4}
    folder = str(tmp_path / "run")
    given = json.dumps([tiny, folder, *sentences, {**options, "checkpoint": folder}])
    assert subprocess.run([sys.executable, "-c", script, given]).returncode == 9
    assert "lock" in os.listdir(folder)  # a stale lock file blocks nobody
    resumed = fit(tiny, sentences, validated=False, checkpoint=folder)
    assert bits(resumed) == bits(fit(tiny, sentences, validated=False))


@pytest.mark.parametrize("train", ["all", "head"])
def test_two_fits_in_one_folder(tiny, sentences, tmp_path, train):
    """The second fit is refused, whether it is the same run or another, and does not affect the first."""
    options = {"train": train, "epochs": 2}
    refused = []

    def on_event(kind, values):
        if kind == "epoch" or (kind == "encode" and not refused):
            for seed in (3, 4):
                with pytest.raises(BertrError, match="Another fit is using the folder") as e:
                    fit(tiny, sentences, **{**options, "seed": seed}, checkpoint=str(tmp_path))
                refused.append(e.value.code)

    first = fit(tiny, sentences, on_event, checkpoint=str(tmp_path), **options)
    assert len(refused) >= 4 and set(refused) == {"checkpoint"}
    assert bits(first) == bits(fit(tiny, sentences, **options)) and first.facts["checkpoint_lost"] is None
    assert sorted(os.listdir(tmp_path)) == ["epoch-2.safetensors", "run.json"]
    assert bits(fit(tiny, sentences, checkpoint=str(tmp_path), **options)) == bits(first)


def test_a_fit_that_fails_leaves_no_lock(tiny, sentences, tmp_path):
    with pytest.raises(Killed):
        fit(tiny, sentences, kill_at("epoch", 1), checkpoint=str(tmp_path))
    assert "lock" not in os.listdir(tmp_path)


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


@pytest.mark.parametrize("options", [{"train": "head"}, {"train": "top:1", "ema": 0.9, "weight_decay": 0.5}])
def test_more_epochs_where_the_rate_does_not_depend_on_them(tiny, sentences, tmp_path, options):
    options = {"schedule": "constant", "warmup": 0.0, **options}
    fit(tiny, sentences, epochs=2, checkpoint=str(tmp_path), **options)
    told = []
    more = fit(tiny, sentences, lambda k, v: told.append((k, v)), epochs=5, checkpoint=str(tmp_path), **options)
    assert next(v for k, v in told if k == "resume") == {"epoch": 2, "epochs": 5}
    assert bits(more) == bits(fit(tiny, sentences, epochs=5, **options))
    assert bits(fit(tiny, sentences, epochs=5, checkpoint=str(tmp_path), **options)) == bits(more)
    with pytest.raises(BertrError, match="already has 5 epochs; it cannot have 3") as e:
        fit(tiny, sentences, epochs=3, checkpoint=str(tmp_path), **options)
    assert e.value.code == "checkpoint" and "at least epochs = 5" in e.value.hint


def test_the_warmup_stays_that_of_the_first_epochs(tiny, sentences, tmp_path):
    options = {"schedule": "constant", "train": "head"}
    fit(tiny, sentences, epochs=2, warmup=0.5, checkpoint=str(tmp_path), **options)
    more = fit(tiny, sentences, epochs=4, warmup=0.5, checkpoint=str(tmp_path), **options)
    assert bits(more) == bits(fit(tiny, sentences, epochs=4, warmup=0.25, **options))  # as many steps


@pytest.mark.parametrize("schedule", ["linear", "keras_bert"])
def test_more_epochs_are_refused_where_it_does(tiny, sentences, tmp_path, schedule):
    fit(tiny, sentences, epochs=2, checkpoint=str(tmp_path), schedule=schedule, train="head")
    why = "planned for 2 epochs, and its learning rate depends on that; it cannot have 3"
    with pytest.raises(BertrError, match=why) as e:
        fit(tiny, sentences, epochs=3, checkpoint=str(tmp_path), schedule=schedule, train="head")
    assert e.value.code == "checkpoint" and "epochs = 2 as before" in e.value.hint and "constant" in e.value.hint


def predicted(fitted, sentences):
    return bridge.predict(fitted, sentences[0], None, {}, None)["prob"].tolist()


@pytest.mark.parametrize(
    "options",
    [{"ema": 0.9, "early_stopping": 3}, {"train": "top:1"}, {"train": "head"}, {"train": "head", "validated": False}],
    ids=lambda o: "-".join(map(str, o)),
)
def test_every_epoch_is_kept_as_a_fit(tiny, sentences, tmp_path, options):
    run, spec = str(tmp_path / "run"), '{"task": "classification"}'
    # so that the first epoch is that of a run of one epoch
    options = {"learning_rate": 5e-3, "epochs": 3, "schedule": "constant", "warmup": 0.0, **options}
    last = fit(tiny, sentences, checkpoint=run, keep="all", spec=spec, **options)
    assert sorted(os.listdir(run))[:3] == ["epoch-001", "epoch-002", "epoch-003"]
    kept = [bridge.load(os.path.join(run, f"epoch-00{e}"), {}) for e in (1, 2, 3)]
    assert [bridge.spec(k) for k in kept] == [spec] * 3
    assert [k.facts["epochs_done"] for k in kept] == [1, 2, 3]
    assert [len(k.history["loss"]) for k in kept] == [1, 2, 3]
    best = last.facts["best_epoch"] or 3
    assert predicted(kept[best - 1], sentences) == predicted(last, sentences)
    assert predicted(kept[0], sentences) == predicted(fit(tiny, sentences, **{**options, "epochs": 1}), sentences)
    assert predicted(kept[0], sentences) != predicted(kept[2], sentences)
    assert bits(last) == bits(fit(tiny, sentences, **options))  # keeping changes nothing
    if options.get("train") == "head" and os.name == "posix":
        assert os.stat(os.path.join(run, "epoch-001", "model.safetensors")).st_nlink == 3


def test_what_a_task_settles_is_kept_with_each_epoch(tiny, sentences, tmp_path):
    texts = sentences[0]
    values = np.array([[w in t.split() for w in ("sun", "moon")] for t in texts], np.int32)
    options = {
        "head": {},
        "seed": 1,
        "epochs": 3,
        "learning_rate": 3e-3,
        "checkpoint": str(tmp_path),
        "keep": "all",
        "spec": "{}",
    }

    def thresholds(fitted):
        return bridge.predict(fitted, texts, None, {}, None)["chosen"].tolist(), fitted.task.spec["thresholds"]

    last = bridge.fit(
        bridge.load(tiny, {}), "multilabel", texts, None, {"values": values, "levels": ["a", "b"]}, None, options, None
    )
    first, third = (bridge.load(str(tmp_path / f"epoch-00{e}"), {}) for e in (1, 3))
    assert thresholds(third) == thresholds(last) and thresholds(first)[1] != thresholds(last)[1]


def test_epochs_that_cannot_be_kept_do_not_end_the_fit(tiny, sentences, tmp_path, monkeypatch):
    save = bridge.store.save_folder

    def full(thing, folder, spec):
        if folder.endswith("2"):
            raise BertrError("save", "the disk is full.", "")
        save(thing, folder, spec)

    monkeypatch.setattr(bridge.store, "save_folder", full)
    fitted = fit(tiny, sentences, epochs=3, train="head", checkpoint=str(tmp_path), keep="all", spec="{}")
    assert fitted.facts["epochs_done"] == 3
    assert fitted.facts["notes"] == ["From epoch 2 on, epochs were not saved: the disk is full."]
    assert "epoch-001" in os.listdir(tmp_path) and "epoch-003" not in os.listdir(tmp_path)


def test_a_checkpoint_folder_is_no_model_and_says_so(tiny, sentences, tmp_path):
    folder = str(tmp_path)
    fit(tiny, sentences, epochs=1, train="head", checkpoint=folder)
    with pytest.raises(BertrError, match="is the checkpoint folder of a training run") as e:
        bridge.load(folder, {})
    assert "bert_control(checkpoint = " in e.value.hint and "epoch-" not in e.value.hint
    fit(tiny, sentences, epochs=1, train="head", checkpoint=folder + "/all", keep="all", spec="{}")
    with pytest.raises(BertrError) as e:
        bridge.load(folder + "/all", {})
    assert e.value.hint.endswith("epoch-001'.")
    assert bridge.is_fit(bridge.load(folder + "/all/epoch-001", {}))


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


@pytest.mark.parametrize("options", [{}, {"train": "head"}])
def test_a_folder_that_goes_away_does_not_end_the_run(tiny, sentences, tmp_path, monkeypatch, options):
    one_by_one(monkeypatch)
    folder = tmp_path / "run"

    def remove(kind, values):
        if kind == "epoch" and values["epoch"] == 2:
            shutil.rmtree(folder)

    whole = fit(tiny, sentences, **options)
    fitted = fit(tiny, sentences, remove, checkpoint=str(folder), **options)
    assert bits(fitted) == bits(whole) and not folder.exists()
    assert "No such file" in fitted.facts["checkpoint_lost"] and whole.facts["checkpoint_lost"] is None


def test_a_disk_that_is_full_for_a_while(tiny, sentences, tmp_path, monkeypatch):
    """Only whether the last epoch was saved matters."""
    real, calls = run_folder.save_tensors, []

    def full(*args):
        calls.append(args)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        real(*args)

    monkeypatch.setattr(run_folder, "save_tensors", full)
    fitted = fit(tiny, sentences, checkpoint=str(tmp_path))
    assert len(calls) == 4 and fitted.facts["checkpoint_lost"] is None
    assert bits(fit(tiny, sentences, checkpoint=str(tmp_path))) == bits(fitted)


def test_a_fit_that_is_refused_leaves_what_the_other_is_just_writing(tiny, sentences, tmp_path):
    """Also the file that is about to replace run.json."""
    half = tmp_path / "run.json.new"
    half.write_text('{"half":')
    with RunFolder(str(tmp_path), {"seed": 1}), pytest.raises(BertrError, match="Another fit is using the folder"):
        fit(tiny, sentences, epochs=1, checkpoint=str(tmp_path))
    assert half.read_text() == '{"half":'


def test_a_folder_that_may_not_be_written_to_is_told_at_once(tiny, sentences, tmp_path, monkeypatch):
    def refused(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(run_folder.tempfile, "TemporaryFile", refused)
    told = []
    with pytest.raises(BertrError, match="could not be written"):
        fit(tiny, sentences, lambda kind, _: told.append(kind), checkpoint=str(tmp_path))
    assert set(told) <= {"start"}
