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
        ({"batch_size": 3, "accumulate": 2, "dropout": 0.3, "adversarial": 0.5, "ema": 0.8}, {3}),
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


SHARES = """
import numpy as np
from bertr.kernels.devices import Devices
shared = Devices(4).share(np.arange(12).reshape(6, 2) + 1)
out = [part.data.tolist() for part in shared.addressable_shards]
"""


def test_each_device_gets_the_same_number_of_rows(on_jax):
    zero = [0, 0]
    assert on_jax(SHARES) == [[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 10], [11, 12]], [zero, zero]]


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
