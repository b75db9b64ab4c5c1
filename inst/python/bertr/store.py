"""Saving and loading of fits and models, as folders and as bytes: safetensors and JSON, never pickles."""

import base64
import contextlib
import dataclasses
import errno
import fnmatch
import glob
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from keras import ops
from safetensors.numpy import load

from .access import reason, unreadable
from .checkpoints import huggingface
from .checkpoints.checkpoint import Checkpoint, check_finite, check_tensors
from .checkpoints.files import read_json
from .checkpoints.hub import DEFAULT, origin, resolve
from .checkpoints.moment import at_one_moment
from .checkpoints.reread import reload
from .checkpoints.vocabulary import check_size
from .errors import BertrError
from .families import FAMILIES, open_checkpoint, read_checkpoint
from .kernels.memory import tidy
from .manifest import META_FILE, PIECES, RUN_FILE, tokenizer_shape
from .model import Fit, Model, network_scorer
from .nn.network import build_network, read_head_options
from .replace import Nest, present
from .safetensors_file import load_tensors, save_tensors, serialized
from .shapes import check
from .task_models import fit_of, head_of
from .tasks import find_task

FORMAT = 1
META = "bertr.json"
HEAD = "head.safetensors"
OURS = (META, HEAD, *huggingface.FILES)  # patterns of all files of a folder that bertr writes
NOBODYS = {".DS_Store", "Thumbs.db", "desktop.ini"}  # files that operating systems create
SAVE_AGAIN = "It is damaged: save or fit it again."
PIECE = 2**24  # bytes passed to R at once, which copies them temporarily


# ---------------------------------------------------------------- folders


def save_folder(handle: Model | Fit, folder: str, spec: str) -> None:
    """Writes a Model or a Fit into a folder atomically: if anything fails, the previous folder survives.

    Args:
        handle: a Model or a Fit.
        folder: a new folder, an empty one, or one that bertr wrote, which is replaced.
        spec: R's own part, JSON text.

    Raises:
        BertrError: save (cannot be written), folder (not replaceable).
    """
    folder = os.path.realpath(os.path.expanduser(folder))
    if os.path.isdir(folder) and os.path.samefile(folder, os.getcwd()):
        raise BertrError(
            "save", f"'{folder}' is the working directory, which cannot be replaced.", "Name a folder inside it."
        )
    check_replaceable(folder)
    reload(folder)
    try:
        nest = Nest(folder)
    except OSError as e:
        raise _unsaved(folder, e) from None
    try:
        _write(handle, nest.new, spec)
        with contextlib.suppress(FileNotFoundError):
            os.chmod(nest.new, os.stat(folder).st_mode & 0o777)
        nest.swap()
    except OSError as e:
        raise _unsaved(folder, e) from None
    finally:
        nest.close()


def check_replaceable(folder: str) -> None:
    """Checks that the folder is new, empty or written by bertr.

    Raises:
        BertrError: folder, save.
    """
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise BertrError("folder", f"'{folder}' is a file, not a folder.", "Name a new folder.")
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):  # if the place is not usable, saving reports it
        names = []
    except OSError as e:
        raise _unsaved(folder, e) from None
    try:
        found = {path for name in names for path in _inner_files(folder, name)}
    except OSError as e:
        raise _unsaved(folder, e) from None
    found = {path for path in found if os.path.basename(path) not in NOBODYS}
    others = sorted(
        path for path in found if META not in found or not any(fnmatch.fnmatchcase(path, ours) for ours in OURS)
    )
    if others:
        names = ", ".join(f"'{name}'" for name in others[:5]) + (f" and {len(others) - 5} more" if others[5:] else "")
        raise BertrError(
            "folder",
            f"'{folder}' holds other files, which would be lost: {names}.",
            f"Move them, or choose an empty or new folder, such as '{os.path.join(folder, 'model')}'.",
        )


def _inner_files(folder, name):
    """A file of a folder; of an inner folder with a name that bertr gives, what is in it."""
    path = os.path.join(folder, name)
    if any(fnmatch.fnmatchcase(name, os.path.dirname(ours)) for ours in OURS) and os.path.isdir(path):
        return [os.path.join(name, inner) for inner in os.listdir(path)]
    return [name]


