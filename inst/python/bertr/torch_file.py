"""A file of torch's weights (`pytorch_model.bin`), read one tensor at a time from one open file, as `TensorFile` does.

Such a file says in a pickle which tensors it holds. A pickle is a program, and Python's reader of pickles imports and
calls whatever it names. So it is never given to that reader. `pickletools` only splits it into its instructions; a few
of them are followed here, and they can make nothing but tables, lists, texts, numbers and descriptions of tensors.

Sources: `torch/serialization.py` for the two formats, `pickletools.py` for the instructions, the text that begins with
"PKWARE .ZIP File Format Specification" (APPNOTE) for the header of an entry.
"""

import io
import math
import os
import pickletools
import struct
import weakref
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

import ml_dtypes
import numpy as np

from .errors import BertrError

# Limits on what the file can make us hold or do; weights of a thousand tensors stay far below them
MOST_PICKLE = 20_000_000  # bytes
MOST_STEPS = 1_000_000  # instructions
MOST_LINE = 1000  # bytes of an instruction that is written as a text
MOST_NAME = 1000  # characters
MOST_DIRECTORY = 4_000_000  # bytes of a zip file's table of contents
MOST_AXES = 32  # as older NumPy has it

ZIP = b"PK\3\4"
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of the format before torch 1.6
SIZES = {"DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8,
         "IntStorage": 4, "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1}
WEIGHTS = {"HalfStorage": np.dtype("<f2"), "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
           "FloatStorage": np.dtype("<f4"), "DoubleStorage": np.dtype("<f8")}
NONSENSE = "its pickle makes no sense"
NESTED = ("state_dict", "model")  # where training scripts put the weights beside other things


class TorchFile:
    """`shapes` of its tensors by their names; `read` gives one."""

    def __init__(self, path):
        self.path = path
        try:
            self.file = open(path, "rb")  # noqa: SIM115 (closed when this object goes)
            weakref.finalize(self, self.file.close)
            self.end = os.fstat(self.file.fileno()).st_size
            zipped = self.file.read(len(ZIP)) == ZIP
            top, self.places = self._open_zip() if zipped else self._open_legacy()
            found = _find_tensors(top)
        except Foreign as e:
            raise BertrError("pickle", f"'{path}' asks for {e}, which weights do not need and bertr does not run.",
                             "A pickle can run any code, so only what weights are made of is read. Take the "
                             "safetensors of the same model, or save its state_dict() alone.") from None
        except (OSError, ValueError) as e:
            raise self._damaged(e) from None
        if len(found) != 1:
            raise BertrError("checkpoint", f"'{path}' holds {'more than one' if found else 'no'} table of tensors.",
                             "Save the model's state_dict() alone.")
        self.tensors = found[0]
        self.shapes = {name: tensor.shape for name, tensor in self.tensors.items()}

    def read(self, name):
        tensor = self.tensors[name]
        kind = tensor.storage.kind
        if kind not in WEIGHTS:
            raise BertrError("checkpoint", f"'{name}' in '{self.path}' is of a number type that is not one of weights: "
                             f"{kind.removesuffix('Storage')}.", "Save the model as float32.")
        try:
            return self._array(tensor, WEIGHTS[kind])
        except (OSError, ValueError) as e:
            raise self._damaged(e) from None

    def _array(self, tensor, dtype):
        if 0 in tensor.shape:
            return np.empty(tensor.shape, dtype)
        place, span = self.places[tensor.storage.key], tensor.span
        data = self._bytes(place.start + tensor.offset * dtype.itemsize, span * dtype.itemsize)
        if span == tensor.storage.count:
            place.check(data)
        strides = [stride * dtype.itemsize if n > 1 else 0  # of a single one it can be any number
                   for n, stride in zip(tensor.shape, tensor.strides, strict=True)]
        return np.asarray(np.ndarray(tensor.shape, dtype, data, strides=strides), order="C")

    def _open_zip(self):
        """(what the pickle says, {storage: its place})."""
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
                raise ValueError(f"its entry {_shown(name)} has {places[key].size} bytes, where its pickle tells of "
                                 f"{storage.size}")
        return top, places

    def _entry(self, entries, name, most):
        """The content of a small entry."""
        place = _named(entries, name)
        if place.size > most:
            raise ValueError(f"its entry '{name}' has {place.size} bytes, which is far too long")
        data = self._bytes(place.start, place.size)
        place.check(data)
        return data.tobytes()

    def _open_legacy(self):
        """The same of the format before torch 1.6: five pickles, then the storages."""
        self.file.seek(0)
        if self._next_pickle() != MAGIC or self._next_pickle() != PROTOCOL:
            raise ValueError("it does not begin as torch's files do")
        if _value(self._next_pickle(), "little_endian") is not True:
            raise ValueError("its numbers are not little-endian")
        storages = {}
        top, keys = self._next_pickle(storages), self._next_pickle()
        if type(keys) is not list:
            raise ValueError(NONSENSE)
        places, at = {}, self.file.tell()
        for key in keys:
            if not _is_key(key) or key not in storages or key in places:
                raise ValueError("its list of storages does not fit its tensors")
            count = int.from_bytes(self._bytes(at, 8), "little")
            if count != storages[key].count:
                raise ValueError(f"its storage {_shown(key)} has {count} numbers, where its pickle tells of "
                                 f"{storages[key].count}")
            places[key] = Place(at + 8, storages[key].size)
            at += 8 + storages[key].size
        if at > self.end or len(places) < len(storages):
            raise ValueError("it does not hold all its storages")
        return top, places

    def _next_pickle(self, storages=None):
        return Pickle({} if storages is None else storages).value(Stream(self.file, MOST_PICKLE))

    def _bytes(self, start, size):
        """Bytes [size], as an array."""
        if start + size > self.end:  # before room is made for them
            raise OSError("it ends too early")
        out = np.empty(size, np.uint8)
        self.file.seek(start)
        if self.file.readinto(out) != size:
            raise OSError("it ends too early")
        return out

    def _damaged(self, why):
        return BertrError("checkpoint", f"'{self.path}' is damaged, cut short or not as torch writes it: {why}.",
                          "Copy the file again.")


# What is in the file ----------------------------------------------------------------------------------------------

class Place(NamedTuple):
    """Where bytes lie in the file; a checksum of 0 is none."""
    start: int
    size: int
    checksum: int = 0

    def check(self, data):
        if self.checksum and zlib.crc32(data) != self.checksum:
            raise ValueError("a checksum in it is wrong")


def _entries(file, end):
    """{name below the root folder: place} of a zip file's entries."""
    try:
        found = zipfile.ZipFile(Directory(file)).infolist()
    except Exception:  # damage has many types there, also ones that are no BadZipFile
        raise ValueError("its table of contents cannot be read") from None
    out, roots, last = {}, set(), 0
    for info in sorted(found, key=lambda info: info.header_offset):
        root, _, name = info.filename.partition("/")
        roots.add(root)
        if len(roots) > 1 or root in ("", ".", "..") or ".." in name.split("/") or name in out:
            raise ValueError(f"its entry {_shown(info.filename)} is not one of a single folder")
        # torch only stores: what is compressed could be endless once it is not
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1:
            raise ValueError(f"its entry {_shown(name)} is compressed or encrypted")
        if not last <= info.header_offset < end:
            raise ValueError(f"its entry {_shown(name)} overlaps another, or does not lie within it")
        start = _data_start(file, info.header_offset)
        last = start + info.file_size
        if last > end:
            raise ValueError(f"its entry {_shown(name)} does not lie within it")
        out[name] = Place(start, info.file_size, info.CRC)
    return out


def _data_start(file, header):
    """Where an entry's content begins: behind its header, its name and a padding."""
    file.seek(header)
    content = file.read(30)
    if len(content) < 30 or not content.startswith(ZIP):
        raise ValueError("an entry of it has no header")
    return header + 30 + sum(struct.unpack("<HH", content[26:]))


def _named(entries, name):
    if name not in entries:
        raise ValueError(f"there is no entry {_shown(name)} in it")
    return entries[name]


class Directory:
    """The open file for `zipfile`, which reads a table of contents of any size at once."""

    def __init__(self, file):
        self.file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, n=-1):
        if n > MOST_DIRECTORY:
            raise ValueError("too long")
        return self.file.read(n)


