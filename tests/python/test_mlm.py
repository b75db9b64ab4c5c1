"""Masked words and next sentences: loss and gradients against transformers, learning, saving."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
import torch
import transformers
from checkpoints import canonical_tensors
from conftest import VOCAB, WORDS, language

from bertr import bridge
from bertr.errors import BertrError
from bertr.nn.network import build_network, read_head_options
from bertr.tasks.mlm.task import MaskedLanguage
from bertr.training.fit import make_samples


@pytest.fixture
def model(pretrained):
    return bridge.load(pretrained[1], {})


def task_of(pairs=False, whole_words=False):
    return MaskedLanguage.from_target({"pairs": pairs}, {"whole_words": whole_words, "pair": "joint"})


def fit(model, a, b=None, validation=None, **options):
    options = {"head": {}, "seed": 1, "learning_rate": 3e-3, "epochs": 20, "dropout": 0.0, **options}
    target = {"pairs": b is not None}
    seen = validation and {"a": validation[0], "b": validation[1], "target": target}
    return bridge.fit(model, "mlm", a, b, target, seen, options, None)


def sums_of(fitted, a, b):
    kept = bridge.new_predictions()
    bridge.keep_predictions(fitted, a, b, {"kept": kept}, None)
    return {name: float(value[0]) for name, value in kept.joined().items()}


# ---------------------------------------------------------------- loss and gradients


@pytest.mark.parametrize("pairs", [False, True])
def test_loss_and_every_gradient(pretrained, model, pairs):
    theirs = pretrained[0]
    a, b = language(7), language(7, seed=1) if pairs else None
    task, options = task_of(pairs), read_head_options(model, {})
    samples = make_samples(model, task, options, a, b, {}, 48)
    rng = np.random.default_rng(3)
    samples = task.draw(samples, rng)
    network = build_network(model, task, options, "all")
    network.train_only("all")
    rows = np.arange(7)
    targets, (ids, segments, mask) = samples.batch(rows, rng)
    variables = {name: v for name, (v, _) in network.backbone._variables().items() if not name.startswith("pooler")}
    variables |= network.head._variables()

    @tf.function(autograph=False)  # as in training: gradients are written out in graphs only
    def loss_and_gradients():
        loss = tf.reduce_mean(task.loss(targets, network(ids, segments, mask, training=True), network.head))
        return loss, [tf.convert_to_tensor(g) for g in tf.gradients(loss, [v.value for v in variables.values()])]

    loss, gradients = loss_and_gradients()
    labels = np.full(ids.shape, -100)
    splits = samples.encodings.row_splits
    for row in rows:
        own = samples.targets[splits[row] : splits[row + 1]]
        labels[row, : len(own)] = np.where(own >= 0, own, -100)
    given = {"input_ids": ids, "token_type_ids": segments, "attention_mask": mask, "labels": labels}
    if pairs:
        given["next_sentence_label"] = labels[:, 0].copy()
        labels[:, 0] = -100
    given = {name: torch.tensor(x).long() for name, x in given.items()}
    assert (given["labels"] >= 0).sum() >= 7
    theirs.zero_grad()
    if pairs:
        their_loss = theirs(**given).loss
    else:
        masked = transformers.BertForMaskedLM(theirs.config)
        masked.load_state_dict(theirs.state_dict(), strict=False)
        theirs, their_loss = masked, masked(**given).loss
    their_loss.backward()
    assert abs(float(loss) - their_loss.item()) < 1e-5
    expected = canonical_tensors(
        {name.removeprefix("bert."): p.grad.numpy() for name, p in theirs.named_parameters() if p.grad is not None}
    )
    ours = dict(zip(variables, gradients, strict=True))
    assert set(ours) == set(expected)
    for name, gradient in expected.items():
        mine = ours[name].numpy()
        columns = network.backbone._variables().get(name, (None, None))[1]
        mine = mine if columns is None else mine[..., columns]
        np.testing.assert_allclose(mine, gradient, atol=1e-5, rtol=1e-4, err_msg=name)


def test_what_follows_is_learnt(model):
    words = WORDS[:24]
    a = [words[i % 24] + " with the " + words[i % 24] for i in range(120)]
    b = [words[(i + 1) % 24] + " and " + words[(i + 1) % 24] for i in range(120)]
    fitted = fit(model, a, b, validation=(a, b), epochs=45, batch_size=8, learning_rate=4e-3)
    assert fitted.history["val_nsp_accuracy"][-1] > 0.75
    assert fitted.history["val_accuracy"][-1] > 0.5
    sums = sums_of(fitted, a, b)
    assert sums["pairs"] == 120 and sums["pair_right"] / 120 == pytest.approx(fitted.history["val_nsp_accuracy"][-1])


# ---------------------------------------------------------------- learning


def test_an_easy_language_is_learnt(model, tiny):
    texts = language(80)
    for start in (model, bridge.load(tiny, {})):  # with a pre-trained head, and without
        fitted = fit(start, texts, validation=(language(40, seed=9), None), epochs=50, batch_size=8)
        losses = fitted.history["loss"]
        assert losses[-1] < 0.4 * losses[0]
        assert fitted.history["val_accuracy"][-1] > 0.6
        sums = sums_of(fitted, language(40, seed=9), None)
        assert sums["nll"] / sums["words"] == pytest.approx(fitted.history["val_loss"][-1], rel=1e-5)
    words = WORDS[:24]
    asked = [" ".join("[MASK]" if i == 3 else words[(k + i) % 24] for i in range(6)) for k in range(24)]
    answers = bridge.fill_mask(fitted, asked, None, {"top": 1}, None)["token"]
    assert np.mean([answer == words[(k + 3) % 24] for k, answer in enumerate(answers)]) > 0.6


def test_a_new_head_begins_with_the_frequencies_of_the_words(tiny):
    texts = ["the the the cat"] * 20
    fitted = fit(bridge.load(tiny, {}), texts, epochs=1, learning_rate=1e-9)
    p = np.exp(fitted.network.head.output_bias.numpy())
    assert p.sum() == pytest.approx(1, abs=1e-4)
    assert p[5] / p[7] == pytest.approx(61 / 21, rel=1e-3) and p[2] == pytest.approx(p[9], rel=1e-3)


def test_masks_follow_the_seed(model):
    runs = [fit(model, language(30), epochs=2, seed=seed).history["loss"] for seed in (4, 4, 5)]
    assert runs[0] == runs[1] != runs[2]
    assert fit(model, language(9), head={"whole_words": True}, epochs=1).task.spec["whole_words"]


def test_pairs_are_read_together_only(model):
    with pytest.raises(BertrError, match="both texts together"):
        fit(model, language(9), language(9), head={"pair": "cosine"})


def test_texts_with_nothing_to_hide(model):
    fitted = fit(model, ["", "the", ""], validation=([""], None), epochs=1, batch_size=1)
    assert fitted.history["val_loss"] == [0.0] and np.isfinite(fitted.history["loss"]).all()


@pytest.mark.parametrize("train", ["head", "top:1", "all"])
def test_which_part_is_trained(model, train):
    fitted = fit(model, language(30), epochs=1, train=train)
    before, after = model.checkpoint.tensors, fitted.checkpoint().tensors
    changed = {name.split("/")[0] for name in after if not np.array_equal(before[name], after[name])}
    assert (
        changed
        == {"head": {"mlm"}, "top:1": {"mlm", "block_1"}, "all": {"mlm", "block_0", "block_1", "embeddings"}}[train]
    )
    if train == "all":
        assert not np.array_equal(after["embeddings/word"][1], before["embeddings/word"][1])  # the softmax reaches all


def test_the_adapted_encoder_serves_other_tasks(model, sentences, tmp_path):
    texts, codes = sentences
    adapted = fit(model, texts, epochs=3)
    target = {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}
    for train in ("all", "head"):
        options = {"head": {}, "seed": 1, "epochs": 2, "train": train}
        fitted = bridge.fit(adapted, "classification", texts, None, target, None, options, None)
        assert fitted.base.checkpoint.tensors["mlm/bias"].shape == (len(VOCAB),)
        if train == "head":
            np.testing.assert_array_equal(
                fitted.checkpoint().tensors["embeddings/word"], adapted.network.backbone.tensors()["embeddings/word"]
            )
        expected = bridge.predict(fitted, texts, None, {}, None)["prob"]
        back = bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)
        np.testing.assert_array_equal(bridge.predict(back, texts, None, {}, None)["prob"], expected)
        bridge.save(fitted, str(tmp_path / train), "{}")
        back = bridge.load(str(tmp_path / train), {})
        np.testing.assert_array_equal(bridge.predict(back, texts, None, {}, None)["prob"], expected)
    further = fit(adapted, texts, epochs=1, learning_rate=1e-9)  # continues with its head
    np.testing.assert_allclose(
        further.network.head.output_bias.numpy(), adapted.network.head.output_bias.numpy(), atol=1e-6
    )


# ---------------------------------------------------------------- keeping


def no_pooler(folder, torch_folder):
    """The same checkpoint without pooler and heads."""
    bare = transformers.BertModel.from_pretrained(torch_folder, add_pooling_layer=False)
    bare.save_pretrained(folder)
    for name in ("vocab.txt", "tokenizer_config.json"):
        shutil.copy(f"{torch_folder}/{name}", folder)
    return bridge.load(str(folder), {})


@pytest.mark.parametrize(
    "pairs, bare, train", [(False, False, "all"), (True, True, "all"), (True, False, "head"), (False, True, "head")]
)
def test_a_kept_fit_gives_the_same_and_opens_in_transformers(pretrained, model, tmp_path, pairs, bare, train):
    if bare:
        model = no_pooler(tmp_path / "bare", pretrained[1])
    a, b = language(30), language(30, seed=3) if pairs else None
    fitted = fit(model, a, b, epochs=2, learning_rate=1e-2, train=train)
    asked = ["the [MASK] cat [MASK]", "[MASK]"]
    expected = bridge.fill_mask(fitted, asked, None, {"top": 4}, None)
    sums = sums_of(fitted, a, b)
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    for back in (bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None), bridge.load(str(tmp_path / "fit"), {})):
        assert sums_of(back, a, b) == pytest.approx(sums)
        again = bridge.fill_mask(back, asked, None, {"top": 4}, None)
        assert again["token"] == expected["token"]
        np.testing.assert_allclose(again["probability"], expected["probability"], rtol=1e-5)
    kind = transformers.BertForPreTraining if pairs else transformers.BertForMaskedLM
    theirs, report = kind.from_pretrained(tmp_path / "fit", output_loading_info=True)
    assert not report["missing_keys"]
    e = fitted.base.encode(a[:1], b and b[:1])
    ids, segments, mask = e.pad([0])
    head, states = fitted.network.head, fitted.network.backbone(ids, segments, mask)
    with torch.no_grad():
        out = theirs.eval()(torch.tensor(ids).long(), token_type_ids=torch.tensor(segments).long())
    words = out.prediction_logits if pairs else out.logits
    np.testing.assert_allclose(head.words(states[0]).numpy(), words[0].numpy(), atol=1e-4)
    if pairs:
        np.testing.assert_allclose(head.follows(states[:, 0]).numpy(), out.seq_relationship_logits.numpy(), atol=1e-4)
        pooled = bridge.embed(fitted, ["the cat"], None, {"pool": "pooler"}, None)["values"]
        theirs = transformers.BertModel.from_pretrained(tmp_path / "fit").eval()
        ids = torch.tensor(fitted.base.encode(["the cat"], None).ids[None]).long()
        with torch.no_grad():
            np.testing.assert_allclose(pooled, theirs(ids).pooler_output.numpy(), atol=1e-5)
