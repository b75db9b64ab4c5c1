"""A file of torch weights (`pytorch_model.bin`), read one tensor at a time from an open file, as `TensorFile` does.

Sources: `torch/serialization.py` for the two formats; PKWARE's ".ZIP File Format Specification" (APPNOTE) for the
header of an entry.
"""

import io
import os
import struct
import weakref
import zipfile
import zlib
from typing import Any, BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

from ..access import unreadable
from ..errors import BertrError
from .pickles import MOST_NAME, NONSENSE, Foreign, Pickle, Stream, Table, Tensor, is_key, shown

# Limits on memory and work for malicious files; weights of a thousand tensors stay far below them
MOST_PICKLE = 20_000_000  # bytes
MOST_DIRECTORY = 4_000_000  # bytes of a zip file's table of contents

ZIP = b"PK\3\4"
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of the format before torch 1.6
WEIGHTS = {
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
}
NESTED = ("state_dict", "model")  # keys under which training scripts store the weights


class TorchFile:
    """`shapes`: name -> shape of each tensor; `read` returns one tensor."""

    def __init__(self, path: str):
        self.path = path
        try:
            self.file = open(path, "rb")  # noqa: SIM115 (closed with this object)
            weakref.finalize(self, self.file.close)
            self.end = os.fstat(self.file.fileno()).st_size
            zipped = self.file.read(len(ZIP)) == ZIP
            top, self.places = self._open_zip() if zipped else self._open_legacy()
            found = _find_tensors(top)
        except Foreign as e:
            raise BertrError(
                "pickle",
                f"'{path}' asks for {e}, which weights do not need and bertr does not run.",
                "A pickle can run any code, so bertr reads only what weights consist of. Use the "
                "safetensors of the same model, or save only its state_dict().",
            ) from None
        except OSError as e:
            raise unreadable(path, e) from None
        except ValueError as e:
            raise self._damaged(e) from None
        if len(found) != 1:
            raise BertrError(
                "checkpoint",
                f"'{path}' holds {'more than one' if found else 'no'} table of tensors.",
                "Save only the model's state_dict().",
            )
        self.tensors = found[0]
        self.shapes = {name: tensor.shape for name, tensor in self.tensors.items()}

    def read(self, name: str) -> np.ndarray:
        tensor = self.tensors[name]
        kind = tensor.storage.kind
        if kind not in WEIGHTS:
            raise BertrError(
                "checkpoint",
                f"'{name}' in '{self.path}' has the type {kind.removesuffix('Storage')}, "
                "but weights must be floating-point.",
                "Save the model as float32.",
            )
        try:
            return self._array(tensor, WEIGHTS[kind])
        except OSError as e:
            raise unreadable(self.path, e) from None
        except ValueError as e:
            raise self._damaged(e) from None

    def _array(self, tensor, dtype):
        if 0 in tensor.shape:
            return np.empty(tensor.shape, dtype)
        place, span = self.places[tensor.storage.key], tensor.span
        data = self._bytes(place.start + tensor.offset * dtype.itemsize, span * dtype.itemsize)
        if span == tensor.storage.count:
            place.check(data)
        strides = [
            stride * dtype.itemsize if n > 1 else 0  # the stride of an axis of length 1 is arbitrary
            for n, stride in zip(tensor.shape, tensor.strides, strict=True)
        ]
        return np.asarray(np.ndarray(tensor.shape, dtype, data, strides=strides), order="C")

    def _open_zip(self):
        """(content of the pickle, {storage key: Place})."""
        entries = _entries(self.file, self.end)
        if "byteorder" in entries and self._entry(entries, "byteorder", 10) != b"little":
            raise ValueError("its numbers are not little-endian")
        content = self._entry(entries, "data.pkl", MOST_PICKLE)
        storages = {}
        top = Pickle(storages).value(Stream(io.BytesIO(content), len(content)))
        places = {}
        for key, storage in storages.items():
            name = f"data/{key}"
            places[key] = _named(entries, name)
            if places[key].size != storage.size:
                raise ValueError(
                    f"its entry {shown(name)} has {places[key].size} bytes, but its pickle says {storage.size}"
                )
        return top, places

    def _entry(self, entries, name, most):
        """The content of a small entry."""
        place = _named(entries, name)
        if place.size > most:
            raise ValueError(f"its entry '{name}' has {place.size} bytes, which is far too large")
        data = self._bytes(place.start, place.size)
        place.check(data)
        return data.tobytes()

    def _open_legacy(self):
        """As `_open_zip` for the format before torch 1.6: five pickles, then the storages."""
        self.file.seek(0)
        if self._next_pickle() != MAGIC or self._next_pickle() != PROTOCOL:
            raise ValueError("it does not start like a torch file")
        if _value(self._next_pickle(), "little_endian") is not True:
            raise ValueError("its numbers are not little-endian")
        storages = {}
        top, keys = self._next_pickle(storages), self._next_pickle()
        if type(keys) is not list:
            raise ValueError(NONSENSE)
        places, at = {}, self.file.tell()
        for key in keys:
            if not is_key(key) or key not in storages or key in places:
                raise ValueError("its list of storages does not match its tensors")
            count = int.from_bytes(self._bytes(at, 8), "little")
            if count != storages[key].count:
                raise ValueError(
                    f"its storage {shown(key)} has {count} numbers, but its pickle says {storages[key].count}"
                )
            places[key] = Place(at + 8, storages[key].size)
            at += 8 + storages[key].size
        if at > self.end or len(places) < len(storages):
            raise ValueError("some of its storages are missing")
        return top, places

    def _next_pickle(self, storages=None):
        return Pickle({} if storages is None else storages).value(Stream(self.file, MOST_PICKLE))

    def _bytes(self, start, size):
        """Bytes [size], as an array."""
        if start + size > self.end:  # before memory is allocated
            raise ValueError("it ends too early")
        out = np.empty(size, np.uint8)
        self.file.seek(start)
        if self.file.readinto(out.data) != size:
            raise ValueError("it ends too early")
        return out

    def _damaged(self, why):
        return BertrError(
            "checkpoint", f"'{self.path}' is damaged, cut short or not written by torch: {why}.", "Copy the file again."
        )


