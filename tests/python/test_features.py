"""Vectors of layers, attention, and models cut to lower layers, against transformers + torch."""

import os
import re

import numpy as np
import pytest
import torch
import transformers

from bertr import bridge
from bertr.errors import BertrError
from bertr.nn import backbone as backbone_module
from bertr.nn.packing import PaddedPacking
from bertr.tasks import TASKS


@pytest.fixture
def model(tiny):
    return bridge.load(tiny, {})


@pytest.fixture(scope="module")
def theirs(tiny):
    """Their outputs of one text or pair: hidden states and attention of all layers."""
    network = transformers.BertModel.from_pretrained(tiny, attn_implementation="eager").eval()
    tokenizer = transformers.BertTokenizer(os.path.join(tiny, "vocab.txt"))

    def run(text, pair=None):
        with torch.no_grad():
            return network(
                **tokenizer(text, pair, return_tensors="pt"), output_hidden_states=True, output_attentions=True
            )

    return run


def small_fit(model, sentences, **options):
    texts, codes = sentences
    target = {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}
    return bridge.fit(
        model, "classification", texts, None, target, None, {"head": {}, "seed": 1, "epochs": 1, **options}, None
    )


# ---------------------------------------------------------------- vectors

POOLS = {"mean": lambda s: s.mean(0), "cls": lambda s: s[0], "max": lambda s: s.max(0), "none": lambda s: s}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("layer", [[0, 1, 2, 3], [3, 1]])
@pytest.mark.parametrize("pairs", [False, True])
def test_layers_are_combined_as_by_hand(model, theirs, sentences, pool, layer, pairs):
    a, b = sentences[0][:6], sentences[0][6:12] if pairs else None
    for combine in ("concatenate", "mean"):
        ours = bridge.embed(model, a, b, {"pool": pool, "layer": layer, "combine": combine}, None)["values"]
        expected = []
        for i, text in enumerate(a):
            states = [s[0].numpy() for s in theirs(text, b[i] if pairs else None).hidden_states]
            picked = [states[k] for k in layer]
            whole = np.concatenate(picked, axis=-1) if combine == "concatenate" else np.mean(picked, axis=0)
            expected.append(np.atleast_2d(POOLS[pool](whole)))
        np.testing.assert_allclose(ours, np.concatenate(expected), atol=1e-5)


def test_each_layer_goes_through_the_pooler_before_they_are_joined(model, sentences):
    texts = sentences[0][:4]
    each = [bridge.embed(model, texts, None, {"pool": "pooler", "layer": k}, None)["values"] for k in (2, 3)]
    options = {"pool": "pooler", "layer": [2, 3], "combine": "concatenate", "normalise": True}
    both = np.concatenate(each, axis=1)
    np.testing.assert_allclose(
        bridge.embed(model, texts, None, options, None)["values"],
        both / np.linalg.norm(both, axis=1, keepdims=True),
        atol=1e-5,
    )


def blocks_in(function):
    """The numbers of the blocks whose operations are in a graph."""
    graph = function.graph
    return {int(k) for op in graph.get_operations() for k in re.findall(r"block_(\d+)", op.name)}


@pytest.mark.parametrize("layer, blocks", [([0], set()), ([2, 1], {0, 1}), (None, {0, 1, 2})])
def test_nothing_is_computed_above_the_highest_layer(model, layer, blocks):
    bridge.embed(model, ["the cat"], None, {"layer": layer}, None)
    (scorer,) = model.scorers.values()
    assert blocks_in(scorer.runner.forward.graph) == blocks


# ---------------------------------------------------------------- lower layers


@pytest.mark.parametrize("train", ["all", "head", "top:1"])
def test_a_cut_model_has_only_its_layers(tiny, sentences, tmp_path, train):
    model = bridge.load(tiny, {"layers": 2})
    assert not [name for name in model.checkpoint.tensors if name.startswith("block_2")]
    fitted = small_fit(model, sentences, train=train)
    expected = bridge.predict(fitted, sentences[0], None, {}, None)["prob"]
    assert len(fitted.network.backbone.blocks) == 2
    assert blocks_in(fitted.scorer.rows.runner.forward.graph) == {0, 1}
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    for back in (bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None), bridge.load(str(tmp_path / "fit"), {})):
        assert bridge.describe(back)["config"]["num_layers"] == 2
        assert np.array_equal(bridge.predict(back, sentences[0], None, {}, None)["prob"], expected)


TEXTS = ["the cat eats", "the dog runs", "the sun shines", "the cat sleeps on the red moon"]
TARGETS = {
    "classification": {"label_ids": [0, 1, 0, 1], "levels": ["cat", "dog"]},
    "multilabel": {"values": [[1, 0], [0, 1], [1, 1], [0, 0]], "levels": ["cat", "dog"]},
    "regression": {"values": [[1.0], [2.0], [1.5], [0.0]], "outputs": ["y"]},
    "entities": {"row": [0], "start": [4], "end": [7], "code": [0], "levels": ["animal"]},
    "span": {
        "start": [4] * 4,
        "end": [7] * 4,
        "contexts": TEXTS,
        "golds": [t[4:7] for t in TEXTS],
        "gold_counts": [1] * 4,
    },
    "relations": {
        "text": np.array([0]),
        "relation": np.array([0]),
        "levels": ["does"],
        "head_start": np.array([4]),
        "head_end": np.array([7]),
        "tail_start": np.array([8]),
        "tail_end": np.array([12]),
    },
    "mlm": {"pairs": False},
}


