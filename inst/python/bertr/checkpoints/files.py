"""JSON files in a checkpoint folder, and Git LFS pointers in place of files."""

import json
import os
from collections.abc import Callable
from typing import Any

from ..access import unreadable
from ..errors import COPY_AGAIN, BertrError
from ..shapes import TABLE, check

POINTER = b"version https://git-lfs.github.com/spec/"


def read_json(path: str, shape: Callable[[Any, str], Any] = TABLE, kind: type = dict) -> Any:
    """The JSON object (or list) in a file, checked against a shape (see shapes.py).

    Raises:
        BertrError: config, file.
    """
    try:
        with open(path, encoding="utf-8") as f:
            out = json.load(f)
    except OSError as e:
        raise unreadable(path, e) from None
    except (ValueError, RecursionError) as e:
        raise BertrError("config", f"'{path}' could not be read as JSON: {e}.", COPY_AGAIN) from None
    if not isinstance(out, kind):
        raise BertrError("config", f"'{path}' does not hold a JSON {'object' if kind is dict else 'list'}.", COPY_AGAIN)
    return check(out, shape, f"'{path}'", COPY_AGAIN, "config")


def refuse_pointer(path: str) -> None:
    """An error if a file is a Git LFS pointer, which a clone without Git LFS has in place of large files.

    Raises:
        BertrError: checkpoint, file.
    """
    try:
        with open(path, "rb") as f:
            start = f.read(len(POINTER))
    except OSError as e:
        raise unreadable(path, e) from None
    if start == POINTER:
        raise BertrError(
            "checkpoint",
            f"'{path}' is a Git LFS pointer of a few lines in place of the weights.",
            "Run git lfs pull in that folder, or download the file itself.",
        )


def optional_json(folder: str, name: str, shape: Callable[[Any, str], Any]) -> dict[str, Any]:
    """As `read_json`; {} if the file does not exist."""
    path = os.path.join(folder, name)
    return read_json(path, shape) if os.path.exists(path) else {}
