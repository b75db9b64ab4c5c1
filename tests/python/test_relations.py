"""The task of relations, from texts to saved fits."""

import numpy as np
import pytest

from bertr import bridge
from bertr.tasks.metrics import count_items
from bertr.tasks.relations.triples import COLUMNS

FORMS = ["gplinker", "subject_first"]
ANIMALS = ("cat", "dog", "bird", "fish")


def zoo(form):
    """Texts with "x eats y", relation 0, and "x under y", relation 0 and 1, which for GPLinker goes the other way
    round: a head that is a tail as well is hard for the other model, which adds both of their states."""
    rng = np.random.default_rng(10)
    texts, text, columns = [], [], []
    for i in range(80):
        parts, at = [], 0
        for _ in range(i % 4 > 0):
            x, y = (f"{rng.choice(['old', 'big', 'red'])} {rng.choice(ANIMALS)}" for _ in range(2))
            verb = rng.choice(["eats", "under"])
            clause = f"the {x} {verb} a {y} . "
            a, b = at + 4, at + 4 + len(x) + len(verb) + 4
            head, tail = [a, a + len(x)], [b, b + len(y)]
            columns.append([*head, 0, *tail])
            if verb == "under":
                columns.append([*tail, 1, *head] if form == "gplinker" else [*head, 1, *tail])
            text += [i] * (1 + (verb == "under"))
            parts.append(clause)
            at += len(clause)
        texts.append("".join([*parts, "rain falls"]).title())
    columns = np.array(columns)
    target = dict(zip(COLUMNS, columns.T, strict=True))
    return texts, {**target, "text": np.array(text), "levels": ["meets", "over"]}


def columns(target):
    return np.column_stack([target["text"], *(target[name] for name in COLUMNS)])


def again(result):
    """Predictions as a training target"""
    text = np.repeat(np.arange(len(result["count"])), result["count"])
    return {
        "text": text,
        "levels": ["meets", "over"],
        "relation": result["relation"],
        **{f"{s}_start": result[f"{s}_start"] - 1 for s in ("head", "tail")},
        **{f"{s}_end": result[f"{s}_end"] for s in ("head", "tail")},
    }


@pytest.mark.parametrize("form", FORMS)
def test_a_fit_finds_triples_and_is_kept(tiny, form, tmp_path):
    texts, target = zoo(form)
    model = bridge.load(tiny, {"max_len": 32})
    options = {"head": {"relations": form}, "seed": 1, "epochs": 25, "learning_rate": 3e-3, "dropout": 0.0}
    fitted = bridge.fit(
        model, "relations", texts, None, target, {"a": texts, "b": None, "target": target}, options, None
    )
    assert fitted.history["val_f_meas"][-1] > 0.9 and fitted.history["val_loss"][-1] < fitted.history["val_loss"][0]
    assert fitted.facts["notes"] == []
    result = bridge.predict(fitted, texts, None, {}, None)
    assert result["head"] == spans_of(texts, result, "head") and result["tail"] == spans_of(texts, result, "tail")
    assert result["score"].min() > 0.4 and result["score"].max() <= 1
    truth, found = columns(target), columns(again(result))
    assert count_items(truth, found, 3, 2).total().f_meas() == fitted.history["val_f_meas"][-1]
    e = fitted.task.encode(model, texts, None, 32)
    fed, _ = fitted.task.targets(again(result), e)
    assert np.array_equal(fed.truth, np.unique(found, axis=0)) and (fed.n_lost, fed.n_snapped) == (0, 0)

    order = np.random.default_rng(0).permutation(len(texts))
    mixed = bridge.predict(fitted, [texts[i] for i in order], None, {}, None)
    per_text, per_mixed = by_text(result), by_text(mixed)
    alone = [by_text(bridge.predict(fitted, [t], None, {}, None))[0] for t in texts[:8]]
    for i, one in [*((j, per_mixed[k]) for k, j in enumerate(order)), *enumerate(alone)]:
        assert [x[:-1] for x in one] == [x[:-1] for x in per_text[i]]
        np.testing.assert_allclose([x[-1] for x in one], [x[-1] for x in per_text[i]], atol=1e-5)

    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    for kept in (bridge.load(str(tmp_path / "fit"), {}), bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)):
        same = bridge.predict(kept, texts, None, {}, None)
        assert all(np.array_equal(same[name], result[name]) for name in result if name != "score")
        np.testing.assert_allclose(same["score"], result["score"], atol=1e-6)


def spans_of(texts, result, side):
    text = np.repeat(np.arange(len(texts)), result["count"])
    return [texts[t][s - 1 : e] for t, s, e in zip(text, result[f"{side}_start"], result[f"{side}_end"], strict=True)]


def by_text(result):
    """The triples of each text, with their scores"""
    rows = list(zip(*(list(result[name]) for name in (*COLUMNS, "head", "tail", "score")), strict=True))
    ends = np.cumsum(result["count"]).tolist()
    return [rows[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]


@pytest.mark.parametrize("form", FORMS)
def test_long_texts_are_read_in_windows(tiny, form):
    texts, target = zoo(form)
    model = bridge.load(tiny, {"max_len": 24})
    long, shift = "moon shines . " * 8, len("moon shines . " * 8)
    moved = {k: v + shift if k.endswith(("start", "end")) else v for k, v in target.items()}
    options = {"head": {"relations": form}, "seed": 1, "epochs": 25, "learning_rate": 3e-3, "dropout": 0.0}
    texts = [long + t for t in texts]
    fitted = bridge.fit(model, "relations", texts, None, moved, {"a": texts, "b": None, "target": moved}, options, None)
    assert fitted.history["val_f_meas"][-1] > 0.7
    assert fitted.facts["n_truncated"] == 0


def test_texts_without_triples_or_tokens(tiny):
    texts, target = zoo("gplinker")
    model = bridge.load(tiny, {"max_len": 24})
    options = {"head": {}, "seed": 1, "epochs": 1, "learning_rate": 1e-3}
    nothing = {k: v[:0] if k != "levels" else v for k, v in target.items()}
    seen = {"a": ["", "the cat"], "b": None, "target": nothing}
    fitted = bridge.fit(model, "relations", texts, None, target, seen, options, None)
    assert np.isfinite(fitted.history["val_loss"][0])
    assert bridge.predict(fitted, [""], None, {}, None)["count"].tolist() == [0]
