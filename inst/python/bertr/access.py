"""Files and folders that the system does not let us read, which need not be damaged or absent."""

import errno
import os

from .errors import BertrError


def reason(error: Exception) -> str:
    """Why an operation on a file failed, without the number and the path that libraries add to errors of the system."""
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


def unreadable(path: str, error: OSError) -> BertrError:
    """The error of a file or folder that cannot be read."""
    forbidden = error.errno in (errno.EACCES, errno.EPERM)
    hint = "Ask its owner for permission to read it." if forbidden else "Check the disk or network drive it is on."
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
    if os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK):
        raise unreadable(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
