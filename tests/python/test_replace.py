"""A folder that is replaced is always the complete old or new one: for concurrent readers, and after a kill."""

import dataclasses
import glob
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from bertr import bridge, replace, store
from bertr.checkpoints import moment
from bertr.errors import BertrError
from bertr.families import read_checkpoint
from bertr.model import Model

ROOT = pathlib.Path(store.__file__).parents[1]
WAYS = pytest.mark.parametrize("exchange", [True, False], ids=["exchanged", "renamed"])


@pytest.fixture
def way(exchange, monkeypatch):
    """With the system's atomic exchange of two folders, and as if it had none."""
    if not exchange:
        monkeypatch.setattr(replace, "_exchange", lambda a, b: False)
    elif not replace._exchange("/nowhere", "/nowhere") and sys.platform != "linux":
        pytest.skip("no renameat2 here")


@pytest.fixture
def two(tiny):
    """Two models that differ in every number, in their length and in their vocabulary."""
    one = read_checkpoint(tiny)
    tensors = {name: x + 1 for name, x in one.tensors.items()}
    other = dataclasses.replace(one, tensors=tensors, max_len=20, vocab=[*one.vocab[:-1], "other"])
    return [Model(c, "x", stored=False) for c in (one, other)]


def which(model, two):
    """The index of the model that this one equals in every part."""
    for k, one in enumerate(two):
        mine, its = model.checkpoint.tensors, one.checkpoint.tensors
        if (
            model.max_len == one.max_len
            and model.checkpoint.vocab == one.checkpoint.vocab
            and all(np.array_equal(mine[name], its[name]) for name in its)
        ):
            return k
    raise AssertionError("a model of both")


@WAYS
def test_what_is_read_while_it_is_saved_over_is_one_of_both(two, tmp_path, way):
    folder, done, saves = str(tmp_path / "m"), threading.Event(), []
    bridge.save(two[0], folder, "")

    def save():
        while not done.is_set():
            bridge.save(two[len(saves) % 2], folder, "")
            saves.append(1)
            time.sleep(0.005)

    saver = threading.Thread(target=save)
    saver.start()
    try:
        found = [which(bridge.load(folder, {}), two) for _ in range(25)]
    finally:
        done.set()
        saver.join()
    assert set(found) == {0, 1} and len(saves) > 5
    assert os.listdir(tmp_path) == ["m"]


def test_a_file_that_changes_while_it_is_read_is_read_again(two, tmp_path, monkeypatch):
    """The folder is replaced between the reads of two of its files."""
    folder = str(tmp_path / "m")
    bridge.save(two[0], folder, "")
    read, calls = store.huggingface.read_wordpiece, []

    def and_save(path, rows):
        calls.append(path)
        if len(calls) == 1:
            bridge.save(two[1], folder, "")
        return read(path, rows)

    monkeypatch.setattr(store.huggingface, "read_wordpiece", and_save)
    assert which(bridge.load(folder, {}), two) == 1 and len(calls) == 2


def test_tensors_are_those_of_the_files_that_were_opened(two, tmp_path):
    bridge.save(two[0], str(tmp_path / "m"), "")
    read = store.open_checkpoint(str(tmp_path / "m"))
    bridge.save(two[1], str(tmp_path / "m"), "")
    np.testing.assert_array_equal(read().tensors["embeddings/word"], two[0].checkpoint.tensors["embeddings/word"])


def test_a_folder_that_changes_all_the_time_is_told(tiny, monkeypatch):
    stamps = iter(range(10**6))
    monkeypatch.setattr(moment, "stamp", lambda folder: next(stamps))
    monkeypatch.setattr(moment, "PAUSE", 0)
    with pytest.raises(BertrError, match="kept changing while"):
        read_checkpoint(tiny)


def test_an_interrupt_between_two_renamings_leaves_the_old_folder(two, tmp_path, monkeypatch):
    folder = str(tmp_path / "m")
    bridge.save(two[0], folder, "")
    real, calls = os.rename, []

    def rename(a, b):
        calls.append(b)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(a, b)

    monkeypatch.setattr(replace, "_exchange", lambda a, b: False)
    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        bridge.save(two[1], folder, "")
    assert calls[1] == folder
    assert which(bridge.load(folder, {}), two) == 0 and os.listdir(tmp_path) == ["m"]


# ---------------------------------------------------------------- killed

SAVER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from bertr import replace
if sys.argv[3] == "renamed":
    replace._exchange = lambda a, b: False
