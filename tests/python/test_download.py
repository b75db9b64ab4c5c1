"""download.py and the cache of hub.py, against a hub on this machine (tests/testthat/fake_hub.py)."""

import json
import os
import pathlib
import shutil
import sys
import threading
import time

import huggingface_hub.constants
import numpy as np
import pytest
from small_families import make_family

from bertr import bridge, interrupts
from bertr.checkpoints import download, hub
from bertr.checkpoints.huggingface import write_huggingface
from bertr.errors import BertrError
from bertr.families import read_checkpoint

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "testthat"))
import fake_hub as fake  # noqa: E402

TINY = pathlib.Path(__file__).parents[1] / "fixtures" / "google_tiny"
REPO = fake.REPO


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BERTR_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    return tmp_path / "cache" / "models"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A hub with the tiny BERT."""
    write_huggingface(tmp_path / "repository", read_checkpoint(TINY))
    out = fake.Hub(tmp_path / "repository")
    # HF_ENDPOINT is read when huggingface_hub is imported
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", out.url)
    monkeypatch.setattr(
        huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", out.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    yield out
    out.close()


@pytest.fixture
def pickled(server, tmp_path):
    """A repository without safetensors, and a folder with them."""
    root, converted = server.commits[fake.MAIN], tmp_path / "converted"
    converted.mkdir()
    os.rename(root / "model.safetensors", converted / "model.safetensors")
    (root / "pytorch_model.bin").write_bytes(b"a pickle")
    return converted


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in pathlib.Path(folder).rglob("*") if p.is_file())


def assert_whole(folder):
    theirs, ours = read_checkpoint(TINY), read_checkpoint(folder)
    assert ours.vocab == theirs.vocab and all((ours.tensors[n] == x).all() for n, x in theirs.tensors.items())


def refused(match, *args):
    with pytest.raises(BertrError, match=match) as e:
        hub.resolve(*args)
    assert e.value.code in ("hub", "revision") and "\n" not in e.value.message and e.value.hint
    return e.value


# ---------------------------------------------------------------- what goes well


def test_progress_never_falls_and_ends_at_the_total(server):
    events = []
    folder = hub.resolve(REPO, on_event=lambda kind, values: events.append((kind, values)))
    assert_whole(folder)
    told = [values for kind, values in events if kind in ("download", "downloaded")]
    total = sum(os.path.getsize(p) for p in pathlib.Path(folder).rglob("*") if p.is_file() and p.name[0] != ".")
    assert all(v["total"] == total and v["name"] == REPO for v in told)
    done = [v["done"] for v in told]
    assert done == sorted(done) and done[-1] == total and events[-1][0] == "downloaded"
    del events[:]
    assert hub.resolve(REPO, on_event=lambda *event: events.append(event)) == folder and events == []


def test_bytes_are_counted_while_a_file_arrives(tmp_path):
    """Not the files that a killed process left."""
    parts = tmp_path / ".cache" / "huggingface" / "download" / "sub"
    parts.mkdir(parents=True)
    (tmp_path / "config.json").write_bytes(b"12345")
    (parts / "b.incomplete").write_bytes(b"123")
    (parts / "old.incomplete").write_bytes(b"123456789")
    os.utime(parts / "old.incomplete", (0, 0))
    wanted = [download.File("config.json", fake.MAIN, 5, None), download.File("vocab.txt", fake.MAIN, 9, None)]
    assert download._arrived(tmp_path, wanted, time.time() - 100) == 8


def test_all_files_that_a_sentence_model_has(server):
    root = server.commits[fake.MAIN]
    for name in (
        "special_tokens_map.json",
        "added_tokens.json",
        "tokenizer.json",
        "modules.json",
        "config_sentence_transformers.json",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "2_Dense/pytorch_model.bin",
        "3_Dense/config.json",
        "3_Dense/pytorch_model.bin",
        "3_Dense/model.safetensors",
    ):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("{}")
    whole = files(root)
    for name in (
        "README.md",
        "pytorch_model.bin",
        "tf_model.h5",
        "onnx/config.json",
        "1_Pooling/more/config.json",
        "model-00001-of-00002.safetensors",
    ):
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_text("{}")
    whole.remove("3_Dense/pytorch_model.bin")
    assert files(hub.resolve(REPO)) == sorted([*whole, ".bertr-origin.json"])


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "distilbert", "mpnet"])
def test_a_trained_head_is_a_fit_by_its_name(server, family):
    """With the files of each kind of tokenizer."""
    root = server.commits[fake.MAIN]
    shutil.rmtree(root)
    root.mkdir()
    make_family(root, family, "SequenceClassification")
    fit = bridge.load(REPO, {"head": True})
    assert bridge.is_fit(fit)
    texts = ["the cat sleeps", "a red bird, and the old dog"]
    ours, expected = (
        bridge.predict(one, texts, None, {}, None)["prob"] for one in (fit, bridge.load(str(root), {"head": True}))
    )
    np.testing.assert_array_equal(ours, expected)


def test_weights_in_several_files(pickled, server):
    root = server.commits[fake.MAIN]
    os.remove(root / "pytorch_model.bin")
    shards = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin", "pytorch_model.bin.index.json"]
    for name in shards:
        (root / name).write_text("{}")
    assert set(shards) < set(files(hub.resolve(REPO)))


def test_a_revision_and_what_it_was_called(server, cache):
    root, other = server.commits[fake.MAIN], "a" * 40
    server.commits[other] = shutil.copytree(root, root.parent / "other")
    (server.commits[other] / "vocab.txt").write_text("[PAD]\n")
    server.refs["v1"] = other
    first, second = hub.resolve(REPO), hub.resolve(REPO, "v1")
    assert (os.path.basename(first), os.path.basename(second)) == (
        "owner--tiny-bert-01234567",
        "owner--tiny-bert-aaaaaaaa",
    )
    assert hub.origin(first) == {"repo": REPO, "commit": fake.MAIN} and hub.origin(second)["commit"] == other
    assert pathlib.Path(second, "vocab.txt").read_text() == "[PAD]\n"
    asked = len(server.asked)
    assert hub.resolve(REPO, other) == second and hub.resolve(REPO) == first and len(server.asked) == asked
    assert hub.resolve(REPO, fake.MAIN) == first
    server.refs["v1"] = fake.MAIN  # moved
    assert hub.resolve(REPO, "v1") == first
    refused("has no branch, tag or commit 'v2'", REPO, "v2")
    refused("has no branch, tag or commit 'b{40}'", REPO, "b" * 40)

    server.answers["."] = (500, b"")  # from the cache, which says so
    events = []
    assert hub.resolve(REPO, "v1", lambda *event: events.append(event)) == first
    kind, values = events[-1]
    assert kind == "remark" and "as it was when 'v1' was last loaded (commit 01234567)" in values["text"]
    refused("could not be loaded", REPO, "v3")
    (cache / "owner--tiny-bert.json").write_text("damaged")
    refused("could not be loaded", REPO, "v1")
    assert hub.resolve(REPO, other) == second


def test_a_revision_of_a_folder_is_refused():
    assert "is a folder" in refused("`revision` applies only to models on the hub", str(TINY), "main").message


def test_another_revision_than_the_pinned_one_is_not_held_to_its_hashes(server, monkeypatch):
    monkeypatch.setitem(
        hub.MODELS, "tiny-bert", {"repo": REPO, "revision": fake.MAIN, "sha256": {"vocab.txt": "0" * 64}}
    )
    server.refs["v1"] = "c" * 40
    server.commits["c" * 40] = server.commits[fake.MAIN]
    assert_whole(hub.resolve("tiny-bert", "v1"))
    for revision in (None, fake.MAIN):
        refused("its SHA-256 should be 0{64}", "tiny-bert", revision)


def test_an_interrupt_ends_the_download_and_the_next_load_goes_on(server, monkeypatch):
    waiting, true_download = threading.Event(), huggingface_hub.hf_hub_download

    def slow(repo, name, **kwargs):
        if name == "model.safetensors":
            waiting.set()
            while True:
                time.sleep(0.01)
        return true_download(repo, name, **kwargs)

    def interrupt(kind, values):  # True is R's note of an interrupt
        return waiting.is_set()

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", slow)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        interrupts.run(hub.resolve, REPO, None, interrupt)
    assert threading.active_count() == before  # the download's own thread has ended
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", true_download)
    del server.asked[:]
    assert_whole(hub.resolve(REPO))
    assert not any("vocab.txt" in path for path in server.asked)


# ---------------------------------------------------------------- weights that are a pickle


def test_the_hubs_own_conversion_is_taken(pickled, server):
    server.propose(3, pickled)
    folder = hub.resolve(REPO)
    assert_whole(folder)
    assert not os.path.exists(os.path.join(folder, "pytorch_model.bin"))
    assert hub.origin(folder)["commit"] == fake.MAIN


@pytest.mark.parametrize(
    "wrong",
    [
        {"author": "somebody"},
        {"title": "Adding safetensors"},
        {"status": "closed"},
        {"parent": "d" * 40},
        {"parent": None},
    ],
    ids=str,
)
def test_no_other_pull_request_is_taken(pickled, server, wrong):
    server.propose(3, pickled, **wrong)
    names = files(hub.resolve(REPO))
    assert "pytorch_model.bin" in names and "model.safetensors" not in names
    assert not any("refs" in path and "resolve" in path for path in server.asked)


def test_a_conversion_of_another_revision_is_not_taken(pickled, server):
    server.commits["e" * 40], server.parents["e" * 40] = server.commits[fake.MAIN], fake.MAIN
    server.refs["main"] = "e" * 40
    server.propose(3, pickled)
    assert "pytorch_model.bin" in files(hub.resolve(REPO))
    assert_whole(hub.resolve(REPO, fake.MAIN))


def test_a_discussion_that_is_no_pull_request_is_not_taken(pickled, server):
    server.propose(3, pickled)
    server.proposals[0]["isPullRequest"] = False
    assert "pytorch_model.bin" in files(hub.resolve(REPO))


@pytest.mark.parametrize("answer", [(403, b""), (500, b""), (200, fake.HTML), (200, b"{}")])
def test_discussions_that_cannot_be_read(pickled, server, answer):
    server.answers["/discussions"] = answer
    assert "pytorch_model.bin" in files(hub.resolve(REPO))


def test_no_weights_that_bertr_reads(pickled, server, cache):
    os.rename(server.commits[fake.MAIN] / "pytorch_model.bin", server.commits[fake.MAIN] / "tf_model.h5")
    refused("has neither model.safetensors nor pytorch_model.bin", REPO)
    assert not cache.exists()


# ---------------------------------------------------------------- what goes wrong

BIG = "GET /.*model.safetensors"


@pytest.mark.parametrize(
    "pattern,answer,message",
    [
        (BIG, "half", "could not be loaded"),
        (BIG, (200, b"other"), "could not be loaded|is corrupt"),
        (BIG, (500, b""), "could not be loaded"),
        (BIG, (404, b""), "could not be loaded"),
        ("model.safetensors", (200, fake.HTML), "another server answered in its place"),
        ("GET /.*vocab.txt", (200, fake.HTML), "could not be loaded|is corrupt"),
        ("/api/", (200, fake.HTML), "another server answered in its place"),
        ("/api/", (200, b'["a", "b"]'), "another server answered in its place"),
        ("/api/", (200, b'{"id": "a", "sha": "../../x", "siblings": []}'), "another server answered in its place"),
        ("/api/", (500, b""), "could not be loaded"),
        ("/api/", (404, b""), "could not be loaded|neither a local folder nor"),
    ],
    ids=str,
)
def test_one_sentence_and_the_next_load_is_whole(server, cache, pattern, answer, message, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between huggingface_hub's tries
    server.answers[pattern] = answer
    refused(message, REPO)
    assert not (cache / "owner--tiny-bert-01234567").exists()
    server.answers.clear()
    assert_whole(hub.resolve(REPO))
    assert os.listdir(cache) and not [name for name in os.listdir(cache) if name.endswith((".partial", ".new"))]


def test_other_bytes_of_the_right_size(server, cache):
    """Whether the hash comes from the hub or from the table of models."""
    body = (server.commits[fake.MAIN] / "model.safetensors").read_bytes()
    server.answers[BIG] = (200, bytes(len(body)))
    refused("The download of 'model.safetensors' .* is corrupt: its SHA-256 should be", REPO)
    server.answers.clear()
    assert_whole(hub.resolve(REPO))


def test_other_bytes_than_those_of_the_pinned_file(server, monkeypatch):
    vocab = server.commits[fake.MAIN] / "vocab.txt"
    right = vocab.read_bytes()
    monkeypatch.setitem(
        hub.MODELS, "tiny-bert", {"repo": REPO, "revision": fake.MAIN, "sha256": {"vocab.txt": download.sha256(vocab)}}
    )
    vocab.write_bytes(right[::-1])
    refused("The download of 'vocab.txt' .* is corrupt", "tiny-bert")
    vocab.write_bytes(right)
    assert_whole(hub.resolve("tiny-bert"))


@pytest.mark.parametrize(
    "name",
    ["../outside.json", "/outside.json", "1_Pooling/../../config.json", "..\\config.json", "1_Pooling\\config.json"],
)
def test_a_name_that_leads_out_of_the_folder(server, cache, name):
    server.listed = [name]
    assert repr(name)[1:-1].replace("\\\\", "\\") in refused("which would lie outside its folder", REPO).message
    assert not cache.exists()
    server.listed = []
    assert_whole(hub.resolve(REPO))


def test_an_origin_file_that_is_damaged(server):
    folder = hub.resolve(REPO)
    pathlib.Path(folder, ".bertr-origin.json").write_text(json.dumps({"repo": 1}))
    with pytest.raises(BertrError, match="bertr-origin.json"):
        hub.origin(folder)
