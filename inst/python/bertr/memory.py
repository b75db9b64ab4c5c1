"""Memory given back to the system.

After a fit gigabytes are free, but lie between blocks in use, and there the C library keeps them. TensorFlow takes part
only with TF_ONEDNN_USE_SYSTEM_ALLOCATOR=1, which R sets before it is imported: its own allocator gives nothing back.
"""

import ctypes
import gc


def _malloc_trim():
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # only glibc has it
        return lambda pad: 0


_trim = _malloc_trim()


def release():
    gc.collect()  # graph and optimiser hold each other: they would stay until Python looks for such rings
    _trim(0)
