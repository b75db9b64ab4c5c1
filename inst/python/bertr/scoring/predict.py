"""What a fit predicts for texts, as columns."""

from collections.abc import Callable
from typing import Any

from ..model import Fit
from ..tasks.inputs import encode


def predict(
    fit: Fit, a: list[str], b: list[str] | None, max_len: int, progress: Callable[[int], Any] | None
) -> tuple[dict[str, Any], Any]:
    """Predictions for texts.

    Args:
        fit: a Fit.
        a, b: lists of str; b None: single texts.
        max_len: tokens to cut texts at.
        progress: None, or a function of the number of texts done.

    Returns:
        (the columns of the task's `decode`, the Encodings).
    """
    encodings = encode(fit.base, fit.task, fit.head_options, a, b, max_len)
    done = progress and (lambda rows: progress(rows * len(a) // len(encodings)))
    outputs = fit.scorer.encodings(encodings, done)
    return fit.task.decode(outputs, encodings, a, b, fit.network.head), encodings
