"""torch's own files: the numbers that torch reads, or one sentence; and nothing that a file names is ever run."""

import io
import os
import pickle
import random
import signal
import struct
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

from bertr.errors import BertrError
from bertr.pickles import MOST_STEPS
from bertr.torch_file import MAGIC, MOST_PICKLE, PROTOCOL, TorchFile

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
SECONDS = 60  # a case takes some hundredths, the largest some seconds


@pytest.fixture(autouse=True)
def alarm():
    def out_of_time(*_):
        raise TimeoutError

    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)


def save(path, content, zipped, protocol=2):
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    return path


def in_numpy(tensor):
    """torch has no bfloat16 for NumPy; all its values are float32's too."""
    return tensor.detach().float().numpy() if tensor.dtype == torch.bfloat16 else tensor.detach().numpy()


def assert_same(file, tensors):
    assert file.shapes == {name: tuple(t.shape) for name, t in tensors.items()}
    for name, tensor in tensors.items():
        array = file.read(name)
        assert array.shape == tuple(tensor.shape) and str(array.dtype) == str(tensor.dtype).removeprefix("torch.")
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array.astype("f4") if array.dtype.name == "bfloat16" else array, in_numpy(tensor))


def assert_refused(path, code, message):
    with pytest.raises(BertrError, match=message) as e:
        TorchFile(path)
    assert e.value.code == code and e.value.hint and "\n" not in e.value.message and len(e.value.message) < 400
    assert e.value.message.isascii() and e.value.message.endswith(".")


# What torch writes ------------------------------------------------------------------------------------------------

def views():
    base = torch.arange(60, dtype=torch.float32) / 7
    table = base.reshape(6, 10)
    return {"base": base, "part": base[11:40], "every third": base[5::3], "turned": table.T, "column": table[:, 3],
            "block": table[2:5, 4:8], "row": table[1:2], "one": base[59], "none": base[60:], "no rows": table[:0],
            "one of one": table[3:4, 3:4].T}


def kinds():
    torch.manual_seed(0)
    return {str(dtype): torch.randn(5, 3, dtype=torch.float64).to(dtype)
            for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)}


def special():
    return {"scalar": torch.tensor(2.5), "empty": torch.empty(0), "empty table": torch.empty(3, 0, 2),
            "nan": torch.tensor([float("nan"), float("inf"), -0.0]), "parameter": torch.nn.Parameter(torch.ones(2, 2)),
            "a b.c/d \u00e9": torch.ones(1)}


def module():
    torch.manual_seed(1)
    out = torch.nn.Sequential(torch.nn.Embedding(7, 4), torch.nn.Linear(4, 4), torch.nn.LayerNorm(4),
                              torch.nn.Linear(4, 7))
    out[3].weight = out[0].weight
    return out.state_dict()


@FORMATS
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("make", [views, kinds, special, module])
def test_the_numbers_are_those_of_torch(tmp_path, make, protocol, zipped):
    tensors = make()
    assert_same(TorchFile(save(tmp_path / "x.bin", tensors, zipped, protocol)), tensors)


@FORMATS
def test_tied_weights_are_one_storage(tmp_path, zipped):
    file = TorchFile(save(tmp_path / "x.bin", module(), zipped))
    assert file.tensors["0.weight"].storage is file.tensors["3.weight"].storage
    np.testing.assert_array_equal(file.read("0.weight"), file.read("3.weight"))


@FORMATS
@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8", "uint8", "bool"])
def test_other_numbers_have_a_shape_and_are_not_read(tmp_path, dtype, zipped):
    tensors = {"w": torch.ones(2), "position_ids": torch.zeros(1, 4, dtype=getattr(torch, dtype))}
    file = TorchFile(save(tmp_path / "x.bin", tensors, zipped))
    assert file.shapes == {"w": (2,), "position_ids": (1, 4)}
    with pytest.raises(BertrError, match="'position_ids' .* is of a number type that is not one of weights"):
        file.read("position_ids")


@FORMATS
@pytest.mark.parametrize("name", ["state_dict", "model"])
def test_a_state_dict_may_lie_one_level_down(tmp_path, name, zipped):
    other = {"epoch": 3, "loss": 0.5, "args": ["x", (None, True)], "optimizer": {"state": {0: torch.ones(3)}}}
    assert_same(TorchFile(save(tmp_path / "x.bin", {**other, name: module()}, zipped)), module())


