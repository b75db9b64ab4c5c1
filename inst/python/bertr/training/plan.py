"""How long and how fast to train when the user does not say: by the number of rows and what is trained.

The rules for up to 2,000 rows were chosen on three intent sets with 5 to 10 rows a class (`bench/quality.md`); those
for more rows are customary. Where classes have many rows, the classification has others.
"""

import dataclasses


@dataclasses.dataclass
class Plan:
    """What a fit will do. `learning_rate` is the peak."""

    train: str
    epochs: int
    learning_rate: float
    batch_size: int
    warmup: float
    weight_decay: float
    clip: float | None
    schedule: str  # a name of optim.SCHEDULES
    layer_decay: float  # 1: every layer learns at the same rate
    accumulate: int  # batches a step
    ema: float | None  # of averaged weights
    adversarial: float | None  # how far FGM moves the word vectors
    early_stopping: int | None  # epochs without a better one


EPOCHS = ((500, 10), (2_000, 8), (10_000, 4), (float("inf"), 3))  # up to so many rows: so many epochs
RATE = 1e-4  # for a hidden size of 384; wider encoders take less


def make_plan(options, rows, hidden_size, task):
    """The user's `options`, and the rules for those left open; a task may have its own."""
    train = options.get("train") or "all"
    epochs = next(n for most, n in EPOCHS if rows <= most)
    rule = {"epochs": epochs, "learning_rate": RATE * 384 / hidden_size, "batch_size": 16,
            **task.plan(rows, hidden_size)}
    if train == "head" and not task.per_token:  # an epoch costs next to nothing there: only a small layer is trained
        rule = {"epochs": 20 * epochs, "learning_rate": 2e-3, "batch_size": 128}
    elif train == "head":  # the encoder runs each time, but a small layer still wants a higher rate
        rule["learning_rate"] = 5e-3
    return Plan(
        train=train,
        epochs=int(options.get("epochs") or rule["epochs"]),
        learning_rate=float(options.get("learning_rate") or rule["learning_rate"]),
        batch_size=int(options.get("batch_size") or rule["batch_size"]),
        warmup=float(options.get("warmup", 0.1)),
        weight_decay=float(options.get("weight_decay", 0.01)),
        clip=options.get("clip", 1.0),
        schedule=options.get("schedule") or "linear",
        layer_decay=float(options.get("layer_decay") or 1.0),
        accumulate=int(options.get("accumulate") or 1),
        ema=options.get("ema"),
        adversarial=options.get("adversarial"),
        early_stopping=options.get("early_stopping"),
    )
