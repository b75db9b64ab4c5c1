"""A folder put in the place of another, so that whoever reads it finds the old one or the new one, whole, and a process
that dies leaves one of the two.

The new one is written in a hidden folder beside, the nest: `.<name>-saving-<random>` holds a file that is locked while
its process lives, `new`, and for the moment between two renamings, where the system cannot exchange two folders, `old`.
"""

import contextlib
import ctypes
import errno
import glob
import os
import shutil
import tempfile
import time

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be deleted: that is lock enough
    fcntl = None

LOCK, NEW, OLD, USELESS = "lock", "new", "old", "useless"
WAIT = 2.0  # seconds for another process to put the new folder in place
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


class Nest:
    """The hidden folder beside `folder`; its `new` is there to be filled."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        clear(folder)
        while True:
            self.path = tempfile.mkdtemp(prefix=_prefix(folder), dir=os.path.dirname(folder))
            # taken for a dead one before it was locked: another try
            with contextlib.suppress(FileNotFoundError, BlockingIOError):
                self.lock = take_lock(self.path, needed=False)
                self.new = os.path.join(self.path, NEW)
                os.mkdir(self.new)
                break

    def swap(self):
        """`new` in the place of the folder. What was there is deleted only when the new one is in place."""
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
                    raise  # else another process has put its own there meanwhile, which is replaced now

    def close(self):
        _delete(self.path, self.folder, self.lock)


def present(folder):
    """Where the folder is to be read: itself, or what a process that is between two renamings, or died there, has left
    of it. None where there is none."""
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


def clear(folder):
    """Deletes the nests of dead processes; the folder that one of them had in hand comes back."""
    for nest in _nests(folder):
        with contextlib.suppress(OSError):  # of a living process, deleted by another one, or not ours to write
            _delete(nest, folder, take_lock(nest, needed=True))


def _prefix(folder):
    return f".{os.path.basename(folder)}-saving-"


def _nests(folder):
    return glob.glob(os.path.join(glob.escape(os.path.dirname(folder)), glob.escape(_prefix(folder)) + "*"))


def take_lock(folder, needed):
    """A descriptor that holds the lock in a folder, for as long as the process lives; an OSError if another one does,
    and if it is `needed` where there are no locks."""
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


def drop_lock(folder, lock):
    """Gives a lock back, and deletes its file."""
    path, ours = os.path.join(folder, LOCK), False
    with contextlib.suppress(OSError):
        ours = os.path.samestat(os.fstat(lock), os.stat(path))  # not if another has made the folder anew
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
    """The old folder, where nothing has taken its place; else it is of no use any more."""
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
    """Exchanges two folders in one step; False where that is not possible here, or one of them is not there."""
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    if renameat2 is None:
        return False
    return renameat2(AT_FDCWD, os.fsencode(a), AT_FDCWD, os.fsencode(b), RENAME_EXCHANGE) == 0
