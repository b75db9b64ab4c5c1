"""One training run: what training only a head and fine-tuning have in common."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from ..errors import BertrError
from .early_stopping import EarlyStopping
from .history import History
from .run_state import restore, run_state

if TYPE_CHECKING:
    from ..nn.network import Network
    from ..nn.scorer import NetworkScorer, Scorer
    from ..tasks.samples import Samples
    from ..text.encodings import Encodings
    from .plan import Plan
    from .run_folder import RunFolder


class Run:
    """The state of a run, and what is done after each epoch. The loops are in `head_only.py` and `fine_tuning.py`."""

    def __init__(
        self,
        network: "Network",
        plan: "Plan",
        samples: "Samples",
        validation: Any,
        seed: int,
        emit: Callable[[str, dict[str, Any]], Any],
        scorer: "NetworkScorer",
        folder: "RunFolder | None" = None,
    ):
        """`samples` and `validation` (or None) are Samples; `scorer` computes the network's current outputs;
        `emit(kind, values)` reports progress; `folder` is None or the RunFolder to save the run in."""
        self.network, self.plan, self.task = network, plan, network.task
        self.samples, self.validation = samples, validation
        self.emit, self.scorer, self.folder = emit, scorer, folder
        self.keep_epoch: Any = None  # called after every epoch if each epoch's fit is saved
        self.best = EarlyStopping(plan.early_stopping) if plan.early_stopping else None
        self.history = History()
        self.steps_done = 0
        self.rng = np.random.default_rng(seed)
        self.learned = []  # trained variables of the network
        self.changing = []  # all variables that training changes, including the optimizer's and random states
        self.validation_features = None  # the head's input for the validation rows, if the encoder is frozen

    def carry_out(self, loop: "Callable[[Run], None]") -> bool:
        """Runs the loop. Returns True if an interrupt ended it after at least one step; before the first step the
        interrupt propagates."""
        try:
            loop(self)
        except KeyboardInterrupt:
            if not self.steps_done:
                raise
            return True
        finally:
            if self.best:
                self.best.restore_best(self.learned)
            self.changing = []  # releases the optimizer's state
        return False

    def is_over(self) -> bool:
        """Whether all epochs are done, or patience has run out."""
        epochs = self.history.rows
        return epochs >= self.plan.epochs or bool(self.best and self.best.waited(epochs))

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(int(np.prod(v.shape)) for v in self.learned)

    @property
    def rows_a_step(self) -> int:
        """Rows per optimizer step."""
        return self.plan.batch_size * self.plan.accumulate

    def schedule(self) -> tuple[float, int, float]:
        """Peak rate, number of steps, share of warmup."""
        plan = self.plan
        return plan.learning_rate, plan.epochs * -(-len(self.samples) // self.rows_a_step), plan.warmup

    def resume(self, variables: list[Any]) -> bool:
        """Restores the run in the folder, if there is one; returns whether it did. `variables`: all that training
        changes."""
        self.changing = variables
        saved = self.folder and self.folder.read()
        if not saved:
            return False
        restore(self, *saved)
        self.emit("resume", {"epoch": self.history.rows, "epochs": self.plan.epochs})
        return True

    def score(self, scorer: "Scorer | NetworkScorer", encodings: "Encodings") -> np.ndarray:
        """The outputs of a scorer, with progress reports."""
        total = len(encodings)
        return scorer.encodings(encodings, lambda done: self.emit("encode", {"done": done, "total": total}))

    def outputs(self, samples: "Samples") -> np.ndarray:
        """Outputs of the network in its current state."""
        if samples is self.validation and self.validation_features is not None:
            return ops.convert_to_numpy(self.network.head(self.validation_features))
        return self.scorer.encodings(samples.encodings)

    def row(
        self, epoch: int, seconds: float, means: Sequence[Any] | np.ndarray, batches: Sequence[np.ndarray]
    ) -> dict[str, Any]:
        """An epoch's row of the history; `means` are those of its batches, [batches, values]."""
        loss, *watched = overall(means, batches)
        self.check_loss(loss, epoch)
        return {
            "epoch": epoch + 1,
            "loss": loss,
            **dict(zip(self.task.watched, watched, strict=True)),
            "seconds": seconds,
        }

    def close(self, rows: list[dict[str, Any]]) -> None:
        """Ends one or more epochs; `rows` are their complete rows of the history."""
        if self.best:
            self.best.update(rows[-1], self.learned)
        if self.keep_epoch:
            self.keep_epoch()
        if self.folder:
            self.folder.write(*run_state(self))
        for row in rows:  # last, because this may raise an interrupt
            self.emit("epoch", {**row, "epochs": self.plan.epochs})

    def check_loss(self, loss: float, epoch: int) -> None:
        """Checks that a loss is finite; `epoch` counts from 0.

        Raises:
            BertrError: diverged.
        """
        if not np.isfinite(loss):
            raise BertrError(
                "diverged",
                f"The loss became infinite or NaN in epoch {epoch + 1}.",
                f"The learning rate of {self.plan.learning_rate:g} is too high for this model and data"
                + (", or it needs numbers beyond those of float16." if self.plan.precision == "float16" else "."),
            )

    def check_scale(self, scale: float, epoch: int) -> None:
        """Checks that loss scaling has not left out step after step; `epoch` counts from 0.

        Raises:
            BertrError: diverged.
        """
        if scale < 1.0:
            self.check_loss(float("nan"), epoch)

    def check_weights(self) -> None:
        """Checks the weights after the last step, whose loss was computed before its update."""
        for variable in self.learned:
            self.check_loss(float(ops.sum(variable)), self.plan.epochs - 1)


def overall(means: Sequence[Any] | np.ndarray, batches: Sequence[Any]) -> list[float]:
    """The means over all rows, one per value, from those over each batch of rows, [batches, values]."""
    weights = [len(batch) for batch in batches]
    return [float(np.average(column, weights=weights)) for column in np.transpose(means)]


def of_validation(metrics: dict[str, float]) -> dict[str, float]:
    """The columns of the history for metrics of the validation rows."""
    return {f"val_{name}": value for name, value in metrics.items()}
