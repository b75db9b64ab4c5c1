"""Settings when TensorFlow or JAX starts (oneDNN, threads, memory of GPUs), and a TensorFlow without the private
functions we use."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from bertr import startup

ROOT = os.path.join(os.path.dirname(__file__), "..", "..", "inst", "python")
OURS = ("TF_ENABLE_ONEDNN_OPTS", "BERTR_THREADS", "OPENBLAS_NUM_THREADS", *startup.THREADS, *startup.GROWTH)


def new_process(code, *argv, **environment):
    """What it prints, as JSON; of the settings it has only those given."""
    env = {k: v for k, v in os.environ.items() if k not in OURS}
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *argv],
        capture_output=True,
        text=True,
        env={**env, "PYTHONPATH": ROOT, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
    )
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout.splitlines()[-1])


SHOW = f"import json, os, bertr; print(json.dumps([os.environ.get(n) for n in {OURS!r}]))"


def test_onednn_is_on_and_the_user_has_the_last_word():
    x86 = startup.platform.machine().lower() in ("x86_64", "amd64")
    assert new_process(SHOW)[0] == ("1" if x86 else None)
    assert new_process(SHOW, TF_ENABLE_ONEDNN_OPTS="0")[0] == "0"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes are bound to processors on Linux only")
def test_threads_are_those_of_the_processors_that_may_be_used():
    bound = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    assert new_process(bound + SHOW)[3:5] == ["1", "1"]
    assert new_process(SHOW)[3:5] == [str(startup.usable_processors())] * 2
    assert new_process(SHOW, TF_NUM_INTRAOP_THREADS="7")[3] == "7"
    assert new_process(SHOW, BERTR_THREADS="3")[2:5] == ["3", "3", "3"]


def test_gpu_memory_is_taken_as_needed_unless_the_user_says_otherwise():
    assert new_process(SHOW)[5:] == ["true", "false"]
    own = {"TF_FORCE_GPU_ALLOW_GROWTH": "false", "XLA_PYTHON_CLIENT_PREALLOCATE": "true"}
    assert new_process(SHOW, **own)[5:] == ["false", "true"]


def test_both_backends_start_after_that_is_set():
    """With a made-up GPU: TensorFlow's own setting is in its C++ code, so its start is what is observed."""
    code = """
        import builtins, json, os, sys
        real, seen = builtins.__import__, {}

        def importing(name, *rest, **more):
            for package in ("tensorflow", "jax"):
                if name == package and package not in seen:
                    seen[package] = [os.environ.get(n) for n in sys.argv[1:]]
            return real(name, *rest, **more)

        builtins.__import__ = importing
        from bertr import bridge
        builtins.__import__ = real
        from jaxlib import xla_client
        print(json.dumps([seen, xla_client.generate_pjrt_gpu_plugin_options()["preallocate"]]))
    """
    for backend in ("tensorflow", "jax"):
        seen, preallocates = new_process(code, *startup.GROWTH, KERAS_BACKEND=backend)
        assert seen[backend] == ["true", "false"] and preallocates is False


@pytest.mark.parametrize("threads", ["0", "-1", "two", "1.5", ""])
def test_a_number_of_threads_that_is_none_is_refused(threads):
    said = new_process(
        """
        import json
        try:
            import bertr
            said = ""
        except Exception as e:
            said = type(e).__name__ + str(e)
        print(json.dumps(said))
    """,
        BERTR_THREADS=threads,
    )
    assert said.startswith("BertrError") and f"'{threads}'" in said


THREADS_IN_USE = """
    import json, os, sys
    import tensorflow as tf
    if len(sys.argv) > 1:
        tf.ones(3) + 1
    import bertr
    from bertr import startup
    x = tf.ones((1500, 1500))
    tf.matmul(x, x).numpy()
    print(json.dumps([len(os.listdir("/proc/self/task")), startup.notes()]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted on Linux")
def test_tensorflow_takes_as_many_threads():
    few, many = (new_process("import bertr\n" + textwrap.dedent(THREADS_IN_USE), BERTR_THREADS=n)[0] for n in "19")
    assert many - few >= 8


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted on Linux")
def test_a_tensorflow_that_was_imported_before_still_listens_and_one_that_computes_is_told_of():
    few, said = new_process(THREADS_IN_USE, BERTR_THREADS="1")
    many, _ = new_process(THREADS_IN_USE, BERTR_THREADS="9")
    assert many - few >= 8 and said == []
    _, said = new_process(THREADS_IN_USE, "computes", BERTR_THREADS="9")
    assert len(said) == 1 and "threads" in said[0]


@pytest.mark.parametrize(
    "files, processors",
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, 64),
        ({}, 64),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
        ({"cpu.max": "400000 100000", "job/cpu.max": "300000 100000"}, 3),
    ],
)
def test_limits_of_control_groups(files, processors, tmp_path, monkeypatch):
    """Files as the kernel's documentation shows them (admin-guide/cgroup-v2.rst, scheduler/sched-bwc.rst), and 64
    processors to which the process is bound."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n")
    own = "0::/job" if (tmp_path / "job").exists() else "0::/"
    words = startup._words
    monkeypatch.setattr(startup, "_words", lambda path: [own] if path == "/proc/self/cgroup" else words(path))
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    assert startup.usable_processors(str(tmp_path)) == processors


def test_a_tensorflow_without_the_private_modules_runs_without_their_operations(minilm):
    """Like a future version that has moved them; the vectors are the same."""
    code = """
        import builtins, json, sys
        import numpy as np
        blocked, real = sys.argv[2] == "blocked", builtins.__import__

        def importing(name, globals=None, *rest, **more):
            ours = (globals or {}).get("__name__", "").startswith("bertr.")
            if blocked and ours and name.startswith("tensorflow.python"):
                raise ImportError(name)
            return real(name, globals, *rest, **more)

        builtins.__import__ = importing
        from bertr import bridge
        from bertr.kernels import onednn
        model = bridge.load(sys.argv[1], {})
        values = bridge.embed(model, ["A man is eating food.", "Rain."], None, {}, None)["values"]
        print(json.dumps([onednn.is_on(), onednn.has("_MklLayerNorm"), values.tolist()]))
    """
    on, has, values = new_process(code, minilm, "blocked")
    assert on is None and has is False
    _, _, expected = new_process(code, minilm, "open")
    np.testing.assert_allclose(values, expected, atol=1e-5)
