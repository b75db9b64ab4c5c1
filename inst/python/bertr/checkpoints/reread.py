"""Weights that are left to the folder they were read from, and read again when they are asked for."""

import contextlib
import dataclasses
import os
import weakref

from ..errors import BertrError
from .checkpoint import fingerprint

models = weakref.WeakSet()  # all those whose weights their folders hold


def reload(folder):
    """Takes the weights that were left to this folder back into memory: it will hold others."""
    for model in list(models):
        if os.path.realpath(model.checkpoint.folder) == folder and "backbone" not in vars(model):
            with contextlib.suppress(BertrError):  # it holds others already
                model.checkpoint.tensors.reload()


def read_again(checkpoint, wanted, read):
    """The tensors of a checkpoint whose fingerprint was this, from its folder; `read(folder, layers)` gives a
    Checkpoint."""
    folder, hint = checkpoint.folder, "Load it again with bert_load()."
    try:
        tensors = read(folder, checkpoint.config.num_layers).tensors
    except (BertrError, OSError) as e:
        raise BertrError("changed", f"The model in '{folder}' can no longer be read: {e}", hint) from None
    if fingerprint(dataclasses.replace(checkpoint, tensors=tensors)) != wanted:
        raise BertrError("changed", f"The model in '{folder}' is no longer the one that was loaded from there.", hint)
    return tensors
