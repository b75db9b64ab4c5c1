"""Half precision: which devices get it, that fits and vectors stay close to float32's, and loss scaling."""

import os
import subprocess
import sys

import numpy as np
import pytest

from bertr import bridge
from bertr.errors import BertrError
from bertr.kernels import precision as float_types
from bertr.kernels.precision import best_on, computing_in, current, resolved


@pytest.mark.parametrize(
    ("kind", "capability", "best"),
    [
        ("cpu", None, "float32"),
        ("gpu", 9.0, "bfloat16"),
        ("gpu", 8.0, "bfloat16"),
        ("gpu", 12.0, "bfloat16"),
        ("gpu", 7.5, "float16"),
        ("gpu", 6.0, "float16"),
        ("gpu", None, "float32"),  # of another maker
        ("tpu", None, "bfloat16"),
        ("unheard of", None, "float32"),
    ],
)
def test_the_device_decides(kind, capability, best):
    assert best_on(kind, capability) == best


def test_a_fit_goes_before_the_session_and_that_before_the_device(monkeypatch):
    monkeypatch.setattr(float_types, "first_device", lambda: ("gpu", 8.6))
    monkeypatch.setattr(float_types, "_session", ["auto"])
    assert current() == resolved() == resolved("auto") == "bfloat16"
    bridge.use_precision("float16")
    assert current() == resolved("auto") == "float16" and resolved("float32") == "float32"
    with computing_in("float32"):
        assert current() == "float32"
    assert current() == "float16"


@pytest.mark.parametrize(
    ("limit", "avx512", "onednn", "refused"),
    [
        ("AVX2", True, True, True),
        ("sse41", True, None, True),  # unknown whether oneDNN is on
        ("AVX2", False, True, False),  # TensorFlow itself then leaves oneDNN out
        ("AVX2", True, False, False),
        ("AVX512_CORE", True, True, False),
        ("", True, True, False),
    ],
)
def test_half_precision_is_refused_where_onednn_would_end_the_process(monkeypatch, limit, avx512, onednn, refused):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    monkeypatch.setattr(float_types, "_has_avx512", lambda: avx512)
    monkeypatch.setattr(float_types.onednn, "is_on", lambda: onednn)
    assert resolved("float32") == "float32"
    for name in ("bfloat16", "float16"):
        if refused:
            with pytest.raises(BertrError, match=f"{name} cannot be computed, as ONEDNN_MAX_CPU_ISA is {limit}") as e:
                resolved(name)
            assert e.value.code == "precision"
        else:
            assert resolved(name) == name


LIMITED = """
import bertr
from bertr import bridge
import sys
bridge.use_precision("bfloat16")
try:
    bridge.embed(bridge.load(sys.argv[1], {}), ["a cat"] * 3, None, {"pool": "mean"}, None)
    print("computed")
except bridge.BertrError as e:
    print(e.code)
"""


def test_a_limited_onednn_never_ends_the_process(tiny):
    env = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", LIMITED, tiny], env=env, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.split() in (["computed"], ["precision"]), done.stderr[-500:]


DEVICES = """
import types
from bertr.kernels import backend
made_up = {
    "cpu": dict(platform="cpu"),
    "h200": dict(platform="gpu", compute_capability="9.0"),
    "mi300": dict(platform="gpu", compute_capability="gfx942"),
    "tpu": dict(platform="tpu"),
}
real, out = backend.jax, {}
for name, facts in made_up.items():
    backend.jax = types.SimpleNamespace(devices=lambda: [types.SimpleNamespace(**facts)])
    out[name] = backend.first_device()
backend.jax = real
out["here"] = backend.first_device()
"""


def test_what_jax_tells_of_devices(on_jax):
    assert on_jax(DEVICES) == {
        "cpu": ["cpu", None],
        "h200": ["gpu", 9.0],
        "mi300": ["gpu", None],
        "tpu": ["tpu", None],
        "here": ["cpu", None],
    }


