"""Trains only the word vectors of the tokens that occur. The other rows have no gradient, so AdamW only decays them,
which is done once at the end. The result is the same, but the cost of a step no longer depends on the vocabulary size.
"""

from typing import Any

import numpy as np
from keras import ops

from ..kernels.backend import WORD_ROWS
from ..kernels.compiled import new_variable


class WordRows:
    """The rows of a word table [vocabulary, hidden] that these token ids use, as a smaller table."""

    def __init__(self, table: Any, ids: np.ndarray):
        self.table = table
        self.ids = np.unique(ids)
        self.rows = new_variable(ops.take(table, self.ids, axis=0), WORD_ROWS)  # [tokens in use, hidden]
        self.row_of = np.zeros(table.shape[0], np.int32)
        self.row_of[self.ids] = np.arange(len(self.ids))
        self.decayed = 1.0

    def write_back(self, decay: float) -> None:
        """Updates the whole table; `decay` is the factor of weight decay so far for an entry without gradients."""
        with np.errstate(over="ignore"):  # if the rate is far too high; the loss check reports that
            left = np.float32(decay / self.decayed)
        self.table.assign(ops.scatter_update(self.table * left, self.ids[:, None], self.rows))
        self.decayed = decay
