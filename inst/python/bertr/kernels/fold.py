"""A loop over the first axis, whose length may be dynamic."""

from collections.abc import Callable
from typing import Any

from keras import ops

from .backend import BACKEND

if BACKEND == "tensorflow":
    import tensorflow as tf

    def fold(step: Callable[..., Any], start: Any, steps: Any) -> Any:
        """Not `ops.scan`, which fails in a graph if the number of steps is dynamic."""
        return tf.foldl(step, steps, start)

else:

    def fold(step: Callable[..., Any], start: Any, steps: Any) -> Any:
        return ops.scan(lambda state, at: (step(state, at), None), start, steps)[0]
