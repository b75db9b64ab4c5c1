"""A safetensors file, read one tensor at a time from an open file: replacing the file has no effect on it. Unlike a
memory-mapped file, it does not keep in memory what was read.

Source: the format's description, https://github.com/huggingface/safetensors.
"""

import json
import math
import os
import weakref

import ml_dtypes
import numpy as np

from ..access import unreadable
from ..errors import BertrError
from ..shapes import check, fields, list_of, one_of, whole

MOST_HEADER = 100_000_000  # bytes, the limit of safetensors itself
SIZES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E5M2": 1,
    "F8_E4M3": 1,
    "F8_E8M0": 1,
    "I16": 2,
    "U16": 2,
    "F16": 2,
    "BF16": 2,
    "I32": 4,
    "U32": 4,
    "F32": 4,
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "C64": 8,
}
WEIGHTS = {"F16": np.dtype("<f2"), "BF16": np.dtype(ml_dtypes.bfloat16), "F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
ENTRY = fields(
    {"dtype": one_of(*SIZES), "shape": list_of(whole(most=2**63)), "data_offsets": list_of(whole(most=2**63), least=2)}
)


class TensorFile:
    """`shapes`: name -> shape of each tensor; `read` returns one tensor."""

    def __init__(self, path: str):
        self.path = path
        try:
            self.file = open(path, "rb", buffering=0)  # noqa: SIM115 (closed with this object)
            weakref.finalize(self, self.file.close)
            end = os.fstat(self.file.fileno()).st_size
            size = int.from_bytes(self.file.read(8), "little")
            if not 0 < size <= min(MOST_HEADER, end - 8):
                raise ValueError("its header is longer than the file")
            header = json.loads(self._bytes(8, size).tobytes())
            if not isinstance(header, dict):
                raise ValueError("its header is not an object")
        except OSError as e:
            raise unreadable(path, e) from None
        except (ValueError, RecursionError) as e:
            raise self._damaged(e) from None
        header.pop("__metadata__", None)
        self.start = 8 + size
        for name, entry in header.items():
            check(entry, ENTRY, f"the header of '{name}' in '{path}'", "Copy the file again.", "checkpoint")
            first, last = entry["data_offsets"][:2]
            if last - first != math.prod(entry["shape"]) * SIZES[entry["dtype"]] or self.start + last > end:
                raise self._damaged(f"'{name}' extends beyond the file")
        self.entries = header
        self.shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}

    def read(self, name: str) -> np.ndarray:
        entry = self.entries[name]
        dtype = WEIGHTS.get(entry["dtype"])
        if dtype is None:
            raise BertrError(
                "checkpoint",
                f"'{name}' in '{self.path}' has the type {entry['dtype']}, but weights must be floating-point.",
                "Save the model as float32.",
            )
        first, last = entry["data_offsets"][:2]
        try:
            data = self._bytes(self.start + first, last - first)
        except OSError as e:
            raise unreadable(self.path, e) from None
        except ValueError as e:
            raise self._damaged(e) from None
        return data.view(dtype).reshape(entry["shape"])

    def _bytes(self, start, size):
        """Bytes [size], as an array."""
        out = np.empty(size, np.uint8)
        self.file.seek(start)
        left = out.data
        while len(left):
            n = self.file.readinto(left)
            if not n:
                raise ValueError("it ends too early")
            left = left[n:]
        return out

    def _damaged(self, why):
        return BertrError("checkpoint", f"'{self.path}' is damaged or cut short: {why}.", "Copy the file again.")
