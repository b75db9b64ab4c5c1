"""Training of only a head, on features that are computed once."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .run import of_validation

if TYPE_CHECKING:
    from ..text.encodings import Encodings
    from .head_steps import HeadSteps
    from .run import Run

CALL_SECONDS = 0.2  # target seconds of training per call; an interrupt is noticed only between calls


def train_head(run: "Run", features_of: "Callable[[Encodings], Any]", steps: "HeadSteps") -> None:
    """Carries out a run.

    Args:
        run: a Run.
        features_of: a function from an Encodings to the head's input, [samples, width].
        steps: the HeadSteps.

    Raises:
        BertrError: diverged, checkpoint, damaged.
    """
    head, plan, task, samples = run.network.head, run.plan, run.task, run.samples
    features = features_of(samples.encodings)
    rows = None if run.network.started else task.start_rows(head, samples.targets, run.rng)
    if rows is not None:
        task.start_head(head, features[rows], samples.targets[rows])
    run.validation_features = run.validation and features_of(run.validation.encodings)
    run.learned = head.trainable_variables
    steps.begin(head, samples.targets, features, run.schedule(), run.resume)
    try:
        epochs_at_once = 1
        while not run.is_over():
            began, done = time.perf_counter(), run.history.rows
            epochs = [_shuffled(run) for _ in range(min(epochs_at_once, plan.epochs - done))]
            means = steps([batch for batches in epochs for batch in batches])
            run.steps_done += len(means)
            seconds = (time.perf_counter() - began) / len(epochs)
            of_epochs = zip(np.split(means, len(epochs)), epochs, strict=True)
            rows = [run.row(done + i, seconds, *of_epoch) for i, of_epoch in enumerate(of_epochs)]
            if run.validation:
                rows[-1] |= of_validation(
                    task.evaluate(run.validation.targets, run.outputs(run.validation), run.validation.encodings, head)
                )
            for row in rows:
                run.history.add(row)
            run.close(rows)
            one_at_a_time = run.validation or run.keep_epoch
            epochs_at_once = 1 if one_at_a_time else max(1, int(CALL_SECONDS / max(seconds, 1e-6)))
        run.check_weights()
    finally:
        steps.end()


def _shuffled(run):
    order, size = run.rng.permutation(len(run.samples)), run.rows_a_step
    return [order[i : i + size] for i in range(0, len(order), size)]
