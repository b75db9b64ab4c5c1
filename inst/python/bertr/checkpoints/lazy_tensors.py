"""A checkpoint's tensors, which need not lie in memory while a network holds the same numbers."""

import collections.abc


class Tensors(collections.abc.Mapping):
    """Canonical name -> float32 array. Those that were let go are made again when one is next asked for."""

    def __init__(self, arrays):
        self.shapes = {name: array.shape for name, array in arrays.items()}
        self._held, self._again = dict(arrays.items()), None

    def release(self, names, again):
        """Forgets these; `again()` gives them anew. The others are held from now on."""
        if not self.shapes.keys() - names <= self._held.keys():
            self.reload()  # while what had them can still be asked
        # copies, because an array may be part of one that holds all
        self._held = {name: array.copy() for name, array in self._held.items() if name not in names}
        self._again = again

    def reload(self):
        """Makes those that were let go again."""
        if len(self._held) < len(self.shapes):
            self._held |= self._again()

    def items(self):
        """All of them; what is made anew for it is not kept."""
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
