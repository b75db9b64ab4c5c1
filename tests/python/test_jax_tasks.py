"""Every task trains, evaluates, predicts and resumes on JAX as on TensorFlow, and over four devices as over one."""

import numpy as np
import pytest
import task_runs
from conftest import make_pretrained

from bertr import bridge

SCRIPT = """
import task_runs
name, folder, weights, options = values
out = task_runs.run(name, folder, weights, **options)
"""


@pytest.fixture(scope="module")
def shallow(tmp_path_factory):
    """The folder of a BERT with one layer and both pre-training heads: most of the time of these tests is compiling."""
    folder = tmp_path_factory.mktemp("shallow")
    make_pretrained(folder, num_hidden_layers=1)
    return str(folder)


SHAPES = 4  # the batches of a fit have at most so many, whatever the number of steps


def assert_same(ours, theirs):
    assert len(ours["losses"]) == len(theirs["losses"])
    np.testing.assert_allclose(ours["losses"], theirs["losses"], rtol=0, atol=1e-5)
    assert list(ours["history"]) == list(theirs["history"])
    for name, values in ours["history"].items():
        np.testing.assert_allclose(values, theirs["history"][name], rtol=0, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(ours["metrics"], theirs["metrics"], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours["predicted"], theirs["predicted"], rtol=1e-4, atol=1e-4)


# the loss of these is not a mean over rows, or their rows are not samples
OF_BATCHES = {
    "cosine",
    "windows_mean",
    "windows_max",
    "windows_attention",
    "words",
    "words_and_pairs",
    "entities",
    "entities_crf",
    "subject_first",
}


@pytest.mark.parametrize("name", task_runs.TASKS)
def test_losses_are_those_of_tensorflow(on_jax, shallow, tmp_path, name):
    weights = str(tmp_path / "head.npz")
    expected = task_runs.run(name, shallow, weights)
    assert len(expected["losses"]) >= 20 and np.ptp(expected["losses"]) > 0.01
    one = on_jax(SCRIPT, name, shallow, weights, {})
    assert_same(one, expected)
    assert one["compiled"] <= SHAPES
    if name in OF_BATCHES:
        four = on_jax(SCRIPT, name, shallow, weights, {"devices": 4})
        assert_same(four, one)
        assert four["compiled"] <= SHAPES


CONTROLS = {"accumulate": 2, "batch_size": 4, "ema": 0.8, "adversarial": 0.5, "layer_decay": 0.9}


@pytest.mark.parametrize("options", [CONTROLS, {"train": "head"}], ids=["controls", "head"])
@pytest.mark.parametrize("name", ["cosine", "windows_attention", "words_and_pairs", "entities_crf"])
def test_settings_do_the_same(on_jax, shallow, tmp_path, name, options):
    weights = str(tmp_path / "head.npz")
    expected = task_runs.run(name, shallow, weights, **options)
    assert_same(on_jax(SCRIPT, name, shallow, weights, options), expected)


RESUMED = """
import task_runs
name, folder, run_folder, options = values
out = task_runs.resumed(name, folder, run_folder, **options)
"""


@pytest.mark.parametrize("name", ["cosine", "windows_attention", "words"])
def test_a_killed_run_goes_on(on_jax, shallow, tmp_path, name):
    """With dropout: the random states go on as well."""
    options = {"epochs": 3, "dropout": 0.2, "devices": 4}
    whole, resumed = on_jax(RESUMED, name, shallow, str(tmp_path / "run"), options)
    assert resumed == whole


@pytest.mark.parametrize("name", ["windows_attention", "words_and_pairs"])
def test_two_processes_give_the_losses_of_one(on_jax, two_on_jax, shallow, name):
    for process in two_on_jax:
        process.ask(SCRIPT, name, shallow, None, {"epochs": 3, "devices": 4})
    one = on_jax(SCRIPT, name, shallow, None, {"epochs": 3})
    for process in two_on_jax:
        assert_same(process.answer(), one)


EXPLAINED = """
from bertr import bridge
import numpy as np
folder, texts = values
options = {"method": "integrated_gradients", "classes": [-1] * len(texts)}
found = bridge.explain(bridge.load(folder, {}), texts, None, options, None)
out = np.asarray(found["weight"]).tolist()
"""


def test_windows_are_explained(on_jax, shallow, tmp_path):
    fitted = task_runs.fitted("windows_attention", bridge.load(shallow, {}))
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    texts = [task_runs.TEXTS[0], " ".join(task_runs.TEXTS[3].split()[:25])]
    options = {"method": "integrated_gradients", "classes": [-1, -1]}
    expected = bridge.explain(fitted, texts, None, options, None)["weight"]
    np.testing.assert_allclose(on_jax(EXPLAINED, str(tmp_path / "fit"), texts), expected, atol=1e-4)
