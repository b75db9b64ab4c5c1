"""What every task says of itself. The engine (`training/`, `nn/`, `store.py`) knows tasks only through this."""

import numpy as np

from ..errors import BertrError
from ..shapes import TABLE


class Task:
    """A task: how R's targets become arrays, which head, which loss, which metrics, how outputs become columns.

    `spec` is plain JSON and enough to make the task again; R's own part of it (column names) stays in R.
    """

    name = None
    shape = staticmethod(TABLE)  # of a `spec` that was kept (see shapes.py)
    per_token = False  # the head reads every token's state, not one vector a row
    needs_offsets = False  # `targets` or `decode` read `encodings.start` and `encodings.end`
    calibrates = False  # has a `calibrate`
    calibrates_on_training_rows = False  # where there are no other rows
    whole_vocabulary = False  # the head reads the whole word table, so all of it is trained
    not_in_graph = ()  # entries of `spec` on which neither outputs nor loss depend

    def __init__(self, spec):
        self.spec = spec

    @classmethod
    def from_target(cls, target, head_options):
        """The task for these training targets, as they came over the bridge, and these options of `bert_head()`."""
        raise NotImplementedError

    @property
    def kind(self):
        """All of the task that outputs and loss depend on but variables, as plain data."""
        spec = {name: value for name, value in self.spec.items() if name not in self.not_in_graph}
        if "levels" in spec:
            spec["levels"] = len(spec["levels"])  # their names do not matter
        return [self.name, spec]

    def plan(self, rows, hidden_size):
        """Its own defaults for so many training texts: some of epochs, learning_rate and batch_size."""
        return {}

    def encode(self, model, a, b, max_len):
        """The rows that the encoder reads. A task of tokens may cut long texts into windows: then
        `encodings.owner` tells each row's text."""
        return model.encode(a, b, max_len, offsets=self.needs_offsets)

    def targets(self, target, encodings):
        """(targets, notes): an array to train on, [rows, ...], or [tokens, ...] as in `encodings` (a task with its own
        `batch` and `evaluate` may take anything), and sentences for the user about them."""
        raise NotImplementedError

    def draw(self, samples, rng):
        """The samples with what is drawn at random of them: anew for every epoch of training, once for validation."""
        return samples

    def batch(self, targets, encodings, rows, ids, rng):
        """The targets of some rows, as `loss` takes them, and their padded `ids` [batch, length], changed where a
        task hides words. A task of [tokens, ...] pads its targets to the shape of `ids`."""
        return targets[rows], ids

    def head(self, config, head_options, dropout, seed):
        """The layer from features to outputs."""
        raise NotImplementedError

    def attach(self, head, backbone, tensors):
        """Gives the head what it needs of the encoder, and of the checkpoint's canonical `tensors`."""

    def start_rows(self, head, targets, rng):
        """The rows whose features the head is started from; None where it is left as it is, at random."""

    def start_head(self, head, features, targets):
        """Starts the head from the frozen encoder's features of `start_rows` and their targets."""

    def train_with(self, class_weights, label_smoothing, targets):
        """Completes `spec` from the targets of all training samples, and takes the settings of the training loss:
        `class_weights` are "balanced" or one number a class."""
        if class_weights is not None or label_smoothing:
            raise BertrError("task", f"The task '{self.name}' does not support class weights or label smoothing.",
                             "Leave both out of bert_control().")

    def training_loss(self, targets, outputs, head):
        """What training makes small, [batch]: the loss, and what `train_with` adds."""
        return self.loss(targets, outputs, head)

    def loss(self, targets, outputs, head):
        """The loss of each row, [batch]; `head` is the layer that gave the outputs."""
        raise NotImplementedError

    def metrics(self, targets, outputs):
        """Named measures over all rows, larger is better, the main one first; numpy in, floats out."""
        raise NotImplementedError

    def evaluate(self, targets, outputs, encodings, head):
        """Loss and measures on validation rows; targets and outputs are [rows, ...], or [tokens, ...] if per token."""
        return {"loss": float(np.mean(self.loss(targets, outputs, head))), **self.metrics(targets, outputs)}

    def validate(self, samples, score, head):
        """The same for samples; `score(encodings)` gives the outputs."""
        return self.evaluate(samples.targets, score(samples.encodings), samples.encodings, head)

    def hold_out(self, targets, rng):
        """Sorted places of the rows to hold out of training for `calibrate`, if there are no validation rows."""
        return np.zeros(0, np.int64)

    def calibrate(self, targets, outputs, encodings, head):
        """After training: completes `spec`, as by thresholds, from rows that `calibrates_on_training_rows` tells."""

    def decode(self, outputs, encodings, a, b, head):
        """Columns for R, one entry a text, as arrays or lists; `a` and `b` are the texts themselves."""
        raise NotImplementedError

    def tensors(self, head):
        """Canonical tensors in the head, of a task that goes on with pre-training: a checkpoint holds them too."""
        return {}