@FORMATS
def test_what_is_beside_the_tensors_is_left_out(tmp_path, zipped):
    content = {"w": torch.ones(2), "n": 1, "big": 2**100, "text": "x" * 300, "bytes": b"x" * 300, 3: torch.ones(1)}
    assert_same(TorchFile(save(tmp_path / "x.bin", content, zipped, 4)), {"w": torch.ones(2)})


@FORMATS
@pytest.mark.parametrize("content, message", [
    ({"state_dict": {"w": torch.ones(1)}, "model": {"w": torch.ones(1)}}, "holds more than one table of tensors"),
    ({"state_dict": {"w": torch.ones(1)}, "w": torch.ones(1)}, "holds more than one table of tensors"),
    ({"other": {"w": torch.ones(1)}}, "holds no table of tensors"), ({}, "holds no table"), ([1], "holds no table"),
    (torch.ones(1), "holds no table")])
def test_it_must_be_clear_which_tensors_are_meant(tmp_path, content, message, zipped):
    assert_refused(save(tmp_path / "x.bin", content, zipped), "checkpoint", message)


@FORMATS
def test_a_file_that_is_replaced_is_still_read_as_it_was(tmp_path, zipped):
    path = save(tmp_path / "x.bin", {"w": torch.ones(3)}, zipped)
    file = TorchFile(path)
    save(tmp_path / "y.bin", {"w": torch.zeros(3)}, zipped).replace(path)
    np.testing.assert_array_equal(file.read("w"), np.ones(3))
    handle = file.file
    del file
    assert handle.closed


@FORMATS
def test_sparse_and_quantised_tensors_are_refused_by_name(tmp_path, zipped):
    sparse = torch.eye(3).to_sparse()
    assert_refused(save(tmp_path / "x.bin", {"w": sparse}, zipped), "pickle", "'torch._utils._rebuild_sparse_tensor'")


def test_python_2s_ordered_dict(tmp_path):
    """A list of lists, and texts of bytes: old files have it so."""
    pairs = b"](](U\1w" + tensor() + b"ee"
    content = b"\x80\x02ccollections\nOrderedDict\n" + pairs + b"\x85R}U\x09_metadata}sb."
    assert_same(TorchFile(legacy(tmp_path, content)), {"w": torch.arange(4.0)})


# What is damaged --------------------------------------------------------------------------------------------------

def outcome(path):
    """{name: numbers}, or None where one sentence says why not; anything else is an error of the test."""
    try:
        file = TorchFile(path)
        return {name: file.read(name) for name in file.shapes}
    except BertrError as e:
        assert e.hint and "\n" not in e.message
        return None


@pytest.fixture(params=[True, False], ids=["zip", "legacy"])
def saved(request, tmp_path):
    """(path, its content, the tensors, whether it is a zip file)."""
    tensors = {**views(), **kinds(), **module()}
    path = save(tmp_path / "x.bin", tensors, request.param)
    return path, path.read_bytes(), tensors, request.param


def test_a_cut_file_is_one_sentence(saved):
    path, content, _, _ = saved
    for size in {*range(0, len(content), 37), *range(40), *range(len(content) - 40, len(content))}:
        path.write_bytes(content[:size])
        assert_refused(path, "checkpoint", "is damaged, cut short or not as torch writes it: ")


def test_a_changed_byte_is_one_sentence_or_does_no_harm(saved):
    path, content, tensors, zipped = saved
    rng = random.Random(7)
    told = 0
    for _ in range(600):
        changed = bytearray(content)
        changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        found = outcome(path)
        told += found is None
        if zipped and found is not None:  # it has checksums
            assert found.keys() == tensors.keys()
            for name in (name for name, t in tensors.items() if t.numel() == t.untyped_storage().size()):
                np.testing.assert_array_equal(found[name].astype("f4"), tensors[name].detach().float().numpy())
    assert told > 50