def _write(handle, folder, spec):
    fitted = isinstance(handle, Fit)
    base = handle.base if fitted else handle
    checkpoint = handle.checkpoint() if fitted else dataclasses.replace(handle.checkpoint, max_len=handle.max_len)
    huggingface.write_huggingface(folder, checkpoint, head_of(handle) if fitted else None)
    meta = {"format": FORMAT, "spec": spec, "source": base.source, "origin": base.origin}
    if fitted:
        meta["fit"] = _fit_meta(handle)
        save_tensors(_head_tensors(handle), os.path.join(folder, HEAD))
    with open(os.path.join(folder, META), "w", encoding="utf-8") as f:
        json.dump(meta, f, ensure_ascii=False, indent=1)


def _unsaved(folder, error):
    what = "the disk is full" if error.errno == errno.ENOSPC else reason(error)
    previous = " Its previous contents are unchanged." if os.path.exists(folder) else ""
    return BertrError(
        "save", f"'{folder}' could not be written: {what}.{previous}", "Choose another folder or free some space."
    )


def load_folder(
    source: str | None,
    layers: int | None = None,
    tokens: str | None = None,
    lower_case: bool | None = None,
    max_len: int | None = None,
    activation: str | None = None,
    revision: str | None = None,
    head: bool = True,
    labels: list[str] | None = None,
    no_answer: bool = False,
    on_event: Callable[..., Any] | None = None,
) -> Model | Fit:
    """Loads a model or a fit.

    Args:
        source: a folder, a known name, "owner/name" on the hub, or None for the default model.
        layers: number of lower layers to keep; None: all.
        tokens: "wordpiece" or "characters"; None: as the folder says.
        lower_case: bool; None: as the folder says.
        max_len: tokens to cut texts at; None: as the folder says.
        activation: "gelu_erf" or "gelu_tanh"; None: as the folder says.
        revision: branch, tag or commit on the hub.
        head: whether to load a head, too: that of a fit, or of a task model of Hugging Face.
        labels: the names of a task model's outputs; None: as the folder says.
        no_answer: whether a task model that answers questions may answer none of them.
        on_event: as in bridge.py.

    Returns:
        A Fit if the folder holds one, or a task model, and `head` is True, else a Model.

    Raises:
        BertrError: source, revision or hub (not found), checkpoint, config, vocabulary, tokenizer or not_bert (not
            readable), damaged, format, layers, max_len, head, labels, argument.
    """
    tidy()  # earlier models that are held only by reference cycles
    folder = resolve(source, revision, on_event)
    (meta, tensors, read), stamp = at_one_moment(folder, lambda: _open_folder(folder, layers, head, labels))
    checkpoint = dataclasses.replace(read(), stamp=stamp)
    theirs, checkpoint.head = checkpoint.head, None  # a Fit holds it
    if activation is not None:
        checkpoint.config = dataclasses.replace(checkpoint.config, activation=activation)
    given = {"mode": tokens, "lower_case": lower_case}
    given = {name: value for name, value in given.items() if value is not None}
    if "lower_case" in given and "lower_case" not in checkpoint.tokenizer:
        raise BertrError(
            "tokenizer",
            "`lower_case` is given, but this model's tokenizer has no such setting.",
            "Leave `lower_case` out.",
        )
    checkpoint.tokenizer |= given
    model = Model(
        checkpoint,
        meta.get("source") or source or DEFAULT,
        max_len,
        origin=meta["origin"] if "origin" in meta else origin(folder),
    )
    fitted = head and "fit" in meta
    if (fitted or theirs) and layers is not None:
        raise BertrError(
            "layers", "A fitted model cannot be cut to lower layers.", "Load its encoder alone with `head = FALSE`."
        )
    if theirs:
        return fit_of(model, theirs, no_answer)
    if labels is not None or no_answer:
        raise BertrError(
            "argument",
            f"`{'labels' if labels is not None else 'no_answer'}` is for heads from the Hugging Face hub, but "
            f"'{model.source}' {'holds a fit of bertr' if fitted else 'has no such head'}.",
            "Leave it out.",
        )
    if not fitted:
        return model
    what = f"The fit in '{folder}'"
    with _report_as_damaged(what):
        return _make_fit(model, meta["fit"], tensors, meta["spec"], what)