def _find_tensors(top):
    """{name: tensor} of the top table and of those below it, where there are any."""
    places = [top, *(_value(top, name) for name in NESTED)]
    return [tensors for tensors in map(_tensors, places) if tensors]


def _tensors(table):
    out = {}
    for name, value in _items(table):
        if type(name) is str and type(value) is Tensor:
            if len(name) > MOST_NAME:
                raise ValueError(f"the name of a tensor has {len(name)} characters")
            out[name] = value
    return out


def _value(table, name):
    """What a table has under a name, or None."""
    return next((value for key, value in _items(table) if type(key) is str and key == name), None)


def _items(table):
    for pair in table.pairs if isinstance(table, Table) else ():
        if type(pair) not in (tuple, list) or len(pair) != 2:
            raise ValueError(NONSENSE)
        yield pair


# What a pickle can make -------------------------------------------------------------------------------------------

class Foreign(Exception):
    """Something that is no part of weights; it says what."""


@dataclass(eq=False, slots=True)
class Table:
    """A dict as the list of its pairs: its keys are never hashed, which could take for ever."""
    pairs: list = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Ordered(Table):
    """An OrderedDict."""


@dataclass(frozen=True, eq=False, slots=True)
class Name:
    """The name of something in Python, which is only compared: "module name"."""
    text: str


