"""Do all engines learn the same? The first losses of plain training: the same batches, the same linear head, no
dropout, AdamW at a constant rate of 1e-4 (epsilon 1e-6, decay 0.01 but for biases and LayerNorm), no clipping."""

import os

import numpy as np

from rounds import Team

ENGINES = ("hf_budget", "bertr_python", "hf_sorted", "hf_tutorial", "keras_hub", "keras_bert")
STEPS, ROWS, LARGEST = 20, 16, 1e-3


def compare(file, folder, classes, hidden, models, launch):
    """Losses of each engine, how far they are from the first one's, and errors. `launch` goes to `Team`."""
    rng = np.random.default_rng(1)
    with open(file, encoding="utf-8", newline="\n") as f:
        rows = f.read().count("\n")
    order, head = os.path.join(folder, "order.npy"), os.path.join(folder, "head.npz")
    np.save(order, np.stack([rng.choice(rows, ROWS, replace=False) for _ in range(STEPS)]))
    np.savez(head, kernel=rng.normal(0, 0.02, (hidden, classes)).astype(np.float32), bias=np.zeros(classes, np.float32))
    team = Team(*launch)
    team.load(*models)
    answers = {e: team.ask(e, "losses", file, order, head, 128) for e in list(team.workers)}
    team.quit()
    losses = {e: [float(x) for x in values] for e, values in answers.items() if values}
    reference = np.array(losses[ENGINES[0]])
    return {
        "losses": losses,
        "errors": team.errors,
        "largest": {e: float(np.abs(np.array(x) - reference).max()) for e, x in losses.items()},
    }