def _open_folder(folder, layers, with_head, labels):
    """(content of bertr.json, tensors of a fit's head, function that reads the checkpoint)."""
    path, meta = os.path.join(folder, META), {}
    if os.path.exists(path):
        meta = read_json(path)
        _check_format(meta, f"'{folder}'")
        check(meta, META_FILE, f"'{path}'", SAVE_AGAIN)
    else:
        _refuse_run(folder)
    read = open_checkpoint(folder, layers, with_head and "fit" not in meta, labels)
    head = {}
    if with_head and "fit" in meta:
        with _report_as_damaged(f"The fit in '{folder}'"):
            head = load_tensors(os.path.join(folder, HEAD))
    return meta, head, read


def _refuse_run(folder):
    """Raises an error if the folder holds a training run instead of a model or a fit."""
    folder = os.path.abspath(os.path.expanduser(folder))
    if not os.path.isfile(os.path.join(folder, RUN_FILE)):
        return
    epochs = sorted(glob.glob(os.path.join(glob.escape(folder), "epoch-*", "bertr.json")))
    of_epoch = f"; or load a saved epoch, such as '{os.path.dirname(epochs[-1])}'" if epochs else ""
    raise BertrError(
        "checkpoint",
        f"'{folder}' is the checkpoint folder of a training run, not a model or a fit.",
        f"To resume the run, or to get its fit, call bert_fit() as before with bert_control(checkpoint = "
        f'"{folder}"){of_epoch}.',
    )


def _check_format(meta, what):
    if isinstance(meta.get("format"), int) and meta["format"] > FORMAT:
        raise BertrError("format", f"{what} was written by a newer bertr (format {meta['format']}).", "Update bertr.")


@contextlib.contextmanager
def _report_as_damaged(what):
    try:
        yield
    except BertrError:
        raise
    except Exception as e:
        if isinstance(e, OSError) and e.filename and not isinstance(e, FileNotFoundError):
            raise unreadable(e.filename, e) from None
        first_line = reason(e).partition("\n")[0]
        raise BertrError("damaged", f"{what} could not be read: {first_line}.", SAVE_AGAIN) from None


# ---------------------------------------------------------------- bytes, for saveRDS()


def to_bytes(fit: Fit) -> Iterator[bytearray]:
    """A fit as the bytes of a safetensors file.

    With train = "head" only the head and a reference to the folder of the base model, else the whole network.

    Args:
        fit: a Fit.

    Returns:
        An iterator of bytearrays of at most PIECE bytes.
    """
    checkpoint = fit.base.checkpoint
    meta = {
        "format": FORMAT,
        "spec": fit.spec,
        "fit": _fit_meta(fit),
        "max_len": fit.base.max_len,
        "source": fit.base.source,
        "origin": fit.base.origin,
    }
    described = {
        "family": checkpoint.config.model_type,
        "config": dataclasses.asdict(checkpoint.config),
        "tokenizer": checkpoint.tokenizer,
        "pooling": checkpoint.pooling,
        "folder": checkpoint.folder,
    }
    head = _head_tensors(fit)
    shapes = {f"head/{name}": array.shape for name, array in head.items()}
    arrays = iter(head.values())
    if fit.facts["train"] == "head" and fit.base.stored:
        meta["base"] = {**described, "fingerprint": fit.base.fingerprint}
    else:
        meta["checkpoint"] = {
            **described,
            "vocab": checkpoint.vocab,
            "spiece": checkpoint.spiece and base64.b64encode(checkpoint.spiece).decode(),
        }
        backbone = fit.network.backbone
        shapes |= {f"bert/{name}": shape for name, shape in backbone.shapes().items()}
        arrays = itertools.chain(arrays, (array for _, array in backbone.each_tensor()))
    kinds = {name: (np.float32, shape) for name, shape in shapes.items()}
    return _pieces(serialized(kinds, arrays, {"bertr": json.dumps(meta, ensure_ascii=False)}))


def _pieces(buffers):
    """The concatenated buffers in pieces of PIECE bytes."""
    piece = bytearray()
    for buffer in buffers:
        start = 0
        while start < len(buffer):
            taken = buffer[start : start + PIECE - len(piece)]
            piece += taken
            start += len(taken)
            if len(piece) == PIECE:
                yield piece
                piece = bytearray()
    if piece:
        yield piece


