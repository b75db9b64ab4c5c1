"""The float type that the encoder's blocks compute in.

Weights, the optimizer, embeddings, softmax, LayerNorm's statistics, heads and losses are float32 in any case. Half
precision is for GPUs and TPUs; processors compute it, too, but slowly.
"""

import contextlib
import contextvars
import os
from collections.abc import Iterator

from ..errors import BertrError
from . import onednn
from .backend import BACKEND, first_device

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
AMPERE = 8.0  # the first compute capability of NVIDIA with products of bfloat16

LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")  # environment variables
WITHOUT_HALF = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2")  # their values

_session = ["auto"]  # the user's setting for everything that names no precision
_current: contextvars.ContextVar[str | None] = contextvars.ContextVar("precision", default=None)


def best_on(kind: str, capability: float | None) -> str:
    """The precision to use on a device. With the range of float32, bfloat16 needs no loss scaling, so it comes first.

    Args:
        kind: "cpu", "gpu" or "tpu".
        capability: NVIDIA's compute capability, as 8.6; None if the device has none.

    Returns:
        "float32", "bfloat16" or "float16"; "float32" on devices that are not known.
    """
    if kind == "tpu":
        return "bfloat16"
    if kind != "gpu" or capability is None:
        return "float32"
    return "bfloat16" if capability >= AMPERE else "float16"


def use_precision(name: str) -> None:
    """Sets the session's precision; `name` is one of PRECISIONS."""
    _session[0] = name


def resolved(name: str | None = None) -> str:
    """The float type that `name` means: one of PRECISIONS, where "auto" and None are the session's."""
    if name in (None, "auto"):
        name = _session[0]
    return best_on(*first_device()) if name == "auto" else checked(name)


def checked(name: str) -> str:
    """A float type, if it can be computed.

    Raises:
        BertrError: precision, for half precision where it would end the process: TensorFlow hands oneDNN the products
            of a processor with AVX-512 even if oneDNN is limited to instructions that have none.
    """
    limit = next((variable for variable in LIMITS if os.environ.get(variable, "").upper() in WITHOUT_HALF), None)
    on_onednn = BACKEND == "tensorflow" and first_device()[0] == "cpu" and onednn.is_on() is not False
    if name != "float32" and limit and on_onednn and _has_avx512():
        raise BertrError(
            "precision",
            f"{name} cannot be computed, as {limit} is {os.environ[limit]}.",
            'Unset it, or use precision = "float32".',
        )
    return name


def _has_avx512():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            return " avx512f " in f.read()
    except OSError:  # not Linux
        return True


def current() -> str:
    """The float type to compute in now."""
    return _current.get() or resolved()


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Context with this float type as `current()`."""
    token = _current.set(precision)
    try:
        yield
    finally:
        _current.reset(token)
