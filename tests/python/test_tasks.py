"""The extension point: a task of another shape, defined only in this file, runs on the unchanged engine."""

import numpy as np
import pytest
from keras import ops

from bertr import bridge, tasks
from bertr.errors import BertrError
from bertr.nn.heads import DenseHead
from bertr.tasks.base import Task


class Animals(Task):
    """A label for every token (is it an animal?), decoded into a list column of the words found."""

    name = "animals"
    per_token = True
    needs_offsets = True

    @classmethod
    def from_target(cls, target, head_options):
        return cls({})

    def targets(self, target, encodings):
        return np.isin(encodings.ids, target["ids"]).astype(np.int32), []  # [tokens]

    def batch(self, targets, encodings, rows, ids, rng):
        _, _, mask = encodings.pad(rows)
        out = np.full(mask.shape, -1, np.int32)  # [batch, length], -1 at padding
        out[mask > 0] = targets[encodings.places(rows)]
        return out, ids

    def head(self, config, head_options, dropout, seed):
        return DenseHead(2, head_options["units"], dropout, seed, name="head")

    def loss(self, targets, outputs, head):
        real = ops.cast(targets >= 0, "float32")
        picked = ops.take_along_axis(outputs, ops.maximum(targets, 0)[..., None], axis=-1)[..., 0]
        each = (ops.logsumexp(outputs, axis=-1) - picked) * real
        return ops.sum(each, axis=-1) / ops.sum(real, axis=-1)

    def metrics(self, targets, outputs):
        return {"accuracy": float(np.mean(outputs.argmax(axis=1) == targets))}

    def decode(self, outputs, encodings, a, b, head):
        found = outputs.argmax(axis=1) == 1
        rows = []
        for r, text in enumerate(a):
            span = slice(encodings.row_splits[r], encodings.row_splits[r + 1])
            places = zip(encodings.start[span][found[span]], encodings.end[span][found[span]], strict=True)
            rows.append([text[s:e] for s, e in places])
        return {"animals": rows}


@pytest.fixture
def animals(monkeypatch):
    monkeypatch.setitem(tasks.TASKS, "animals", Animals)


def test_a_task_of_tokens_with_a_list_column(animals, tiny, sentences, tmp_path):
    model = bridge.load(tiny, {})
    texts = [t.title() for t in sentences[0]]
    words = bridge.vocab(model)
    target = {"ids": [words.index(w) for w in ("cat", "dog", "bird", "fish")]}
    options = {"head": {}, "seed": 1, "epochs": 40, "learning_rate": 3e-3, "dropout": 0.0}
    seen = {"a": texts[:9], "b": None, "target": target}
    fitted = bridge.fit(model, "animals", texts, None, target, seen, options, None)
    assert fitted.history["val_accuracy"][-1] > 0.99
    expected = [[w for w in t.split() if w in ("Cat", "Dog", "Bird", "Fish")] for t in texts]
    assert bridge.predict(fitted, texts, None, {}, None)["animals"] == expected
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    assert bridge.predict(bridge.load(str(tmp_path / "fit"), {}), texts, None, {}, None)["animals"] == expected


def test_an_unknown_task_is_told(tiny):
    with pytest.raises(BertrError, match="no task 'sonnets'"):
        bridge.fit(bridge.load(tiny, {}), "sonnets", ["a"], None, {}, None, {"head": {}}, None)
