"""Weights that are freed and read again from their folder when they are needed."""

import contextlib
import dataclasses
import os
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..access import unreadable
from ..errors import BertrError
from .checkpoint import fingerprint

if TYPE_CHECKING:
    import numpy as np

    from .checkpoint import Checkpoint

models = weakref.WeakSet()  # models whose weights are those in their folders


def reload(folder: str) -> None:
    """Reads the freed weights of this folder into memory again, before the folder is replaced."""
    for model in list(models):
        if os.path.realpath(model.checkpoint.folder) == folder and "backbone" not in vars(model):
            with contextlib.suppress(BertrError):  # the folder has changed already
                model.checkpoint.tensors.reload()


def read_again(
    checkpoint: "Checkpoint", wanted: str, read: "Callable[[str, int], Checkpoint]"
) -> "Mapping[str, np.ndarray]":
    """Reads the tensors of a checkpoint again.

    Args:
        checkpoint: a Checkpoint without tensors.
        wanted: its fingerprint.
        read: a function of a folder and a number of layers that returns a Checkpoint.

    Returns:
        Canonical name -> array.

    Raises:
        BertrError: changed.
    """
    folder, hint = checkpoint.folder, "Load it again with bert_load()."
    try:
        tensors = read(folder, checkpoint.config.num_layers).tensors
    except BertrError as e:
        hint = e.hint if e.code == "file" else hint
        raise BertrError("changed", f"The model in '{folder}' can no longer be read: {e}", hint) from None
    except OSError as e:
        raise unreadable(e.filename or folder, e) from None
    if fingerprint(dataclasses.replace(checkpoint, tensors=tensors)) != wanted:
        raise BertrError("changed", f"The model in '{folder}' is no longer the one that was loaded from there.", hint)
    return tensors
