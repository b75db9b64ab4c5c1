"""The interface of tasks. The engine (`training/`, `nn/`, `store.py`) uses tasks only through it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from ..errors import BertrError
from ..shapes import TABLE

if TYPE_CHECKING:
    from ..nn.backbone import Backbone
    from ..text.encodings import Encodings
    from .metrics import Counts
    from .samples import Samples


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


@dataclasses.dataclass
class Items:
    """Any number of items per text, such as entities: a list-column of tables in R."""

    text: np.ndarray  # int [items], the text of each item, ascending from 0
    columns: dict  # {name: one value per item, an array or a list of str}


def picks_of_texts(code: np.ndarray, label: list[str], scale: Any = 1.0, shift: Any = 0.0) -> Picks:
    """Picks of one output per text.

    Args:
        code: int [texts], which number of the output.
        label: list of str [texts], the name of what is explained.
        scale, shift: one number, or float [texts].

    Returns:
        A Picks.
    """
    n = len(code)
    scale, shift = (np.broadcast_to(np.asarray(x, np.float64), n) for x in (scale, shift))
    return Picks(np.arange(n), np.arange(n), np.asarray(code), scale, shift, label, [""] * n)


def picked(outputs: Any, codes: Any) -> Any:
    """The output with each row's code: [n, classes], int [n] -> [n]."""
    return ops.take_along_axis(outputs, codes[:, None], axis=1)[:, 0]


def count_rows(marks: Any) -> Any:
    """How many rows of a batch count: those without FILLER, from one target of each, which else is not negative.

    Args:
        marks: int [batch].

    Returns:
        float32 scalar.
    """
    return ops.sum(ops.cast(marks >= 0, "float32"))


def same_levels(levels: list[str], others: list[str]) -> list[int] | None:
    """The number of each level among the others; None if they are not the same levels."""
    return [others.index(level) for level in levels] if sorted(levels) == sorted(others) else None


