"""Finds a model: a folder, a name in the table of `known_models`, or "owner/name" on the Hugging Face hub.

The cache holds one folder per repository and commit, and per repository a file with the last known commit of each
branch.
"""

import contextlib
import difflib
import importlib.util
import json
import os
import re
import shutil
from collections.abc import Callable
from typing import Any

from ..access import check_open, check_reachable, unreadable
from ..errors import BertrError
from ..events import throttled
from ..replace import present
from ..shapes import TEXT, fields, matching, table_of
from .download import COMMIT, FILES, Unreachable, commit_of, fetch, sha256
from .files import read_json
from .known_models import DEFAULT, MODELS

__all__ = ["DEFAULT", "FILES", "MODELS", "ORIGIN", "cache_folder", "installed_folder", "origin", "resolve"]

ORIGIN = fields({"repo": TEXT, "commit": matching(COMMIT, "a commit hash of 40 hexadecimal digits")})
ORIGIN_FILE = ".bertr-origin.json"
MAIN = "main"  # the default branch


def resolve(source: str | None = None, revision: str | None = None, on_event: Callable[..., Any] | None = None) -> str:
    """The folder of a model, downloaded if necessary.

    Args:
        source: None (the default model), a folder, a name in `MODELS`, or "owner/name" on the hub.
        revision: a branch, tag or commit on the hub; None: the pinned commit, or the main branch.
        on_event: as in bridge.py.

    Returns:
        An absolute path.

    Raises:
        BertrError: source, revision, hub, file.
    """
    source = DEFAULT if source is None else source
    folder = os.path.expanduser(source)
    local = folder and present(folder)
    if local and os.path.isdir(local):
        if revision is not None:
            raise BertrError(
                "revision",
                f"`revision` applies only to models on the hub, but '{source}' is a folder.",
                "Leave `revision` out, or give the model's name on the hub.",
            )
        return os.path.abspath(local)
    if os.path.exists(folder):
        raise BertrError(
            "source", f"'{source}' is a file, not the folder of a checkpoint.", "Give the folder the file is in."
        )
    for name, entry in MODELS.items():
        if source in (name, entry["repo"]):
            return _known(entry, revision, on_event)
    if os.path.isabs(folder) or os.access(os.curdir, os.X_OK):  # else no relative path says anything
        check_reachable(folder)
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", source):
        return _cached(source, revision, {}, on_event)
    if re.search(r"[/\\]|^[.~]", source) or not source:
        raise BertrError("source", f"There is no folder '{source}'.", f"The working directory is '{os.getcwd()}'.")
    raise BertrError(
        "source",
        f"'{source}' is neither a folder nor a model bertr knows by name.",
        f'{_suggestion(source)}bert_models() lists the known names; give any other model on the hub as "owner/name".',
    )


def _suggestion(source):
    by_lower = {name.lower(): name for name in MODELS}
    close = difflib.get_close_matches(source.lower(), by_lower, 1)
    if not close:
        return ""
    name = by_lower[close[0]]
    return f'Did you mean "{name}" ({MODELS[name]["repo"]})? '


def installed_folder(name: str = DEFAULT) -> str | None:
    """The folder of a model of the table on this machine, or None."""
    entry = MODELS[name]
    commit = entry["revision"] or _commits(entry["repo"]).get(MAIN)
    folder = commit and _cache_path(entry["repo"], commit)
    return folder if folder and os.path.isdir(folder) else _package_folder(entry)


def origin(folder: str) -> dict[str, Any] | None:
    """{"repo": , "commit": } of the files in a folder, or None if they are not from the hub."""
    for entry in MODELS.values():
        packaged = _package_folder(entry)
        if packaged and os.path.realpath(packaged) == os.path.realpath(folder):
            return {"repo": entry["repo"], "commit": entry["revision"]}
    path = os.path.join(folder, ORIGIN_FILE)
    return read_json(path, ORIGIN) if os.path.exists(path) else None


def cache_folder() -> str:
    """The folder for downloads: BERTR_HOME, else R's cache folder of the package (which R passes in BERTR_CACHE)."""
    for variable in ("BERTR_HOME", "BERTR_CACHE"):
        if os.environ.get(variable):
            return os.path.abspath(os.path.expanduser(os.environ[variable]))
    return os.path.join(os.path.expanduser("~"), ".cache", "R", "bertr")