turn = 0
while True:
    nest = replace.Nest(sys.argv[2])
    for i in range(20):
        with open(os.path.join(nest.new, f"{i}.json"), "w") as f:
            f.write(str(turn))
    nest.swap()
    nest.close()
    turn += 1
    if turn == 3:
        print("saving", flush=True)
"""


@pytest.mark.parametrize("way", ["exchanged", "renamed"])
def test_a_killed_save_leaves_a_whole_folder(tmp_path, way):
    seed = random.randrange(10**6)
    print("seed", seed)
    draw, folder = random.Random(seed), str(tmp_path / "m")
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", SAVER, str(ROOT), folder, way], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(draw.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert replace.present(folder) == folder
        files = glob.glob(os.path.join(folder, "*.json"))
        assert len(files) == 20 and len({pathlib.Path(f).read_text() for f in files}) == 1
    replace.clear(folder)
    assert os.listdir(tmp_path) == ["m"]


def died_between_two_renamings(folder):
    """What a process leaves that dies between the two renames."""
    nest = replace.Nest(str(folder))
    (pathlib.Path(nest.new) / "config.json").write_text("{}")
    os.rename(folder, os.path.join(nest.path, replace.OLD))
    return nest


@pytest.mark.parametrize("saved", [False, True])
def test_the_old_folder_of_a_killed_save_comes_back(two, tmp_path, saved):
    folder = tmp_path / "m"
    bridge.save(two[0], str(folder), "")
    os.close(died_between_two_renamings(folder).lock)  # as the end of a process does
    if saved:
        bridge.save(two[1], str(folder), "")
    assert which(bridge.load(str(folder), {}), two) == saved
    assert os.listdir(tmp_path) == ["m"]


def test_a_save_that_fails_after_a_killed_one_loses_nothing(two, tmp_path, monkeypatch):
    folder = tmp_path / "m"
    bridge.save(two[0], str(folder), "")
    os.close(died_between_two_renamings(folder).lock)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.huggingface, "write_huggingface", full)
    with pytest.raises(BertrError, match="disk is full"):
        bridge.save(two[1], str(folder), "")
    assert which(bridge.load(str(folder), {}), two) == 0
    assert os.listdir(tmp_path) == ["m"]


def test_what_a_living_process_has_in_hand_is_left_to_it(two, tmp_path, monkeypatch):
    folder = tmp_path / "m"
    bridge.save(two[0], str(folder), "")
    nest = died_between_two_renamings(folder)
    monkeypatch.setattr(replace, "WAIT", 0.05)
    assert which(bridge.load(str(folder), {}), two) == 0  # read where it is
    assert not folder.exists() and os.path.isdir(nest.new)
    bridge.save(two[1], str(folder), "")
    assert which(bridge.load(str(folder), {}), two) == 1 and os.path.isdir(nest.new)
    nest.close()
    assert os.listdir(tmp_path) == ["m"]


# ---------------------------------------------------------------- other people's files


def test_other_files_are_never_deleted(two, tmp_path):
    folder = tmp_path / "m"
    bridge.save(two[0], str(folder), "")
    (folder / ".DS_Store").write_text("the system's own")
    bridge.save(two[1], str(folder), "")
    (folder / "notes.txt").write_text("precious")
    (folder / "plots").mkdir()
    with pytest.raises(BertrError, match="holds other files, which would be lost: 'notes.txt', 'plots'") as e:
        bridge.save(two[0], str(folder), "")
    assert e.value.code == "folder"
    (folder / "notes.txt").unlink()
    (folder / "plots").rmdir()
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "mine.csv").write_text("precious")
    with pytest.raises(BertrError, match="would be lost: '1_Pooling/mine.csv'"):
        bridge.save(two[0], str(folder), "")
    assert which(bridge.load(str(folder), {}), two) == 1


def test_folders_that_bertr_did_not_write_are_left_alone(two, tiny, tmp_path):
    (tmp_path / "data").mkdir()
    for i in range(7):
        (tmp_path / "data" / f"{i}.csv").touch()
    with pytest.raises(BertrError, match="'0.csv', .*, '4.csv' and 2 more"):
        bridge.save(two[0], str(tmp_path / "data"), "")
    (tmp_path / "file").touch()
    with pytest.raises(BertrError, match="is a file, not a folder"):
        bridge.save(two[0], str(tmp_path / "file"), "")
    (tmp_path / "empty").mkdir()
    bridge.save(two[0], str(tmp_path / "empty"), "")
    assert len(os.listdir(tmp_path / "data")) == 7
