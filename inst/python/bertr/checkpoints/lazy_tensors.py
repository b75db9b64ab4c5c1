"""A checkpoint's tensors, which can be freed while a network holds the same numbers."""

import collections.abc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


class Tensors(collections.abc.Mapping):
    """Canonical name -> float32 array. Released arrays are restored on access."""

    def __init__(self, arrays: "collections.abc.Mapping[str, np.ndarray]"):
        self.shapes = {name: array.shape for name, array in arrays.items()}
        self._held, self._again = dict(arrays.items()), dict

    def release(self, names: collections.abc.Collection[str], again: collections.abc.Callable[[], Any]) -> None:
        """Frees the arrays with these names; `again()` returns them again. The others stay in memory."""
        if not self.shapes.keys() - names <= self._held.keys():
            self.reload()  # while their previous source still exists
        # copies, because the arrays may be views of one large array
        self._held = {name: array.copy() for name, array in self._held.items() if name not in names}
        self._again = again

    def reload(self) -> None:
        """Restores the released arrays."""
        if len(self._held) < len(self.shapes):
            self._held |= self._again()

    def items(self) -> "collections.abc.ItemsView[str, np.ndarray]":
        """All arrays; those restored for this call are not kept."""
        arrays = self._held if len(self._held) == len(self.shapes) else self._held | self._again()
        return {name: arrays[name] for name in self.shapes}.items()

    def __getitem__(self, name):
        if name in self.shapes and name not in self._held:
            self.reload()
        return self._held[name]

    def __contains__(self, name):
        return name in self.shapes

    def __iter__(self):
        return iter(self.shapes)

    def __len__(self):
        return len(self.shapes)
