"""Weights that are left to the folder they were read from, and read again when they are asked for."""

import contextlib
import dataclasses
import os
import weakref

from .errors import BertrError
from .weights import fingerprint, read_checkpoint

models = weakref.WeakSet()  # all those whose weights their folders hold


def stamp(folder):
    """The same while nobody writes to the folder."""
    try:
        return sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in os.scandir(folder))
    except OSError:
        return None


def take_back(folder):
    """Takes the weights that were left to this folder, or one in it, back into memory: it will hold others."""
    folder = os.path.realpath(folder)
    for model in list(models):
        its = os.path.realpath(model.checkpoint.folder)
        if (its == folder or its.startswith(folder + os.sep)) and "backbone" not in vars(model):
            with contextlib.suppress(BertrError):  # it holds others already
                model.checkpoint.tensors.take_back()


def read_again(checkpoint, wanted):
    """The tensors of a checkpoint whose fingerprint was this, from its folder."""
    folder, hint = checkpoint.folder, "Load it again with bert_load()."
    try:
        tensors = read_checkpoint(folder, checkpoint.config.num_layers).tensors
    except (BertrError, OSError) as e:
        raise BertrError("changed", f"The model in '{folder}' can no longer be read: {e}", hint) from None
    if fingerprint(dataclasses.replace(checkpoint, tensors=tensors)) != wanted:
        raise BertrError("changed", f"The model in '{folder}' is no longer the one that was loaded from there.", hint)
    return tensors
