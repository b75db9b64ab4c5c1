"""JSON files of a checkpoint's folder."""

import json
import os

from ..errors import COPY_AGAIN, BertrError
from ..shapes import TABLE, check


def read_json(path, shape=TABLE, kind=dict):
    """The JSON object, or list, in a file, which has this shape (see shapes.py), or one sentence saying that it is
    damaged."""
    try:
        with open(path, encoding="utf-8") as f:
            out = json.load(f)
    except (OSError, ValueError, RecursionError) as e:
        raise BertrError("config", f"'{path}' could not be read as JSON: {e}.", COPY_AGAIN) from None
    if not isinstance(out, kind):
        raise BertrError("config", f"'{path}' does not hold a JSON {'object' if kind is dict else 'list'}.",
                         COPY_AGAIN)
    return check(out, shape, f"'{path}'", COPY_AGAIN, "config")


def optional_json(folder, name, shape):
    """The same of a file that a folder may lack: then it says nothing."""
    path = os.path.join(folder, name)
    return read_json(path, shape) if os.path.exists(path) else {}
