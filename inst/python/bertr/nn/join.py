"""One vector per text from the vectors of its rows: the windows of a long text, or the two texts of a pair.

Source of the learned form: hierarchical attention over windows, Yang et al. 2016 and Pappagari et al. 2019.
"""

from typing import Any

import keras
from keras import ops


def make_join(head_options: dict[str, Any]) -> "Pair | Windows | None":
    """The layer for these options; None if every row is a text.

    Args:
        head_options: dict, see `read_head_options`.

    Returns:
        A Pair, Windows or None.
    """
    if head_options["pair"] == "cosine":
        return Pair(name="join")
    if head_options["long"] == "window":
        return Windows(head_options["windows"], name="join")
    return None


class Pair(keras.layers.Layer):
    """Concatenates the vectors of both texts: [2 * batch, hidden] -> [batch, 2 * hidden]."""

    def call(self, x: Any, first: Any) -> Any:
        return ops.reshape(x, (-1, 2 * x.shape[-1]))

    def width(self, hidden: int) -> int:
        return 2 * hidden


class Windows(keras.layers.Layer):
    """Mean, maximum or a learned weighted mean of a text's windows: [windows, hidden] -> [batch, hidden]."""

    def __init__(self, kind: str, **kwargs: Any):
        super().__init__(dtype="float32", **kwargs)
        self.kind = kind
        # zeros: all windows start with equal weights
        self.query = (
            keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="query")
            if kind == "attention"
            else None
        )

    def build(self, shape: tuple[int | None, ...]) -> None:
        if self.query:
            self.query.build(shape)
        self.built = True

    def call(self, x: Any, first: Any) -> Any:  # first [batch + 1]: see `Network.call`
        batch = ops.shape(first)[0] - 1
        window = ops.arange(ops.shape(x)[0], dtype="int32")
        # windows of no text get the number `batch`; Keras 3.4 has no `searchsorted`
        owner = ops.sum(ops.cast(first[1:] <= window[:, None], "int32"), axis=1)  # [windows]

        def total(values):
            return ops.segment_sum(values, owner, num_segments=batch + 1)[:batch]

        def largest(values):
            return ops.segment_max(values, owner, num_segments=batch + 1)

        if self.kind == "max":
            return largest(x)[:batch]
        weights = ops.ones_like(x[:, :1])
        if self.query:
            score = self.query(x)  # [windows, 1]
            weights = ops.exp(score - ops.take(largest(score), owner, axis=0))
        return total(weights * x) / total(weights)

    def width(self, hidden: int) -> int:
        return hidden
