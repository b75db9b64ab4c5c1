"""Scores files one after the other in this process, in memory that does not grow with them."""

import functools
import os
import time
from collections.abc import Callable
from typing import Any

from ..errors import BertrError
from ..events import throttled
from ..model import Fit
from .columns import Columns
from .folder import Folder, find_files, naming
from .tables import FORMATS, Table, check_new

OF_A_FILE = ("file", "text", "column")  # codes of errors that concern one file only, found while it is scored
SHOWN = 5  # files that are named at most


def score(
    handle: Any, source: str, target: str, plan: dict[str, Any], on_event: Callable[..., Any] | None
) -> dict[str, Any]:
    """Adds columns to the tables of `source` and writes them into `target`. The same call goes on after it was killed.
    A file that cannot be read does not stop the others: it is named at the end.

    Args:
        handle: a Model or a Fit.
        source: a file or a folder.
        target: a folder.
        plan: a dict: `text` and `keep`, see Table; `rows`, the rows of a batch; `what`, `columns` and `options`, see
            Columns.
        on_event: as in bridge.py.

    Returns:
        A dict: `files`, `rows` and `n_truncated`, the number of files, rows and cut texts now; `files_before`, of files
        that were done before.

    Raises:
        BertrError: source, folder, file, column, text.
    """
    columns = Columns(handle, plan["what"], plan["columns"], plan["options"], plain=False)
    columns.expect_many()
    files = find_files(source, list(FORMATS))
    tables, damaged = open_tables(files, plan, columns)
    with Folder(target, source, files, run_of(handle, plan)) as folder:
        folder.tidy()
        for name in files.keys() - tables:
            folder.mark_damaged(name)
        waiting = {name: table for name, table in tables.items() if not folder.is_done(name)}
        progress = _Progress(waiting.values(), on_event)
        for name, table in waiting.items():
            try:
                _score_file(folder, name, table, columns, plan["rows"], progress)
            except BertrError as e:
                if e.code not in OF_A_FILE:
                    raise
                folder.mark_damaged(name)
                progress.close(table)
                damaged.append(BertrError(e.code, e.message, e.hint))  # without what its traceback holds
    if damaged:
        raise _together(damaged, "All other files are done." if len(files) > len(damaged) else "")
    return {
        "files": len(waiting),
        "files_before": len(tables) - len(waiting),
        "rows": progress.rows,
        "n_truncated": progress.n_truncated,
    }


def run_of(handle: Any, plan: dict[str, Any]) -> dict[str, Any]:
    """What identifies a run in its folder."""
    fitted = isinstance(handle, Fit)
    return {
        "fit" if fitted else "model": [handle.fingerprint, handle.task.spec if fitted else None],
        "text": plan["text"],
        "keep": plan["keep"],
        "columns": plan["columns"],
        "options": plan["options"],
        "rows": plan["rows"],
    }


def _together(damaged, others):
    """One error for all files that could not be scored."""
    first, *more = damaged
    if not more:
        return BertrError(first.code, first.message, f"{first.hint} {others}".strip())
    shown = " ".join(error.message for error in damaged[:SHOWN])
    rest = f" And {len(damaged) - SHOWN} more." if len(damaged) > SHOWN else ""
    message = f"{len(damaged)} files could not be scored. {shown}{rest}"
    return BertrError(first.code, message, f"Repair them, or move them elsewhere, and call again. {others}".strip())


def open_tables(
    files: dict[str, str], plan: dict[str, Any], columns: Columns
) -> tuple[dict[str, Table], list[BertrError]]:
    """The Table of each file that can be read, and the errors of the others.

    Args:
        files: the result of `find_files`.
        plan: as of `score`.
        columns: the Columns that are added.

    Raises:
        BertrError: column, text, schema, if a file does not have the columns that it should have; file, if none can be
            read.
    """
    tables, damaged = {}, []
    for name, path in files.items():
        try:
            tables[name] = _open(path, plan)
        except BertrError as e:
            if e.code != "file":
                raise
            damaged.append(BertrError(e.code, e.message, e.hint))
    if not tables:
        raise _together(damaged, "")
    first = next(iter(tables.values()))
    for table in tables.values():
        if table.kept() != first.kept():
            raise BertrError(
                "schema",
                f"The columns of '{table.path}' are not those of '{first.path}'.",
                "Name the columns to keep in `keep`, or score the files into different folders.",
            )
        check_new(columns.schema.names, table.keep, table.path)
    return tables, damaged


def _open(path, plan):
    with naming(path):
        return FORMATS[os.path.splitext(path)[1].lower()](path, plan["text"], plan["keep"])


def _score_file(folder, name, table, columns, rows, progress):
    done = folder.parts(name)
    for number, (texts, rest) in enumerate(_read(table, rows)):
        if number < len(done):
            progress.skip(table)
            continue
        added, n_truncated = columns.of(texts, progress.of_batch(table, len(texts[0])))
        write = functools.partial(table.write, rest, added, first=number == 0)
        folder.add_part(name, number, write)
        progress.add(table, len(texts[0]), n_truncated)
    folder.finish(name, table.join)
    progress.close(table)


def _read(table, rows):
    with naming(table.path):
        yield from table.batches(rows)


class _Progress:
    """Counts what is done. The share of the work is that of the bytes of all files: rows are not known before."""

    def __init__(self, tables, on_event):
        self.emit, self.begun = throttled(on_event), time.monotonic()
        self.size = {table.path: os.path.getsize(table.path) for table in tables}
        self.bytes, self.before, self.at = max(1, sum(self.size.values())), 0, 0.0
        self.rows = self.n_truncated = 0

    def skip(self, table):
        self.at = table.share()

    def of_batch(self, table, n):
        """A function of the rows done of a batch of `n` rows, which was just read."""
        return lambda done: self._tell(table, done, self.at + (table.share() - self.at) * done / n)

    def add(self, table, n, n_truncated):
        self.at, self.rows, self.n_truncated = table.share(), self.rows + n, self.n_truncated + n_truncated
        self._tell(table, 0, self.at)

    def close(self, table):
        self.before, self.at = self.before + self.size[table.path], 0.0

    def _tell(self, table, more, at):
        done = self.rows + more
        rate = done / max(1e-3, time.monotonic() - self.begun)
        share = (self.before + at * self.size[table.path]) / self.bytes
        self.emit("score", {"done": done, "rate": rate, "share": share})
