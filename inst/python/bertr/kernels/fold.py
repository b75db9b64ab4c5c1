"""A loop over the first axis, whose length may be dynamic."""

from collections.abc import Callable
from typing import Any

from keras import ops

from .backend import BACKEND

if BACKEND == "tensorflow":
    import tensorflow as tf

    def fold(step: Callable[..., Any], start: Any, steps: Any) -> Any:
        """The state after all steps. Not `ops.scan`, which fails in a graph if the number of steps is dynamic.

        Args:
            step: a function from a state and the entries of `steps` at one place to the next state.
            start: the first state.
            steps: tensors [steps, ...].

        Returns:
            The last state.
        """
        return tf.foldl(step, steps, start)

else:

    def fold(step: Callable[..., Any], start: Any, steps: Any) -> Any:
        return ops.scan(lambda state, at: (step(state, at), None), start, steps)[0]
