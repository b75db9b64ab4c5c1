"""Pickles made to do harm: nothing that they name is ever run, no lie is believed, and none takes forever."""

import io
import os
import pickle
import struct
import sys
from collections import OrderedDict

import pytest
import torch
from torch_files import (
    DATA,
    STORED,
    Call,
    assert_refused,
    assert_same,
    legacy,
    literal,
    outcome,
    storage,
    table,
    tensor,
    zip_of,
    zipped,
)

from bertr.checkpoints.pickles import MOST_STEPS
from bertr.checkpoints.torch_file import MAGIC, MOST_PICKLE, PROTOCOL, TorchFile
from bertr.errors import BertrError

pytestmark = pytest.mark.usefixtures("alarm")


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """A file that must never be there; importing the module `trap` makes it."""
    path = tmp_path / "it_ran"
    (tmp_path / "trap.py").write_text(f"open({str(path)!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "trap", raising=False)
    yield path
    assert not path.exists()


def hostile(marker):
    """{case: (pickle, what the message names)}."""
    command = f"touch {marker}".encode()
    text = b"X" + struct.pack("<I", len(command)) + command
    code = f"open({str(marker)!r}, 'w')"
    system = os.system.__module__ + ".system"
    reduced = {protocol: pickle.dumps({"w": Call(os.system, command.decode())}, protocol) for protocol in (2, 3, 4, 5)}

    class Persistent(pickle.Pickler):
        def persistent_id(self, value):
            return ("storage", Call(eval, code)) if value == "w" else None

    stream = io.BytesIO()
    Persistent(stream, 2).dump(["w"])
    return {
        **{f"os.system, protocol {n}": (content, f"'{system}'") for n, content in reduced.items()},
        "eval": (pickle.dumps({"w": Call(eval, code)}, 2), "'__builtin__.eval'"),
        "eval, protocol 4": (pickle.dumps({"w": Call(eval, code)}, 4), "'builtins.eval'"),
        "inside a persistent id": (stream.getvalue(), "'__builtin__.eval'"),
        "beside the tensors": (pickle.dumps(OrderedDict(x=Call(exec, code)), 2), "'__builtin__.exec'"),
        "as a key": (b"\x80\x02}cos\nsystem\n" + text + b"\x85RNs.", "'os.system'"),
        "an import": (b"\x80\x02ctrap\n__name__\n.", "'trap.__name__'"),
        "INST": (b"\x80\x02(" + text + b"ios\nsystem\n.", "'os.system'"),
        "OBJ": (b"\x80\x02(cos\nsystem\n" + text + b"o.", "'os.system'"),
        "OBJ of an allowed class": (b"\x80\x02(ccollections\nOrderedDict\no.", "the instruction 'OBJ'"),
        "NEWOBJ": (b"\x80\x02csubprocess\nPopen\n" + text + b"\x85\x81.", "'subprocess.Popen'"),
        "NEWOBJ of an allowed class": (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "the instruction 'NEWOBJ'"),
        "NEWOBJ_EX": (b"\x80\x04ccollections\nOrderedDict\n)}\x92.", "the instruction 'NEWOBJ_EX'"),
        "EXT1": (b"\x80\x02\x82\x01.", "the instruction 'EXT1'"),
        "EXT2": (b"\x80\x02\x83\x01\x00.", "the instruction 'EXT2'"),
        "EXT4": (b"\x80\x02\x84\x01\x00\x00\x00.", "the instruction 'EXT4'"),
        "PERSID": (b"Pos.system\n.", "the instruction 'PERSID'"),
        "another persistent id": (b"\x80\x02X\6\0\0\0module\x85Q.", "a persistent id that is not a storage"),
        "NEXT_BUFFER": (b"\x80\x05\x97.", "the instruction 'NEXT_BUFFER'"),
        "STACK_GLOBAL of remembered texts": (
            b"\x80\x04](\x8c\2os\x94\x8c\6system\x94eh\0h\1\x93" + text + b"\x85R.",
            "'os.system'",
        ),
        "a name with dots": (b"\x80\x02ctorch._utils\nos.system\n" + text + b"\x85R.", "'torch._utils.os.system'"),
        "a name with dots, protocol 4": (
            b"\x80\x04\x8c\x0ctorch._utils\x8c\x09os.system\x93" + text + b"\x85R.",
            "'torch._utils.os.system'",
        ),
        "an attribute of a function": (
            b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
            "'torch._utils._rebuild_tensor_v2.__globals__'",
        ),
        "a name that is shifted": (
            b"\x80\x02ctorch\n_utils _rebuild_tensor_v2\n.",
            "'torch._utils _rebuild_tensor_v2'",
        ),
        "getattr": (b"\x80\x02c__builtin__\ngetattr\n.", "'__builtin__.getattr'"),
        "bertr's own": (b"\x80\x02cbertr.torch_file\nTorchFile\n.", "'bertr.torch_file.TorchFile'"),
        "torch.load": (b"\x80\x02ctorch\nload\n" + text + b"\x85R.", "'torch.load'"),
        "a name in Chinese, with a line": (
            b"\x80\x04\x8c\6" + "\u7cfb\u7edf".encode() + b"\x8c\3a\nb\x93.",
            r"'\u7cfb\u7edf.a\nb'",
        ),
        "a call of a storage": (
            table(b"ctorch\nFloatStorage\n" + literal(10**12) + b"\x85R"),
            "a call of 'torch.FloatStorage'",
        ),
        "attributes of a table": (table(b"}}b"), "attributes of an object"),
        "attributes of a tensor": (table(tensor() + b"}b"), "attributes of an object"),
        "attributes of an OrderedDict that are no table": (
            table(b"ccollections\nOrderedDict\n)RN}\x86b"),
            "attributes of an object",
        ),
        "a set": (b"\x80\x04\x8f.", "the instruction 'EMPTY_SET'"),
        "a tensor with metadata": (table(tensor()[:-2] + b"}tR"), "a tensor with metadata"),
    }


@pytest.mark.parametrize("write", [zipped, legacy])
def test_nothing_that_is_named_is_run(tmp_path, marker, write, capfd):
    for case, (content, named) in hostile(marker).items():
        path = write(tmp_path, content)
        with pytest.raises(BertrError) as e:
            TorchFile(path)
        assert e.value.code == "pickle" and "\n" not in e.value.message and e.value.message.isascii(), case
        assert f"asks for {named}" in e.value.message, (case, e.value.message)
    assert not marker.exists() and capfd.readouterr() == ("", "")


def test_the_hostile_files_would_run(marker):
    """Checks that the test above can fail."""
    for case in ("os.system, protocol 2", "an import", "INST", "STACK_GLOBAL of remembered texts"):
        pickle.loads(hostile(marker)[case][0])
        marker.unlink()


@pytest.mark.parametrize("place", range(4))
def test_every_pickle_of_the_legacy_format_is_read_so(tmp_path, marker, place):
    parts = [pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {"little_endian": True}, {}, [])]
    parts[place if place < 3 else 4] = hostile(marker)["os.system, protocol 2"][0]
    (tmp_path / "x.bin").write_bytes(b"".join(parts))
    assert_refused(tmp_path / "x.bin", "pickle", "[.]system'")


