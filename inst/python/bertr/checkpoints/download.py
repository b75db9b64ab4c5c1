"""Downloads the files of a model from the Hugging Face hub into a folder."""

import contextlib
import dataclasses
import errno
import fnmatch
import glob
import hashlib
import json
import os
import re
import time
import types
from collections.abc import Callable
from typing import Any

from ..access import reason
from ..errors import BertrError
from ..events import throttled
from ..interrupts import meanwhile

DESCRIBING = (  # files that describe the model; each module of a sentence model has a folder
    "config.json",
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "merges.txt",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "[0-9]*_*/config.json",
)
SAFE = (("model.safetensors",), ("model.safetensors.index.json", "model-*-of-*.safetensors"))
PICKLED = (("pytorch_model.bin",), ("pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin"))
OF_MODULES = (("[0-9]*_*/model.safetensors",), ("[0-9]*_*/pytorch_model.bin",))
FILES = (*DESCRIBING, *(pattern for patterns in SAFE + PICKLED + OF_MODULES for pattern in patterns))

COMMIT = "[0-9a-f]{40}"
CONVERTER, CONVERTED = "SFconvertbot", "Adding `safetensors` variant of this model"
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no quota error


class Unreachable(BertrError):
    """The hub did not answer, or gave an unexpected answer."""


@dataclasses.dataclass
class File:
    name: str
    commit: str
    size: int | None  # bytes
    sha256: str | None  # known for large files and pinned ones


def commit_of(repo: str, revision: str | None, on_event: Callable[..., Any] | None) -> str:
    """The full commit that a branch, a tag or a short commit refers to now; None: the main branch."""
    hub = _huggingface_hub(repo)
    emit = throttled(on_event)
    with _report_in_one_sentence(hub, repo, revision):
        info = meanwhile(lambda: hub.api.model_info(repo, revision=revision), lambda: emit("wait", {}))
        return _checked_commit(info.sha, repo)


def fetch(repo: str, commit: str, folder: str, pins: dict[str, str], on_event: Callable[..., Any] | None) -> None:
    """Downloads missing files into the folder. `pins` (file -> SHA-256) override the hub's hashes."""
    hub = _huggingface_hub(repo)
    emit, files, began, done = throttled(on_event), [], time.time(), 0

    def work():
        files.extend(_files(hub.api, repo, commit, pins))
        for file in files:
            _check(_fetch_one(hub, repo, file, folder), file, repo)

    def tell(kind="download"):
        nonlocal done
        if files:
            total = sum(file.size or 0 for file in files)
            done = max(done, min(total, _arrived(folder, files, began)))
            emit(kind, {"name": repo, "done": float(done), "total": float(total)})
        else:
            emit("wait", {})

    with _report_in_one_sentence(hub, repo, commit, folder):
        meanwhile(work, tell)
    tell("downloaded")


def _fetch_one(hub, repo, file, folder):
    try:
        return hub.download(repo, file.name, revision=file.commit, local_dir=folder)
    except OSError as e:
        if "Consistency check failed" in str(e):  # older versions of huggingface_hub would resume from the wrong bytes
            for path in _unfinished(folder):
                os.remove(path)
        raise


def sha256(path: str) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    status = os.stat(path)
    key = (os.path.abspath(path), status.st_size, status.st_mtime_ns)
    if key not in _hashes:
        with open(path, "rb") as f:
            digest = hashlib.sha256()
            while block := f.read(1 << 20):
                digest.update(block)
        _hashes[key] = digest.hexdigest()
    return _hashes[key]


_hashes = {}  # (path, size, mtime) -> sha256; hashing 100 MB takes 0.1 s


def _huggingface_hub(repo):
    try:
        from huggingface_hub import HfApi, errors, hf_hub_download, utils
    except ImportError:
        raise BertrError(
            "hub",
            f"'{repo}' is not a local folder, and downloading it from the hub needs the Python "
            "package huggingface_hub, which is not installed.",
            "Install it with `pip install huggingface_hub`, or give the folder of a checkpoint.",
        ) from None
    utils.disable_progress_bars()
    utils.logging.set_verbosity_error()
    return types.SimpleNamespace(api=HfApi(), errors=errors, download=hf_hub_download)


# ---------------------------------------------------------------- which files


def _files(api, repo, commit, pins):
    """The Files to download. Weights as safetensors if possible, if necessary the hub's conversion of them."""
    listed = _listed(api, repo, commit, pins)
    weights = _first(listed, SAFE) or _conversion(api, repo, commit) or _first(listed, PICKLED)
    if not weights:
        raise BertrError(
            "hub",
            f"'{repo}' on the hub has neither model.safetensors nor pytorch_model.bin, the weight "
            "files that bertr reads.",
            "Save the model with transformers' save_pretrained() and give that folder.",
        )
    modules = {}
    for file in _first(listed, OF_MODULES[1:]) + _first(listed, OF_MODULES[:1]):  # the last one wins: safetensors
        modules[os.path.dirname(file.name)] = file
    return _matching(listed, DESCRIBING) + list(modules.values()) + weights


def _listed(api, repo, commit, pins):
    """All Files of a repository. A name outside the folder is an error."""
    files = []
    for sibling in api.model_info(repo, revision=commit, files_metadata=True).siblings:
        name = sibling.rfilename
        if ".." in name.split("/") or name.startswith("/") or "\\" in name:
            raise BertrError(
                "hub",
                f"'{repo}' on the hub lists a file called '{name}', which would lie outside its folder.",
                "Do not use this model, and report it to the hub.",
            )
        lfs = sibling.lfs or {}
        files.append(File(name, commit, sibling.size, pins.get(name, lfs.get("sha256"))))
    return files


