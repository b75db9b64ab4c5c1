"""Files and folders that the system does not let us read, which need not be damaged or absent."""

import errno
import os

from .errors import COPY_AGAIN, BertrError

IN_USE = (32, 33)  # of Windows: ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION


def reason(error: Exception) -> str:
    """Why an operation on a file failed, without the number and the path that libraries add to errors of the system."""
    if not isinstance(error, OSError) or not error.errno:
        return str(error)
    return str(error.strerror) if getattr(error, "winerror", None) else os.strerror(error.errno)


def unreadable(path: str, error: OSError, absent: str = COPY_AGAIN) -> BertrError:
    """The error of a file or folder that cannot be read; `absent` is the hint if it does not exist."""
    if isinstance(error, (FileNotFoundError, IsADirectoryError, NotADirectoryError)):
        hint = absent
    elif getattr(error, "winerror", None) in IN_USE:
        hint = "Close the program that uses it."
    elif error.errno in (errno.EACCES, errno.EPERM):
        hint = "Ask its owner for permission to read it."
    else:
        hint = "Check the disk or network drive it is on."
    return BertrError("file", f"'{path}' could not be read: {reason(error)}.", hint)


def check_reachable(path: str) -> None:
    """Refuses a path in a folder that we may not enter: `os.path.exists()` would say that it does not exist.

    Raises:
        BertrError: file.
    """
    try:
        os.stat(path)
    except PermissionError as e:
        raise unreadable(path, e) from None
    except (OSError, ValueError):
        return  # it does not exist, or its name is none


def check_open(folder: str) -> None:
    """Refuses a folder that we may not list and enter: its files would seem to be absent.

    Raises:
        BertrError: file.
    """
    try:
        os.scandir(folder).close()
        os.stat(os.path.join(folder, os.curdir))
    except PermissionError as e:
        raise unreadable(folder, e) from None
    except OSError:
        return  # it is no folder, or another process is just replacing it
