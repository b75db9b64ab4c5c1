"""What every task says of itself. The engine (`train.py`, `infer.py`, `store.py`) knows tasks only through this."""

import numpy as np


class Task:
    """A task: how R's targets become arrays, which head, which loss, which measures, how outputs become columns.

    `spec` is plain JSON and enough to make the task again; R's own part of it (column names) stays in R.
    """

    name = None
    per_token = False  # the head reads every token's state, not one vector a row
    needs_offsets = False  # `decode` reads `encodings.start` and `encodings.end`

    def __init__(self, spec):
        self.spec = spec

    @classmethod
    def from_target(cls, target):
        """The task for these training targets, as they came over the bridge."""
        raise NotImplementedError

    def targets(self, target, encodings):
        """Arrays to train on: [rows, ...], or [tokens, ...] as in `encodings`."""
        raise NotImplementedError

    def batch(self, targets, encodings, rows):
        """The targets of some rows, as `loss` takes them; a task of [tokens, ...] pads them to [batch, length]."""
        return targets[rows]

    def head(self, config, units, dropout, seed):
        """The layer from features to outputs."""
        raise NotImplementedError

    def start_rows(self, head, targets, rng):
        """The rows whose features the head is started from; None where it is left as it is, at random."""

    def start_head(self, head, features, targets):
        """Starts the head from the frozen encoder's features of `start_rows` and their targets."""

    def loss(self, targets, outputs):
        """The loss of each row, [batch]."""
        raise NotImplementedError

    def measures(self, targets, outputs):
        """Named measures over all rows, larger is better, the main one first; numpy in, floats out."""
        raise NotImplementedError

    def judge(self, targets, outputs, encodings):
        """Loss and measures on validation rows; targets and outputs are [rows, ...], or [tokens, ...] if per token."""
        return {"loss": float(np.mean(self.loss(targets, outputs))), **self.measures(targets, outputs)}

    def decode(self, outputs, encodings, a, b):
        """Columns for R, one entry a row, as arrays or lists; `a` and `b` are the texts themselves."""
        raise NotImplementedError
