"""The same fit on Keras' JAX backend, in a separate process: a way to use a GPU that TensorFlow does not support."""

import numpy as np
import pytest

from bertr import bridge

SCRIPT = """
from bertr import bridge
import numpy as np
tiny, saved, texts, codes, options = values
assert bridge.info()["backend"] == "jax"
target = {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}
fit = bridge.fit(bridge.load(tiny, {}), "classification", texts, None, target, None, options, None)
out = {
    "saved": bridge.predict(bridge.load(saved, {}), texts, None, {}, None)["prob"].tolist(),
    "losses": fit.history["loss"], "accuracy": fit.history["accuracy"],
    "prob": bridge.predict(fit, texts, None, {}, None)["prob"].tolist(),
}
"""


CONTROLS = {
    "accumulate": 2,
    "batch_size": 8,
    "ema": 0.8,
    "adversarial": 0.5,
    "layer_decay": 0.9,
    "schedule": "constant",
    "class_weights": [1.0, 2.0],
    "label_smoothing": 0.1,
}


@pytest.mark.parametrize("given", [{"train": "all"}, {"train": "head"}, CONTROLS])
def test_jax_gives_the_numbers_of_tensorflow(on_jax, tiny, sentences, tmp_path, given):
    texts, codes = sentences
    options = {"head": {}, "seed": 2, "epochs": 2, "learning_rate": 1e-3, "dropout": 0.0, **given}
    target = {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}
    fitted = bridge.fit(bridge.load(tiny, {}), "classification", texts, None, target, None, options, None)
    expected = bridge.predict(fitted, texts, None, {}, None)["prob"]
    bridge.save(fitted, str(tmp_path / "fit"), "")
    ours = on_jax(SCRIPT, tiny, str(tmp_path / "fit"), texts, codes, options)
    np.testing.assert_allclose(ours["saved"], expected, atol=1e-5)
    # no dropout, the same order of rows: the same losses up to rounding, which two epochs of training amplify
    np.testing.assert_allclose(ours["losses"], fitted.history["loss"], rtol=1e-3)
    np.testing.assert_allclose(ours["accuracy"], fitted.history["accuracy"], atol=1e-6)
    np.testing.assert_allclose(ours["prob"], expected, atol=1e-2)


DROPOUT = """
from bertr import bridge
import numpy as np
from bertr.kernels import compiled, dropout
from bertr.training.adamw import BertAdamW
import keras
class Probe(keras.layers.Layer):
    def build(self, *_):
        self.generator = keras.random.SeedGenerator(1)
        self.seen = self.add_weight(shape=(400,), initializer="zeros", name="seen")
        self.built = True
    def call(self, x):
        return dropout.dropout(x, 0.5, self.generator, True)
probe = Probe(); probe.build()
optimizer = BertAdamW([probe.seen], 0.0, None)
optimizer.begin(1.0, 10, 0.0)
step = compiled.FeatureSteps(lambda y, x: [probe(x)[:, 0] + 0 * probe.seen[0]], [probe.seen],
                           probe.non_trainable_variables, optimizer, np.zeros(400, np.int32), np.ones((400, 1), "f"))
out = [float(step([[i]])[0, 0]) for i in range(40)]
"""


def test_jax_drops_other_numbers_at_every_step(on_jax):
    """The state of the random number generator must be carried from step to step."""
    assert set(on_jax(DROPOUT)) == {0.0, 2.0}