@dataclass(frozen=True, eq=False, slots=True)
class Storage:
    key: str
    kind: str
    count: int

    @property
    def size(self):
        return self.count * SIZES[self.kind]


@dataclass(frozen=True, eq=False, slots=True)
class Tensor:
    storage: Storage
    offset: int
    shape: tuple
    strides: tuple

    @property
    def span(self):
        """How many numbers of the storage lie from its first to its last."""
        return 1 + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))


def _ordered(arguments):
    """An empty OrderedDict; Python 2 gives the list of its pairs."""
    if arguments == ():
        return Ordered()
    if len(arguments) != 1 or type(arguments[0]) is not list:
        raise ValueError(NONSENSE)
    return Ordered(arguments[0])


def _tensor(arguments):
    if len(arguments) == 7:  # it tells of numbers that are to be negated
        raise Foreign("a tensor with metadata")
    if len(arguments) != 6:
        raise ValueError(NONSENSE)
    storage, offset, shape, strides, _, _ = arguments
    if (type(storage) is not Storage or not _is_count(offset) or not _are_counts(shape) or not _are_counts(strides)
            or len(shape) != len(strides)):
        raise ValueError(NONSENSE)
    out = Tensor(storage, offset, shape, strides)
    # more numbers than there are would be the same ones again and again
    if math.prod(shape) > storage.count or (0 not in shape and offset + out.span > storage.count):
        raise ValueError("a tensor does not lie within its storage")
    return out


def _parameter(arguments):
    if len(arguments) != 3 or type(arguments[0]) is not Tensor:
        raise ValueError(NONSENSE)
    return arguments[0]


def _storage(given):
    """What a persistent id stands for: ("storage", type, key, device, count); before torch 1.6 with a view as well."""
    if type(given) is not tuple or len(given) not in (5, 6) or type(given[0]) is not str or given[0] != "storage":
        raise Foreign("a persistent id that is no storage")
    if given[5:] not in ((), (None,)):
        raise Foreign("a view of a storage")
    _, kind, key, _, count = given[:5]
    if type(kind) is not Name or kind.text not in STORAGES or not _is_key(key) or not _is_count(count):
        raise ValueError(NONSENSE)
    return Storage(key, STORAGES[kind.text], count)


def _is_count(x):
    return type(x) is int and 0 <= x < 2**63


def _are_counts(x):
    return type(x) is tuple and len(x) <= MOST_AXES and all(map(_is_count, x))


def _is_key(x):
    return type(x) is str and len(x) <= MOST_NAME


CALLS = {"collections OrderedDict": _ordered, "torch._utils _rebuild_tensor_v2": _tensor,
         "torch._utils _rebuild_parameter": _parameter}
STORAGES = {f"torch {kind}": kind for kind in SIZES}


# A pickle's instructions ------------------------------------------------------------------------------------------

class Stream:
    """A pickle's bytes for `pickletools`, which asks for as many as the pickle says."""

    def __init__(self, file, size):
        self.file, self.left = file, size

    def read(self, n):
        return self._taken(self.file.read(min(n, self.left)))

    def readline(self):
        return self._taken(self.file.readline(min(MOST_LINE, self.left)))

    def _taken(self, data):
        self.left -= len(data)
        return data


def _steps(stream):
    """(instruction, what is written with it), up to the end of the pickle."""
    try:
        for n, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if n == MOST_STEPS:
                raise ValueError
            yield opcode.name, argument
    except ValueError:
        raise ValueError(NONSENSE) from None


