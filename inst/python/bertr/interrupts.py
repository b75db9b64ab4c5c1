"""Ctrl-C while R waits for Python: recorded immediately, acted upon where nothing can be lost.

reticulate's signal handler triggers a KeyboardInterrupt, which Python raises between any two instructions: even while a
result is stored, and again after the first one was caught. While R waits for `run()`, an interrupt is therefore only
recorded, and `stop_if_asked()` raises it at the end of a batch. The same holds while R suspends interrupts around the
call, because new versions of reticulate also run Python to convert the result. R's own pending interrupt is handled on
R's side of the bridge.
"""

import ctypes
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

TELL_SECONDS, END_SECONDS = 0.1, 1.0

_asked = False
_held = False
_before: Any = None  # the handler that `listen` replaced


def run(function: Callable[..., Any], *args: Any) -> Any:
    """Calls a function for R. A stale interrupt that R has already handled arrives in this frame: `_handle`
    recognizes the frame, and the interrupt is discarded."""
    global _asked, _held
    _held, _asked = True, False
    try:
        return function(*args)
    finally:
        _held = False


def stop_if_asked(asked: bool = False) -> None:
    """Raises a recorded interrupt, if there is one; `asked`: R has recorded one."""
    global _asked
    if _asked or asked:
        _asked = False
        raise KeyboardInterrupt


def meanwhile(work: Callable[[], Any], tell: Callable[[], Any]) -> Any:
    """The result of `work()`, such as a download, run in a separate thread. Meanwhile this thread, the only one that
    may call R, calls `tell()` several times a second. An interrupt, or an error in `tell`, ends the work."""
    out = {}

    def run_work():
        try:
            out["value"] = work()
        except BaseException as e:
            out["error"] = e

    thread = threading.Thread(target=run_work, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(TELL_SECONDS)
            tell()
    except BaseException:
        _end(thread)
        raise
    if "error" in out:
        raise out["error"]
    return out["value"]


def _end(thread):
    """Raises an interrupt in a thread. It takes effect at the next Python instruction, which may be late if the thread
    waits for a server."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt))
    thread.join(END_SECONDS)


def _handle(number, frame):
    global _asked
    if _held or _r_holds_back() or (frame and frame.f_code in ENTRIES):
        _asked = True
    else:
        _before(number, frame)


def _r_holds_back():
    """Whether R is inside suspendInterrupts()."""
    return _suspended is not None and _suspended.value != 0


try:  # an int in older versions of R; this is its lowest byte
    _suspended = ctypes.c_ubyte.in_dll(ctypes.CDLL(None), "R_interrupts_suspended")
except (ValueError, OSError, TypeError):  # there is no R, or it lacks the symbol
    _suspended = None

ENTRIES = {run.__code__}  # entry points, in which no work has begun yet


def _install(handler):
    """Sets Python's handler and returns the previous one. The C-level handler of the process, reticulate's, which also
    notifies R, stays in place: `signal.signal()` alone would replace it."""
    process = _process_handler()
    before = signal.signal(signal.SIGINT, handler)
    if process is not None:
        _set_process_handler(process)
    return before


if sys.platform == "win32":

    def _process_handler():
        """Windows has no signals: R's front end calls reticulate."""

else:
    _sigaction = ctypes.CDLL(None).sigaction
    _ROOM = 512  # bytes, larger than `struct sigaction` on any system

    def _process_handler():
        out = ctypes.create_string_buffer(_ROOM)
        return out if _sigaction(signal.SIGINT, None, out) == 0 else None

    def _set_process_handler(handler):
        _sigaction(signal.SIGINT, handler, None)


def listen() -> None:
    """Installs the handler. Outside `run()` interrupts work as before."""
    global _before
    _before = _install(_handle)
