"""Returns unused memory to the operating system.

After a fit, gigabytes are held by reference cycles until the garbage collector runs. TensorFlow's CPU allocator also
keeps freed memory: 1.5 GB after a fit of BERT-base, in an R session that may run for hours. It has no call to release
memory, but it serves new tensors from its free memory; so we allocate uninitialized tensors and return their pages
with madvise(). Without oneDNN tensors come from the C library, which has malloc_trim().
"""

import ctypes
import gc
import sys

from .backend import BACKEND

CPU = "CPU:0"
PIECE = 4 * 2**20  # bytes


def tidy() -> None:
    """Collects reference cycles and returns free memory to the system."""
    gc.collect()
    release_memory()


def freeze() -> None:
    """Excludes all current objects, mostly TensorFlow's modules, from garbage collection: scanning them takes 0.2 s
    each time."""
    gc.collect()
    gc.freeze()


if BACKEND == "tensorflow" and sys.platform == "linux":
    import mmap

    import numpy as np
    import tensorflow as tf

    _libc = ctypes.CDLL(None)
    _trim = getattr(_libc, "malloc_trim", lambda pad: 0)  # glibc only
    _madvise = _libc.madvise
    _madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    _most = [0]  # highest number of bytes in use so far

    def release_memory() -> None:
        """Returns free memory up to the peak use so far, except for small gaps. Allocating beyond the peak could make
        the allocator grow. The pieces allocated here must not count towards the peak: each takes up to twice its size,
        so the peak would rise with every call."""
        _trim(0)
        try:
            _most[0] = max(_most[0], tf.config.experimental.get_memory_info(CPU)["peak"])
        except ValueError:  # oneDNN is off: there is no TensorFlow allocator
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
        """Returns the whole pages of an array; they read as zero afterwards."""
        page = mmap.PAGESIZE
        first = -(-array.ctypes.data // page) * page
        end = (array.ctypes.data + array.nbytes) // page * page
        _madvise(first, end - first, mmap.MADV_DONTNEED)

else:

    def release_memory() -> None:
        """Only Linux can return single pages like this."""
