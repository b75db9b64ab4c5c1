"""Only unused memory of TensorFlow's allocator returns to the system."""

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pages are returned on Linux only")

ROOT = os.path.join(os.path.dirname(__file__), "..", "..", "inst", "python")


def in_new_process(code, *args, **environment):
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *args],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ROOT, **environment},
    )
    assert out.returncode == 0, out.stderr
    return out.stdout.split()


@pytest.mark.parametrize("onednn", ["1", "0"])
def test_free_memory_goes_back_and_tensors_keep_their_numbers(onednn):
    # 64 tensors of 8 MB, every fourth of which is kept: free memory lies between what is in use
    had, free, after, same = in_new_process(
        """
        import numpy as np
        import tensorflow as tf
        from bertr.kernels.memory import release_memory

        def megabytes():
            return int(open("/proc/self/statm").read().split()[1]) * 4096 // 2 ** 20

        def numbers(k):
            return np.random.default_rng(k).random(2 ** 21, np.float32)

        before = megabytes()
        tensors = [tf.add(numbers(k), 0.0) for k in range(64)]
        print(megabytes() - before)
        tensors = tensors[::4]
        print(megabytes() - before)
        release_memory()
        print(megabytes() - before)
        again = [tf.add(numbers(k), 0.0) for k in range(64)]
        print(all((t.numpy() == numbers(4 * k)).all() for k, t in enumerate(tensors))
              and all((t.numpy() == numbers(k)).all() for k, t in enumerate(again)))
    """,
        TF_ENABLE_ONEDNN_OPTS=onednn,
    )
    assert int(had) > 500 and int(free) > 400  # the allocator does not return it by itself
    assert int(after) < 250  # 128 MB are in use
    assert same == "True"


def test_returning_memory_again_and_again_takes_no_more_of_it():
    # gaps of 6 MB: the allocator hands out a whole gap for a piece of 4 MB
    (grown,) = in_new_process(
        """
        import tensorflow as tf
        from bertr.kernels.memory import release_memory

        def megabytes():
            return int(open("/proc/self/statm").read().split()[0]) * 4096 // 2 ** 20

        tensors = [tf.zeros([3 * 2 ** 19]) for k in range(64)][::2]
        release_memory()
        before = megabytes()
        for _ in range(20):
            release_memory()
        print(megabytes() - before)
    """,
        TF_ENABLE_ONEDNN_OPTS="1",
    )
    assert int(grown) < 50


def test_models_that_were_loaded_and_left_take_no_memory(minilm):
    """A model and its scorers form a reference cycle."""
    (grown,) = in_new_process(
        """
        import sys
        from bertr import bridge

        def megabytes():
            return int(open("/proc/self/statm").read().split()[1]) * 4096 // 2 ** 20

        for k in range(8):
            model = bridge.load(sys.argv[1], {})
            bridge.embed(model, ["A text.", "Another one"], None, {}, None)
            if k == 3:
                before = megabytes()
        print(megabytes() - before)
    """,
        minilm,
    )
    assert int(grown) < 60  # four models of 87 MB
