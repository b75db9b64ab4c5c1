"""The encoder against transformers + torch: states of every layer, loss and every gradient."""

import csv
import json

import keras
import numpy as np
import pytest
import torch
import transformers
from checkpoints import canonical_tensors
from one_step import assert_same_step
from small import perturb, small_config

from bertr.checkpoints.config import BertConfig
from bertr.families import build_backbone
from bertr.kernels import activations
from bertr.kernels.compiled import Forward
from bertr.nn import backbone as backbone_module
from bertr.nn.packing import PaddedPacking, packing_for
from bertr.nn.scorer import scoring_batches
from bertr.text.wordpiece import Tokenizer


@pytest.fixture(scope="module")
def encodings(checkpoint, fixtures):
    """100 varied texts: FAQ sentences, torture strings, other scripts, one long, one empty."""
    with open(fixtures / "texts" / "torture.jsonl", encoding="utf-8") as f:
        texts = [json.loads(line)["text"] for line in f][::6][:50]
    with open(fixtures.parents[1] / "inst/extdata/faq30/train.csv", encoding="utf-8", newline="") as f:
        texts += [row["text"] for row in csv.DictReader(f)][:45]
    texts += ["", "Dove si trova la carta?", "今天天气很好。", "Как дела?", "word " * 600]
    assert len(texts) == 100
    return Tokenizer(checkpoint.vocab, **checkpoint.tokenizer).encode(texts, max_len=512)


@pytest.fixture(scope="module")
def reference(minilm, encodings):
    """transformers' states of every layer, each text alone: a pair of lists of [tokens, hidden] arrays a text, the
    first computed in float32, the second in float64."""
    single = transformers.BertModel.from_pretrained(minilm).eval()
    double = transformers.BertModel.from_pretrained(minilm).double().eval()
    out = []
    with torch.no_grad():
        for row in range(len(encodings)):
            ids, _, mask = (torch.tensor(x).long() for x in encodings.pad([row]))
            states = [m(ids, attention_mask=mask, output_hidden_states=True).hidden_states for m in (single, double)]
            out.append([[h[0].numpy() for h in s] for s in states])
    return out


def allowed(single, double):
    """1e-5, or twice the error of float32 torch where that exceeds half of it."""
    return max(1e-5, 2 * np.abs(single - double).max())


@pytest.mark.parametrize("way", ["packed", "padded", "alone"])
def test_states_of_every_layer(checkpoint, encodings, reference, way, monkeypatch, traced):
    if way == "padded":
        monkeypatch.setattr(backbone_module, "packing_for", PaddedPacking)
    bert = build_backbone(checkpoint)
    forward = Forward(lambda *x: tuple(bert.states_for("none", *x, range(7))), bert.variables)
    budget = 1 if way == "alone" else 4096
    seen = 0
    for rows in scoring_batches(encodings.lengths, budget):
        states = forward(*encodings.pad(rows))
        assert len(states) == 7
        for k, row in enumerate(rows):
            n = encodings.lengths[row]
            for ours, single, double in zip(states, *reference[row], strict=True):
                np.testing.assert_allclose(ours[k, :n], double, atol=allowed(single, double), rtol=0)
                assert not ours[k, n:].any()
            seen += 1
    assert seen == 100
    assert len(traced) == 1


@pytest.mark.parametrize("way", ["packed", "padded"])
@pytest.mark.parametrize("layers", [(6,), (0,), (4,), (0, 2, 5)])
def test_what_a_pooling_of_the_first_token_looks_at(checkpoint, encodings, layers, way, monkeypatch):
    if way == "padded":
        monkeypatch.setattr(backbone_module, "packing_for", PaddedPacking)
    bert = build_backbone(checkpoint)
    rows = encodings.pad(np.argsort(encodings.lengths)[[0, 1, 50, 98]])
    whole = bert.states_for("none", *rows, range(7))
    for state, layer in zip(bert.states_for("cls", *rows, layers), layers, strict=True):
        np.testing.assert_allclose(np.asarray(state), np.asarray(whole[layer])[:, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("lengths", "tokens"),
    [
        ((12, 7, 3, 9), 32),  # 31 real ones
        ((20, 1), 32),
        ((16, 16), 32),
        ((5, 5), 10),  # no padding to fill up with
        ((7, 6), 14),  # too little of it
        ((500,) * 8 + (90,), 4096),  # 4,090
        ((500,) * 8 + (97,), 4160),  # from there on tiles are four times as large
    ],
)
def test_tokens_are_filled_up_with_padding(lengths, tokens):
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int32)
    packing = packing_for(mask, "float32", heads=1)
    taken = np.asarray(packing.index)
    assert len(taken) == tokens
    assert set(np.flatnonzero(mask)) <= set(taken)
    values = np.arange(mask.size, dtype=np.float32).reshape(*mask.shape, 1)
    np.testing.assert_array_equal(np.asarray(packing.pad(packing.pack(values))), values * mask[:, :, None])