@pytest.mark.parametrize(("details", "capability"), [({"compute_capability": (8, 6)}, 8.6), ({}, None)])
def test_what_tensorflow_tells_of_devices(monkeypatch, details, capability):
    import tensorflow as tf

    from bertr.kernels.backend import first_device

    assert first_device() == ("cpu", None)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [kind])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: details)
    assert first_device() == ("gpu", capability)


FIT = """
from bertr import bridge
import numpy as np
folder, texts, codes, options = values
target = {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}
fit = bridge.fit(bridge.load(folder, {}), "classification", texts, None, target, None, options, None)
out = {
    "losses": fit.history["loss"], "precision": fit.facts["precision"],
    "types": sorted({str(v.dtype) for v in fit.network.variables}),
    "prob": bridge.predict(fit, texts, None, {}, None)["prob"].tolist(),
    "finite": all(bool(np.isfinite(v).all()) for v in fit.network.backbone.tensors().values()),
}
"""


OPTIONS = {"head": {"calibrate": False}, "seed": 2, "epochs": 3, "learning_rate": 3e-4, "dropout": 0.0}


# relative error of a product of numbers with 8 or 11 bits, over three layers and the steps before
@pytest.mark.usefixtures("half")
@pytest.mark.parametrize(("precision", "off"), [("bfloat16", 0.015), ("float16", 0.002)])
def test_losses_in_half_precision_follow_those_of_float32(on_backend, tiny, sentences, precision, off):
    exact, half = (on_backend(FIT, tiny, *sentences, {**OPTIONS, "precision": p}) for p in ("auto", precision))
    assert (exact["precision"], half["precision"]) == ("float32", precision)
    np.testing.assert_allclose(half["losses"], exact["losses"], rtol=off)
    np.testing.assert_allclose(half["prob"], exact["prob"], atol=off)
    assert half["losses"] != exact["losses"] and exact["losses"][2] < 0.95 * exact["losses"][0]
    assert half["finite"] and not {"bfloat16", "float16"} & set(half["types"])


@pytest.mark.usefixtures("half")
@pytest.mark.parametrize(
    "more",
    [
        {"dropout": 0.2, "accumulate": 2, "batch_size": 8, "ema": 0.9, "adversarial": 0.3},
        {"train": "top:1", "clip": None},
        {"train": "head"},
    ],
)
def test_all_settings_train_in_half_precision(on_backend, tiny, sentences, more):
    done = on_backend(FIT, tiny, *sentences, {**OPTIONS, **more, "precision": "float16"})
    assert done["finite"] and done["losses"][2] < done["losses"][0]


OVERFLOW = """
import numpy as np
from bertr import bridge
from bertr.training import fine_tuning, loss_scale

class Watched(fine_tuning.FineTuning):
    def _one_step(self, samples, rows):
        means = super()._one_step(samples, rows)
        self.step.finish()
        weights = np.concatenate([np.asarray(v.value).ravel() for v in self.optimizer.trained])
        moments = np.concatenate([np.asarray(v.value).ravel() for v in self.optimizer.first])
        seen.append([float(self.optimizer.loss_scale.value), self.optimizer.steps, weights, moments])
        return means

folder, texts, codes, options, first, steps = values
target = {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}
seen, before = [], (fine_tuning.FineTuning, loss_scale.FIRST, loss_scale.STEPS)
fine_tuning.FineTuning, loss_scale.FIRST, loss_scale.STEPS = Watched, first, steps
try:
    bridge.fit(bridge.load(folder, {}), "classification", texts, None, target, None, options, None)
    error = None
except bridge.BertrError as e:
    error = [e.code, e.message, e.hint]
finally:
    fine_tuning.FineTuning, loss_scale.FIRST, loss_scale.STEPS = before
same = [bool((a[2] == b[2]).all() and (a[3] == b[3]).all()) for a, b in zip(seen[:-1], seen[1:])]
out = {"scale": [s[0] for s in seen], "steps": [s[1] for s in seen], "same": same, "error": error}
"""


