"""All of a run that the next epoch hangs on, to be kept after an epoch and taken up again."""

import numpy as np


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
    for i, variable in enumerate(training.changing):
        variable.assign(arrays[f"now/{i}"])
    training.history.rows, training.history.columns = facts["epoch"], facts["history"]
    training.steps_done, training.rng.bit_generator.state = facts["steps"], facts["rng"]
    word_rows = training.network.backbone.embeddings.word_rows
    if word_rows:
        word_rows.decayed = facts["decayed"]
    best = training.best
    if best:
        best.epoch, best.score = facts["best"]
        best.weights = [arrays[f"best/{i}"] for i in range(sum(name.startswith("best/") for name in arrays))]