HUGE = 2**62
LYING = {
    "a longer tensor": (tensor(shape=(5,)), "extends beyond its storage"),
    "an offset": (tensor(offset=1), "extends beyond its storage"),
    "a stride": (tensor(strides=(2,)), "extends beyond its storage"),
    "two strides": (tensor(shape=(2, 2), strides=(3, 2)), "extends beyond its storage"),
    "a negative offset": (tensor(offset=-1), "is not valid"),
    "a negative stride": (tensor(strides=(-1,)), "is not valid"),
    "a negative size": (tensor(shape=(-4,)), "is not valid"),
    "two negative sizes": (tensor(shape=(-2, -2), strides=(1, 1)), "is not valid"),
    "a stride of zero": (tensor(shape=(10**9,), strides=(0,)), "extends beyond its storage"),
    "strides of zero": (tensor(shape=(2**40, 2**40), strides=(0, 0)), "extends beyond its storage"),
    "sizes that overflow": (tensor(shape=(2**32, 2**32), strides=(0, 0)), "extends beyond its storage"),
    "an offset that overflows": (tensor(offset=2**62, shape=(1,)), "extends beyond its storage"),
    "a huge offset": (tensor(offset=2**2000), "is not valid"),
    "a huge size": (tensor(shape=(2**2000,)), "is not valid"),
    "more strides than sizes": (tensor(strides=(1, 1)), "is not valid"),
    "many axes": (tensor(shape=(1,) * 40, strides=(1,) * 40), "is not valid"),
    "a size that is a text": (tensor(shape=("4",)), "is not valid"),
    "a flag for an offset": (tensor(offset=False), "is not valid"),
    "a storage that is a number": (tensor(inner=literal(1)), "is not valid"),
    "a tensor of a tensor": (tensor(inner=tensor()), "is not valid"),
    "a parameter of a number": (b"ctorch._utils\n_rebuild_parameter\nK\1\x89}\x87R", "is not valid"),
    "a storage of no type": (tensor(inner=storage(kind=b"X\1\0\0\0x")), "is not valid"),
    "a storage of the type of a table": (tensor(inner=storage(kind=b"ccollections\nOrderedDict\n")), "is not valid"),
    "a storage's size": (tensor(inner=storage(count=5)), "pickle says 20|but its pickle says 5"),
    "a storage's huge size": (tensor(inner=storage(count=HUGE)), "pickle says"),
    "a storage's negative size": (tensor(inner=storage(count=-4)), "is not valid"),
    "a storage's type": (
        tensor(inner=storage(kind=b"ctorch\nDoubleStorage\n")),
        "pickle says 32|some of its storages are missing",
    ),
    "a storage that is not there": (
        tensor(inner=storage(key=b"X\x01\x00\x00\x001")),
        "no entry 'data/1'|does not match its tensors",
    ),
    "a storage elsewhere": (
        tensor(inner=storage(key=b"X\4\0\0\0../x")),
        "no entry 'data/../x'|does not match its tensors",
    ),
    "a storage that is a number's": (tensor(inner=storage(key=b"K\0")), "is not valid"),
    "a storage of two types": (
        b"](" + tensor() + tensor(inner=storage(kind=b"ctorch\nIntStorage\n")) + b"e",
        "'0' has two conflicting descriptions",
    ),
    "a call of a text": (b"X\1\0\0\0x)R", "is not valid"),
    "a call with a list": (b"ccollections\nOrderedDict\n]R", "is not valid"),
    "an OrderedDict of numbers": (b"ccollections\nOrderedDict\nK\1\x85R", "is not valid"),
    "an appended tuple": (b")K\1a", "is not valid"),
    "a table without the last value": (b"}(K\1u", "is not valid"),
    "a mark too few": (b"t", "is not valid"),
    "a mark too many": (b"((", "is not valid"),
    "what was never remembered": (b"h\7", "is not valid"),
    "a far memo": (b"Nr\xff\xff\xff\xff", "is not valid"),
    "a long name": (b"Nsc" + b"x" * 10**6, "is not valid"),
    "a text longer than the file": (b"X\xff\xff\xff\x7fabc", "is not valid"),
    "a text of 2^62 bytes": (b"\x8d" + struct.pack("<Q", HUGE) + b"abc", "is not valid"),
    "bytes of 2^62": (b"\x8e" + struct.pack("<Q", HUGE) + b"abc", "is not valid"),
    "a number of 2 GB": (b"\x8b\xff\xff\xff\x7f", "is not valid"),
    "a text that is no UTF-8": (b"X\1\0\0\0\xff", "is not valid"),
}


