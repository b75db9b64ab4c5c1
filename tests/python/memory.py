"""Measures the memory of a call."""

import contextlib
import ctypes
import re

import tensorflow as tf


def is_counted():
    """Whether TensorFlow counts its memory: only with oneDNN; without it, memory comes from the C library."""
    try:
        tf.config.experimental.reset_memory_stats("CPU:0")
        return True
    except ValueError:
        return False


def most_during(call):
    """Bytes in use during a call at the most, beyond those before it; where they are not counted those of the process,
    which are some more."""
    if not is_counted():
        return _most_of_the_process(call)
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    call()
    return tf.config.experimental.get_memory_info("CPU:0")["peak"] - before


def _most_of_the_process(call):
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # what is free would be used without being counted
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")  # the peak is what there is now
    before = _status("VmRSS")
    call()
    return _status("VmHWM") - before


def _status(name):
    with open("/proc/self/status") as f:
        return 1024 * int(re.search(rf"{name}:\s+(\d+)", f.read())[1])