def _conversion(api, repo, commit):
    """The safetensors files that the hub's conversion bot proposes in an open pull request on this very commit, as
    transformers does (`safetensors_conversion.py`). Never requests a conversion."""
    try:
        for proposal in api.get_repo_discussions(repo_id=repo):
            if (
                proposal.is_pull_request
                and proposal.status == "open"
                and proposal.author == CONVERTER
                and proposal.title == CONVERTED
            ):
                commits = [c.commit_id for c in api.list_repo_commits(repo, revision=proposal.git_reference)]
                if commits[1:2] == [commit]:
                    return _first(_listed(api, repo, _checked_commit(commits[0], repo), {}), SAFE)
    except Exception:  # some repositories have no discussions; the .bin files remain as a fallback
        return []
    return []


def _first(files, choices):
    """The files of the first choice that exists. A choice is one pattern, or those of an index and its parts."""
    for patterns in choices:
        if _matching(files, patterns[:1]):
            return _matching(files, patterns)
    return []


def _matching(files, patterns):
    return [file for file in files if any(_fits(file.name, pattern) for pattern in patterns)]


def _fits(name, pattern):
    return name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern)


# ---------------------------------------------------------------- what has arrived


def _arrived(folder, files, began):
    """Bytes of the complete files and of the one that huggingface_hub is downloading."""
    unfinished, size = _unfinished(folder), 0
    for path in [*(os.path.join(folder, file.name) for file in files), *unfinished]:
        with contextlib.suppress(OSError):
            status = os.stat(path)
            if path not in unfinished or status.st_mtime >= began:  # older ones belong to a process that was killed
                size += status.st_size
    return size


def _unfinished(folder):
    return glob.glob(
        os.path.join(glob.escape(folder), ".cache", "huggingface", "download", "**", "*.incomplete"), recursive=True
    )


def _check(path, file, repo):
    """Checks size and hash; deletes a wrong file, so that the next load downloads it again."""
    size, wrong = os.path.getsize(path), None
    if file.sha256 and sha256(path) != file.sha256:
        wrong = f"its SHA-256 should be {file.sha256}, found: {sha256(path)}"
    elif file.size is not None and size != file.size:
        wrong = f"it should have {file.size} bytes, but has {size}"
    if wrong:
        os.remove(path)
        raise BertrError(
            "hub",
            f"The download of '{file.name}' from {repo} is corrupt: {wrong}.",
            "Load it again; if that does not help, something in between, such as a proxy, alters files.",
        )


def _checked_commit(commit, repo):
    """The commit, checked because it becomes part of a folder's name."""
    if not isinstance(commit, str) or not re.fullmatch(COMMIT, commit):
        raise _not_the_hub(repo)
    return commit


# ---------------------------------------------------------------- what goes wrong


@contextlib.contextmanager
def _report_in_one_sentence(hub, repo, revision, folder=None):
    try:
        yield
    except BertrError:
        raise
    except hub.errors.RepositoryNotFoundError:
        raise BertrError(
            "hub",
            f"'{repo}' is neither a local folder nor a model on the hub that you can access.",
            "Check the spelling; for a private model, set the environment variable HF_TOKEN.",
        ) from None
    except hub.errors.RevisionNotFoundError:
        raise BertrError(
            "revision",
            f"'{repo}' on the hub has no branch, tag or commit '{revision}'.",
            f"https://huggingface.co/{repo}/tree/main lists them.",
        ) from None
    except Exception as e:  # no network, full disk, server errors: many types, reported by their first line
        raise _failed(repo, e, folder) from None


def _failed(repo, error, folder):
    if getattr(error, "errno", None) in FULL or "No space left" in str(error):
        return BertrError(
            "hub",
            f"'{repo}' could not be loaded from the hub: the disk of '{folder}' is full.",
            "Free some space and load again (completed parts are kept), or set the environment variable "
            "BERTR_HOME to a folder on another disk.",
        )
    if folder and getattr(error, "errno", None) in FORBIDDEN and str(error.filename).startswith(folder):
        return BertrError(
            "hub",
            f"'{repo}' could not be loaded from the hub: '{error.filename}' could not be written: {reason(error)}.",
            "Set the environment variable BERTR_HOME to a folder that you may write to.",
        )
    if type(error).__name__ == "LocalEntryNotFoundError":  # huggingface_hub wraps errors of its first request
        error = error.__cause__ or error
    kind = type(error).__name__
    if isinstance(error, (json.JSONDecodeError, TypeError, KeyError, AttributeError)) or kind == "FileMetadataError":
        return _not_the_hub(repo)
    first_line = f"{kind}: {error}".partition("\n")[0]
    return Unreachable(
        "hub",
        f"'{repo}' is not a local folder and could not be loaded from the hub ({first_line}).",
        "Check the network and load again (completed parts are kept), or give the folder of a checkpoint.",
    )


def _not_the_hub(repo):
    return Unreachable(
        "hub",
        f"'{repo}' is not a local folder and could not be loaded from the hub: another server answered in its place.",
        "Open a web page to check whether this network requires a login, then load again.",
    )
