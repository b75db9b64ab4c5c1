"""Training over several devices, on JAX: each device holds all weights and computes its share of a batch.

Keras 3 offers no way to do this with TensorFlow: its distribution API runs on JAX only.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import BertrError
from .backend import BACKEND

if BACKEND == "tensorflow":

    def check_devices(count: int | None) -> None:
        """Checks that a batch can be split over `count` devices; None is one.

        Raises:
            BertrError: devices.
        """
        if (count or 1) > 1:
            raise BertrError(
                "devices",
                f"`devices` is {count}, but Keras runs on TensorFlow, which can only train on one device here.",
                "Set KERAS_BACKEND to 'jax' and restart R, or leave `devices` out.",
            )

else:
    import jax
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    def check_devices(count: int | None) -> None:
        """As on TensorFlow."""
        found = len(jax.devices())
        if (count or 1) > found:
            raise BertrError(
                "devices",
                f"`devices` is {count}, but JAX has {found}.",
                f"Give at most {found}, or make more visible to JAX before Python starts.",
            )
        if jax.process_count() > 1 and 1 < (count or 1) < found:
            raise BertrError(
                "devices",
                f"`devices` is {count}, but the processes of JAX have {found}, which train together.",
                f"Set devices = {found} in each process, or leave `devices` out.",
            )

    class Devices:
        """The first `count` devices of JAX, of all its processes; None is one. One device is JAX's default: nothing is
        placed."""

        def __init__(self, count: int | None):
            self.count = count or 1
            if self.count == 1:
                self.split = self.copied = None
                return
            mesh = Mesh(np.array(jax.devices()[: self.count]), ("rows",))
            self.split, self.copied = NamedSharding(mesh, PartitionSpec("rows")), NamedSharding(mesh, PartitionSpec())

        def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
            """`function`, compiled; each device gets all of its results."""
            return jax.jit(function, out_shardings=self.copied)

        def copy(self, values: Any) -> Any:
            """The arrays of any structure, whole on every device."""
            return jax.tree.map(lambda x: self._placed(np.asarray(x), self.copied), values) if self.copied else values

        def even(self, samples: int) -> int:
            """The next number that can be split evenly."""
            return -(-samples // self.count) * self.count

        def share(self, array: np.ndarray) -> Any:
            """An array [rows, ...] with an equal part of its rows on each device."""
            return self._placed(array, self.split) if self.split else array

        def whole(self, value: Any) -> Any:
            """A result as an array of one device."""
            return np.asarray(value) if self.copied else value

        @staticmethod
        def _placed(array, sharding):
            # unlike `device_put`, also for devices of other processes, each of which has the same array
            return jax.make_array_from_callback(array.shape, sharding, lambda part: array[part])
