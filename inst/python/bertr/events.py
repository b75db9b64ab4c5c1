"""Progress, told to R."""

import time

from .interrupts import stop_if_asked

EVENT_SECONDS = 0.1  # R is told of it at most this often


def throttled(on_event):
    """Progress for R, not more than about ten times a second; the ends of epochs always come through.

    R answers True when the user wants to stop: it crashes if it handles an interrupt above frames of Python."""
    last = [0.0]

    def emit(kind, values):
        stop_if_asked()
        now = time.monotonic()
        often = kind in ("step", "encode", "compare", "download", "wait")
        if on_event and not (often and now - last[0] < EVENT_SECONDS):
            last[0] = now
            stop_if_asked(on_event(kind, values) is True)

    return emit


def counter(on_event, texts, rows):
    """Tells how many texts are done, of which some may be several rows."""
    if not on_event:
        return None
    emit = throttled(on_event)
    return lambda done: emit("encode", {"done": done * texts // rows, "total": texts})
