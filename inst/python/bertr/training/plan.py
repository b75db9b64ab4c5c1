"""Default epochs, learning rate and batch size, by the number of rows and what is trained.

The rules for up to 2,000 rows were chosen on three intent data sets with 5 to 10 rows per class (`bench/quality.md`);
those for more rows are common practice. Classification has other rules for many rows per class.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..tasks.base import Task


@dataclasses.dataclass
class Plan:
    """What a fit will do. Fields with a default are settings of `bert_control()`, which has the same defaults."""

    train: str
    epochs: int
    learning_rate: float  # the peak
    batch_size: int
    warmup: float = 0.1  # share of the steps
    weight_decay: float = 0.01
    clip: float | None = 1.0
    schedule: str = "linear"  # a name of adamw.SCHEDULES
    layer_decay: float = 1.0  # 1: the same rate for all layers
    accumulate: int = 1  # batches per step
    ema: float | None = None  # decay of averaged weights
    adversarial: float | None = None  # norm of the perturbation of the word vectors
    early_stopping: int | None = None  # patience in epochs
    devices: int | None = None  # over how many a batch is split
    precision: str = "float32"  # the float type that the encoder's blocks compute in, see kernels/precision.py


EPOCHS = ((500, 10), (2_000, 8), (10_000, 4), (float("inf"), 3))  # (at most this many rows, epochs)
RATE = 1e-4  # for a hidden size of 384; wider encoders get less


def make_plan(options: dict[str, Any], rows: int, hidden_size: int, task: "Task") -> Plan:
    """The Plan: the user's `options`, and defaults for the others, which a task may override."""
    train = options.get("train") or "all"
    epochs = next(n for most, n in EPOCHS if rows <= most)
    rule: dict[str, Any] = {
        "epochs": epochs,
        "learning_rate": RATE * 384 / hidden_size,
        "batch_size": 16,
        **task.plan(rows, hidden_size),
    }
    if train == "head" and not task.per_token:  # epochs are cheap: only a small layer is trained
        rule = {"epochs": 20 * epochs, "learning_rate": 2e-3, "batch_size": 128}
    elif train == "head":  # the encoder runs in every epoch, but a small layer still needs a higher rate
        rule["learning_rate"] = 5e-3
    rule["train"] = "all"
    given = {field.name: options[field.name] for field in dataclasses.fields(Plan) if field.name in options}
    chosen: dict[str, Any] = {k: v for k, v in given.items() if v is not None or k not in rule}
    return Plan(**rule | chosen)