@pytest.mark.parametrize("case", LYING)
@pytest.mark.parametrize("write", [zipped, legacy])
def test_lies_are_told(tmp_path, case, write):
    content, message = LYING[case]
    assert_refused(write(tmp_path, table(content)), "checkpoint", message)


def test_the_same_without_lies_is_read(tmp_path):
    for write in (zipped, legacy):
        assert_same(TorchFile(write(tmp_path, table(tensor()))), {"w": torch.arange(4.0)})


@pytest.mark.parametrize(
    "stored, keys",
    [
        (b"", ["0"]),
        (struct.pack("<q", 4), ["0"]),
        (STORED[:-1], ["0"]),
        (struct.pack("<q", -4) + DATA, ["0"]),
        (struct.pack("<q", 2**62) + DATA, ["0"]),
        (b"", []),
        (2 * STORED, ["0", "0"]),
        (2 * STORED, ["0", "1"]),
        (STORED, [0]),
        (STORED, [[]]),
    ],
)
def test_legacy_storages_that_do_not_fit(tmp_path, stored, keys):
    assert_refused(legacy(tmp_path, table(tensor()), keys, stored), "checkpoint", "is damaged, cut short")


def test_a_long_name_is_told(tmp_path):
    name = b"X" + struct.pack("<I", 10**5) + b"x" * 10**5
    assert_refused(zipped(tmp_path, b"\x80\x02}" + name + tensor() + b"s."), "checkpoint", "has 100000 characters")


