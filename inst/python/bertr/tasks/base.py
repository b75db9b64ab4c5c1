"""What every task says of itself. The engine (`train.py`, `infer.py`, `store.py`) knows tasks only through this."""


class Task:
    """A task: how R's targets become arrays, which head, which loss, which measures, how outputs become columns.

    `spec` is plain JSON and enough to make the task again; R's own part of it (column names) stays in R.
    """

    name = None
    per_token = False  # the head reads every token's state, not one vector a row

    def __init__(self, spec):
        self.spec = spec

    @classmethod
    def from_target(cls, target):
        """The task for these training targets, as they came over the bridge."""
        raise NotImplementedError

    def targets(self, target, encodings):
        """Arrays to train on; the first axis is rows, or tokens as in `encodings` where `per_token`."""
        raise NotImplementedError

    def head(self, config, units, dropout, seed):
        """The layer from features to outputs."""
        raise NotImplementedError

    def start_head(self, head, features, targets):
        """Starts the head from the frozen encoder's features, where the task knows something better than chance."""

    def loss(self, targets, outputs):
        """The loss of each row, [batch]."""
        raise NotImplementedError

    def measures(self, targets, outputs):
        """Named measures over all rows, larger is better, the main one first; numpy in, floats out."""
        raise NotImplementedError

    def decode(self, outputs, encodings):
        """Columns for R, one entry a row."""
        raise NotImplementedError
