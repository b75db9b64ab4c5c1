"""Memory that nobody uses goes back to the system.

Of what a fit needs, gigabytes are in rings of objects, which stay until Python looks for such rings. And TensorFlow's
allocator on CPUs keeps what was once in use: after a fit of BERT-base 1.5 GB that nothing uses, in an R session that
goes on for hours. It has no way to give anything back, but takes out of its free memory whatever it is asked for; and
the pages of a tensor that we were given, and in which nothing is written, we may return. Without oneDNN tensors come
from the C library, which has a call for it.
"""

import ctypes
import gc
import sys

from .backend import BACKEND

CPU = "CPU:0"
PIECE = 4 * 2**20  # bytes


def tidy():
    """Frees what only rings of objects hold, and returns what is free."""
    gc.collect()
    release_memory()


def freeze():
    """What is there now stays, most of it TensorFlow's modules: Python need not look through it again, which takes a
    fifth of a second each time."""
    gc.collect()
    gc.freeze()


if BACKEND == "tensorflow" and sys.platform == "linux":
    import mmap

    import numpy as np
    import tensorflow as tf

    _libc = ctypes.CDLL(None)
    _trim = getattr(_libc, "malloc_trim", lambda pad: 0)  # of glibc only
    _madvise = _libc.madvise
    _most = [0]  # bytes in use at once so far
    _madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    def release_memory():
        """Returns what is free now of the most that the program had in use at once, but for small gaps. To take more
        could make the allocator grow, and then it would spread over more memory. So what is taken here does not count
        as in use: a piece takes up to twice its size, and the most would rise with every call."""
        _trim(0)
        try:
            _most[0] = max(_most[0], tf.config.experimental.get_memory_info(CPU)["peak"])
        except ValueError:  # oneDNN is off: TensorFlow has no memory of its own
            return
        _return_free(_most[0])
        tf.config.experimental.reset_memory_stats(CPU)

    def _return_free(most):
        pieces = []
        with tf.device(CPU):
            while tf.config.experimental.get_memory_info(CPU)["current"] + PIECE <= most:
                pieces.append(tf.raw_ops.Empty(shape=[PIECE], dtype=tf.uint8, init=False))
        for piece in pieces:
            _discard(np.asarray(memoryview(piece)))

    def _discard(array):
        """Returns the whole pages of an array: they read as zero afterwards."""
        page = mmap.PAGESIZE
        first = -(-array.ctypes.data // page) * page
        end = (array.ctypes.data + array.nbytes) // page * page
        _madvise(first, end - first, mmap.MADV_DONTNEED)

else:

    def release_memory():
        """Only on Linux may single pages be returned like this."""
