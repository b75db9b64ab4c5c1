"""The interface of tasks. The engine (`training/`, `nn/`, `store.py`) uses tasks only through it."""

import dataclasses
from typing import Any

import numpy as np
from keras import ops

from ..errors import BertrError
from ..shapes import TABLE


@dataclasses.dataclass
class Picks:
    """The outputs whose sum is explained, ordered by text. Each output is first multiplied by `scale`."""

    text: np.ndarray  # int [n], ascending; every text has at least one
    place: np.ndarray  # int [n]: which output, that is, which text, or which token if the task is per token
    code: np.ndarray  # int [n]: which number of this output
    scale: np.ndarray  # float [n]
    shift: np.ndarray  # float [texts], added to the sum
    label: list  # of str [texts]: the name of what is explained
    words: list  # of str [texts]: the part of the text that it is said of, "" for all of it


def picks_of_texts(code, label, scale: Any = 1.0, shift: Any = 0.0):
    """Picks of one output per text. `code`: int [texts]; `label`: list of str [texts]; `scale` and `shift`: one number
    or [texts]."""
    n = len(code)
    scale, shift = (np.broadcast_to(np.asarray(x, np.float64), n) for x in (scale, shift))
    return Picks(np.arange(n), np.arange(n), np.asarray(code), scale, shift, label, [""] * n)


def picked(outputs, codes):  # [n, classes], [n] -> [n]
    return ops.take_along_axis(outputs, codes[:, None], axis=1)[:, 0]


def log_odds(outputs, codes):
    """log(p / (1 - p)) of the probability p of these codes by softmax, [n]: unlike the outputs themselves, it stays the
    same if all outputs of a row grow by the same number."""
    own = ops.one_hot(codes, outputs.shape[1], dtype="float32")
    return picked(outputs, codes) - ops.logsumexp(outputs - 1e9 * own, axis=1)


