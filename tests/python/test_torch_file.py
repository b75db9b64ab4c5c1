"""Files of torch: the numbers that torch reads, or an error in one sentence."""

import io
import pickle
import random
import struct
import zipfile

import numpy as np
import pytest
import torch
from torch_files import DATA, assert_refused, assert_same, legacy, outcome, table, tensor, zip_of

from bertr.checkpoints.torch_file import MAGIC, PROTOCOL, TorchFile
from bertr.errors import BertrError

pytestmark = pytest.mark.usefixtures("alarm")

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def save(path, content, zipped, protocol=2):
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    return path


# What torch writes ------------------------------------------------------------------------------------------------


def views():
    base = torch.arange(60, dtype=torch.float32) / 7
    table = base.reshape(6, 10)
    return {
        "base": base,
        "part": base[11:40],
        "every third": base[5::3],
        "turned": table.T,
        "column": table[:, 3],
        "block": table[2:5, 4:8],
        "row": table[1:2],
        "one": base[59],
        "none": base[60:],
        "no rows": table[:0],
        "one of one": table[3:4, 3:4].T,
    }


def kinds():
    torch.manual_seed(0)
    return {
        str(dtype): torch.randn(5, 3, dtype=torch.float64).to(dtype)
        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    }


def special():
    return {
        "scalar": torch.tensor(2.5),
        "empty": torch.empty(0),
        "empty table": torch.empty(3, 0, 2),
        "nan": torch.tensor([float("nan"), float("inf"), -0.0]),
        "parameter": torch.nn.Parameter(torch.ones(2, 2)),
        "a b.c/d \u00e9": torch.ones(1),
    }


def module():
    torch.manual_seed(1)
    out = torch.nn.Sequential(
        torch.nn.Embedding(7, 4), torch.nn.Linear(4, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 7)
    )
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
    with pytest.raises(BertrError, match="'position_ids' .* has the type .* weights must be floating-point"):
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
@pytest.mark.parametrize(
    "content, message",
    [
        ({"state_dict": {"w": torch.ones(1)}, "model": {"w": torch.ones(1)}}, "holds more than one table of tensors"),
        ({"state_dict": {"w": torch.ones(1)}, "w": torch.ones(1)}, "holds more than one table of tensors"),
        ({"other": {"w": torch.ones(1)}}, "holds no table of tensors"),
        ({}, "holds no table"),
        ([1], "holds no table"),
        (torch.ones(1), "holds no table"),
    ],
)
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
    """A list of lists, and byte strings, as in old files."""
    pairs = b"](](U\1w" + tensor() + b"ee"
    content = b"\x80\x02ccollections\nOrderedDict\n" + pairs + b"\x85R}U\x09_metadata}sb."
    assert_same(TorchFile(legacy(tmp_path, content)), {"w": torch.arange(4.0)})


# What is damaged --------------------------------------------------------------------------------------------------


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
        assert_refused(path, "checkpoint", "is damaged, cut short or not written by torch: ")


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
    """Without the checksum, which would catch the changes before the pickle is read."""
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


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"P",
        b"PK\3\4",
        b"PK\3\4" + bytes(100),
        b"PK\5\6" + bytes(18),
        b"version https://git-lfs.github.com/spec/v1\n",
        b"<!doctype html>",
        b"\x80",
        b"\x80\x02.",
        bytes(1000),
        pickle.dumps({"weights": 1}),
        pickle.dumps(MAGIC),
        pickle.dumps(MAGIC) + pickle.dumps(PROTOCOL),
        pickle.dumps(PROTOCOL) + pickle.dumps(MAGIC),
    ],
)
def test_other_files_are_one_sentence(tmp_path, content):
    (tmp_path / "x.bin").write_bytes(content)
    assert outcome(tmp_path / "x.bin") is None


def test_no_file_and_a_folder_are_one_sentence(tmp_path):
    assert outcome(tmp_path / "none.bin") is None and outcome(tmp_path) is None


# Zip files --------------------------------------------------------------------------------------------------------

GOOD = {"data.pkl": table(tensor()), "version": b"3\n", "data/0": DATA}


def test_compressed_entries_are_refused(tmp_path):
    bomb = {**GOOD, "data/0": bytes(10**8)}
    assert_refused(zip_of(tmp_path, bomb, compression=zipfile.ZIP_DEFLATED), "checkpoint", "'.*' is compressed")


@pytest.mark.parametrize(
    "root, name",
    [
        ("..", "x"),
        ("", "x"),
        (".", "x"),
        ("archive", "../x"),
        ("other", "x"),
        ("archive", "data/../../x"),
        ("archive/..", "x"),
        ("/archive", "x"),
    ],
)
def test_entries_outside_the_folder_are_refused(tmp_path, root, name):
    path = zip_of(tmp_path, GOOD)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(f"{root}/{name}", b"x")
    assert_refused(path, "checkpoint", "lies outside its one folder")


def test_an_entry_twice_is_refused(tmp_path):
    path = zip_of(tmp_path, GOOD)
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning):
        file.writestr("archive/data/0", DATA)
    assert_refused(path, "checkpoint", "'archive/data/0' lies outside its one folder")


@pytest.mark.parametrize("absent", ["data.pkl", "data/0"])
def test_an_entry_that_is_not_there_is_told(tmp_path, absent):
    path = zip_of(tmp_path, {name: content for name, content in GOOD.items() if name != absent})
    assert_refused(path, "checkpoint", f"it has no entry '{absent}'")


def central(content, name, offset, fmt, value):
    """The file with a field of an entry in the table of contents changed."""
    out = bytearray(content)
    at = content.rindex(b"PK\1\2", 0, content.rindex(name))
    struct.pack_into(fmt, out, at + offset, value)
    return bytes(out)


@pytest.mark.parametrize(
    "offset, fmt, value, message",
    [
        (42, "<I", 0, "overlaps another"),
        (42, "<I", 2**31, "beyond the file"),
        (42, "<I", 5, "no header|overlaps another"),
        (24, "<I", 2**31, "compressed"),
        (20, "<I", 2**31, "compressed"),
        (8, "<H", 1, "compressed or encrypted"),
        (10, "<H", 99, "compressed"),
        (16, "<I", 12345, "checksum"),
        (6, "<H", 255, "table of contents"),
    ],
)
def test_a_changed_table_of_contents(tmp_path, offset, fmt, value, message):
    path = zip_of(tmp_path, GOOD)
    path.write_bytes(central(path.read_bytes(), b"archive/data/0", offset, fmt, value))
    with pytest.raises(BertrError, match=message):
        TorchFile(path).read("w")


def test_entries_that_overlap_are_refused(tmp_path):
    """Both sizes of an entry include the entry after it."""
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
    path.write_bytes(central(changed, b"archive/data/0", 16, "<I", 0))  # as torch writes it without checksums
    np.testing.assert_array_equal(TorchFile(path).read("w"), np.frombuffer(DATA[::-1], "<f4"))


def test_a_long_table_of_contents_is_not_read(tmp_path):
    path = tmp_path / "x.bin"
    with zipfile.ZipFile(path, "w") as file:
        for i in range(80):
            file.writestr(f"archive/{i}" + "x" * 60_000, b"")
    assert_refused(path, "checkpoint", "table of contents")
