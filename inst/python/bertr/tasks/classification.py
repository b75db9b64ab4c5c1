"""One class per row: softmax and cross-entropy."""

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from ..nn.heads import DenseHead, PrototypeHead
from ..shapes import TEXT, both, equally_long, fields, list_of, number, one_of, or_null, whole
from . import metrics
from .base import Task, log_odds, picked, picks_of_texts, same_levels
from .calibration import MANY, MEASURES, best_temperature, best_threshold, held_share, stratified

if TYPE_CHECKING:
    from ..text.encodings import Encodings
    from .metrics import Counts

START_ROWS, START_OF_CLASS = 500, 16  # rows that initialize the head: in all, and the least limit per class
MANY_OF_CLASS = 25  # with fewer rows per class all are needed for training, and calibration is not needed
# for at least MANY rows: (least rows per class, epochs, learning rate for a hidden size of 384)
PLANS = ((1_000, 2, 5e-5), (400, 3, 5e-5))


class Classification(Task):
    """Target: `label_ids`, int [rows], from 0; `levels`, the names of the classes in R's order."""

    name = "classification"
    calibrates = True
    not_in_graph = ("temperature", "event_threshold")
    evaluated = ("prob", "chosen")
    watched = ("accuracy",)
    explains = True
    shape = staticmethod(
        both(
            fields(
                {"levels": list_of(TEXT, least=2, distinct=True)},
                {
                    "class_weights": list_of(number(0)),
                    "label_smoothing": number(0, 1),
                    "temperature": or_null(number(0)),
                    "event_threshold": fields(
                        {"event": whole(0, 1), "measure": one_of(*MEASURES), "value": number(0, 1)}
                    ),
                },
            ),
            equally_long("levels", "class_weights"),
            lambda value, name: (
                (f"{name}.event_threshold", value["event_threshold"], "left out: there are more than two classes")
                if "event_threshold" in value and len(value["levels"]) > 2
                else None
            ),
        )
    )

    @classmethod
    def from_target(cls, target: dict[str, Any], head_options: dict[str, Any]) -> "Classification":
        spec = {"levels": list(target["levels"])}
        return cls({**spec, "temperature": None} if head_options["calibrate"] else spec)

    @property
    def levels(self) -> list[str]:
        return self.spec["levels"]

    def plan(self, rows: int, hidden_size: int) -> dict[str, float]:
        """With many rows per class, more epochs only make the network overconfident."""
        for least, epochs, rate in PLANS:
            if rows >= max(MANY, least * len(self.levels)):
                return {"epochs": epochs, "learning_rate": rate * 384 / hidden_size}
        return {}

    def targets(self, target: dict[str, Any], encodings: "Encodings") -> tuple[np.ndarray, list[str]]:
        return np.asarray(target["label_ids"], dtype=np.int32), []  # [rows]

    def head(self, config: Any, head_options: dict[str, Any], dropout: float, seed: int) -> DenseHead | PrototypeHead:
        if head_options["units"]:
            activation = head_options["activation"]
            return DenseHead(len(self.levels), head_options["units"], dropout, seed, activation, name="head")
        return PrototypeHead(len(self.levels), dropout, config.initializer_range, seed, name="head")

    def start_rows(self, head: Any, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
        """Some rows of every class, all of a rare one; more would only cost time."""
        if not isinstance(head, PrototypeHead):
            return None
        most = max(START_OF_CLASS, START_ROWS // len(self.levels))
        shuffled = rng.permutation(len(targets))
        classes = [shuffled[targets[shuffled] == k][:most] for k in range(len(self.levels))]
        return np.concatenate(classes)

    def start_head(self, head: Any, features: np.ndarray, targets: np.ndarray) -> None:
        head.start(features, targets)

    def outputs_of(self, other: Task) -> tuple[list[int], Any, Any] | None:
        index = same_levels(self.spec["levels"], other.spec["levels"])
        return None if index is None else (index, 1.0, 0.0)

    def train_with(self, class_weights: Any, label_smoothing: float | None, targets: np.ndarray) -> None:
        """With "balanced", every class weighs rows / (classes * rows of the class), so all classes count equally."""
        if class_weights == "balanced":
            counts = np.bincount(targets, minlength=len(self.levels))
            class_weights = len(targets) / (len(counts) * np.maximum(counts, 1))
        if class_weights is not None:
            self.spec["class_weights"] = [float(w) for w in class_weights]
        if label_smoothing:
            self.spec["label_smoothing"] = float(label_smoothing)

    def training_loss(self, targets: Any, outputs: Any, head: Any) -> Any:
        """The loss times the class weight. With label smoothing s the target is (1 - s) * one-hot + s / classes
        (Szegedy et al. 2016)."""
        out = self.loss(targets, outputs, head)
        if "label_smoothing" in self.spec:
            out = out + self.spec["label_smoothing"] * (picked(outputs, targets) - ops.mean(outputs, axis=1))
        if "class_weights" in self.spec:
            out = out * ops.take(ops.convert_to_tensor(self.spec["class_weights"], dtype="float32"), targets)
        return out

    def loss(self, targets: Any, outputs: Any, head: Any) -> Any:  # [batch], [batch, classes] -> [batch]
        return ops.logsumexp(outputs, axis=1) - picked(outputs, targets)

    def watch(self, targets: Any, outputs: Any) -> list[Any]:  # [batch], [batch, classes]
        return [ops.cast(ops.argmax(outputs, axis=1) == targets, "float32")]

    def metrics(self, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        return {"accuracy": metrics.accuracy(targets, np.argmax(outputs, axis=1))}

    def hold_out(self, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        many = "temperature" in self.spec and len(targets) >= max(MANY, MANY_OF_CLASS * len(self.levels))
        return stratified(targets, held_share(len(targets)), rng) if many else super().hold_out(targets, rng)

    def calibrate(self, targets: np.ndarray, outputs: np.ndarray, encodings: "Encodings", head: Any) -> None:
        """Fits the temperature. Rows are weighted as in training: class weights shift the probabilities on purpose."""
        if "temperature" in self.spec:
            weights = np.asarray(self.spec.get("class_weights", np.ones(len(self.levels))))
            self.spec["temperature"] = best_temperature(outputs, targets, weights[targets])

    def recalibrate(self, targets, outputs, encodings, head, threshold):
        self.spec = {**self.spec, "temperature": None}
        self.spec.pop("event_threshold", None)
        self.calibrate(targets, outputs, encodings, head)
        if threshold:
            event, measure = threshold["event"], threshold["measure"]
            prob = self.probabilities(outputs)[:, event]
            self.spec["event_threshold"] = {**threshold, "value": best_threshold(targets == event, prob, measure)}

    def logits(self, outputs: np.ndarray) -> np.ndarray:
        """Logits at the temperature, float64 [rows, classes], from those of the network."""
        return outputs.astype(np.float64) / self._temperature

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Probabilities at the temperature, float64 [rows, classes], from logits of that shape."""
        z = self.logits(outputs)
        z = np.exp(z - z.max(axis=1, keepdims=True))
        return z / z.sum(axis=1, keepdims=True)

    def decode(self, outputs, encodings, a, b, head):
        prob = self.probabilities(outputs)
        return {"prob": prob, "chosen": self._chosen(prob)}  # [rows, classes], [rows]

    def table(self, columns, kinds):
        chosen = [columns["chosen"]] * kinds.count("factor")
        return chosen + list(columns["prob"].T)[: kinds.count("double")]

    def _chosen(self, prob):
        """The predicted classes, int32 [rows]: the most probable ones, or by the threshold for one of two classes."""
        threshold = self.spec.get("event_threshold")
        if threshold is None:
            return np.argmax(prob, axis=1).astype(np.int32)
        event = threshold["event"]
        return np.where(prob[:, event] > threshold["value"], event, 1 - event).astype(np.int32)

    def class_counts(self, truth: dict[str, Any], predictions: dict[str, Any]) -> "Counts":
        return metrics.count_classes(np.asarray(truth["label_ids"]), predictions["chosen"], len(truth["levels"]))

    def label_scores(self, truth: dict[str, Any], predictions: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(truth["label_ids"])[:, None] == np.arange(len(self.levels)), predictions["prob"]

    def confusion(self, truth: dict[str, Any], predictions: dict[str, Any]) -> np.ndarray:
        """How many rows of each class, unseen ones last, get each class of training: int32 [all classes, classes]."""
        label_ids, classes = np.asarray(truth["label_ids"]), len(self.levels)
        return metrics.count_pairs(label_ids, predictions["chosen"], len(truth["levels"]), classes).astype(np.int32)

    def confidence(self, truth: dict[str, Any], predictions: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """(is the prediction right, the probability of the predicted class), [rows of classes of training] each."""
        label_ids, chosen = np.asarray(truth["label_ids"]), predictions["chosen"]
        known = label_ids < len(self.levels)
        return (label_ids == chosen)[known], np.take_along_axis(predictions["prob"], chosen[:, None], 1)[known, 0]

    def metric_table(self, truth: dict[str, Any], predictions: dict[str, Any], event: int | None) -> dict[str, Any]:
        """Unseen classes count as wrong; log loss and calibration error exclude them, as they have no probability."""
        label_ids, prob = np.asarray(truth["label_ids"]), predictions["prob"]
        predicted = predictions["chosen"]
        known = label_ids < len(self.levels)
        counts = self.class_counts(truth, predictions)
        kind = "binary" if len(self.levels) == 2 else "multiclass"
        rows = [
            ("accuracy", kind, metrics.accuracy(label_ids, predicted)),
            ("kap", kind, metrics.kappa(counts)),
            ("f_meas", "macro", metrics.mean_of_defined(counts.f_meas())),
            ("mn_log_loss", kind, metrics.log_loss(label_ids[known], prob[known])),
            ("ece", kind, metrics.calibration_error(*self.confidence(truth, predictions))),
        ]
        return metrics.table(rows if event is None else [*rows, *metrics.found_rows(counts.of(event), "binary")])

    def picks(self, outputs, encodings, a, b, head, classes):
        """The logit of the probability of a class, by default of the predicted one."""
        code = np.where(classes < 0, self._chosen(self.probabilities(outputs)), classes)
        return picks_of_texts(code, [self.levels[k] for k in code], 1.0 / self._temperature)

    def explained(self, outputs: Any, codes: Any) -> Any:
        return log_odds(outputs, codes)

    @property
    def _temperature(self):
        return self.spec.get("temperature") or 1.0
