"""The state of a run that the next epoch depends on, saved after an epoch and restored."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BertrError
from .run_folder import ANEW

if TYPE_CHECKING:
    from .run import Run


def run_state(run: "Run") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(facts, {name: array}): plain data, and the values of all variables that training changes."""
    arrays = {f"now/{i}": np.array(v.value) for i, v in enumerate(run.changing)}
    facts = {
        "epoch": run.history.rows,
        "steps": run.steps_done,
        "history": run.history.columns,
        "rng": run.rng.bit_generator.state,
    }
    word_rows = run.network.backbone.embeddings.word_rows
    if word_rows:
        facts["decayed"] = word_rows.decayed
    best = run.best
    if best:
        facts["best"] = [best.epoch, best.score]
        arrays |= {f"best/{i}": value for i, value in enumerate(best.weights)}
    return facts, arrays


def restore(run: "Run", facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """The inverse of `run_state`.

    Raises:
        BertrError: damaged.
    """
    best, word_rows = run.best, run.network.backbone.embeddings.word_rows
    shapes = {f"now/{i}": v.shape for i, v in enumerate(run.changing)}
    if best:
        shapes |= {f"best/{i}": v.shape for i, v in enumerate(run.learned)}
    wrong = [name for name, shape in shapes.items() if name not in arrays or arrays[name].shape != tuple(shape)]
    wrong += [name for name, used in (("best", best), ("decayed", word_rows)) if used and name not in facts]
    if facts["steps"] > run.schedule()[1]:
        wrong.append("steps")
    if wrong:
        raise BertrError("damaged", f"The saved run's '{wrong[0]}' is missing or does not fit.", ANEW)
    try:
        run.rng.bit_generator.state = facts["rng"]
    except (TypeError, ValueError, KeyError, OverflowError):
        raise BertrError("damaged", "The saved run has no valid random generator state.", ANEW) from None
    for i, variable in enumerate(run.changing):
        variable.assign(arrays[f"now/{i}"])
    run.history.rows, run.history.columns = facts["epoch"], facts["history"]
    run.steps_done = facts["steps"]
    if word_rows:
        word_rows.decayed = facts["decayed"]
    if best:
        best.epoch, best.score = facts["best"]
        best.weights = [arrays[f"best/{i}"] for i in range(len(run.learned))]