# What is in the file ----------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """A range of bytes in the file; a checksum of 0 means none."""

    start: int
    size: int
    checksum: int = 0

    def check(self, data: Any) -> None:
        if self.checksum and zlib.crc32(data) != self.checksum:
            raise ValueError("a checksum in it is wrong")


def _entries(file, end):
    """{name below the root folder: place} of a zip file's entries."""
    try:
        found = zipfile.ZipFile(Directory(file)).infolist()
    except Exception:  # damage raises many types, not only BadZipFile
        raise ValueError("its table of contents cannot be read") from None
    out, roots, last = {}, set(), 0
    for info in sorted(found, key=lambda info: info.header_offset):
        root, _, name = info.filename.partition("/")
        roots.add(root)
        if len(roots) > 1 or root in ("", ".", "..") or ".." in name.split("/") or name in out:
            raise ValueError(f"its entry {shown(info.filename)} lies outside its one folder")
        # torch never compresses, and compressed data could expand without limit
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1:
            raise ValueError(f"its entry {shown(name)} is compressed or encrypted")
        if not last <= info.header_offset < end:
            raise ValueError(f"its entry {shown(name)} overlaps another or extends beyond the file")
        start = _data_start(file, info.header_offset)
        last = start + info.file_size
        if last > end:
            raise ValueError(f"its entry {shown(name)} extends beyond the file")
        out[name] = Place(start, info.file_size, info.CRC)
    return out


def _data_start(file, header):
    """Start of an entry's content, after its header, name and padding."""
    file.seek(header)
    content = file.read(30)
    if len(content) < 30 or not content.startswith(ZIP):
        raise ValueError("one of its entries has no header")
    return header + 30 + sum(struct.unpack("<HH", content[26:]))


def _named(entries, name):
    if name not in entries:
        raise ValueError(f"it has no entry {shown(name)}")
    return entries[name]


class Directory:
    """The open file for `zipfile`, which would otherwise read a table of contents of any size."""

    def __init__(self, file: BinaryIO):
        self.file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, n: int = -1) -> bytes:
        if n > MOST_DIRECTORY:
            raise ValueError("too long")
        return self.file.read(n)


def _find_tensors(top):
    """The tables of tensors, {name: tensor}: the top one and those under the keys in NESTED, without empty ones."""
    places = [top, *(_value(top, name) for name in NESTED)]
    return [tensors for tensors in map(_tensors, places) if tensors]


def _tensors(table):
    out = {}
    for name, value in _items(table):
        if type(name) is str and type(value) is Tensor:
            if len(name) > MOST_NAME:
                raise ValueError(f"a tensor's name has {len(name)} characters")
            out[name] = value
    return out


def _value(table, name):
    """The value of a key in a table, or None."""
    return next((value for key, value in _items(table) if type(key) is str and key == name), None)


def _items(table):
    for pair in table.pairs if isinstance(table, Table) else ():
        if type(pair) not in (tuple, list) or len(pair) != 2:
            raise ValueError(NONSENSE)
        yield pair
