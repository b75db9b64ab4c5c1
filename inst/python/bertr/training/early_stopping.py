"""Early stopping: the best epoch by the validation rows, and its weights."""

import math

import numpy as np


class EarlyStopping:
    """The best epoch so far. Better is a larger main measure, of equal ones the smaller loss."""

    def __init__(self, patience):
        self.patience = patience
        self.epoch, self.score, self.weights = 0, None, []

    def update(self, row, variables):
        """An epoch's row of the history, and the variables as they were judged."""
        metrics = [v for name, v in row.items() if name.startswith("val_") and name != "val_loss"]
        score = [-math.inf if math.isnan(v) else v for v in (*metrics[:1], -row.get("val_loss", math.nan))]
        if self.score is None or score > self.score:
            self.epoch, self.score = row["epoch"], score
            self.weights = [np.array(v.value) for v in variables]

    def waited(self, epochs):
        """Has it not got better for long enough, after so many epochs?"""
        return self.score is not None and epochs - self.epoch >= self.patience

    def restore_best(self, variables):
        if self.weights:
            for variable, value in zip(variables, self.weights, strict=True):
                variable.assign(value)
