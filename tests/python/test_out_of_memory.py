"""A device that runs out of memory: smaller batches with the same results, said once."""

import numpy as np
import pytest

ERROR = """
from bertr import bridge, notes
from bertr.kernels.backend import BACKEND
import numpy as np

def out_of_memory():
    if BACKEND == "tensorflow":
        import tensorflow as tf
        return tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[16,12,512,512]")
    import jax
    made = getattr(jax.errors, "JaxRuntimeError", RuntimeError)  # older versions have no name for it there
    return made("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 805306368 bytes.")
"""

FIT = (
    ERROR
    + """
from bertr.training import fine_tuning
folder, texts, codes, options, room, at = values

class Small(fine_tuning.TrainStep):  # has room for so many rows, from a call on; a step that fails changes nothing
    def __call__(self, targets, *inputs):
        calls.append(len(targets))
        if len(targets) > room and len(calls) >= at:
            raise out_of_memory()
        return super().__call__(targets, *inputs)

plain = fine_tuning.TrainStep
calls = []
target = {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}
fine_tuning.TrainStep = Small
notes.take()  # those of fits before
try:
    done = bridge.run("fit", bridge.load(folder, {}), "classification", texts, None, target, None, options, None)
finally:
    fine_tuning.TrainStep = plain
fit = done.value
out = {
    "error": done.error and [done.error.code, done.error.message, done.error.hint],
    "notes": done.notes, "calls": calls,
    "losses": fit and fit.history["loss"],
    "prob": fit and bridge.predict(fit, texts, None, {}, None)["prob"].tolist(),
}
"""
)
OPTIONS = {"head": {"calibrate": False}, "seed": 2, "epochs": 2, "learning_rate": 1e-3, "dropout": 0.0, "batch_size": 8}


@pytest.mark.parametrize(
    ("more", "room", "at", "left"),
    [
        ({}, 3, 1, 2),  # 8, 4, 2 rows at a time
        ({}, 5, 5, 4),  # not in the first step
        ({"accumulate": 2, "batch_size": 4, "ema": 0.9}, 2, 4, 2),  # in the second half of a step
        ({"train": "top:1", "precision": "float16"}, 4, 3, 4),
    ],
)
def test_a_fit_gives_the_same_numbers_in_smaller_parts(request, on_backend, tiny, sentences, more, room, at, left):
    if "precision" in more:
        request.getfixturevalue("half")
    options = {**OPTIONS, **more}
    whole, parts = (on_backend(FIT, tiny, *sentences, options, n, at) for n in (100, room))
    assert whole["error"] is parts["error"] is None and whole["notes"] == []
    size = options["batch_size"]
    assert parts["notes"] == [f"The device ran out of memory, so batches of {size} were computed {left} at a time."]
    assert set(whole["calls"]) == {size, 4} and set(parts["calls"][at + 2 :]) <= set(range(1, left + 1))
    # rounding, which two epochs amplify
    np.testing.assert_allclose(parts["losses"], whole["losses"], rtol=2e-3)
    np.testing.assert_allclose(parts["prob"], whole["prob"], atol=1e-2)


def test_a_single_row_that_is_too_much_is_one_sentence(on_backend, tiny, sentences):
    done = on_backend(FIT, tiny, *sentences, OPTIONS, 0, 1)
    assert done["calls"] == [8, 4, 2, 1]
    assert done["error"] == [
        "memory",
        "The device has too little memory to train on even one text at a time.",
        "Use a smaller `max_len` or model, or a device with more memory.",
    ]


SCORE = (
    ERROR
    + """
from bertr.nn import scorer
folder, texts, room, tokens = values

class Small:  # has room for so many padded tokens in a batch
    def __init__(self, runner):
        self.runner = runner

    def for_tokens(self, *args):
        run = self.runner.for_tokens(*args)

        def call(ids, *others):
            calls.append(int(ids.size))
            if ids.size > room:
                raise out_of_memory()
            return run(ids, *others)

        return call

model = bridge.load(folder, {})
notes.take()
calls, options = [], {"pool": "none" if tokens else "mean"}
expected = bridge.embed(model, texts, None, options, None)["values"]
for one in model.scorers.values():
    one.runner = Small(one.runner)
done = bridge.run("embed", model, texts, None, options, None)
again = done.value is not None and bridge.run("embed", model, texts, None, options, None)
out = {
    "error": done.error and [done.error.code, done.error.message],
    "notes": [done.notes, again and again.notes],
    "calls": calls, "off": again and float(max(np.abs(x.value["values"] - expected).max() for x in (done, again))),
}
"""
)


@pytest.mark.parametrize("tokens", [False, True])
def test_vectors_are_the_same_in_smaller_batches(on_backend, tiny, sentences, tokens):
    done = on_backend(SCORE, tiny, sentences[0] * 10, 300, tokens)
    failed = [size for size in done["calls"] if size > 300]
    assert 3 <= len(failed) <= 5 and done["error"] is None and done["off"] < 1e-5
    assert done["calls"][: len(failed)] == failed  # never again, also not in the next call
    assert done["notes"] == [["The device ran out of memory, so texts are now computed in smaller batches."], []]


def test_a_single_text_that_is_too_much_is_one_sentence(on_backend, tiny, sentences):
    done = on_backend(SCORE, tiny, sentences[0], 1, False)
    assert done["error"] == ["memory", "The device has too little memory for even one text."]


OTHER = (
    ERROR
    + """
def fails(*args):
    raise error
error, bridge.count_tokens = out_of_memory(), fails
told = bridge.run("count_tokens").error
error = ValueError("RESOURCE_EXHAUSTED")
other = bridge.run("count_tokens").error
out = [told.code, told.message, type(other).__name__]
"""
)


def test_too_little_memory_elsewhere_is_one_sentence(on_backend):
    before = "from bertr import bridge; before = bridge.count_tokens\n"
    after = "\nbridge.count_tokens = before\n"
    assert on_backend(before + OTHER + after) == ["memory", "The device has too little memory for this.", "ValueError"]