class Task:
    """A task: converts R's targets to arrays, defines head, loss and metrics, and converts outputs to columns.

    `spec` is plain JSON that fully determines the task; R's own part (column names) stays in R.
    """

    name = None
    shape = staticmethod(TABLE)  # of a saved `spec` (see shapes.py)
    per_token = False  # the head reads the state of every token, not one vector per row
    needs_offsets = False  # `targets` or `decode` read `encodings.start` and `encodings.end`
    calibrates = False  # whether there is a `calibrate`
    calibrates_on_training_rows = False  # if there are no other rows
    whole_vocabulary = False  # the head reads the whole word table, so all of it is trained
    not_in_graph = ()  # entries of `spec` that affect neither outputs nor loss
    evaluated = ()  # columns of `decode` that `metric_table` takes
    explains = False  # whether there is a `picks`

    def __init__(self, spec):
        self.spec = spec

    @classmethod
    def from_target(cls, target, head_options):
        """The task for these training targets (a dict of columns from R) and these options of `bert_head()`."""
        raise NotImplementedError

    @property
    def kind(self):
        """Everything that outputs and loss depend on except variables, as plain data."""
        spec = {name: value for name, value in self.spec.items() if name not in self.not_in_graph}
        if "levels" in spec:
            spec["levels"] = len(spec["levels"])  # only their number matters
        return [self.name, spec]

    def plan(self, rows, hidden_size):
        """The task's defaults for this number of training texts: any of epochs, learning_rate and batch_size."""
        return {}

    def encode(self, model, a, b, max_len):
        """The Encodings that the encoder reads. A task per token may split long texts into windows: then
        `encodings.owner` is the text of each row."""
        return model.encode(a, b, max_len, offsets=self.needs_offsets)

    def pieces(self, model, a, b, max_len):
        """The same, where `start` and `end` are those of every piece. Only for tasks with `explains`."""
        return model.encode(a, b, max_len, offsets=True)

    def targets(self, target, encodings):
        """(targets, notes): an array, [rows, ...], or [tokens, ...] aligned with `encodings` (anything, if the task
        overrides `batch` and `evaluate`), and a list of notes for the user."""
        raise NotImplementedError

    def draw(self, samples, rng):
        """The Samples after random choices, such as masking: called for every epoch of training, once for
        validation."""
        return samples

    def batch(self, targets, encodings, rows, ids, rng):
        """(targets, ids): the targets of some rows in the form that `loss` takes, and their padded `ids` [batch,
        length], which the task may change."""
        return targets[rows], ids

    def head(self, config, head_options, dropout, seed):
        """The Keras layer from features to outputs."""
        raise NotImplementedError

    def attach(self, head, backbone, tensors):
        """Passes parts of the encoder and of the checkpoint's canonical `tensors` to the head."""

    def start_rows(self, head, targets, rng):
        """The rows whose features initialize the head; None keeps the random initialization."""

    def start_head(self, head, features, targets):
        """Initializes the head from the frozen encoder's features of `start_rows` and their targets."""

    def train_with(self, class_weights, label_smoothing, targets):
        """Completes `spec` from the targets of all training samples and the settings of the training loss.
        `class_weights`: None, "balanced" or one number per class.

        Raises:
            BertrError: task, if the task does not support a setting.
        """
        if class_weights is not None or label_smoothing:
            raise BertrError(
                "task",
                f"The task '{self.name}' does not support class weights or label smoothing.",
                "Leave both out of bert_control().",
            )

    def training_loss(self, targets, outputs, head):
        """The loss that training minimizes, [batch]: `loss` with the settings of `train_with`."""
        return self.loss(targets, outputs, head)

    def loss(self, targets, outputs, head):
        """The loss of each row, [batch]; `head` is the layer that computed the outputs."""
        raise NotImplementedError

    def metrics(self, targets, outputs):
        """{name: value} of metrics over all validation rows, higher is better, the main one first; numpy in, floats
        out. All arithmetic is in `tasks/metrics.py`, as that of `metric_table`."""
        raise NotImplementedError

    def evaluate(self, targets, outputs, encodings, head):
        """Loss and metrics on validation rows; targets and outputs are [rows, ...], or [tokens, ...] if per token."""
        return {"loss": float(np.mean(self.loss(targets, outputs, head))), **self.metrics(targets, outputs)}

    def validate(self, samples, score, head):
        """As `evaluate`, for Samples; `score(encodings)` returns the outputs."""
        return self.evaluate(samples.targets, score(samples.encodings), samples.encodings, head)

    def hold_out(self, targets, rng):
        """Sorted indices of rows to hold out of training for `calibrate`, if there are no validation rows."""
        return np.zeros(0, np.int64)

    def calibrate(self, targets, outputs, encodings, head):
        """Completes `spec` after training, for example thresholds. Training rows are used only if
        `calibrates_on_training_rows`."""

    def recalibrate(self, targets, outputs, encodings, head, threshold):
        """Calibrates a finished fit anew on other rows; only for tasks of labels of texts.

        Args:
            targets, outputs, encodings, head: as in `calibrate`.
            threshold: None, or for two classes {"event": class from 0, "measure": a name in MEASURES}.
        """
        raise NotImplementedError

    def decode(self, outputs, encodings, a, b, head):
        """Columns for R, arrays or lists with one entry per text; `a` and `b` are the texts."""
        raise NotImplementedError

    def predictions(self, encodings, score, a, b, head, seed):
        """Predictions for other texts, to be compared with their outcomes: a dict for `Predictions.add`.
        `score(encodings)` returns the outputs; `seed` is for random choices."""
        columns = self.decode(score(encodings), encodings, a, b, head)
        return {name: columns[name] for name in self.evaluated}

    def metric_table(self, truth, predictions, event):
        """All metrics of predictions, columns for R (see `metrics.table`).

        Args:
            truth: the outcomes, a dict as the task's target; unseen labels come after those of training.
            predictions: a dict, the joined `predictions` of all texts.
            event: the class for which precision and recall are wanted, or None.
        """
        raise NotImplementedError

    def picks(self, outputs, encodings, a, b, head, classes):
        """The outputs to explain (see explain.py).

        Args:
            outputs, encodings, a, b, head: as for `decode`.
            classes: int [texts], the class to explain; -1: the task chooses.

        Returns:
            A Picks.
        """
        raise NotImplementedError

    def explained(self, outputs, codes):
        """The numbers to explain, [n], from outputs [n, ...] in their unit (see Picks) and `codes`, int [n]."""
        return picked(outputs, codes)

    def class_counts(self, truth, predictions):
        """The Counts of every label; arguments as in `metric_table`. Only tasks with labels of texts have it, as
        `label_scores`."""
        raise NotImplementedError

    def label_scores(self, truth, predictions):
        """(truth, probability) of the labels of training, bool and float [rows, labels]; arguments as in
        `metric_table`. A row with an unseen label has none of them."""
        raise NotImplementedError

    def tensors(self, head):
        """Canonical tensors of the head that are saved in a checkpoint; only pre-training tasks have any."""
        return {}
