"""Progress events for R."""

import time
from collections.abc import Callable
from typing import Any

from .interrupts import stop_if_asked

EVENT_SECONDS = 0.1  # minimal interval of frequent events


def throttled(on_event: Callable[..., Any] | None) -> Callable[[str, dict[str, Any]], None]:
    """A function `emit(kind, values)` that passes events to R: frequent ones at most ten times a second, others always.

    `on_event` returns True if the user wants to stop: R crashes if it handles an interrupt above Python frames."""
    last = [0.0]

    def emit(kind, values):
        stop_if_asked()
        now = time.monotonic()
        often = kind in ("step", "encode", "compare", "score", "download", "wait")
        if on_event and not (often and now - last[0] < EVENT_SECONDS):
            last[0] = now
            stop_if_asked(on_event(kind, values) is True)

    return emit


def counter(on_event: Callable[..., Any] | None, texts: int, rows: int) -> Any:
    """A function of the number of rows done that reports the number of texts done; None without `on_event`."""
    if not on_event:
        return None
    emit = throttled(on_event)
    return lambda done: emit("encode", {"done": done * texts // rows, "total": texts})