class Pickle:
    """Follows a pickle's instructions, as `pickle.py` describes them, without importing or calling what it names."""

    def __init__(self, storages):
        self.storages = storages  # by their keys, added to
        self.stack, self.below, self.memo = [], [], {}  # `below`: what lies under each mark

    def value(self, stream):
        try:
            for opcode, argument in _steps(stream):
                self.follow(opcode, argument)
            out = self.stack.pop()
        except LookupError:  # more was taken than was there
            raise ValueError(NONSENSE) from None
        if self.stack or self.below:
            raise ValueError(NONSENSE)
        return out

    def follow(self, opcode, argument):
        if opcode in LITERALS:
            self.stack.append(argument)
        elif opcode in FRESH:
            self.stack.append(FRESH[opcode]())
        elif opcode in ACTIONS:
            ACTIONS[opcode](self, argument)
        elif opcode not in IGNORED:
            raise Foreign(_dotted(argument) if opcode == "INST" else f"the instruction '{opcode}'")

    def mark(self, _):
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self):
        out, self.stack = self.stack, self.below.pop()
        return out

    def top(self, kind):
        """What is at the top, which must be of this kind."""
        if not isinstance(self.stack[-1], kind):
            raise ValueError(NONSENSE)
        return self.stack[-1]

    def tuple_of(self, n):
        items = [self.stack.pop() for _ in range(n)]
        self.stack.append(tuple(reversed(items)))

    def marked_tuple(self, _):
        items = self.since_mark()
        self.stack.append(tuple(items))

    def append(self, _):
        item = self.stack.pop()
        self.top(list).append(item)

    def appends(self, _):
        items = self.since_mark()
        self.top(list).extend(items)

    def set_item(self, _):
        value, key = self.stack.pop(), self.stack.pop()
        self.top(Table).pairs.append((key, value))

    def set_items(self, _):
        items = self.since_mark()
        if len(items) % 2:
            raise ValueError(NONSENSE)
        self.top(Table).pairs.extend(zip(items[::2], items[1::2], strict=True))

    def put(self, index):
        if index > MOST_STEPS:  # they are counted up, one an instruction
            raise ValueError(NONSENSE)
        self.memo[index] = self.stack[-1]

    def memoize(self, _):
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self, index):
        self.stack.append(self.memo[index])

    def name(self, text):
        if text not in CALLS and text not in STORAGES:
            raise Foreign(_dotted(text))
        self.stack.append(Name(text))

    def name_from_stack(self, _):
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise ValueError(NONSENSE)
        self.name(f"{module} {name}")

    def call(self, _):
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(function) is not Name or type(arguments) is not tuple:
            raise ValueError(NONSENSE)
        if function.text not in CALLS:
            raise Foreign(f"a call of {_dotted(function.text)}")
        self.stack.append(CALLS[function.text](arguments))

    def build(self, _):
        """Attributes of an OrderedDict, such as the `_metadata` of a state dict, are left out."""
        state = self.stack.pop()
        if type(state) is not Table or not isinstance(self.stack[-1], Ordered):
            raise Foreign("attributes of an object")

    def persistent(self, _):
        storage = _storage(self.stack.pop())
        known = self.storages.setdefault(storage.key, storage)
        if (known.kind, known.count) != (storage.kind, storage.count):
            raise ValueError(f"storage {_shown(storage.key)} is described in two ways")
        self.stack.append(known)


LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "SHORT_BINSTRING", "SHORT_BINUNICODE", "BINUNICODE",
            "SHORT_BINBYTES", "BINBYTES"}
FRESH = {"NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "EMPTY_TUPLE": tuple,
         "EMPTY_LIST": list, "EMPTY_DICT": Table}
ACTIONS = {"MARK": Pickle.mark, "TUPLE": Pickle.marked_tuple, "TUPLE1": lambda self, _: self.tuple_of(1),
           "TUPLE2": lambda self, _: self.tuple_of(2), "TUPLE3": lambda self, _: self.tuple_of(3),
           "APPEND": Pickle.append, "APPENDS": Pickle.appends, "SETITEM": Pickle.set_item,
           "SETITEMS": Pickle.set_items, "BINPUT": Pickle.put, "LONG_BINPUT": Pickle.put, "MEMOIZE": Pickle.memoize,
           "BINGET": Pickle.get, "LONG_BINGET": Pickle.get, "GLOBAL": Pickle.name,
           "STACK_GLOBAL": Pickle.name_from_stack, "REDUCE": Pickle.call, "BUILD": Pickle.build,
           "BINPERSID": Pickle.persistent}
IGNORED = {"PROTO", "FRAME", "STOP"}


def _dotted(name):
    return _shown(name.replace(" ", ".", 1))


def _shown(text):
    """A text of the file as part of a sentence: on one line, of letters that every screen has."""
    return ascii(text if len(text) <= 80 else text[:77] + "...")
