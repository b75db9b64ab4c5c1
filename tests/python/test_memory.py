"""Does freed memory go back to the system?"""

import platform

import pytest

from bertr.memory import release


def resident():
    """Memory of this process, MB."""
    with open("/proc/self/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_what_is_free_between_blocks_in_use_goes_back():
    blocks = [bytearray(2000) for _ in range(100_000)]  # 200 MB
    kept = blocks[::50]
    del blocks
    before = resident()
    release()
    assert resident() < before - 100 and len(kept) == 2000