@pytest.mark.parametrize("task", TASKS)
def test_every_task_runs_on_lower_layers(tiny, task):
    model = bridge.load(tiny, {"layers": 2})
    target = {k: np.array(v) if k in ("values", "label_ids") else v for k, v in TARGETS[task].items()}
    fitted = bridge.fit(model, task, TEXTS, None, target, None, {"head": {}, "seed": 1, "epochs": 1}, None)
    assert len(fitted.network.backbone.blocks) == 2
    expected = bridge.embed(fitted, TEXTS, None, {}, None)["values"]
    (scorer,) = fitted.model.scorers.values()
    assert blocks_in(scorer.runner.forward.graph) == {0, 1}
    back = bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)
    assert np.array_equal(bridge.embed(back, TEXTS, None, {}, None)["values"], expected)


def test_a_cut_model_gives_the_states_of_that_layer(tiny, theirs):
    model = bridge.load(tiny, {"layers": 2})
    out = theirs("the cat sleeps")
    ours = bridge.embed(model, ["the cat sleeps"], None, {"pool": "none"}, None)["values"]
    np.testing.assert_allclose(ours, out.hidden_states[2][0].numpy(), atol=1e-5)
    looked = bridge.attention(model, ["the cat sleeps"], None, {})["values"]
    np.testing.assert_allclose(looked, torch.cat(out.attentions[:2]).numpy(), atol=1e-5)
    with pytest.raises(BertrError, match="layers 1 to 2"):
        bridge.attention(model, ["the cat"], None, {"layer": 3})


# ---------------------------------------------------------------- attention


@pytest.mark.parametrize("way", ["packed", "padded"])
@pytest.mark.parametrize("pair", [None, "a dog runs under the big tree ."])
def test_attention_is_that_of_transformers(model, theirs, way, pair, monkeypatch):
    if way == "padded":
        monkeypatch.setattr(backbone_module, "packing_for", PaddedPacking)
    text = "the old cat eats on the moon !"
    ours = bridge.attention(model, [text], pair and [pair], {})
    expected = torch.cat(theirs(text, pair).attentions).numpy()  # [layers, heads, length, length]
    np.testing.assert_allclose(ours["values"], expected, atol=1e-5)
    np.testing.assert_allclose(ours["values"].sum(axis=-1), 1, atol=1e-5)
    assert len(ours["token"]) == expected.shape[-1] and ours["token"][:3] == ["[CLS]", "the", "old"]
    some = bridge.attention(model, [text], pair and [pair], {"layer": [3, 1], "head": 2})
    np.testing.assert_allclose(some["values"], expected[[2, 0]][:, [1]], atol=1e-5)
    assert (some["layer"], some["head"]) == ([3, 1], [2])


def test_attention_in_a_batch_is_that_of_each_text_alone(model):
    texts = ["the cat", "a big dog runs , and the bird sings .", "moon"]
    encodings = model.encode(texts, None)
    together = np.asarray(model.backbone.attention(*encodings.pad([0, 1, 2]), (1, 2, 3)))
    for row, n in enumerate(encodings.lengths):
        alone = bridge.attention(model, [texts[row]], None, {})["values"]
        np.testing.assert_allclose(together[row, :, :, :n, :n], alone, atol=1e-5)
        assert not together[row, :, :, :n, n:].any()


def test_attention_of_the_real_model(minilm):
    text = "Unbelievable: the cat's café, 今天天气很好."
    model = bridge.load(minilm, {})
    network = transformers.BertModel.from_pretrained(minilm, attn_implementation="eager").eval()
    ids = torch.tensor(bridge.tokenize(model, [text], None, None)["token_ids"]).long()
    with torch.no_grad():
        expected = torch.cat(network(ids, output_attentions=True).attentions).numpy()
    np.testing.assert_allclose(bridge.attention(model, [text], None, {})["values"], expected, atol=1e-5)


@pytest.mark.parametrize("train", ["all", "head"])
def test_a_fit_shows_the_attention_of_its_own_encoder(model, sentences, tmp_path, train):
    text = sentences[0][1:2]
    fitted = small_fit(model, sentences, train=train, learning_rate=1e-2, max_len=7)
    ours = bridge.attention(fitted, text, None, {})
    untrained = bridge.attention(model, text, None, {"max_len": 7})
    assert ours["values"].shape == (3, 4, 7, 7) and ours["n_truncated"] == 1
    assert (np.abs(ours["values"] - untrained["values"]).max() > 1e-3) == (train == "all")
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    network = transformers.BertModel.from_pretrained(tmp_path / "fit", attn_implementation="eager").eval()
    ids = torch.tensor(bridge.tokenize(fitted, text, None, None)["token_ids"]).long()
    with torch.no_grad():
        expected = torch.cat(network(ids, output_attentions=True).attentions).numpy()
    np.testing.assert_allclose(ours["values"], expected, atol=1e-5)


@pytest.mark.parametrize("options", [{"layer": 0}, {"layer": [1, 4]}, {"head": 5}, {"head": 0}, {"max_len": 65}])
def test_layers_and_heads_that_are_not_there(model, options):
    with pytest.raises(BertrError) as e:
        bridge.attention(model, ["the cat"], None, options)
    assert e.value.code == next(iter(options))