@pytest.mark.usefixtures("half")
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_step_that_overflows_is_left_out_and_halves_the_scale(on_backend, tiny, sentences, accumulate):
    options = {**OPTIONS, "precision": "float16", "batch_size": 8 // accumulate, "accumulate": accumulate, "epochs": 2}
    options["weight_decay"] = 0.0123  # a kind of its own: fits of a kind share their graph, which has STEPS in it
    seen = on_backend(OVERFLOW, tiny, *sentences, options, 2.0**24, 4)
    taken = np.diff([0, *seen["steps"]])
    assert set(taken) == {0, 1} and taken[0] == 0  # a scale of 2^24 is too high
    scale, count = 2.0**24, 0
    for step, now in zip(taken, seen["scale"], strict=True):
        count = count + 1 if step else 0
        scale = scale / 2 if not step else min(2.0**24, 2 * scale) if count == 4 else scale
        count %= 4
        assert now == scale
    assert max(np.diff(seen["scale"])) > 0  # it was doubled again
    assert [not step for step in taken[1:]] == seen["same"]


@pytest.mark.usefixtures("half")
def test_a_scale_that_never_fits_is_reported(on_backend, tiny, sentences):
    seen = on_backend(OVERFLOW, tiny, *sentences, {**OPTIONS, "precision": "float16", "learning_rate": 1e30}, 2.0, 4)
    code, message, hint = seen["error"]
    assert code == "diverged" and "NaN in epoch" in message
    assert hint.endswith("too high for this model and data, or it needs numbers beyond those of float16.")


VECTORS = """
import numpy as np
from bertr import bridge
folder, texts = values
model, out = bridge.load(folder, {"layers": 2}), {}
for precision in ("float32", "bfloat16", "float16"):
    bridge.use_precision(precision)
    out[precision] = bridge.embed(model, texts, None, {"pool": "mean", "normalise": True}, None)["values"].tolist()
bridge.use_precision("auto")
out["auto"] = bridge.embed(model, texts, None, {"pool": "mean", "normalise": True}, None)["values"].tolist()
"""


@pytest.mark.usefixtures("half")
def test_vectors_follow_the_session(on_backend, minilm, english):
    texts = [" ".join(text.split()[:9]) for text in english[:8]]  # processors compute float16 slowly
    vectors = {k: np.array(v) for k, v in on_backend(VECTORS, minilm, texts).items()}
    np.testing.assert_array_equal(vectors["auto"], vectors["float32"])
    for precision, off in (("bfloat16", 0.01), ("float16", 0.001)):
        error = np.abs(vectors[precision] - vectors["float32"]).max()
        assert 0 < error < off


@pytest.mark.usefixtures("half")
def test_fits_stay_float32_on_disk(model, sentences, tmp_path):
    from conftest import fit_sentences
    from safetensors.numpy import load_file

    fitted = fit_sentences(model, sentences, epochs=1, precision="bfloat16")
    bridge.save(fitted, str(tmp_path / "fit"), "")
    tensors = load_file(tmp_path / "fit" / "model.safetensors")
    assert {str(t.dtype) for t in tensors.values()} == {"float32"}
    again = bridge.load(str(tmp_path / "fit"), {})
    assert again.facts["precision"] == "bfloat16"


@pytest.mark.usefixtures("half")
def test_a_run_goes_on_only_in_its_precision(model, sentences, tmp_path):
    from conftest import fit_sentences

    settings = {"epochs": 1, "schedule": "constant", "checkpoint": str(tmp_path / "run")}
    fit_sentences(model, sentences, precision="float16", **settings)
    fit_sentences(model, sentences, precision="float16", **{**settings, "epochs": 2})
    with pytest.raises(BertrError, match="it differs in precision"):
        fit_sentences(model, sentences, precision="float32", **{**settings, "epochs": 2})
