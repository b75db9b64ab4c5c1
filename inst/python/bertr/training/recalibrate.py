"""Calibrates a finished fit on other rows."""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..tasks import find_task
from .fit import make_samples

if TYPE_CHECKING:
    from ..model import Fit
    from ..text.encodings import Encodings


def recalibrate(
    fit: "Fit",
    a: list[str],
    b: list[str] | None,
    target: dict[str, Any],
    threshold: dict[str, Any] | None,
    counter: Callable[[int], Callable[[int], Any] | None],
) -> "tuple[Fit, Encodings]":
    """A Fit with the same weights, whose temperature or thresholds come from these rows; `fit` is not changed.

    Args:
        fit: a Fit of a task that has `recalibrate`.
        a, b: lists of str; b None: single texts.
        target: dict of columns, see the task's class.
        threshold: see `Task.recalibrate`.
        counter: a function of the number of encoded rows that returns the Scorer's progress function, or None.

    Returns:
        (Fit, Encodings of the texts).

    Raises:
        BertrError: those of encoding.
    """
    task = find_task(fit.task.name)(copy.deepcopy(fit.task.spec))
    samples = make_samples(fit.base, task, fit.head_options, a, b, target, fit.facts["max_len"])
    outputs = fit.scorer.encodings(samples.encodings, counter(len(samples.encodings)))
    task.recalibrate(samples.targets, outputs, samples.encodings, fit.network.head, threshold)
    facts = {"temperature": task.spec.get("temperature"), "calibration_rows": len(a)}
    return fit.recalibrated(task, facts), samples.encodings
