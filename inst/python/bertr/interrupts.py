"""Ctrl-C while R waits for Python: noted when it comes, acted upon where nothing can be lost.

reticulate's signal handler asks Python for a KeyboardInterrupt, which Python raises between any two of its
instructions: also while a result is put away, and once more after the first one was caught. While R waits for `run()`
an interrupt is therefore only noted, and `stop_if_asked()` raises it at the end of a batch. So it is while R holds
interrupts back around the call: new versions of reticulate run Python, too, to bring a result to R. R has a note of its
own, which R's side of the bridge looks after.
"""

import ctypes
import signal
import sys
import threading

TELL_SECONDS, END_SECONDS = 0.1, 1.0

_asked = False
_held = False


def run(function, *args):
    """Calls a function for R. Python may have an interrupt left that R has handled long ago: it comes here, where
    `_handle` knows it by this function's frame, and is forgotten."""
    global _asked, _held
    _held, _asked = True, False
    try:
        return function(*args)
    finally:
        _held = False


def stop_if_asked(asked=False):
    """Raises the interrupt that was noted, if there is one; `asked`: R has noted one."""
    global _asked
    if _asked or asked:
        _asked = False
        raise KeyboardInterrupt


def meanwhile(work, tell):
    """What `work` gives, a wait for the network say: it runs in a thread, while this one, the only one that may call R,
    calls `tell` a few times a second. An interrupt, or whatever else `tell` raises, ends the work."""
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
    """Raises an interrupt in a thread, which gets it at its next instruction: later where it waits for a
    server that is silent."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt))
    thread.join(END_SECONDS)


def _handle(number, frame):
    global _asked
    if _held or _r_holds_back() or (frame and frame.f_code in ENTRIES):
        _asked = True
    else:
        _before(number, frame)


def _r_holds_back():
    """Is this within R's suspendInterrupts()?"""
    return _suspended is not None and _suspended.value != 0


try:  # in older versions of R it is an int, of which this is the lowest byte
    _suspended = ctypes.c_ubyte.in_dll(ctypes.CDLL(None), "R_interrupts_suspended")
except (ValueError, OSError, TypeError):  # there is no R, or it does not tell
    _suspended = None

ENTRIES = {run.__code__}  # code that R calls, in which nothing has begun yet


def _install(handler):
    """Python's own handler from now on; gives the one before. The process's handler, which is reticulate's and tells R
    too, stays in place: `signal.signal()` would put Python's there."""
    process = _process_handler()
    before = signal.signal(signal.SIGINT, handler)
    if process is not None:
        _set_process_handler(process)
    return before


if sys.platform == "win32":

    def _process_handler():
        """There are no signals there: R's front end calls reticulate."""

else:
    _sigaction = ctypes.CDLL(None).sigaction
    _ROOM = 512  # bytes, more than any system's `struct sigaction` has

    def _process_handler():
        out = ctypes.create_string_buffer(_ROOM)
        return out if _sigaction(signal.SIGINT, None, out) == 0 else None

    def _set_process_handler(handler):
        _sigaction(signal.SIGINT, handler, None)


def listen():
    """From now on. Elsewhere than in `run()` interrupts are as before."""
    global _before
    _before = _install(_handle)
