"""All of a run that the next epoch hangs on, to be kept after an epoch and taken up again."""

import numpy as np

from ..errors import BertrError
from .run_folder import ANEW


def run_state(training):
    """(facts, {name: array}): plain data and the numbers of all variables that training changes."""
    arrays = {f"now/{i}": np.array(v.value) for i, v in enumerate(training.changing)}
    facts = {"epoch": training.history.rows, "steps": training.steps_done, "history": training.history.columns,
             "rng": training.rng.bit_generator.state}
    word_rows = training.network.backbone.embeddings.word_rows
    if word_rows:
        facts["decayed"] = word_rows.decayed
    best = training.best
    if best:
        facts["best"] = [best.epoch, best.score]
        arrays |= {f"best/{i}": value for i, value in enumerate(best.weights)}
    return facts, arrays


def take_up(training, facts, arrays):
    """The other way."""
    best, word_rows = training.best, training.network.backbone.embeddings.word_rows
    shapes = {f"now/{i}": v.shape for i, v in enumerate(training.changing)}
    if best:
        shapes |= {f"best/{i}": v.shape for i, v in enumerate(training._learnt)}
    wrong = [name for name, shape in shapes.items() if name not in arrays or arrays[name].shape != tuple(shape)]
    wrong += [name for name, used in (("best", best), ("decayed", word_rows)) if used and name not in facts]
    if facts["steps"] > training._schedule()[1]:
        wrong.append("steps")
    if wrong:
        raise BertrError("damaged", f"The run that was kept lacks '{wrong[0]}', or has another one.", ANEW)
    try:
        training.rng.bit_generator.state = facts["rng"]
    except (TypeError, ValueError, KeyError, OverflowError):
        raise BertrError("damaged", "The run that was kept holds no state of random numbers.", ANEW) from None
    for i, variable in enumerate(training.changing):
        variable.assign(arrays[f"now/{i}"])
    training.history.rows, training.history.columns = facts["epoch"], facts["history"]
    training.steps_done = facts["steps"]
    if word_rows:
        word_rows.decayed = facts["decayed"]
    if best:
        best.epoch, best.score = facts["best"]
        best.weights = [arrays[f"best/{i}"] for i in range(len(training._learnt))]
