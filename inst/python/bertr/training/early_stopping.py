"""Early stopping: the best epoch on the validation rows, and its weights."""

import math
from typing import Any

import numpy as np


class EarlyStopping:
    """The best epoch so far: the one with the highest main metric; ties are decided by the lower loss."""

    def __init__(self, patience: int):
        self.patience = patience
        self.epoch, self.score, self.weights = 0, None, []

    def update(self, row: dict[str, Any], variables: list[Any]) -> None:
        """`row`: the epoch's row of the history; `variables`: as they were evaluated."""
        metrics = [v for name, v in row.items() if name.startswith("val_") and name != "val_loss"]
        score = [-math.inf if math.isnan(v) else v for v in (*metrics[:1], -row.get("val_loss", math.nan))]
        if self.score is None or score > self.score:
            self.epoch, self.score = row["epoch"], score
            self.weights = [np.array(v.value) for v in variables]

    def waited(self, epochs: int) -> bool:
        """Whether patience has run out after this number of epochs."""
        return self.score is not None and epochs - self.epoch >= self.patience

    def restore_best(self, variables: list[Any]) -> None:
        """Assigns the weights of the best epoch, if there is one; `variables` as in `update`."""
        if self.weights:
            for variable, value in zip(variables, self.weights, strict=True):
                variable.assign(value)
