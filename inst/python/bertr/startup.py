"""Settings that TensorFlow and JAX read when they start: oneDNN, the number of threads and how GPU memory is taken. All
are environment variables; values that the user has set take precedence.

By default TensorFlow uses oneDNN only on x86 processors with VNNI; without it bertr takes 1.3 to 1.6 times as long
(`bench/limits.md`). On other architectures, such as ARM, TensorFlow's default stays.
"""

import math
import os
import platform
import sys

from .errors import BertrError

STARTED_BEFORE = "tensorflow" in sys.modules
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")  # within an operation, and between operations
GROWTH = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # not all of the GPU at once
CGROUP = "/sys/fs/cgroup"


def usable_processors(root: str = CGROUP) -> int:
    """The number of processors this process may use, by its CPU affinity and its cgroups' limit."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(bound, _cgroup_limit(root))))


def _cgroup_limit(root):
    """The limit of the control groups of a container or job scheduler, versions 2 and 1."""
    limits = [math.inf]
    for folder in _cgroup_folders(root):
        quota, period = (_words(os.path.join(folder, "cpu.max")) + ["max", "1"])[:2]
        limits.append(_ratio(quota, period))
    for folder in (os.path.join(root, "cpu"), os.path.join(root, "cpu,cpuacct")):
        quota, period = (_words(os.path.join(folder, name)) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
        limits.append(_ratio(*quota[:1], *period[:1]) if quota and period else math.inf)
    return min(limits)


def _cgroup_folders(root):
    """The process's group and its ancestors, each with its own limit. In a container only `root` exists."""
    group = next((line[3:] for line in _words("/proc/self/cgroup") if line.startswith("0::")), "/")
    parts = [part for part in group.split("/") if part]
    return [os.path.join(root, *parts[:n]) for n in range(len(parts) + 1)]


def _words(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read().split()
    except OSError:
        return []


def _ratio(quota, period):
    """Processors; "max", or -1 in version 1, means no limit."""
    return int(quota) / int(period) if quota.isdigit() and int(period) > 0 else math.inf


def threads() -> int:
    """The number of threads of a TensorFlow operation."""
    return int(os.environ[THREADS[0]])


def notes() -> list[str]:
    """Notes about settings that came too late, because TensorFlow had already started."""
    return list(_notes)


def _prepare():
    for name, value in GROWTH.items():
        os.environ.setdefault(name, value)
    if platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    wanted = os.environ.get("BERTR_THREADS")
    if wanted is None:
        for name in THREADS:
            os.environ.setdefault(name, str(usable_processors()))
        return
    if not wanted.isdecimal() or int(wanted) < 1:
        raise BertrError(
            "threads",
            f"BERTR_THREADS must be a whole number of at least 1, not '{wanted}'.",
            "It sets the number of threads; unset it to use all processors.",
        )
    # also NumPy's threads, which `bert_similarity()` uses
    os.environ.update({name: str(int(wanted)) for name in (*THREADS, "OPENBLAS_NUM_THREADS")})
    if STARTED_BEFORE:
        _set_late(int(wanted))


def _set_late(count):
    """Sets the number of threads after TensorFlow was imported, which works until its first computation."""
    threading = sys.modules["tensorflow"].config.threading
    try:
        threading.set_intra_op_parallelism_threads(count)
        threading.set_inter_op_parallelism_threads(count)
    except RuntimeError:
        _notes.append("TensorFlow had already started before bertr, so the number of threads was not changed.")


_notes = []
_prepare()