def test_a_row_without_real_tokens_stays_finite(checkpoint):
    bert = build_backbone(checkpoint)
    ids = np.array([[101, 2023, 102], [0, 0, 0]], np.int32)
    mask = np.array([[1, 1, 1], [0, 0, 0]], np.int32)
    assert np.isfinite(np.asarray(bert(ids, ids * 0, mask))).all()


@pytest.fixture(scope="module", params=["gelu", "gelu_new", "relu"])
def small(request):
    """A small random BERT in torch and ours with the same weights."""
    torch.manual_seed(3)
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    shape = {"num_hidden_layers": 3, "max_position_embeddings": 40}
    config = small_config(50, hidden_act=request.param, initializer_range=0.3, **shape, **dropout)
    theirs = perturb(transformers.BertModel(config))
    tensors = canonical_tensors({k: v.numpy() for k, v in theirs.state_dict().items()})

    class Checkpoint:
        pass

    c = Checkpoint()
    c.config = BertConfig.from_dict(config.to_dict())
    c.tensors = tensors
    return theirs, build_backbone(c)


@pytest.mark.parametrize("pool", ["mean", "cls", "pooler"])
def test_loss_and_every_gradient(small, pool):
    theirs, ours = small
    rng = np.random.default_rng(5)
    lengths, n = [12, 7, 3, 9], 12
    mask = (np.arange(n) < np.array(lengths)[:, None]).astype(np.int32)
    ids = (rng.integers(5, 50, mask.shape) * mask).astype(np.int32)
    segments = ((np.arange(n) >= 5) * mask).astype(np.int32)
    assert_same_step(ours, theirs, (ids, segments, mask), pool, 5 + 3 * 16)


def test_tensors_come_back_as_they_went_in(checkpoint):
    bert = build_backbone(checkpoint)
    back = bert.tensors()
    assert set(back) == set(checkpoint.tensors)
    assert all(np.array_equal(back[k], checkpoint.tensors[k]) for k in back)


def test_dropout_only_where_something_is_trained(checkpoint):
    bert = build_backbone(checkpoint, dropout=0.5)
    ids = np.array([[101, 2023, 2003, 102]], np.int32)
    x = (ids, ids * 0, ids * 0 + 1)
    still = np.asarray(bert(*x, training=False))
    assert not np.allclose(np.asarray(bert(*x, training=True)), still)
    bert.train_upper(0)
    assert np.array_equal(np.asarray(bert(*x, training=True)), still)
    bert.train_upper(2)
    states = [np.asarray(s) for s in bert.states_for("none", *x, range(7), training=True)]
    plain = [np.asarray(s) for s in bert.states_for("none", *x, range(7))]
    assert [np.array_equal(a, b) for a, b in zip(states, plain, strict=True)] == [True] * 5 + [False] * 2
    trained = {v.path.split("/")[1] for v in bert.trainable_variables}
    assert trained == {"block_4", "block_5", "pooler"}


def test_a_global_precision_policy_changes_nothing(checkpoint):
    ids = np.array([[101, 2023, 2003, 102]], np.int32)
    expected = np.asarray(build_backbone(checkpoint)(ids, ids * 0, ids * 0 + 1))
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        out = np.asarray(build_backbone(checkpoint)(ids, ids * 0, ids * 0 + 1))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert out.dtype == np.float32 and np.array_equal(out, expected)


def test_gelus_written_out_gradient_is_the_chain_rules():
    """In eager mode TensorFlow differentiates automatically."""
    import tensorflow as tf

    x, weights = (tf.constant(np.random.default_rng(i).normal(size=(6, 8)).astype(np.float32)) for i in (2, 3))
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(activations.gelu(x) * weights)
    graph = tf.function(lambda: tf.gradients(tf.reduce_sum(activations.gelu(x) * weights), x)[0], autograph=False)
    assert "IdentityN" in [op.type for op in graph.get_concrete_function().graph.get_operations()]
    np.testing.assert_allclose(graph(), tape.gradient(value, x), atol=1e-5)
