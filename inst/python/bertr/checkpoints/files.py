"""JSON files in a checkpoint folder."""

import json
import os
from collections.abc import Callable
from typing import Any

from ..errors import COPY_AGAIN, BertrError
from ..shapes import TABLE, check


def read_json(path: str, shape: Callable[[Any, str], Any] = TABLE, kind: type = dict) -> Any:
    """The JSON object (or list) in a file, checked against a shape (see shapes.py).

    Raises:
        BertrError: config.
    """
    try:
        with open(path, encoding="utf-8") as f:
            out = json.load(f)
    except (OSError, ValueError, RecursionError) as e:
        raise BertrError("config", f"'{path}' could not be read as JSON: {e}.", COPY_AGAIN) from None
    if not isinstance(out, kind):
        raise BertrError("config", f"'{path}' does not hold a JSON {'object' if kind is dict else 'list'}.", COPY_AGAIN)
    return check(out, shape, f"'{path}'", COPY_AGAIN, "config")


def optional_json(folder: str, name: str, shape: Callable[[Any, str], Any]) -> dict[str, Any]:
    """As `read_json`; {} if the file does not exist."""
    path = os.path.join(folder, name)
    return read_json(path, shape) if os.path.exists(path) else {}