def test_many_changed_bytes(saved):
    path, content, _, _ = saved
    rng = random.Random(8)
    for _ in range(300):
        changed = bytearray(content)
        for _ in range(rng.choice([2, 10, 100])):
            changed[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(changed)
        outcome(path)


def test_changed_pickles(tmp_path):
    """Without the checksum, which catches them before their instructions are followed."""
    rng = random.Random(9)
    stream = io.BytesIO()
    torch.save({**views(), **module()}, stream)
    file = zipfile.ZipFile(stream)
    entries = {name.partition("/")[2]: file.read(name) for name in file.namelist()}
    content = entries["data.pkl"]
    told = 0
    for _ in range(600):
        changed = bytearray(content)
        for _ in range(rng.choice([1, 1, 3])):
            changed[rng.randrange(len(content))] = rng.choice([rng.randrange(256), *b"0123ab.(]}u)sR\x85\x94"])
        told += outcome(zip_of(tmp_path, {**entries, "data.pkl": bytes(changed)})) is None
    assert told > 300


@pytest.mark.parametrize("content", [
    b"", b"P", b"PK\3\4", b"PK\3\4" + bytes(100), b"PK\5\6" + bytes(18), b"version https://git-lfs.github.com/spec/v1\n",
    b"<!doctype html>", b"\x80", b"\x80\x02.", bytes(1000), pickle.dumps({"weights": 1}), pickle.dumps(MAGIC),
    pickle.dumps(MAGIC) + pickle.dumps(PROTOCOL), pickle.dumps(PROTOCOL) + pickle.dumps(MAGIC)])
def test_other_files_are_one_sentence(tmp_path, content):
    (tmp_path / "x.bin").write_bytes(content)
    assert outcome(tmp_path / "x.bin") is None


def test_no_file_and_a_folder_are_one_sentence(tmp_path):
    assert outcome(tmp_path / "none.bin") is None and outcome(tmp_path) is None


# Files made to do harm --------------------------------------------------------------------------------------------

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


def storage(key=b"X\1\0\0\0" b"0", kind=b"ctorch\nFloatStorage\n", count=4):
    return b"(X\7\0\0\0storage" + kind + key + b"X\3\0\0\0cpu" + literal(count) + b"tQ"


def tensor(inner=None, offset=0, shape=(4,), strides=(1,), function=b"ctorch._utils\n_rebuild_tensor_v2\n"):
    """The instructions of one tensor."""
    return (function + b"(" + (storage() if inner is None else inner) + literal(offset) + literals(shape) +
            literals(strides) + b"\x89}tR")


def table(value):
    """A pickle of {"w": value}."""
    return b"\x80\x02}X\1\0\0\0w" + value + b"s."


class Call:
    """Pickled, it is a call."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.fixture
def marker(tmp_path):
    """A file that must never be there."""
    path = tmp_path / "it_ran"
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
        "another persistent id": (b"\x80\x02X\6\0\0\0module\x85Q.", "a persistent id that is no storage"),
        "NEXT_BUFFER": (b"\x80\x05\x97.", "the instruction 'NEXT_BUFFER'"),
        "STACK_GLOBAL of remembered texts": (
            b"\x80\x04](\x8c\2os\x94\x8c\6system\x94eh\0h\1\x93" + text + b"\x85R.", "'os.system'"),
        "a name with dots": (b"\x80\x02ctorch._utils\nos.system\n" + text + b"\x85R.", "'torch._utils.os.system'"),
        "a name with dots, protocol 4": (
            b"\x80\x04\x8c\x0ctorch._utils\x8c\x09os.system\x93" + text + b"\x85R.", "'torch._utils.os.system'"),
        "an attribute of a function": (
            b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
            "'torch._utils._rebuild_tensor_v2.__globals__'"),
        "a name that is shifted": (
            b"\x80\x02ctorch\n_utils _rebuild_tensor_v2\n.", "'torch._utils _rebuild_tensor_v2'"),
        "getattr": (b"\x80\x02c__builtin__\ngetattr\n.", "'__builtin__.getattr'"),
        "bertr's own": (b"\x80\x02cbertr.torch_file\nTorchFile\n.", "'bertr.torch_file.TorchFile'"),
        "torch.load": (b"\x80\x02ctorch\nload\n" + text + b"\x85R.", "'torch.load'"),
        "a name in Chinese, with a line": (
            b"\x80\x04\x8c\6" + "\u7cfb\u7edf".encode() + b"\x8c\3a\nb\x93.", r"'\u7cfb\u7edf.a\nb'"),
        "a call of a storage": (table(b"ctorch\nFloatStorage\n" + literal(10**12) + b"\x85R"),
                                "a call of 'torch.FloatStorage'"),
        "attributes of a table": (table(b"}}b"), "attributes of an object"),
        "attributes of a tensor": (table(tensor() + b"}b"), "attributes of an object"),
        "attributes of an OrderedDict that are no table": (
            table(b"ccollections\nOrderedDict\n)RN}\x86b"), "attributes of an object"),
        "a set": (b"\x80\x04\x8f.", "the instruction 'EMPTY_SET'"),
        "a tensor with metadata": (table(tensor()[:-2] + b"}tR"), "a tensor with metadata"),
    }


@pytest.mark.parametrize("write", [zipped, legacy])
def test_nothing_that_is_named_is_run(tmp_path, marker, write, capfd):
    before = set(sys.modules)
    for case, (content, named) in hostile(marker).items():
        path = write(tmp_path, content)
        with pytest.raises(BertrError) as e:
            TorchFile(path)
        assert e.value.code == "pickle" and "\n" not in e.value.message and e.value.message.isascii(), case
        assert f"asks for {named}" in e.value.message, (case, e.value.message)
    assert not marker.exists() and set(sys.modules) == before and capfd.readouterr() == ("", "")


def test_the_hostile_files_would_run(tmp_path):
    """So that the test above shows something."""
    marker = tmp_path / "it_ran"
    for case in ("os.system, protocol 2", "INST", "STACK_GLOBAL of remembered texts"):
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
    "a longer tensor": (tensor(shape=(5,)), "does not lie within its storage"),
    "an offset": (tensor(offset=1), "does not lie within its storage"),
    "a stride": (tensor(strides=(2,)), "does not lie within its storage"),
    "two strides": (tensor(shape=(2, 2), strides=(3, 2)), "does not lie within its storage"),
    "a negative offset": (tensor(offset=-1), "makes no sense"),
    "a negative stride": (tensor(strides=(-1,)), "makes no sense"),
    "a negative size": (tensor(shape=(-4,)), "makes no sense"),
    "two negative sizes": (tensor(shape=(-2, -2), strides=(1, 1)), "makes no sense"),
    "a stride of zero": (tensor(shape=(10**9,), strides=(0,)), "does not lie within its storage"),
    "strides of zero": (tensor(shape=(2**40, 2**40), strides=(0, 0)), "does not lie within its storage"),
    "sizes that overflow": (tensor(shape=(2**32, 2**32), strides=(0, 0)), "does not lie within its storage"),
    "an offset that overflows": (tensor(offset=2**62, shape=(1,)), "does not lie within its storage"),
    "a huge offset": (tensor(offset=2**2000), "makes no sense"),
    "a huge size": (tensor(shape=(2**2000,)), "makes no sense"),
    "more strides than sizes": (tensor(strides=(1, 1)), "makes no sense"),
    "many axes": (tensor(shape=(1,) * 40, strides=(1,) * 40), "makes no sense"),
    "a size that is a text": (tensor(shape=("4",)), "makes no sense"),
    "a flag for an offset": (tensor(offset=False), "makes no sense"),
    "a storage that is a number": (tensor(inner=literal(1)), "makes no sense"),
    "a tensor of a tensor": (tensor(inner=tensor()), "makes no sense"),
    "a parameter of a number": (b"ctorch._utils\n_rebuild_parameter\nK\1\x89}\x87R", "makes no sense"),
    "a storage of no type": (tensor(inner=storage(kind=b"X\1\0\0\0x")), "makes no sense"),
    "a storage of the type of a table": (tensor(inner=storage(kind=b"ccollections\nOrderedDict\n")), "makes no sense"),
    "a storage's size": (tensor(inner=storage(count=5)), "tells of 20|where its pickle tells of 5"),
    "a storage's huge size": (tensor(inner=storage(count=HUGE)), "tells of"),
    "a storage's negative size": (tensor(inner=storage(count=-4)), "makes no sense"),
    "a storage's type": (tensor(inner=storage(kind=b"ctorch\nDoubleStorage\n")), "tells of 32|all its storages"),
    "a storage that is not there": (tensor(inner=storage(key=b"X\1\0\0\0" b"1")),
                                    "no entry 'data/1'|does not fit its tensors"),
    "a storage elsewhere": (tensor(inner=storage(key=b"X\4\0\0\0../x")),
                            "no entry 'data/../x'|does not fit its tensors"),
    "a storage that is a number's": (tensor(inner=storage(key=b"K\0")), "makes no sense"),
    "a storage of two types": (b"](" + tensor() + tensor(inner=storage(kind=b"ctorch\nIntStorage\n")) + b"e",
                               "'0' is described in two ways"),
    "a call of a text": (b"X\1\0\0\0x)R", "makes no sense"),
    "a call with a list": (b"ccollections\nOrderedDict\n]R", "makes no sense"),
    "an OrderedDict of numbers": (b"ccollections\nOrderedDict\nK\1\x85R", "makes no sense"),
    "an appended tuple": (b")K\1a", "makes no sense"),
    "a table without the last value": (b"}(K\1u", "makes no sense"),
    "a mark too few": (b"t", "makes no sense"),
    "a mark too many": (b"((", "makes no sense"),
    "what was never remembered": (b"h\7", "makes no sense"),
    "a far memo": (b"Nr\xff\xff\xff\xff", "makes no sense"),
    "a long name": (b"Nsc" + b"x" * 10**6, "makes no sense"),
    "a text longer than the file": (b"X\xff\xff\xff\x7fabc", "makes no sense"),
    "a text of 2^62 bytes": (b"\x8d" + struct.pack("<Q", HUGE) + b"abc", "makes no sense"),
    "bytes of 2^62": (b"\x8e" + struct.pack("<Q", HUGE) + b"abc", "makes no sense"),
    "a number of 2 GB": (b"\x8b\xff\xff\xff\x7f", "makes no sense"),
    "a text that is no UTF-8": (b"X\1\0\0\0\xff", "makes no sense"),
}


@pytest.mark.parametrize("case", LYING)
@pytest.mark.parametrize("write", [zipped, legacy])
def test_lies_are_told(tmp_path, case, write):
    content, message = LYING[case]
    assert_refused(write(tmp_path, table(content)), "checkpoint", message)


def test_the_same_without_lies_is_read(tmp_path):
    for write in (zipped, legacy):
        assert_same(TorchFile(write(tmp_path, table(tensor()))), {"w": torch.arange(4.0)})


@pytest.mark.parametrize("stored, keys", [
    (b"", ["0"]), (struct.pack("<q", 4), ["0"]), (STORED[:-1], ["0"]),
    (struct.pack("<q", -4) + DATA, ["0"]), (struct.pack("<q", 2**62) + DATA, ["0"]), (b"", []),
    (2 * STORED, ["0", "0"]), (2 * STORED, ["0", "1"]),
    (STORED, [0]), (STORED, [[]])])
def test_legacy_storages_that_do_not_fit(tmp_path, stored, keys):
    assert_refused(legacy(tmp_path, table(tensor()), keys, stored), "checkpoint", "is damaged, cut short")


def test_a_long_name_is_told(tmp_path):
    name = b"X" + struct.pack("<I", 10**5) + b"x" * 10**5
    assert_refused(zipped(tmp_path, b"\x80\x02}" + name + tensor() + b"s."), "checkpoint", "has 100000 characters")


def test_big_endian_files_are_refused(tmp_path):
    assert_refused(legacy(tmp_path, table(tensor()), little=False), "checkpoint", "not little-endian")
    path = zip_of(tmp_path, {"data.pkl": table(tensor()), "byteorder": b"big", "data/0": DATA})
    assert_refused(path, "checkpoint", "not little-endian")


# Files made to take for ever or all memory ------------------------------------------------------------------------

def doubled(n, start, step):
    """A pickle's value that holds the one before it twice, n times over."""
    return start + b"".join(b"q" + bytes([i]) + step % bytes([i]) for i in range(n))


BOMBS = {
    "tuples": doubled(200, b")", b"h%b\x86"),
    "tuples as a key": b"}" + doubled(200, b")", b"h%b\x86") + b"Ns",
    "texts as keys": b"}(" + b"X\xa0\x86\1\0" + b"x" * 100_000 + b"q\0N" + b"X\xa0\x86\1\0" + b"x" * 100_000 +
                     b"q\1N" + b"h\0Nh\1N" * 100_000 + b"u",
    "a list in itself": b"]q\0h\0a",
    "a table in itself": b"}q\0X\5\0\0\0modelh\0s",
    "deep tuples": b")" + b"\x85" * 500_000,
    "deep tables": b"}N" * 300_000 + b"N" + b"s" * 300_000,
    "marks": b"(" * 500_000,
    "too many instructions": b"N" * (MOST_STEPS + 1),
    "a list filled again and again": b"](" + b"N" * 400_000 + b"eq\0" +
                                     b"ccollections\nOrderedDict\nq\1h\0\x85R" + b"h\1h\0\x85R" * 100_000,
}


@pytest.mark.parametrize("case", BOMBS)
def test_bombs_end_soon(tmp_path, case):
    assert outcome(zipped(tmp_path, b"\x80\x02" + BOMBS[case] + b".")) is None


def test_a_pickle_that_is_too_long_is_not_read(tmp_path):
    content = table(b"X" + struct.pack("<I", MOST_PICKLE) + b"x" * MOST_PICKLE)
    assert_refused(zipped(tmp_path, content), "checkpoint", "'data.pkl' has .* bytes, which is far too long")
    assert_refused(legacy(tmp_path, content), "checkpoint", "makes no sense")


# Zip files --------------------------------------------------------------------------------------------------------

GOOD = {"data.pkl": table(tensor()), "version": b"3\n", "data/0": DATA}


def test_compressed_entries_are_refused(tmp_path):
    bomb = {**GOOD, "data/0": bytes(10**8)}
    assert_refused(zip_of(tmp_path, bomb, compression=zipfile.ZIP_DEFLATED), "checkpoint", "'.*' is compressed")


@pytest.mark.parametrize("root, name", [("..", "x"), ("", "x"), (".", "x"), ("archive", "../x"), ("other", "x"),
                                        ("archive", "data/../../x"), ("archive/..", "x"), ("/archive", "x")])
def test_entries_outside_the_folder_are_refused(tmp_path, root, name):
    path = zip_of(tmp_path, GOOD)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(f"{root}/{name}", b"x")
    assert_refused(path, "checkpoint", "is not one of a single folder")


def test_an_entry_twice_is_refused(tmp_path):
    path = zip_of(tmp_path, GOOD)
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning):
        file.writestr("archive/data/0", DATA)
    assert_refused(path, "checkpoint", "'archive/data/0' is not one of a single folder")


