"""Files as torch writes them, and malicious ones, written for tests."""

import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch

from bertr.checkpoints.torch_file import MAGIC, PROTOCOL, TorchFile
from bertr.errors import BertrError


def in_numpy(tensor):
    """torch cannot convert bfloat16 to NumPy, but float32 represents all its values."""
    return tensor.detach().float().numpy() if tensor.dtype == torch.bfloat16 else tensor.detach().numpy()


def assert_same(file, tensors):
    assert file.shapes == {name: tuple(t.shape) for name, t in tensors.items()}
    for name, expected in tensors.items():
        array = file.read(name)
        assert array.shape == tuple(expected.shape) and str(array.dtype) == str(expected.dtype).removeprefix("torch.")
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(
            array.astype("f4") if array.dtype.name == "bfloat16" else array, in_numpy(expected)
        )


def outcome(path):
    """{name: array}, or None if the file is refused with a one-sentence error."""
    try:
        file = TorchFile(path)
        return {name: file.read(name) for name in file.shapes}
    except BertrError as e:
        assert e.hint and "\n" not in e.message
        return None


def assert_refused(path, code, message):
    with pytest.raises(BertrError, match=message) as e:
        TorchFile(path)
    assert e.value.code == code and e.value.hint and "\n" not in e.value.message and len(e.value.message) < 400
    assert e.value.message.isascii() and e.value.message.endswith(".")


DATA = np.arange(4, dtype="<f4").tobytes()
STORED = struct.pack("<q", 4) + DATA  # as the legacy format has it


def zip_of(folder, entries, root="archive", compression=zipfile.ZIP_STORED):
    path = folder / "x.bin"
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in entries.items():
            file.writestr(f"{root}/{name}", content)
    return path


def zipped(folder, content, data=DATA):
    """A file whose pickle this is; its storage '0' has four numbers."""
    return zip_of(folder, {"data.pkl": content, "data/0": data, "version": b"3\n"})


def legacy(folder, content, keys=("0",), stored=STORED, little=True):
    path = folder / "x.bin"
    parts = (MAGIC, PROTOCOL, {"little_endian": little}), (list(keys),)
    before, after = (b"".join(pickle.dumps(part, protocol=2) for part in some) for some in parts)
    path.write_bytes(before + content + after + stored)
    return path


def literal(value):
    return pickle.dumps(value, protocol=2)[2:-1]


def literals(values):
    return b"(" + b"".join(map(literal, values)) + b"t"


def storage(key=b"X\x01\x00\x00\x000", kind=b"ctorch\nFloatStorage\n", count=4):
    return b"(X\7\0\0\0storage" + kind + key + b"X\3\0\0\0cpu" + literal(count) + b"tQ"


def tensor(inner=None, offset=0, shape=(4,), strides=(1,), function=b"ctorch._utils\n_rebuild_tensor_v2\n"):
    """The instructions of one tensor."""
    return (
        function
        + b"("
        + (storage() if inner is None else inner)
        + literal(offset)
        + literals(shape)
        + literals(strides)
        + b"\x89}tR"
    )


def table(value):
    """A pickle of {"w": value}."""
    return b"\x80\x02}X\1\0\0\0w" + value + b"s."


class Call:
    """An object whose pickle contains a call."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced
