"""JAX compiles each shape of a batch separately: texts of all lengths must have few."""

import numpy as np

LENGTHS = """
import numpy as np
from bertr.kernels.buckets import bucketed
out = [int(n) for n in bucketed(np.arange(1, 1025))]
assert out == [int(bucketed(n)) for n in range(1, 1025)]
"""


def test_lengths_are_rounded_up_to_few_numbers(on_jax):
    lengths, rounded = np.arange(1, 1025), np.array(on_jax(LENGTHS))
    assert len(set(rounded[:128])) == 3 and len(set(rounded[:512])) == 6
    assert (rounded >= lengths).all() and (rounded[32:] < 2 * lengths[32:]).all() and (np.diff(rounded) >= 0).all()


COUNT = """
import numpy as np
from bertr import bridge
from bertr.kernels import compiled
from bertr.training import fine_tuning
folder, texts, codes, options = values
target = {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}
steps = []

class Watched(compiled.TrainStep):
    def __init__(self, *args):
        super().__init__(*args)
        steps.append(self)

plain, fine_tuning.TrainStep = fine_tuning.TrainStep, Watched
try:
    model = bridge.load(folder, {})
    validation = {"a": texts[:30], "b": None, "target": {**target, "label_ids": target["label_ids"][:30]}}
    fit = bridge.fit(model, "classification", texts, None, target, validation, options, None)
finally:
    fine_tuning.TrainStep = plain
bridge.predict(fit, texts[:7], None, {}, None)
bridge.predict(fit, texts[:1], None, {}, None)
out = {
    "trained": [step.function._cache_size() for step in steps],
    "scored": fit.scorer.rows.runner.forward.function._cache_size(),
    "lengths": len(set(len(text.split()) for text in texts)),
}
"""


def test_a_fit_of_mixed_lengths_compiles_few_graphs(on_jax, tiny, english):
    texts = [" ".join((9 * text.split())[: 1 + i % 50]) for i, text in enumerate(english[:90])]
    options = {"head": {"calibrate": False}, "seed": 1, "epochs": 2, "batch_size": 8, "learning_rate": 1e-3}
    done = on_jax(COUNT, tiny, texts, [i % 2 for i in range(90)], options)
    assert done["lengths"] > 15
    # up to 32 and up to 64 tokens, also of smaller batches, and not another time for the values of the first step
    assert done["trained"] == [2] and done["scored"] == 2
