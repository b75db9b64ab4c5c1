"""Fits and models in folders and in bytes. Weights are safetensors, all else JSON: no pickle is read or written."""

import dataclasses
import errno
import json
import os
import shutil
import tempfile

import numpy as np
from keras import ops
from safetensors.numpy import load, load_file, save, save_file

from .config import BertConfig, read_json
from .errors import BertrError
from .fitting import build_network
from .hub import DEFAULT, resolve, sha256
from .model import Fit, Model
from .tasks import find_task
from .weights import Checkpoint, read_checkpoint, write_huggingface

FORMAT = 1
META = "bertr.json"
HEAD = "head.safetensors"


# ---------------------------------------------------------------- folders

def save_folder(thing, folder, spec):
    """Writes a Model or Fit into `folder`: first whole and beside it, then in its place, so that whatever goes
    wrong the folder that was there before survives."""
    folder = os.path.abspath(os.path.expanduser(folder))
    try:
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        beside = tempfile.mkdtemp(prefix=f".{os.path.basename(folder)}-", dir=os.path.dirname(folder))
    except OSError as e:
        raise _unsaved(folder, e) from None
    try:
        _write(thing, beside, spec)
        os.chmod(beside, 0o755 & ~_umask())
        _swap(beside, folder)
    except OSError as e:
        raise _unsaved(folder, e) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write(thing, folder, spec):
    fitted = isinstance(thing, Fit)
    model = thing.model if fitted else thing
    checkpoint = dataclasses.replace(model.checkpoint, max_len=model.max_len)
    _with_disk_errors(write_huggingface, folder, checkpoint)
    meta = {"format": FORMAT, "spec": spec, "tokenizer": checkpoint.tokenizer, "max_len": model.max_len,
            "pooling": checkpoint.pooling, "source": model.source}
    if fitted:
        meta["fit"] = _fit_meta(thing)
        _with_disk_errors(save_file, _head_tensors(thing), os.path.join(folder, HEAD))
    with open(os.path.join(folder, META), "w", encoding="utf-8") as f:
        json.dump(meta, f, ensure_ascii=False, indent=1)


def _with_disk_errors(write, *args):
    """safetensors hides the error number of a full disk in a text of its own."""
    try:
        write(*args)
    except Exception as e:
        if "os error" in str(e).lower() or "no space" in str(e).lower():
            raise OSError(errno.ENOSPC if "28" in str(e) else errno.EIO, str(e)) from None
        raise


