"""What errors of Spark say, as sentences for the user."""

import re
from typing import Any
from urllib.parse import unquote

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from ..errors import BertrError
from . import worker
from .local import SHOWN

ERRORS = (PySparkException, Py4JError)  # of a session
RENAME = "Repair and rename what is damaged, or move it elsewhere, and call again."


def cause_of(error: Any) -> str:
    """What an error of Spark says last: it begins with the steps that failed because of it."""
    text = str(error).strip()
    in_python = re.search(r"Traceback \(most recent call last\):\n(?:[ \t].*\n)*(\S.*)", text)
    in_java = re.findall(r"^Caused by: (.*)$", text, re.MULTILINE)
    lines = [line.removeprefix(": ") for line in text.splitlines()] or [""]
    if lines[0].startswith("An error occurred while calling"):  # py4j
        lines = lines[1:] or lines
    return (in_python[1] if in_python else in_java[-1] if in_java else lines[0]).rstrip(". ")


def failed(text: str) -> BertrError:
    """The error of Spark with this text."""
    marked = re.search(f"{worker.MARK}(.*?){worker.MARK}", text, re.DOTALL)
    if marked:
        hint = "Install TensorFlow, Keras, safetensors and pyarrow there, or set PYSPARK_PYTHON to a Python with them."
        return BertrError("no_tensorflow", marked[1], hint)
    for file in named(text):
        return BertrError("file", f"'{_shown(file)}' could not be read.", RENAME)
    return BertrError("spark", f"Spark ended with an error: {cause_of(text)}.")


def named(text: str) -> list[str]:
    """The files that an error of Spark could not read."""
    said, *_ = text.partition("=== Streaming Query ===")  # after it, Spark shows the plan
    return re.findall(r"(?:reading|footer for) file:? (\w+:/\S+\.parquet)", said, re.IGNORECASE)


def unread(damaged: list[str]) -> BertrError:
    """Their batch is done without them, so Spark would not look at files of these names again."""
    what = _listing(damaged) if len(damaged) == 1 else f"{len(damaged)} files: {_listing(damaged)}"
    return BertrError("file", f"All files are done except what could not be read, {what}.", RENAME)


def left(files: list[str]) -> BertrError:
    """Files of tasks that ended early, beside the output."""
    message = f"All rows are scored, but a task that ended early left {_listing(files)}, which bertr cannot delete."
    return BertrError("folder", message, "Delete it: programs other than Spark would read its rows, too.")


def _listing(files):
    return ", ".join(f"'{_shown(name)}'" for name in files[:SHOWN]) + (", ..." if len(files) > SHOWN else "")


def _shown(address):
    """The path of a file on this machine, as users write it."""
    return unquote(address.removeprefix("file://")) if address.startswith("file:") else address
