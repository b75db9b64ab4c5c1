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

    def call(self, x: Any, owner: Any) -> Any:
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

    def call(self, x: Any, owner: Any) -> Any:  # owner [windows]: the row of the batch
        rows = ops.max(owner) + 1
        if self.kind == "max":
            return ops.segment_max(x, owner, num_segments=rows)
        weights = ops.ones_like(x[:, :1])
        if self.query:
            score = self.query(x)  # [windows, 1]
            weights = ops.exp(score - ops.take(ops.segment_max(score, owner, num_segments=rows), owner, axis=0))
        total = ops.segment_sum(weights, owner, num_segments=rows)
        return ops.segment_sum(weights * x, owner, num_segments=rows) / total

    def width(self, hidden: int) -> int:
        return hidden