def _swap(beside, folder):
    if not os.path.exists(folder):
        os.rename(beside, folder)
        return
    old = tempfile.mkdtemp(prefix=f".{os.path.basename(folder)}-old-", dir=os.path.dirname(folder))
    os.rename(folder, os.path.join(old, "it"))
    try:
        os.rename(beside, folder)
    except OSError:
        os.rename(os.path.join(old, "it"), folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _unsaved(folder, error):
    what = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
    kept = " What was there before is unchanged." if os.path.exists(folder) else ""
    return BertrError("save", f"'{folder}' could not be written: {what}.{kept}", "Choose another folder or free space.")


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load_folder(source, layers=None, tokens="wordpiece", lower_case=None, max_len=None):
    """The Model, or the Fit, that `source` names."""
    folder = resolve(source)
    checkpoint = read_checkpoint(folder, layers)
    meta = read_json(os.path.join(folder, META)) if checkpoint.format == "bertr" else {}
    if meta.get("format", FORMAT) > FORMAT:
        raise BertrError("format", f"'{folder}' was written by a newer bertr (format {meta['format']}).",
                         "Update bertr.")
    settings = {**checkpoint.tokenizer, **meta.get("tokenizer", {})}
    if tokens != "wordpiece":
        settings["mode"] = tokens
    if lower_case is not None:
        settings["lower_case"] = lower_case
    checkpoint = dataclasses.replace(checkpoint, tokenizer=settings, pooling=meta.get("pooling", checkpoint.pooling))
    model = Model(checkpoint, meta.get("source") or source or DEFAULT, max_len or meta.get("max_len"))
    if "fit" not in meta:
        return model
    if layers is not None:
        raise BertrError("layers", "A fitted model cannot be cut to lower layers.", "Cut the model before the fit.")
    try:
        head = load_file(os.path.join(folder, HEAD))
    except Exception as e:
        raise BertrError("checkpoint", f"'{HEAD}' in '{folder}' could not be read: {e}.",
                         "Save the fit again.") from None
    return _make_fit(model, meta["fit"], head, meta["spec"])


# ---------------------------------------------------------------- bytes, for saveRDS()

def to_bytes(fit):
    """The whole fit, or with train = "head" the head and a reference to the base model."""
    checkpoint = fit.model.checkpoint
    meta = {"format": FORMAT, "spec": fit.spec, "fit": _fit_meta(fit), "max_len": fit.base.max_len,
            "source": fit.base.source}
    tensors = {f"head/{name}": value for name, value in _head_tensors(fit).items()}
    if fit.facts["train"] == "head":
        meta["base"] = {"folder": checkpoint.folder, "sha256": fingerprint(checkpoint.folder),
                        "layers": fit.base.config.num_layers, "tokenizer": checkpoint.tokenizer}
    else:
        meta["checkpoint"] = {
            "config": dataclasses.asdict(checkpoint.config), "vocab": checkpoint.vocab,
            "tokenizer": checkpoint.tokenizer, "pooling": checkpoint.pooling, "folder": checkpoint.folder}
        tensors |= {f"bert/{name}": value for name, value in checkpoint.tensors.items()}
    return bytearray(save(tensors, metadata={"bertr": json.dumps(meta, ensure_ascii=False)}))


def from_bytes(data, base=None):
    """The fit of `to_bytes`. `base` is where to look for the base model if it has moved."""
    data = bytes(data)
    size = int.from_bytes(data[:8], "little")
    meta = json.loads(json.loads(data[8:8 + size])["__metadata__"]["bertr"])
    tensors = load(data)
    part = {k: {n.removeprefix(k): v for n, v in tensors.items() if n.startswith(k)} for k in ("head/", "bert/")}
    if "base" in meta:
        model = _base_model(meta, base)
    else:
        c = meta["checkpoint"]
        checkpoint = Checkpoint(BertConfig(**c["config"]), part["bert/"], c["vocab"], c["tokenizer"], c["pooling"],
                                meta["max_len"], "bertr", c["folder"], {}, {})
        model = Model(checkpoint, meta["source"], meta["max_len"])
    return _make_fit(model, meta["fit"], part["head/"], meta["spec"])


def _base_model(meta, moved):
    """The base model of a head, which must be the very one it was trained on."""
    wanted = meta["base"]
    places = [p for p in (moved, wanted["folder"]) if p and os.path.isdir(os.path.expanduser(p))]
    folder = places[0] if places else resolve(meta["source"])
    if fingerprint(folder) != wanted["sha256"]:
        raise BertrError("base", f"The base model in '{folder}' is not the one this fit was trained on.",
                         "A fit with train = \"head\" keeps only the head: restore the base model, or use bert_save().")
    checkpoint = read_checkpoint(folder, wanted["layers"])
    return Model(dataclasses.replace(checkpoint, tokenizer=wanted["tokenizer"]), meta["source"], meta["max_len"])


def fingerprint(folder):
    """The sha256 of a checkpoint's weights: of the one file, or over those of several."""
    files = sorted(f for f in os.listdir(folder)
                   if f.endswith(".safetensors") and f != HEAD or ".ckpt.data" in f)
    sums = [sha256(os.path.join(folder, f)) for f in files]
    return sums[0] if len(sums) == 1 else "+".join(sums)


# ---------------------------------------------------------------- a fit's own part

def _fit_meta(fit):
    return {"task": fit.task.name, "task_spec": fit.task.spec, "head": fit.head_options, "facts": fit.facts,
            "history": fit.history}


def _head_tensors(fit):
    """The head's variables by their place in it: names alone repeat."""
    return {f"{i}/{v.name}": np.array(ops.convert_to_numpy(v.value), dtype=np.float32, order="C")
            for i, v in enumerate(fit.network.head.weights)}


def _make_fit(model, meta, head, spec):
    task = find_task(meta["task"])(meta["task_spec"])
    network = build_network(model, task, meta["head"], "head")
    for i, v in enumerate(network.head.weights):
        v.assign(head[f"{i}/{v.name}"])
    fit = Fit(model, network, meta["head"], meta["facts"], meta["history"])
    fit.spec = spec
    return fit
