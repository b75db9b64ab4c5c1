"""Reads the description of weights in torch's pickles without unpickling.

A pickle is a program, and `pickle.load` imports and calls whatever it names, so it is never used. `pickletools` only
splits the pickle into instructions. The few that are executed here can create nothing but tables, lists, texts, numbers
and descriptions of tensors.

Source: CPython's `pickletools.py` for the instructions, `torch/_utils.py` for what torch writes.
"""

import math
import pickletools
from dataclasses import dataclass, field
from typing import Any, BinaryIO

MOST_STEPS = 1_000_000  # instructions; a thousand tensors take far fewer
MOST_NAME = 1000  # characters
MOST_AXES = 32  # the limit of older NumPy
MOST_LINE = 1000  # bytes of the text argument of an instruction
SIZES = {
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
}
NONSENSE = "its pickle is not valid"


class Foreign(Exception):
    """The pickle contains something that weights do not need; the message says what."""


@dataclass(eq=False, slots=True)
class Table:
    """A dict as a list of pairs: keys are never hashed, which could take forever."""

    pairs: list = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Ordered(Table):
    """An OrderedDict."""


@dataclass(frozen=True, eq=False, slots=True)
class Name:
    """The name of a Python object, "module name", which is only compared, never looked up."""

    text: str


@dataclass(frozen=True, eq=False, slots=True)
class Storage:
    key: str
    kind: str
    count: int

    @property
    def size(self) -> int:
        return self.count * SIZES[self.kind]


@dataclass(frozen=True, eq=False, slots=True)
class Tensor:
    storage: Storage
    offset: int
    shape: tuple
    strides: tuple

    @property
    def span(self) -> int:
        """Number of storage elements from the tensor's first to its last one."""
        return 1 + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))


def _ordered(arguments):
    """An OrderedDict: empty, or in pickles of Python 2 with a list of pairs."""
    if arguments == ():
        return Ordered()
    if len(arguments) != 1 or type(arguments[0]) is not list:
        raise ValueError(NONSENSE)
    return Ordered(arguments[0])


def _tensor(arguments):
    if len(arguments) == 7:  # metadata such as negation
        raise Foreign("a tensor with metadata")
    if len(arguments) != 6:
        raise ValueError(NONSENSE)
    storage, offset, shape, strides, _, _ = arguments
    if (
        type(storage) is not Storage
        or not _is_count(offset)
        or not _are_counts(shape)
        or not _are_counts(strides)
        or len(shape) != len(strides)
    ):
        raise ValueError(NONSENSE)
    out = Tensor(storage, offset, shape, strides)
    # more elements than the storage has would repeat the same ones
    if math.prod(shape) > storage.count or (0 not in shape and offset + out.span > storage.count):
        raise ValueError("a tensor extends beyond its storage")
    return out


def _parameter(arguments):
    if len(arguments) != 3 or type(arguments[0]) is not Tensor:
        raise ValueError(NONSENSE)
    return arguments[0]


def _storage(given):
    """The Storage of a persistent id, ("storage", type, key, device, count); before torch 1.6 also with a view."""
    if type(given) is not tuple or len(given) not in (5, 6) or type(given[0]) is not str or given[0] != "storage":
        raise Foreign("a persistent id that is not a storage")
    if given[5:] not in ((), (None,)):
        raise Foreign("a view of a storage")
    _, kind, key, _, count = given[:5]
    if type(kind) is not Name or kind.text not in STORAGES or not is_key(key) or not _is_count(count):
        raise ValueError(NONSENSE)
    return Storage(key, STORAGES[kind.text], count)


def _is_count(x):
    return type(x) is int and 0 <= x < 2**63


def _are_counts(x):
    return type(x) is tuple and len(x) <= MOST_AXES and all(map(_is_count, x))


def is_key(x: Any) -> bool:
    return type(x) is str and len(x) <= MOST_NAME


CALLS = {
    "collections OrderedDict": _ordered,
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_parameter": _parameter,
}
STORAGES = {f"torch {kind}": kind for kind in SIZES}


# Execution of a pickle's instructions -----------------------------------------------------------------------------


class Stream:
    """A pickle's bytes for `pickletools`; limits reads, whose sizes the pickle determines."""

    def __init__(self, file: BinaryIO, size: int):
        self.file, self.left = file, size

    def read(self, n: int) -> bytes:
        return self._taken(self.file.read(min(n, self.left)))

    def readline(self) -> bytes:
        return self._taken(self.file.readline(min(MOST_LINE, self.left)))

    def _taken(self, data):
        self.left -= len(data)
        return data


def _steps(stream):
    """(instruction, argument), up to the end of the pickle."""
    try:
        for n, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if n == MOST_STEPS:
                raise ValueError
            yield opcode.name, argument
    except ValueError:
        raise ValueError(NONSENSE) from None