def log_odds(outputs: Any, codes: Any) -> Any:
    """log(p / (1 - p)) of the probability p of these codes by softmax: unlike the outputs themselves, it stays the same
    if all outputs of a row grow by the same number.

    Args:
        outputs: float [n, classes].
        codes: int [n].

    Returns:
        Tensor [n].
    """
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
    watched = ()  # metrics of training rows that the history shows beside the loss, see `watch`
    explains = False  # whether there is a `picks`
    item: dict[str, str] | None = None  # the columns of `Items` and their kinds, see `table`; None: texts, no Items

    def __init__(self, spec: dict[str, Any]):
        self.spec = spec

    @classmethod
    def from_target(cls, target: dict[str, Any], head_options: dict[str, Any]) -> "Task":
        """The task for these training targets (a dict of columns from R) and these options of `bert_head()`."""
        raise NotImplementedError

    @property
    def kind(self) -> list[Any]:
        """Everything that outputs and loss depend on except variables, as plain data."""
        spec = {name: value for name, value in self.spec.items() if name not in self.not_in_graph}
        if "levels" in spec:
            spec["levels"] = len(spec["levels"])  # only their number matters
        return [self.name, spec]

    def plan(self, rows: int, hidden_size: int) -> dict[str, float]:
        """The task's defaults for this number of training texts: any of epochs, learning_rate and batch_size."""
        return {}

    def encode(self, model: Any, a: list[str], b: list[str] | None, max_len: int) -> "Encodings":
        """The Encodings that the encoder reads. A task per token may split long texts into windows: then
        `encodings.owner` is the text of each row."""
        return model.encode(a, b, max_len, offsets=self.needs_offsets)

    def pieces(self, model: Any, a: list[str], b: list[str] | None, max_len: int) -> "Encodings":
        """The same, where `start` and `end` are those of every piece. Only for tasks with `explains`."""
        return model.encode(a, b, max_len, offsets=True)

    def targets(self, target: dict[str, Any], encodings: "Encodings") -> tuple[Any, list[str]]:
        """(targets, notes): an array, [rows, ...], or [tokens, ...] aligned with `encodings` (anything, if the task
        overrides `batch` and `evaluate`), and a list of notes for the user."""
        raise NotImplementedError

    def draw(self, samples: "Samples", rng: np.random.Generator) -> "Samples":
        """The Samples after random choices, such as masking: called for every epoch of training, once for
        validation."""
        return samples

    def batch(
        self,
        targets: Any,
        encodings: "Encodings",
        rows: np.ndarray | list[int],
        ids: np.ndarray,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """(targets, ids): the targets of some rows in the form that `loss` takes, and their padded `ids` [batch,
        length], which the task may change. Where each shape is compiled, rows of which all targets are FILLER may
        follow; their loss is not used."""
        return targets[rows], ids

    def head(self, config: Any, head_options: dict[str, Any], dropout: float, seed: int) -> Any:
        """The Keras layer from features to outputs."""
        raise NotImplementedError

    def attach(self, head: Any, backbone: "Backbone", tensors: Mapping[str, np.ndarray]) -> None:
        """Passes parts of the encoder and of the checkpoint's canonical `tensors` to the head."""

    def start_rows(self, head: Any, targets: Any, rng: np.random.Generator) -> np.ndarray | None:
        """The rows whose features initialize the head; None keeps the random initialization."""

    def start_head(self, head: Any, features: np.ndarray, targets: Any) -> None:
        """Initializes the head from the frozen encoder's features of `start_rows` and their targets."""

    def outputs_of(self, other: "Task") -> tuple[list[int], Any, Any] | None:
        """How a head of another task of the same class becomes this task's head: the arguments `index`, `scale` and
        `shift` of `DenseHead.start_from`, or None if they predict different things."""

    def train_with(self, class_weights: Any, label_smoothing: float | None, targets: Any) -> None:
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

    def training_loss(self, targets: Any, outputs: Any, head: Any) -> Any:
        """The loss that training minimizes, [batch]: `loss` with the settings of `train_with`."""
        return self.loss(targets, outputs, head)

    def watch(self, targets: Any, outputs: Any) -> list[Any]:
        """The metrics `watched` of each row, [batch] each, of which the history shows the means; arguments as in
        `loss`. They come from the outputs that training has anyway: with dropout, and from weights that change within
        the epoch."""
        return []

    def training_values(self, targets: Any, outputs: Any, head: Any) -> list[Any]:
        """What a training step computes of each row, [batch] each: `training_loss`, then `watch`."""
        return [self.training_loss(targets, outputs, head), *self.watch(targets, outputs)]

    def loss(self, targets: Any, outputs: Any, head: Any) -> Any:
        """The loss of each row, [batch]; `head` is the layer that computed the outputs."""
        raise NotImplementedError

    def metrics(self, targets: Any, outputs: np.ndarray) -> dict[str, float]:
        """{name: value} of metrics over all validation rows, higher is better, the main one first; numpy in, floats
        out. All arithmetic is in `tasks/metrics.py`, as that of `metric_table`."""
        raise NotImplementedError

    def evaluate(self, targets: Any, outputs: np.ndarray, encodings: "Encodings", head: Any) -> dict[str, float]:
        """Loss and metrics on validation rows; targets and outputs are [rows, ...], or [tokens, ...] if per token."""
        return {"loss": float(np.mean(self.loss(targets, outputs, head))), **self.metrics(targets, outputs)}

    def validate(self, samples: "Samples", score: "Callable[[Encodings], np.ndarray]", head: Any) -> dict[str, float]:
        """As `evaluate`, for Samples; `score(encodings)` returns the outputs."""
        return self.evaluate(samples.targets, score(samples.encodings), samples.encodings, head)

    def hold_out(self, targets: Any, rng: np.random.Generator) -> np.ndarray:
        """Sorted indices of rows to hold out of training for `calibrate`, if there are no validation rows."""
        return np.zeros(0, np.int64)

    def calibrate(self, targets: Any, outputs: np.ndarray, encodings: "Encodings", head: Any) -> None:
        """Completes `spec` after training, for example thresholds. Training rows are used only if
        `calibrates_on_training_rows`."""

    def recalibrate(
        self, targets: Any, outputs: np.ndarray, encodings: "Encodings", head: Any, threshold: dict[str, Any] | None
    ) -> None:
        """Calibrates a finished fit anew on other rows; only for tasks of labels of texts.

        Args:
            targets, outputs, encodings, head: as in `calibrate`.
            threshold: None, or for two classes {"event": class from 0, "measure": a name in MEASURES}.
        """
        raise NotImplementedError

    def decode(
        self, outputs: np.ndarray, encodings: "Encodings", a: list[str], b: list[str] | None, head: Any
    ) -> dict[str, Any]:
        """Columns for R, arrays or lists with one entry per text; `a` and `b` are the texts."""
        raise NotImplementedError

    def table(self, columns: dict[str, Any], kinds: list[str]) -> list[Any]:
        """The columns of `bert_predict()`, for predictions that R does not see (see scoring/).

        Args:
            columns: the result of `decode`.
            kinds: what each column is in R: "factor", "double", "integer", "logical", "character" or "list".

        Returns:
            One entry per kind, with one value per text: an array (of a factor the codes from 0; masked where NA), a
            list of str, or for a list-column Items, or a list of lists of str.
        """
        raise NotImplementedError

    def predictions(
        self,
        encodings: "Encodings",
        score: "Callable[[Encodings], np.ndarray]",
        a: list[str],
        b: list[str] | None,
        head: Any,
        seed: int,
    ) -> dict[str, Any]:
        """Predictions for other texts, to be compared with their outcomes: a dict for `Predictions.add`.
        `score(encodings)` returns the outputs; `seed` is for random choices."""
        columns = self.decode(score(encodings), encodings, a, b, head)
        return {name: columns[name] for name in self.evaluated}

    def metric_table(self, truth: dict[str, Any], predictions: dict[str, Any], event: int | None) -> dict[str, Any]:
        """All metrics of predictions, columns for R (see `metrics.table`).

        Args:
            truth: the outcomes, a dict as the task's target; unseen labels come after those of training.
            predictions: a dict, the joined `predictions` of all texts.
            event: the class for which precision and recall are wanted, or None.
        """
        raise NotImplementedError

    def picks(
        self,
        outputs: np.ndarray,
        encodings: "Encodings",
        a: list[str],
        b: list[str] | None,
        head: Any,
        classes: np.ndarray,
    ) -> Picks:
        """The outputs to explain (see explain.py).

        Args:
            outputs, encodings, a, b, head: as for `decode`.
            classes: int [texts], the class to explain; -1: the task chooses.

        Returns:
            A Picks.
        """
        raise NotImplementedError

    def explained(self, outputs: Any, codes: Any) -> Any:
        """The numbers to explain, [n], from outputs [n, ...] in their unit (see Picks) and `codes`, int [n]."""
        return picked(outputs, codes)

    def class_counts(self, truth: dict[str, Any], predictions: dict[str, Any]) -> "Counts":
        """The Counts of every label; arguments as in `metric_table`. Only tasks with labels of texts have it, as
        `label_scores`."""
        raise NotImplementedError

    def label_scores(self, truth: dict[str, Any], predictions: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """(truth, probability) of the labels of training, bool and float [rows, labels]; arguments as in
        `metric_table`. A row with an unseen label has none of them."""
        raise NotImplementedError

    def tensors(self, head: Any) -> dict[str, np.ndarray]:
        """Canonical tensors of the head that are saved in a checkpoint; only pre-training tasks have any."""
        return {}