@pytest.mark.parametrize("absent", ["data.pkl", "data/0"])
def test_an_entry_that_is_not_there_is_told(tmp_path, absent):
    path = zip_of(tmp_path, {name: content for name, content in GOOD.items() if name != absent})
    assert_refused(path, "checkpoint", f"there is no entry '{absent}'")


def central(content, name, offset, fmt, value):
    """The file with a field of an entry in the table of contents changed."""
    out = bytearray(content)
    at = content.rindex(b"PK\1\2", 0, content.rindex(name))
    struct.pack_into(fmt, out, at + offset, value)
    return bytes(out)


@pytest.mark.parametrize("offset, fmt, value, message", [
    (42, "<I", 0, "overlaps another"), (42, "<I", 2**31, "within it"), (42, "<I", 5, "no header|overlaps another"),
    (24, "<I", 2**31, "compressed"), (20, "<I", 2**31, "compressed"), (8, "<H", 1, "compressed or encrypted"),
    (10, "<H", 99, "compressed"), (16, "<I", 12345, "checksum"), (6, "<H", 255, "table of contents")])
def test_a_changed_table_of_contents(tmp_path, offset, fmt, value, message):
    path = zip_of(tmp_path, GOOD)
    path.write_bytes(central(path.read_bytes(), b"archive/data/0", offset, fmt, value))
    with pytest.raises(BertrError, match=message):
        TorchFile(path).read("w")


