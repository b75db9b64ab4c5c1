"""A model or fit and this package in one file, which Spark unpacks where its Python workers are."""

import functools
import json
import os
import pathlib
import tempfile
import zipfile
from typing import Any

from .. import store
from .columns import Columns

MODEL = "model"


def write_archive(handle: Any, path: str) -> None:
    """Writes the archive: the folder `model`, as of `bert_save()`, and the package `bertr`."""
    package = pathlib.Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as above, zipfile.ZipFile(path, "w") as out:
        store.save_folder(handle, os.path.join(above, MODEL), "{}")
        for folder in (pathlib.Path(above, MODEL), package):
            for file in sorted(folder.rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    out.write(file, file.relative_to(folder.parent))


@functools.cache
def open_archive(folder: str, plan: str) -> tuple[Columns, list[str]]:
    """(the Columns that compute a plan, JSON text; its text columns), once in a process."""
    given = json.loads(plan)
    handle = store.load_folder(os.path.join(folder, MODEL))
    columns = Columns(handle, given["what"], given["columns"], given["options"], plain=True)
    columns.expect_many()
    return columns, given["text"]