def from_bytes(pieces: Iterable[bytes | bytearray], base: str | None = None) -> Fit:
    """The inverse of `to_bytes`.

    Args:
        pieces: the bytes, in pieces of any size.
        base: None, or the folder of the base model if it has moved.

    Returns:
        A Fit.

    Raises:
        BertrError: damaged, format (newer version), base (another base model), and those of `load_folder`.
    """
    tidy()
    with _report_as_damaged("The fit"):
        data = b"".join(pieces)
        size = int.from_bytes(data[:8], "little")
        meta = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["bertr"])
        _check_format(meta, "The fit")
        check(meta, PIECES, "the fit", SAVE_AGAIN)
        tensors = load(data)
        part = {k: {n.removeprefix(k): v for n, v in tensors.items() if n.startswith(k)} for k in ("head/", "bert/")}
        model = _base_model(meta, base) if "base" in meta else _own_model(meta, part["bert/"])
        return _make_fit(model, meta["fit"], part["head/"], meta["spec"], "the fit")


def _own_model(meta, tensors):
    c, what = meta["checkpoint"], "the fit"
    config = _config_of(c)
    check_tensors(tensors, config, what)
    check_size(len(c["vocab"]), config.vocab_size, "a fit")
    spiece = c.get("spiece") and base64.b64decode(c["spiece"])
    check(c["tokenizer"], tokenizer_shape(spiece), "the tokenizer of the fit", SAVE_AGAIN)
    checkpoint = Checkpoint(
        config=config,
        tensors=tensors,
        vocab=c["vocab"],
        tokenizer=c["tokenizer"],
        pooling=c["pooling"],
        max_len=meta["max_len"],
        format="bertr",
        folder=c["folder"],
        unread={},
        missing={},
        spiece=spiece,
    )
    return Model(checkpoint, meta["source"], meta["max_len"], stored=False, origin=meta.get("origin"))


def _config_of(described):
    return FAMILIES[described["family"]].config.from_fields(described["config"])


def _base_model(meta, moved):
    """The base model of a head; it must have the fingerprint of the one that the head was trained on."""
    wanted, came_from = meta["base"], meta.get("origin")
    places = [p for p in (moved, wanted["folder"]) if p and present(os.path.expanduser(p))]
    if places or not came_from:
        folder = resolve(places[0] if places else meta["source"])
    else:
        folder = resolve(came_from["repo"], came_from["commit"])
    config = _config_of(wanted)
    checkpoint = read_checkpoint(folder, config.num_layers)
    check(wanted["tokenizer"], tokenizer_shape(checkpoint.spiece), "the tokenizer of the fit", SAVE_AGAIN)
    checkpoint = dataclasses.replace(
        checkpoint, config=config, tokenizer=wanted["tokenizer"], pooling=wanted["pooling"]
    )
    model = Model(checkpoint, meta["source"], meta["max_len"], origin=came_from)
    if model.fingerprint != wanted["fingerprint"]:
        raise BertrError(
            "base",
            f"The model in '{folder}' is not the one this fit was trained on ('{wanted['folder']}' at that time).",
            'A fit with train = "head" keeps only the head: restore its model, or use bert_save().',
        )
    return model


# ---------------------------------------------------------------- a fit's own part


def _fit_meta(fit):
    return {
        "task": fit.task.name,
        "task_spec": fit.task.spec,
        "head": fit.head_options,
        "facts": fit.facts,
        "history": fit.history,
    }


def _head_tensors(fit):
    """The head's arrays by index and name; names alone are not unique."""
    return {
        f"{i}/{v.name}": np.array(ops.convert_to_numpy(v.value), dtype=np.float32, order="C")
        for i, v in enumerate(fit.network.upper_weights)
    }


def _make_fit(model, meta, head, spec, what):
    task = find_task(meta["task"])(meta["task_spec"])
    head_options = read_head_options(model, meta["head"])
    _check_units(head_options["units"], head, what)
    network = build_network(model, task, head_options, "head")
    for i, v in enumerate(network.upper_weights):
        value = head[f"{i}/{v.name}"]
        check_finite(v.name, value, what)
        v.assign(value)
    facts = meta["facts"]
    model.length(facts["max_len"])  # raises if the model has fewer positions
    fit = Fit(model, network, head_options, facts, meta["history"], network_scorer(model, network, facts["train"]))
    fit.spec = spec
    return fit


def _check_units(units, head, what):
    """Checks that every hidden layer has tensors, before layers of an absurd size are allocated."""
    sizes = {size for tensor in head.values() for size in tensor.shape}
    absent = [n for n in units if n not in sizes]
    if absent:
        raise BertrError(
            "damaged", f"{what[0].upper() + what[1:]} has no weights for a layer of {absent[0]} units.", SAVE_AGAIN
        )
