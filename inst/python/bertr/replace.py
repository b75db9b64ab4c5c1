"""Atomic replacement of a folder: readers always find a complete folder, old or new, even if the process dies.

The new folder is written in a hidden sibling folder, the nest: `.<name>-saving-<random>` holds a file that is locked
while its process lives, `new`, and, if the system cannot exchange two folders, `old` between the two renames.
"""

import contextlib
import ctypes
import errno
import glob
import os
import shutil
import tempfile
import time
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: an open file cannot be deleted, which serves as the lock
    fcntl = None

LOCK, NEW, OLD, USELESS = "lock", "new", "old", "useless"
WAIT = 2.0  # seconds to wait for another process between its renames
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


class Nest:
    """The hidden folder next to `folder`; write the new folder into `new`."""

    def __init__(self, folder: str):
        self.folder = folder
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        clear(folder)
        while True:
            self.path = tempfile.mkdtemp(prefix=_prefix(folder), dir=os.path.dirname(folder))
            # retry if another process deleted it as abandoned before it was locked
            with contextlib.suppress(FileNotFoundError, BlockingIOError):
                self.lock = take_lock(self.path, needed=False)
                self.new = os.path.join(self.path, NEW)
                os.mkdir(self.new)
                break

    def swap(self) -> None:
        """Moves `new` to the folder. The old folder is deleted only when the new one is in place."""
        old = os.path.join(self.path, OLD)
        while not _exchange(self.new, self.folder):
            with contextlib.suppress(FileNotFoundError):
                os.rename(self.folder, old)
            try:
                os.rename(self.new, self.folder)
                break
            except BaseException as e:  # an interrupt too
                _put_back(self.path, self.folder)
                if not (isinstance(e, OSError) and e.errno in (errno.EEXIST, errno.ENOTEMPTY)):
                    raise  # else another process saved its folder meanwhile, which is replaced now

    def close(self) -> None:
        _delete(self.path, self.folder, self.lock)


def present(folder: str) -> str | None:
    """The path to read the folder from: itself, or the old folder of a process that is, or died, between two renames;
    None if it does not exist."""
    until, real = time.monotonic() + WAIT, os.path.realpath(folder)
    while not os.path.exists(folder):
        olds = [os.path.join(nest, OLD) for nest in _nests(real) if os.path.isdir(os.path.join(nest, OLD))]
        if not olds:
            return folder if os.path.exists(folder) else None
        clear(real)
        if time.monotonic() > until:
            return olds[0]
        time.sleep(0.005)
    return folder


def clear(folder: str) -> None:
    """Deletes the nests of dead processes, and restores a folder that one of them had moved."""
    for nest in _nests(folder):
        with contextlib.suppress(OSError):  # a living process, deleted by another one, or not writable
            _delete(nest, folder, take_lock(nest, needed=True))


def _prefix(folder):
    return f".{os.path.basename(folder)}-saving-"


def _nests(folder):
    return glob.glob(os.path.join(glob.escape(os.path.dirname(folder)), glob.escape(_prefix(folder)) + "*"))


def take_lock(folder: str, needed: bool) -> int:
    """Locks a folder while the process lives.

    Returns:
        The file descriptor of the lock.

    Raises:
        OSError: another process holds the lock, or there is no file locking although it is `needed`.
    """
    path = os.path.join(folder, LOCK)
    if fcntl is None:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if fcntl is not None:
            _flock(lock, needed)
        if not os.path.samestat(os.fstat(lock), os.stat(path)):
            raise FileNotFoundError(path)  # deleted before it was locked
    except BaseException:
        os.close(lock)
        raise
    return lock


def drop_lock(folder: str, lock: int) -> None:
    """Releases a lock and deletes its file."""
    path, ours = os.path.join(folder, LOCK), False
    with contextlib.suppress(OSError):
        ours = os.path.samestat(os.fstat(lock), os.stat(path))  # not if another process recreated the folder
    if fcntl is None:
        os.close(lock)
    if ours:
        with contextlib.suppress(OSError):
            os.remove(path)
    if fcntl is not None:
        os.close(lock)


def _flock(lock, needed):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        if needed:
            raise


def _put_back(nest, folder):
    """Moves the old folder back, or discards it if something took its place."""
    useless = os.path.join(nest, USELESS)
    shutil.rmtree(useless, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.rename(os.path.join(nest, OLD), useless if os.path.lexists(folder) else folder)


def _delete(nest, folder, lock):
    _put_back(nest, folder)
    if fcntl is None:
        os.close(lock)
    if not os.path.exists(os.path.join(nest, OLD)):
        shutil.rmtree(nest, ignore_errors=True)
    if fcntl is not None:
        os.close(lock)


def _exchange(a, b):
    """Exchanges two folders atomically; False if the system cannot, or if one does not exist."""
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    if renameat2 is None:
        return False
    return renameat2(AT_FDCWD, os.fsencode(a), AT_FDCWD, os.fsencode(b), RENAME_EXCHANGE) == 0
