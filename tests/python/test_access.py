"""Files and folders that this user may not read or write: one sentence names them; none is called absent or damaged.

The calls run in a process of its own. A superuser's gives up the capabilities to read and write everything."""

import ctypes
import json
import os
import shutil
import subprocess
import sys

import pytest
from scoring import write

from bertr.checkpoints import download

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="A superuser keeps all rights except on Linux.")
GOOGLE = os.path.join(os.path.dirname(__file__), "..", "fixtures", "google_tiny")
READ, WRITTEN = "could not be read: Permission denied.", "could not be written: Permission denied."

CALLS = """
import json, os, sys
sys.path.insert(0, sys.argv[2])
from scoring import plan, quick_fit
from bertr import bridge
from bertr.checkpoints import hub
from bertr.errors import BertrError
os.chdir(sys.argv[1])

fitted = quick_fit("google")
bridge.save(fitted, "fit", "{}")
os.mkdir("fit/1_Pooling")
with open("fit/1_Pooling/config.json", "w") as f:
    json.dump({"word_embedding_dimension": 4, "pooling_mode_mean_tokens": True}, f)
os.mkdir("empty")
open("empty/lock", "w").close()

def use_run(folder):
    quick_fit("google", checkpoint=folder)

def load_in(folder):
    here = os.getcwd()
    os.chdir(folder)
    os.chmod(os.path.join(here, folder), 0o000)
    try:
        bridge.load(None, {})
    finally:
        os.chdir(here)

def score(source, target="out"):
    bridge.score(fitted, source, target, plan(), None, None)

DONE = {
    "load": bridge.load,
    "squad": bridge.read_squad,
    "score": score,
    "score to": lambda target: score("tables/a.parquet", target),
    "run": use_run,
    "save": lambda folder: bridge.save(fitted, folder, "{}"),
    "verify": lambda folder: hub._verify(folder, "owner/name", {"vocab.txt": ""}, ""),
    "name in": load_in,
}
use_run("run")
score("tables/a.parquet", "scored")
out = []
for call, argument, closed, mode in json.load(sys.stdin):
    whole = os.stat(closed).st_mode & 0o777
    os.chmod(closed, mode)
    try:
        DONE[call](argument)
        out.append(None)
    except BertrError as e:
        out.append([e.code, e.message, e.hint])
    except Exception as e:
        out.append(["python", repr(e), ""])
    finally:
        os.chmod(closed, whole)
print(json.dumps(out))
"""
# what is called, with which path, while which path has which mode; which path is named, and what the message says of it
NOT_READ = [
    ("load", "google", "google", 0o000, "google"),
    ("load", "google", "google", 0o444, "google"),
    ("load", "google", "google", 0o111, "google"),
    ("load", "google/inner", "google", 0o000, "google/inner"),
    *(
        ("load", "google", f"google/{name}", 0o000, f"google/{name}")
        for name in ("bert_config.json", "bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001", "vocab.txt")
    ),
    *(
        ("load", "fit", f"fit/{name}", 0o000, f"fit/{name}")
        for name in ("bertr.json", "config.json", "model.safetensors", "head.safetensors", "tokenizer_config.json",
                     "1_Pooling", "1_Pooling/config.json")
    ),
    ("squad", "squad.json", "squad.json", 0o000, "squad.json"),
    ("score", "tables", "tables/b.parquet", 0o000, "tables/b.parquet"),
    ("score", "tables", "tables", 0o000, "tables"),
    ("score", "tables/a.parquet", "tables", 0o000, "tables/a.parquet"),
    ("score to", "scored", "scored/.bertr-score/run.json", 0o000, "scored/.bertr-score/run.json"),
    ("score to", "scored", "scored", 0o000, "scored"),
    ("score to", "scored", "scored", 0o444, "scored"),
    ("verify", "google", "google/vocab.txt", 0o000, "google/vocab.txt"),
    ("verify", "google", "google", 0o444, "google"),
    ("run", "run", "run/run.json", 0o000, "run/run.json"),
    ("run", "run", "run/epoch-1.safetensors", 0o000, "run/epoch-1.safetensors"),
]  # fmt: skip
NOT_WRITTEN = [
    ("save", "google/fit", "google", 0o555, "google/fit"),
    ("save", "fit", "fit/1_Pooling", 0o000, "fit"),
    ("score to", "google/out", "google", 0o555, "google/out"),
    ("run", "google/run", "google", 0o555, "google/run"),
    ("run", "empty", "empty", 0o555, "empty"),
    ("run", "empty", "empty/lock", 0o000, "empty"),  # the lock of another user
]


NO_ERROR = [("name in", "empty", "empty", 0o700)]  # from a working directory that may not be entered


def less_rights():
    """Drops CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH from what a superuser's program gets."""
    if os.geteuid() == 0:
        for capability in (1, 2):
            assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("access")


@pytest.fixture(scope="module")
def answers(folder):
    """{case: (code, message, hint)}"""
    shutil.copytree(GOOGLE, folder / "google")
    for name in "ab":
        write(folder / "tables" / f"{name}.parquet")
    (folder / "squad.json").write_text('{"data": []}')
    cases = NOT_READ + NOT_WRITTEN + NO_ERROR
    done = subprocess.run(
        [sys.executable, "-c", CALLS, str(folder), os.path.dirname(__file__)],
        input=json.dumps([case[:4] for case in cases]),
        capture_output=True,
        text=True,
        preexec_fn=less_rights,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(cases, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("case", NOT_READ)
def test_what_may_not_be_read_is_named(answers, case):
    code, message, hint = answers[case]
    assert code == "file" and message.endswith(f"{case[4]}' {READ}") and "owner" in hint


@pytest.mark.parametrize("case", NOT_WRITTEN)
def test_what_may_not_be_written_is_named(answers, case):
    _, message, hint = answers[case]
    assert f"{case[4]}' {WRITTEN}" in message and "another folder" in hint


@pytest.mark.parametrize("case", NO_ERROR)
def test_a_model_known_by_name_needs_no_access_to_the_working_directory(answers, case):
    assert answers[case] is None


def test_who_may_read_one_file_of_a_folder_may_read_all(answers, folder):
    for name in ("fit", "run"):
        found = {path.name: path.stat().st_mode for path in (folder / name).rglob("*") if path.is_file()}
        assert len(found) > 1 and len(set(found.values())) == 1, found


def test_a_cache_that_may_not_be_written_is_not_a_fault_of_the_network():
    error = download._failed("owner/name", PermissionError(13, "Permission denied", "/models/x"), "/models")
    assert error.message == f"'owner/name' could not be loaded from the hub: '/models/x' {WRITTEN}"
    assert "BERTR_HOME" in error.hint
    for file, folder in (("/home/token", "/models"), (None, "/models"), ("/home/token", None)):
        other = download._failed("owner/name", PermissionError(13, "Permission denied", file), folder)
        assert isinstance(other, download.Unreachable) and "BERTR_HOME" not in other.hint