class Pickle:
    """Executes a pickle's instructions, as defined in `pickle.py`, without importing or calling what it names."""

    def __init__(self, storages: dict[str, Storage]):
        self.storages = storages  # key -> Storage, filled while reading
        self.stack, self.below, self.memo = [], [], {}  # `below`: the stacks under the marks

    def value(self, stream: Stream) -> Any:
        try:
            for opcode, argument in _steps(stream):
                self.follow(opcode, argument)
            out = self.stack.pop()
        except LookupError:  # popped from an empty stack, or unknown memo
            raise ValueError(NONSENSE) from None
        if self.stack or self.below:
            raise ValueError(NONSENSE)
        return out

    def follow(self, opcode: str, argument: Any) -> None:
        if opcode in LITERALS:
            self.stack.append(argument)
        elif opcode in FRESH:
            self.stack.append(FRESH[opcode]())
        elif opcode in ACTIONS:
            ACTIONS[opcode](self, argument)
        elif opcode not in IGNORED:
            raise Foreign(_dotted(argument) if opcode == "INST" else f"the instruction '{opcode}'")

    def mark(self, _: Any) -> None:
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        out, self.stack = self.stack, self.below.pop()
        return out

    def top(self, kind: type) -> Any:
        """The top of the stack, which must be of this type."""
        if not isinstance(self.stack[-1], kind):
            raise ValueError(NONSENSE)
        return self.stack[-1]

    def tuple_of(self, n: int) -> None:
        items = [self.stack.pop() for _ in range(n)]
        self.stack.append(tuple(reversed(items)))

    def marked_tuple(self, _: Any) -> None:
        items = self.since_mark()
        self.stack.append(tuple(items))

    def append(self, _: Any) -> None:
        item = self.stack.pop()
        self.top(list).append(item)

    def appends(self, _: Any) -> None:
        items = self.since_mark()
        self.top(list).extend(items)

    def set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.top(Table).pairs.append((key, value))

    def set_items(self, _: Any) -> None:
        items = self.since_mark()
        if len(items) % 2:
            raise ValueError(NONSENSE)
        self.top(Table).pairs.extend(zip(items[::2], items[1::2], strict=True))

    def put(self, index: int) -> None:
        if index > MOST_STEPS:  # indices are consecutive, one per instruction
            raise ValueError(NONSENSE)
        self.memo[index] = self.stack[-1]

    def memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    def name(self, text: str) -> None:
        if text not in CALLS and text not in STORAGES:
            raise Foreign(_dotted(text))
        self.stack.append(Name(text))

    def name_from_stack(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise ValueError(NONSENSE)
        self.name(f"{module} {name}")

    def call(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(function) is not Name or type(arguments) is not tuple:
            raise ValueError(NONSENSE)
        if function.text not in CALLS:
            raise Foreign(f"a call of {_dotted(function.text)}")
        self.stack.append(CALLS[function.text](arguments))

    def build(self, _: Any) -> None:
        """Ignores attributes of an OrderedDict, such as the `_metadata` of a state dict."""
        state = self.stack.pop()
        if type(state) is not Table or not isinstance(self.stack[-1], Ordered):
            raise Foreign("attributes of an object")

    def persistent(self, _: Any) -> None:
        storage = _storage(self.stack.pop())
        known = self.storages.setdefault(storage.key, storage)
        if (known.kind, known.count) != (storage.kind, storage.count):
            raise ValueError(f"storage {shown(storage.key)} has two conflicting descriptions")
        self.stack.append(known)


LITERALS = {
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINFLOAT",
    "SHORT_BINSTRING",
    "SHORT_BINUNICODE",
    "BINUNICODE",
    "SHORT_BINBYTES",
    "BINBYTES",
}
FRESH = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": Table,
}
ACTIONS = {
    "MARK": Pickle.mark,
    "TUPLE": Pickle.marked_tuple,
    "TUPLE1": lambda self, _: self.tuple_of(1),
    "TUPLE2": lambda self, _: self.tuple_of(2),
    "TUPLE3": lambda self, _: self.tuple_of(3),
    "APPEND": Pickle.append,
    "APPENDS": Pickle.appends,
    "SETITEM": Pickle.set_item,
    "SETITEMS": Pickle.set_items,
    "BINPUT": Pickle.put,
    "LONG_BINPUT": Pickle.put,
    "MEMOIZE": Pickle.memoize,
    "BINGET": Pickle.get,
    "LONG_BINGET": Pickle.get,
    "GLOBAL": Pickle.name,
    "STACK_GLOBAL": Pickle.name_from_stack,
    "REDUCE": Pickle.call,
    "BUILD": Pickle.build,
    "BINPERSID": Pickle.persistent,
}
IGNORED = {"PROTO", "FRAME", "STOP"}


def _dotted(name):
    return shown(name.replace(" ", ".", 1))


def shown(text: str) -> str:
    """A text from the file for a message: on one line, in ASCII."""
    return ascii(text if len(text) <= 80 else text[:77] + "...")
