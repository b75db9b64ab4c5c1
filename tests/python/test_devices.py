"""Training over several devices, on JAX: the numbers are those of one device."""

import numpy as np
import pytest

from bertr import bridge
from bertr.errors import BertrError

SCRIPT = """
import keras
import numpy as np
from bertr import bridge
from bertr.training import fine_tuning

class Watched(fine_tuning.TrainStep):
    def __call__(self, targets, *inputs):
        means = super().__call__(targets, *inputs)
        losses.append(float(means[0]))
        rows.append(len(targets))
        places.update(len(value.sharding.device_set) for group in self.values for value in group)
        return means

tiny, texts, codes, options = values
target = {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}
losses, rows, places = [], [], set()
plain, fine_tuning.TrainStep = fine_tuning.TrainStep, Watched
try:
    fit = bridge.fit(bridge.load(tiny, {}), "classification", texts, None, target, None, options, None)
finally:
    fine_tuning.TrainStep = plain
out = {
    "losses": losses, "rows": rows, "places": list(places), "devices": fit.facts["devices"],
    "prob": bridge.predict(fit, texts, None, {}, None)["prob"].tolist(),
    "after": sorted({len(v.value.devices()) for v in fit.network.variables}),
}
"""
OPTIONS = {"head": {"calibrate": False}, "seed": 2, "epochs": 2, "learning_rate": 1e-4, "max_len": 32}


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ({"batch_size": 7, "dropout": 0.0, "epochs": 3}, {7, 4}),  # filled up to 8 rows
        # fewer rows than devices; the same entries are dropped
        ({"batch_size": 3, "accumulate": 2, "dropout": 0.3, "ema": 0.8, "train": "top:1"}, {3}),
    ],
)
def test_four_devices_give_the_losses_of_one(on_jax, tiny, sentences, given, sizes):
    one, four = (on_jax(SCRIPT, tiny, *sentences, {**OPTIONS, **given, "devices": devices}) for devices in (None, 4))
    assert (one["places"], four["places"]) == ([1], [4])
    assert (one["devices"], four["devices"]) == (None, 4)
    assert one["after"] == four["after"] == [1]
    assert one["rows"] == four["rows"]
    assert set(four["rows"]) == sizes
    assert len(four["losses"]) >= 20
    assert np.ptp(one["losses"]) > 0.01
    np.testing.assert_allclose(four["losses"], one["losses"], atol=1e-5)
    np.testing.assert_allclose(four["prob"], one["prob"], atol=1e-5)


FEWER = """
from bertr.errors import BertrError
from bertr.kernels.devices import check_devices
check_devices(None), check_devices(4)
try:
    check_devices(2)
    out = None
except BertrError as e:
    out = e.message
"""


def test_processes_train_with_all_of_their_devices(two_on_jax):
    for process in two_on_jax:
        assert process(FEWER) == "`devices` is 2, but the processes of JAX have 4, which train together."


def test_two_processes_give_the_losses_of_one(on_jax, two_on_jax, tiny, sentences):
    """As on two machines: each runs the same script and computes half of each batch."""
    options = {**OPTIONS, "batch_size": 7, "dropout": 0.3, "train": "top:1"}
    for process in two_on_jax:
        process.ask(SCRIPT, tiny, *sentences, {**options, "devices": 4})
    one = on_jax(SCRIPT, tiny, *sentences, {**options, "devices": None})
    for process in two_on_jax:
        ours = process.answer()
        assert (ours["places"], ours["after"]) == ([4], [1])
        np.testing.assert_allclose(ours["losses"], one["losses"], atol=1e-5)
        np.testing.assert_allclose(ours["prob"], one["prob"], atol=1e-5)


SHARES = """
import numpy as np
from bertr.kernels.compiled import TrainStep
from bertr.training.adamw import BertAdamW
import keras
seen = []
kernel = keras.Variable(np.ones((3, 2), "float32"), name="kernel")
optimizer = BertAdamW([kernel], 0.0, None)
optimizer.begin(1e-3, 10, 0.0)
ones = np.ones((6, 3), np.int32)
def loss(targets, ids, segments, mask):
    return [keras.ops.sum(keras.ops.matmul(keras.ops.cast(ids[:, :3], "float32"), kernel), axis=1)]
step = TrainStep(loss, [kernel], [], optimizer, ones[:, 0], (ones, ones, ones), devices=4, samples=6)
run = step.function
step.function = lambda *given: seen.extend(given[4:]) or run(*given)
mean = float(step(ones[:, 0], ones, ones, ones)[0])
out = [mean, [[len(part.data) for part in x.addressable_shards] for x in seen]]
"""


def test_each_device_gets_the_same_number_of_rows(on_jax):
    """Six rows become eight, of which six count."""
    mean, rows = on_jax(SHARES)
    assert mean == 6.0
    assert rows == [[2, 2, 2, 2]] * 4


TOO_MANY = """
from bertr.errors import BertrError
from bertr.kernels.devices import check_devices
check_devices(None), check_devices(4)
try:
    check_devices(5)
    out = None
except BertrError as e:
    out = [e.code, e.message, e.hint]
"""


def test_more_devices_than_there_are_are_refused(on_jax):
    code, sentence, hint = on_jax(TOO_MANY)
    assert (code, sentence) == ("devices", "`devices` is 5, but JAX has 4.")
    assert "at most 4" in hint


def test_tensorflow_trains_on_one_device(tiny, sentences):
    texts, codes = sentences
    target = {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}
    options = {**OPTIONS, "epochs": 1, "devices": 2}
    with pytest.raises(BertrError, match="`devices` is 2, but Keras runs on TensorFlow"):
        bridge.fit(bridge.load(tiny, {}), "classification", texts, None, target, None, options, None)
