"""Safetensors files, read and written, against the library safetensors and against files that Python writes."""

import os

import numpy as np
import pytest
from safetensors.numpy import load

from bertr.safetensors_file import load_tensors, save_tensors

TENSORS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3).T,  # not contiguous
    "é": np.float64(0.1) * np.ones((2, 1, 2)),
    "none": np.empty((0, 4), np.float32),
    "one": np.array(7, np.int64),
    "small": np.array([1, -2], np.int8),
    "half": np.array([1.5], np.float16),
    "key": np.array([2**32 - 1], np.uint32),
}


def test_the_library_reads_what_is_written(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(TENSORS, str(path))
    for found in (load(path.read_bytes()), load_tensors(str(path))):
        assert set(found) == set(TENSORS)
        for name, array in TENSORS.items():
            assert found[name].dtype == array.dtype and found[name].shape == array.shape
            np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_a_file_has_the_permissions_of_any_new_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        save_tensors(TENSORS, str(tmp_path / "ours"))
        (tmp_path / "other").write_bytes(b"")
    finally:
        os.umask(before)
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "other").stat().st_mode


class Killed(BaseException):
    pass


class Bad(dict):
    def values(self):
        yield TENSORS["a"]
        raise Killed


def test_a_killed_save_leaves_no_file_of_another_name(tmp_path):
    with pytest.raises(Killed):
        save_tensors(Bad(TENSORS), str(tmp_path / "x"))
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="This system has no full device.")
def test_a_full_disk_is_an_error_of_the_system():
    with pytest.raises(OSError, match="No space left") as e:
        save_tensors(TENSORS, "/dev/full")
    assert e.value.errno == 28
