"""Assignments that depend on a value that is known only when the graph runs."""

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from .backend import BACKEND

if BACKEND == "tensorflow":
    import tensorflow as tf

    def only_if(condition: Any, act: Callable[[], Any], variables: Sequence[Any]) -> None:
        """Does `act()`, which assigns to Keras variables among `variables`, if the bool scalar `condition` is true."""

        def run():
            act()
            return ()

        tf.cond(condition, run, lambda: ())

else:

    def only_if(condition: Any, act: Callable[[], Any], variables: Sequence[Any]) -> None:
        before = [ops.convert_to_tensor(v) for v in variables]
        act()
        for variable, value in zip(variables, before, strict=True):
            # `jnp.where` would read a variable's value from before the graph
            variable.assign(ops.where(condition, ops.convert_to_tensor(variable), value))
