"""Of the word vectors, only those of the tokens at hand are trained as a variable: the other rows have no gradient,
and AdamW does nothing to them but decay. The result is the same, the step no longer depends on the vocabulary's size.
"""

import numpy as np
from keras import ops

from ..kernels.compiled import WORD_ROWS, new_variable


class WordRows:
    """The rows of a word table [vocabulary, hidden] that these token ids use, as a smaller table."""

    def __init__(self, table, ids):
        self.table = table
        self.ids = np.unique(ids)
        self.rows = new_variable(ops.take(table, self.ids, axis=0), WORD_ROWS)  # [tokens in use, hidden]
        self.row_of = np.zeros(table.shape[0], np.int32)
        self.row_of[self.ids] = np.arange(len(self.ids))
        self.decayed = 1.0

    def write_back(self, decay):
        """Brings the whole table up to date; `decay` is what weight decay has left of an untouched number so far."""
        with np.errstate(over="ignore"):  # after a rate far too high; the loss tells of it
            left = np.float32(decay / self.decayed)
        self.table.assign(ops.scatter_update(self.table * left, self.ids[:, None], self.rows))
        self.decayed = decay
