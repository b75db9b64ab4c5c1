"""The float type that the encoder's blocks compute in.

Weights, the optimizer, embeddings, softmax, LayerNorm's statistics, heads and losses are float32 in any case. Half
precision is for GPUs and TPUs; processors compute it, too, but slowly.
"""

import contextlib
import contextvars
from collections.abc import Iterator

from .backend import first_device

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
AMPERE = 8.0  # the first compute capability of NVIDIA with products of bfloat16

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
    return best_on(*first_device()) if name == "auto" else name


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