def _known(entry, revision, on_event):
    """The folder of a model of the table: in the cache, else in its installed Python package, else from the hub. Hashes
    are known only for the pinned revision."""
    pinned = entry["revision"]
    if not pinned or revision not in (None, pinned):
        return _cached(entry["repo"], revision, {}, on_event)
    packaged = _package_folder(entry)
    if packaged and not os.path.isdir(_cache_path(entry["repo"], pinned)):
        _verify(packaged, entry["repo"], entry["sha256"], "Install the package again, or remove it to use the hub.")
        return packaged
    return _cached(entry["repo"], pinned, entry["sha256"], on_event)


def _package_folder(entry):
    """The model's folder in an installed Python package, found without running the package's code."""
    spec = importlib.util.find_spec(entry["package"]) if "package" in entry else None
    for location in (spec and spec.submodule_search_locations) or []:
        folder = os.path.join(location, "model")
        if os.path.isdir(folder):
            return folder
    return None


def _cache_path(repo, commit):
    """The folder of a commit. Its name includes the repository's, because "cased" or "uncased" in it tells case."""
    return f"{_cache_name(repo)}-{commit[:8]}"


def _cache_name(repo):
    return os.path.join(cache_folder(), "models", repo.replace("/", "--"))


def _cached(repo, revision, pins, on_event):
    """The model's folder in the cache, downloaded first if necessary.

    The download goes to a separate folder, which survives interruptions and is renamed when complete.
    """
    commit = _commit(repo, revision, on_event)
    folder = _cache_path(repo, commit)
    if not os.path.isdir(folder):
        partial = folder + ".partial"
        fetch(repo, commit, partial, pins, on_event)
        _verify(partial, repo, pins, f"Delete '{partial}' and load again.")
        _write_json(os.path.join(partial, ORIGIN_FILE), {"repo": repo, "commit": commit})
        shutil.rmtree(os.path.join(partial, ".cache"), ignore_errors=True)  # download metadata of huggingface_hub
        with contextlib.suppress(OSError):  # another process may have finished first
            os.replace(partial, folder)
    _verify(folder, repo, pins, f"Delete '{folder}' and load again.")
    commits, name = _commits(repo), revision or MAIN
    if commit not in (revision, commits.get(name)):
        with contextlib.suppress(BertrError):  # a read-only cache
            _write_json(_commits_path(repo), {**commits, name: commit})
    return folder


def _verify(folder, repo, pins, hint):
    check_open(folder)
    for name, expected in pins.items():
        path = os.path.join(folder, name)
        try:
            found = sha256(path) if os.path.exists(path) else "no such file"
        except OSError as e:
            raise unreadable(path, e) from None
        if found != expected:
            raise BertrError(
                "hub",
                f"'{path}' is not the file of {repo} that bertr expects: its SHA-256 should be "
                f"{expected}, found: {found}.",
                hint,
            )


# ---------------------------------------------------------------- branches and their commits


def _commit(repo, revision, on_event) -> Any:
    """The commit of a revision. The hub is asked about a given branch or tag. Without a revision, or if the hub cannot
    be reached, a cached copy is used."""
    if revision and re.fullmatch(COMMIT, revision):
        return revision
    earlier = _commits(repo).get(revision or MAIN)
    cached = earlier and os.path.isdir(_cache_path(repo, earlier))
    if cached and revision is None:
        return earlier
    try:
        return commit_of(repo, revision, on_event)
    except Unreachable:
        if not (earlier and cached):
            raise
        throttled(on_event)(
            "remark",
            {
                "text": f"The hub cannot be reached: using {repo} as it was when "
                f"'{revision}' was last loaded (commit {earlier[:8]})."
            },
        )
        return earlier


def _commits(repo):
    """Branch or tag -> last known commit."""
    path = _commits_path(repo)
    with contextlib.suppress(BertrError):  # a damaged file: ask the hub again
        return read_json(path, table_of(matching(COMMIT, "a commit hash"))) if os.path.exists(path) else {}
    return {}


def _commits_path(repo):
    return _cache_name(repo) + ".json"


def _write_json(path, value):
    try:
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump(value, f)
        os.replace(path + ".new", path)
    except OSError as e:
        raise BertrError(
            "hub",
            f"'{path}' could not be written: {e.strerror}.",
            "Free some space, or set the environment variable BERTR_HOME to another folder.",
        ) from None
