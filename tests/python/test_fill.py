"""Filled masks against transformers, from every format."""

import numpy as np
import pytest
import torch
import transformers
from checkpoints import google_tensors_of, write_google_folder
from conftest import VOCAB, make_sentences

from bertr import bridge
from bertr.errors import BertrError
from bertr.tasks.mlm import fill_mask


@pytest.fixture
def model(pretrained):
    return bridge.load(pretrained[1], {})


def google_copy(pretrained, folder):
    theirs, source = pretrained
    head = theirs.cls.predictions
    tensors = google_tensors_of(theirs.bert) | {
        "cls/predictions/output_bias": head.bias,
        "cls/predictions/transform/dense/kernel": head.transform.dense.weight.T,
        "cls/predictions/transform/dense/bias": head.transform.dense.bias,
        "cls/predictions/transform/LayerNorm/gamma": head.transform.LayerNorm.weight,
        "cls/predictions/transform/LayerNorm/beta": head.transform.LayerNorm.bias,
        "cls/seq_relationship/output_weights": theirs.cls.seq_relationship.weight,
        "cls/seq_relationship/output_bias": theirs.cls.seq_relationship.bias,
    }
    tensors = {name: x.detach().numpy() if isinstance(x, torch.Tensor) else x for name, x in tensors.items()}
    return str(write_google_folder(folder, tensors, source))


@pytest.mark.parametrize("form", ["huggingface", "google"])
def test_filled_masks_are_those_of_transformers(pretrained, tmp_path, form):
    theirs, source = pretrained
    model = bridge.load(google_copy(pretrained, tmp_path / "google") if form == "google" else source, {})
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    texts = ["The [MASK] runs[MASK].", "no mask", "[MASK]", "a [MASK] [MASK] DOG , [MASK]!", "sun " * 30 + "[MASK]"]
    more = (make_sentences()[0] * 4)[: 195 if form == "huggingface" else 0]
    texts += [f"{text} [MASK] the" for text in more]
    ours = bridge.fill_mask(model, texts, None, {"top": 6}, None)
    at = 0
    for row, text in enumerate(texts):
        batch = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            logits = theirs(**batch).prediction_logits[0]
        for mask, place in enumerate(np.flatnonzero(batch["input_ids"][0].numpy() == 4)):
            p = torch.softmax(logits[place].double(), 0)
            best = p.topk(6)
            span = slice(at, at + 6)
            assert ours["token"][span] == [VOCAB[i] for i in best.indices]
            np.testing.assert_allclose(ours["probability"][span], best.values.numpy(), atol=1e-5)
            assert set(ours["row"][span]) == {row + 1} and set(ours["mask"][span]) == {mask + 1}
            assert ours["rank"][span].tolist() == [1, 2, 3, 4, 5, 6]
            at += 6
    assert at == len(ours["token"]) == (7 + len(more)) * 6
    # one token's logits to within 1e-4
    some = bridge.fill_mask(model, ["[MASK] the"], None, {"top": len(VOCAB)}, None)
    with torch.no_grad():
        logits = theirs(**tokenizer("[MASK] the", return_tensors="pt")).prediction_logits[0, 1].numpy()
    mine = np.log(some["probability"])
    expected = logits[[VOCAB.index(t) for t in some["token"]]]
    np.testing.assert_allclose(mine - mine[0], expected - expected[0], atol=1e-4)


def test_targets_and_filled_texts(model):
    ask = {"top": 2, "targets": ["Dog", "cat", "##s"]}
    ours = bridge.fill_mask(model, ["A  [MASK] and [MASK]"], None, ask, None)
    assert sorted(ours["token"][:3]) == ["##s", "cat", "dog"] and len(ours["token"]) == 6
    assert set(ours["text"][:3]) == {"A  cat and [MASK]", "A  dog and [MASK]", "As and [MASK]"}
    assert "A  [MASK] and dog" in ours["text"][3:]
    every = bridge.fill_mask(model, ["A  [MASK] and [MASK]"], None, {"top": 999}, None)
    p = dict(zip(every["token"][: len(VOCAB)], every["probability"], strict=False))
    assert ours["probability"][:3] == pytest.approx([p[t] for t in ours["token"][:3]])
    assert sum(p.values()) == pytest.approx(1)
    with pytest.raises(BertrError, match="'catdog' and 1 more are not"):
        bridge.fill_mask(model, ["[MASK]"], None, {"top": 2, "targets": ["catdog", "xyz", "cat"]}, None)


def test_masks_beyond_the_limit_have_no_answer(model):
    texts = ["cat [MASK] dog dog [MASK]", "dog [MASK]"]
    ours = bridge.fill_mask(model, texts, None, {"top": 1, "max_len": 4}, None)
    assert ours["row"].tolist() == [1, 2] and ours["n_truncated"] == 1
    e, masks = fill_mask.encode_masked(model, texts, 4)
    np.testing.assert_array_equal(e.ids, model.encode(texts, None, 4).ids)
    np.testing.assert_array_equal(masks, e.ids == 4)
    none = bridge.fill_mask(model, ["cat"], None, {"top": 1}, None)
    assert none["token"] == [] and len(none["row"]) == 0


def test_characters_can_be_masked_too(pretrained):
    model = bridge.load(pretrained[1], {"tokens": "characters"})
    e, masks = fill_mask.encode_masked(model, ["a[MASK],"], 48)
    assert [VOCAB[i] for i in e.ids] == ["[CLS]", "a", "[MASK]", ",", "[SEP]"] and masks.tolist() == [0, 0, 1, 0, 0]


def test_without_a_head_masks_are_refused(tiny, sentences):
    model = bridge.load(tiny, {})
    with pytest.raises(BertrError, match="no masked-word head") as e:
        bridge.fill_mask(model, ["[MASK]"], None, {"top": 1}, None)
    assert e.value.code == "no_mlm" and "bert_fit" in e.value.hint


JAX = """
from bertr import bridge
out = bridge.fill_mask(bridge.load(values[0], {}), ["the [MASK]"], None, {"top": 3}, None)["token"]
"""


def test_jax_fills_masks(on_jax, pretrained, model):
    expected = bridge.fill_mask(model, ["the [MASK]"], None, {"top": 3}, None)["token"]
    assert on_jax(JAX, pretrained[1]) == expected
