"""Reads and writes whole safetensors files.

Source: the format's description, https://github.com/huggingface/safetensors.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from safetensors.numpy import load_file

LETTERS = {"f": "F", "i": "I", "u": "U"}


def load_tensors(path: str) -> dict[str, np.ndarray]:
    """The arrays of a file, by name.

    Raises:
        OSError: it cannot be opened.
        Exception: it is damaged.
    """
    with open(path, "rb"):  # safetensors says of every file that it cannot open that it does not exist
        return load_file(path)


def save_tensors(tensors: Mapping[str, np.ndarray], path: str) -> None:
    """Writes arrays of numbers to a file, which has the permissions of any new file.

    `safetensors.numpy.save_file` is not used, because only the owner may read its files, and because it first writes
    to a hidden file of another name, which remains if the process is killed.

    Raises:
        OSError
    """
    kinds = {name: (array.dtype, array.shape) for name, array in tensors.items()}
    with open(path, "wb") as f:
        f.writelines(serialized(kinds, tensors.values(), {"format": "pt"}))


def serialized(
    kinds: Mapping[str, tuple[Any, tuple[int, ...]]], arrays: Iterable[np.ndarray], metadata: dict[str, str]
) -> Iterator[memoryview]:
    """The bytes of a file in several buffers, so that the whole is never in memory.

    Args:
        kinds: name -> dtype and shape of each array.
        arrays: the arrays, in the same order.
        metadata: name -> text.
    """
    header, start = {}, 0
    for name, (dtype, shape) in kinds.items():
        dtype = np.dtype(dtype)
        end = start + dtype.itemsize * math.prod(shape)
        code = LETTERS[dtype.kind] + str(8 * dtype.itemsize)
        header[name] = {"dtype": code, "shape": list(shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps({"__metadata__": metadata, **header}).encode()
    text += b" " * (-len(text) % 8)  # arrays start at a multiple of 8
    yield memoryview(len(text).to_bytes(8, "little") + text)
    for array in arrays:
        yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