def test_entries_that_overlap_are_refused(tmp_path):
    """Both sizes of an entry claim the entry behind it."""
    path = zip_of(tmp_path, GOOD)
    content = path.read_bytes()
    for offset in (20, 24):
        content = central(content, b"archive/version", offset, "<I", 40)
    path.write_bytes(content)
    assert_refused(path, "checkpoint", "overlaps another")


def test_a_checksum_is_looked_at_where_there_is_one(tmp_path):
    path = zip_of(tmp_path, GOOD)
    content = path.read_bytes()
    changed = content.replace(DATA, DATA[::-1])
    path.write_bytes(changed)
    with pytest.raises(BertrError, match="a checksum in it is wrong"):
        TorchFile(path).read("w")
    path.write_bytes(central(changed, b"archive/data/0", 16, "<I", 0))  # as torch writes it when told to leave them out
    np.testing.assert_array_equal(TorchFile(path).read("w"), np.frombuffer(DATA[::-1], "<f4"))


def test_a_long_table_of_contents_is_not_read(tmp_path):
    path = tmp_path / "x.bin"
    with zipfile.ZipFile(path, "w") as file:
        for i in range(80):
            file.writestr(f"archive/{i}" + "x" * 60_000, b"")
    assert_refused(path, "checkpoint", "table of contents")