def test_big_endian_files_are_refused(tmp_path):
    assert_refused(legacy(tmp_path, table(tensor()), little=False), "checkpoint", "not little-endian")
    path = zip_of(tmp_path, {"data.pkl": table(tensor()), "byteorder": b"big", "data/0": DATA})
    assert_refused(path, "checkpoint", "not little-endian")


# Files made to take forever or all memory -------------------------------------------------------------------------


def doubled(n, start, step):
    """A value that contains the previous one twice, nested n times."""
    return start + b"".join(b"q" + bytes([i]) + step % bytes([i]) for i in range(n))


BOMBS = {
    "tuples": doubled(200, b")", b"h%b\x86"),
    "tuples as a key": b"}" + doubled(200, b")", b"h%b\x86") + b"Ns",
    "texts as keys": b"}("
    + b"X\xa0\x86\1\0"
    + b"x" * 100_000
    + b"q\0N"
    + b"X\xa0\x86\1\0"
    + b"x" * 100_000
    + b"q\1N"
    + b"h\0Nh\1N" * 100_000
    + b"u",
    "a list in itself": b"]q\0h\0a",
    "a table in itself": b"}q\0X\5\0\0\0modelh\0s",
    "deep tuples": b")" + b"\x85" * 500_000,
    "deep tables": b"}N" * 300_000 + b"N" + b"s" * 300_000,
    "marks": b"(" * 500_000,
    "too many instructions": b"N" * (MOST_STEPS + 1),
    "a list filled again and again": b"]("
    + b"N" * 400_000
    + b"eq\0"
    + b"ccollections\nOrderedDict\nq\1h\0\x85R"
    + b"h\1h\0\x85R" * 100_000,
}


@pytest.mark.parametrize("case", BOMBS)
def test_bombs_end_soon(tmp_path, case):
    assert outcome(zipped(tmp_path, b"\x80\x02" + BOMBS[case] + b".")) is None


def test_a_pickle_that_is_too_long_is_not_read(tmp_path):
    content = table(b"X" + struct.pack("<I", MOST_PICKLE) + b"x" * MOST_PICKLE)
    assert_refused(zipped(tmp_path, content), "checkpoint", "'data.pkl' has .* bytes, which is far too large")
    assert_refused(legacy(tmp_path, content), "checkpoint", "is not valid")
