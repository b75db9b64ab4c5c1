"""The bookkeeping of a scoring run: which files there are, which ones are done, and how far the next one is.

The folder has one file for each file of the input, under the same name. `.bertr-score` in it holds `run.json`, a lock,
and the parts of files that are not finished. Every file is written beside its place and then renamed.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from ..access import check_open, check_reachable, reason, unreadable
from ..errors import BertrError
from ..replace import drop_lock, take_lock
from ..shapes import TEXT, check, fields, list_of, table_of, whole

WORK, RUN, NEW = ".bertr-score", "run.json", ".new"
ELSEWHERE = "Score into another folder."
AGAIN = "Delete the folder to start over."
REPAIR = "Repair it, or move it elsewhere, and call again."
SHAPE = fields({"run": fields({}), "files": table_of(list_of(whole(most=2**63))), "damaged": list_of(TEXT)})


def find_files(source: str, endings: list[str]) -> dict[str, str]:
    """The files of the input: the file itself, or all in the folder and its folders, except hidden ones.

    Args:
        source: a file or a folder.
        endings: the endings of the formats that can be read.

    Returns:
        {name relative to the folder: path}, sorted.

    Raises:
        BertrError: source, if there are none, or others; file.
    """
    check_reachable(source)
    if os.path.isfile(source):
        found = {os.path.basename(source): source}
    elif os.path.isdir(source):
        found = {os.path.relpath(path, source): path for path in _visible(source)}
    else:
        raise BertrError("source", f"'{source}' does not exist.")
    if not found:
        raise BertrError("source", f"'{source}' holds no files.")
    formats = {}
    for path in found.values():
        formats.setdefault(os.path.splitext(path)[1].lower(), path)
    for ending, path in formats.items():
        if ending not in endings:
            raise BertrError(
                "source", f"'{path}' is not a table that can be read.", "Names end in " + ", ".join(endings) + "."
            )
    if len(formats) > 1:
        one, other, *_ = formats.values()
        raise BertrError(
            "source", f"'{one}' and '{other}' have different formats.", "Score each format into a folder of its own."
        )
    return dict(sorted(found.items()))


def _visible(folder):
    def refuse(error):
        raise unreadable(error.filename, error) from None

    for where, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if name[0] not in "._"]
        yield from (os.path.join(where, name) for name in names if name[0] not in "._")


class Folder:
    """The output of a run. `with` locks it.

    Args:
        target: the folder.
        source: the file or folder that is scored.
        files: the result of `find_files`.
        run: a dict of plain data that identifies the run.

    Raises:
        BertrError: folder.
    """

    def __init__(self, target: str, source: str, files: dict[str, str], run: dict[str, Any]):
        self.target, self.files = target, files
        self.work = os.path.join(target, WORK)
        self.run = json.loads(json.dumps(run))
        self.moments: dict[str, list[int]] = {}  # size and time of each file that was seen
        self.damaged: list[str] = []
        check_apart(target, source)
        self._check_others()

    def __enter__(self):
        try:
            os.makedirs(self.work, exist_ok=True)
            self.lock = take_lock(self.work, needed=False)
        except (BlockingIOError, PermissionError) as e:
            if isinstance(e, PermissionError) and os.name != "nt":
                raise _unwritten(self.target, e) from None
            raise BertrError(
                "folder", f"Another process is scoring into '{self.target}'.", "Wait until it has finished."
            ) from None
        except OSError as e:
            raise _unwritten(self.target, e) from None
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        drop_lock(self.work, self.lock)

    def is_done(self, name: str) -> bool:
        """Whether the output of a file is complete."""
        return os.path.exists(os.path.join(self.target, name))

    def parts(self, name: str) -> list[str]:
        """The complete parts of a file, in order."""
        out = []
        while os.path.exists(self._part(name, len(out))):
            out.append(self._part(name, len(out)))
        return out

    def add_part(self, name: str, number: int, write: Callable[[str], None]) -> str:
        """Writes a part; the result is its path."""
        path = self._part(name, number)
        self._write(path, path + NEW, write)
        return path

    def finish(self, name: str, join: Callable[[list[str], str], None]) -> None:
        """Makes the output of a file from its parts."""
        path, parts = os.path.join(self.target, name), self.parts(name)
        self._write(path, os.path.join(self._parts_of(name), "joined" + NEW), lambda new: join(parts, new))
        self._drop_parts(name)

    def mark_damaged(self, name: str) -> None:
        """Notes that a file could not be read: it may change without being refused."""
        if name not in self.damaged:
            self.damaged.append(name)
            self._note()

    def tidy(self) -> None:
        """Deletes what a killed process left of finished files."""
        for name in filter(self.is_done, self.files):
            shutil.rmtree(self._parts_of(name), ignore_errors=True)

    def _begin(self):
        before = self._read()
        files = {name: moment for name, path in self.files.items() if (moment := _moment(path))}
        if before:
            check_run(self.target, self.run, before["run"])
            changed = [name for name, moment in before["files"].items() if files.get(name, moment) != moment]
            for name in changed:
                if name not in before["damaged"] or self.is_done(name):
                    raise BertrError(
                        "folder",
                        f"'{self.files[name]}' has changed since its scoring began.",
                        f"Score into another folder, or delete '{self.target}' to start over.",
                    )
                self._drop_parts(name)  # repaired, it is another file
            files = {**before["files"], **files}
            self.damaged = [name for name in before["damaged"] if name not in changed]
        self.moments = files
        self._note()

    def _note(self):
        path = os.path.join(self.work, RUN)
        noted = {"run": self.run, "files": self.moments, "damaged": self.damaged}
        text = json.dumps(noted, ensure_ascii=False, indent=1)
        self._write(path, path + NEW, lambda new: _write_text(new, text))

    def _read(self):
        path = os.path.join(self.work, RUN)
        try:
            with open(path, encoding="utf-8") as f:
                out = json.load(f)
        except FileNotFoundError:
            return None
        except OSError as e:
            raise unreadable(path, e, AGAIN) from None
        except ValueError as e:
            raise BertrError("folder", f"'{path}' could not be read: {e}.", AGAIN) from None
        check(out, SHAPE, f"'{path}'", AGAIN)
        return out

    def _check_others(self):
        """Refuses a folder with anything but the output of a run."""
        check_open(self.target)
        if os.path.exists(self.target) and not os.path.isdir(self.target):
            raise BertrError("folder", f"'{self.target}' is a file, not a folder.", "Name a new folder.")
        if os.path.isdir(self.target) and not os.path.exists(os.path.join(self.work, RUN)):
            others = [name for name in os.listdir(self.target) if name != WORK]
            if others:
                raise BertrError(
                    "folder",
                    f"'{self.target}' holds other files, such as '{min(others)}'.",
                    "Choose an empty or new folder.",
                )

    def _parts_of(self, name):
        return os.path.join(self.work, "parts", name)

    def _drop_parts(self, name):
        path = self._parts_of(name)
        if os.path.exists(path):
            try:
                shutil.rmtree(path)
            except OSError as e:
                raise _unwritten(path, e) from None

    def _part(self, name, number):
        return os.path.join(self._parts_of(name), str(number))

    def _write(self, path, new, write):
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            write(new)
            os.replace(new, path)
        except OSError as e:
            with contextlib.suppress(OSError):
                os.remove(new)
            raise _unwritten(path, e) from None


def check_run(target: str, run: dict[str, Any], other: dict[str, Any]) -> None:
    """Refuses a folder with the output of another run.

    Raises:
        BertrError: folder.
    """
    differs = [name for name in {**run, **other} if run.get(name) != other.get(name)]
    if differs:
        raise BertrError(
            "folder",
            f"'{target}' holds the output of another run: it differs in {', '.join(differs)}.",
            "Choose another folder, or delete this one to start over.",
        )


def check_apart(target: str, source: str) -> None:
    """Refuses an output in the input, or around it.

    Raises:
        BertrError: folder.
    """
    target, source = os.path.realpath(target), os.path.realpath(source)
    if os.path.isdir(source) and os.path.commonpath([target, source]) in (target, source):
        raise BertrError("folder", f"'{target}' and '{source}' are one folder, or one is in the other.", ELSEWHERE)


def _moment(path):
    try:
        stat = os.stat(path)
    except OSError:  # it is gone, or a link to nothing
        return None
    return [stat.st_size, stat.st_mtime_ns]


def _write_text(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def _unwritten(path, error):
    hint = "Choose another folder, or free some space."
    return BertrError("folder", f"'{path}' could not be written: {reason(error)}.", hint)


@contextlib.contextmanager
def naming(path: str) -> Iterator[None]:
    """Names the file in errors of reading it."""
    try:
        yield
    except (BertrError, KeyboardInterrupt):
        raise
    except Exception as e:
        if isinstance(e, OSError) and e.errno is not None:
            raise unreadable(path, e, "Check that it is still there.") from None
        first = reason(e).partition("\n")[0].rstrip(". ") or type(e).__name__
        raise BertrError("file", f"'{path}' could not be read: {first}.", REPAIR) from None
