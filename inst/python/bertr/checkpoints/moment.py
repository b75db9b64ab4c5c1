"""Consistent reads of a folder that another process may replace in the meantime."""

import glob
import os
import time
from collections.abc import Callable
from typing import Any

from ..access import check_open, unreadable
from ..errors import BertrError
from ..replace import present
from . import google, hub

TRIES, PAUSE = 50, 0.02  # seconds
FILES = (*hub.FILES, *google.FILES, "*.safetensors", "bertr.json")  # patterns of all files that any format reads


def stamp(folder: str) -> list[tuple[Any, ...]]:
    """Names, inodes, sizes and mtimes of the model files; changes when the folder is modified."""
    found = {path for pattern in FILES for path in glob.glob(os.path.join(glob.escape(folder), pattern))}
    return [(os.path.relpath(path, folder), *_stamp(path)) for path in sorted(found)]


def _stamp(path):
    try:
        status = os.stat(path)
        return status.st_ino, status.st_size, status.st_mtime_ns
    except OSError:
        return ()


def at_one_moment(folder: str, read: Callable[[], Any]) -> tuple[Any, list[tuple[Any, ...]]]:
    """(read(), the folder's stamp). Retries if the folder changed meanwhile.

    Raises:
        BertrError: changed, file, or those of `read`.
    """
    for i in range(TRIES):
        present(folder)
        before, error = stamp(folder), None
        try:
            for part in (folder, *glob.glob(os.path.join(glob.escape(folder), "[0-9]*_*"))):
                check_open(part)
            out = read()
        except (BertrError, OSError) as e:
            error = e
        if stamp(folder) == before and (before or i):  # an empty stamp may be the moment between two renames
            if isinstance(error, OSError):
                raise unreadable(error.filename or folder, error) from None
            if error:
                raise error
            return out, before
        time.sleep(PAUSE)
    raise BertrError(
        "changed", f"'{folder}' kept changing while it was being read.", "Load it when no other process writes to it."
    )
