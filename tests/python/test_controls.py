"""Settings of the training, each against a hand computation or torch."""

import functools

import keras
import numpy as np
import pytest
import torch
from conftest import fit_sentences, target

from bertr import bridge, manifest
from bertr.errors import BertrError
from bertr.kernels.compiled import TrainStep
from bertr.nn.network import build_network, read_head_options
from bertr.tasks import find_task
from bertr.training import fine_tuning
from bertr.training.adamw import SCHEDULES, BertAdamW
from bertr.training.adversarial import FastGradientMethod
from bertr.training.early_stopping import EarlyStopping
from bertr.training.layer_rates import rate_scales

fit = functools.partial(fit_sentences, seed=1, learning_rate=1e-3, epochs=2, dropout=0.0)


def rows_of(sentences, n):
    return {"a": sentences[0][:n], "b": None, "target": target(sentences[1][:n])}


def weights_of(fitted):
    return {
        **fitted.network.backbone.tensors(),
        **{f"head/{v.name}": np.array(v.value) for v in fitted.network.head.weights},
    }


def assert_same(ours, theirs, atol=0.0):
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=atol, err_msg=name)


def variables(rng, shapes):
    return [keras.Variable(rng.normal(size=shape).astype(np.float32), name=name) for name, shape in shapes.items()]


SHAPES = {"kernel": (3, 2), "bias": (2,), "word_rows": (4, 3)}


# ---------------------------------------------------------------- schedules


def test_schedules_by_hand():
    def rates(name, warmup, total):
        return [round(float(SCHEDULES[name](t, 0.4, warmup, total)), 6) for t in range(total)]

    assert rates("constant", 4, 6) == [0.1, 0.2, 0.3, 0.4, 0.4, 0.4]
    assert rates("constant", 0, 3) == [0.4, 0.4, 0.4]
    assert rates("keras_bert", 4, 10) == [0.1, 0.2, 0.3, 0.4, 0.2, 0.16, 0.12, 0.08, 0.04, 0.0]
    assert rates("keras_bert", 0, 4) == [0.3, 0.2, 0.1, 0.0]


def test_a_saved_fit_may_have_every_schedule():
    assert set(manifest.SCHEDULES) == set(SCHEDULES)


def test_keras_berts_step_by_hand():
    """Epsilon is added to the uncorrected root, which shows if gradients are as small as epsilon."""
    rng = np.random.default_rng(0)
    (w,) = variables(rng, {"kernel": (5,)})
    expected, m, v = np.array(w.value, np.float64), np.zeros(5), np.zeros(5)
    optimizer = BertAdamW([w], 0.1, None, "keras_bert")
    optimizer.begin(0.1, steps=6, warmup=0.34)
    for t in range(1, 7):
        g = rng.normal(size=5) * 1e-6
        optimizer.apply([keras.ops.convert_to_tensor(g.astype(np.float32))])
        rate = 0.1 * (t / 2 if t <= 2 else 1 - t / 6)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        expected *= 1 - rate * 0.1
        expected -= rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
    np.testing.assert_allclose(np.asarray(w.value), expected, atol=1e-6)


# ---------------------------------------------------------------- rates by layer


def test_scaled_rates_are_torchs_groups():
    rng = np.random.default_rng(1)
    ours = variables(rng, SHAPES)
    theirs = [torch.nn.Parameter(torch.tensor(np.array(v.value))) for v in ours]
    scales = [0.5, 1.0, 0.25]
    optimizer = BertAdamW(ours, 0.3, None, "constant", scales)
    optimizer.begin(0.1, steps=4, warmup=0)
    reference = torch.optim.AdamW(
        [
            {"params": [p], "lr": 0.1 * s, "weight_decay": 0.0 if v.name == "bias" else 0.3}
            for p, s, v in zip(theirs, scales, ours, strict=True)
        ],
        eps=1e-6,
    )
    for _ in range(4):
        gradients = [rng.normal(size=v.shape).astype(np.float32) for v in ours]
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients])
        for p, g in zip(theirs, gradients, strict=True):
            p.grad = torch.tensor(g)
        reference.step()
    for v, p in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(v.value), p.detach().numpy(), atol=2e-6)
    assert optimizer.decay(4, ours[2]) == pytest.approx((1 - 0.1 * 0.25 * 0.3) ** 4)
    assert optimizer.decay(4, ours[0]) == pytest.approx((1 - 0.1 * 0.5 * 0.3) ** 4)
    assert optimizer.decay(0, ours[0]) == 1.0


def test_every_layer_has_its_power(model):
    task = find_task("classification")({"levels": ["cat", "dog"]})
    network = build_network(model, task, read_head_options(model, {"pool": "pooler"}), "all")
    bert = network.backbone
    chosen = [
        bert.embeddings.word,
        bert.embeddings.norm.gamma,
        bert.blocks[0].qkv_kernel,
        bert.blocks[1].inner_bias,
        bert.blocks[2].output_norm.beta,
        bert.pooler.kernel,
        network.head.kernel,
    ]
    np.testing.assert_allclose(rate_scales(bert, chosen, 0.5), [1 / 16, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 1])


def test_weights_that_layers_share_have_the_uppermost_ones_power(albert):
    bert = bridge.load(albert, {}).backbone  # 4 layers, one block
    chosen = [bert.embeddings.word, bert.embeddings.projection_kernel, bert.blocks[0].qkv_kernel]
    np.testing.assert_allclose(rate_scales(bert, chosen, 0.5), [1 / 32, 1 / 32, 1 / 2])


def test_a_tiny_layer_decay_leaves_the_encoder_alone(model, sentences):
    fitted = fit(model, sentences, layer_decay=1e-8, head={"pool": "mean"}, epochs=8)
    ours, before = weights_of(fitted), model.backbone.tensors()
    for name in before:
        np.testing.assert_allclose(ours[name], before[name], atol=1e-6, err_msg=name)
    assert fitted.history["loss"][-1] < fitted.history["loss"][0]


@pytest.mark.parametrize(
    "options",
    [
        {"layer_decay": 0.5},
        {"ema": 0.7},
        {"layer_decay": 0.8, "ema": 0.9},
        {"schedule": "keras_bert"},
        {"accumulate": 2, "adversarial": 0.5},
    ],
)
def test_untouched_words_are_as_if_all_were_trained(model, sentences, monkeypatch, options):
    options = {"weight_decay": 0.9, "learning_rate": 1e-2, **options}
    some = fit(model, sentences, **options)
    real = fine_tuning.WordRows
    monkeypatch.setattr(fine_tuning, "WordRows", lambda table, ids: real(table, np.arange(table.shape[0])))
    every = fit(model, sentences, **options)
    assert some.history["loss"] == pytest.approx(every.history["loss"], rel=1e-5)
    ours, theirs = (f.network.backbone.tensors()["embeddings/word"] for f in (some, every))
    mask = model.tokenizer.vocab.index("[MASK]")
    np.testing.assert_allclose(ours[mask], theirs[mask], rtol=1e-5)
    assert not np.allclose(ours[mask], model.checkpoint.tensors["embeddings/word"][mask], rtol=1e-3)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


# ---------------------------------------------------------------- accumulation


def test_gathered_gradients_are_those_of_all_rows():
    rng = np.random.default_rng(2)
    one, parts = (variables(np.random.default_rng(3), SHAPES) for _ in range(2))
    whole, gathered = BertAdamW(one, 0.1, 1.0), BertAdamW(parts, 0.1, 1.0, accumulate=True)
    for optimizer in (whole, gathered):
        optimizer.begin(0.1, steps=3, warmup=0.4)
    for _ in range(3):
        rows = [[rng.normal(size=v.shape).astype(np.float32) for v in one] for _ in range(7)]  # a gradient a row
        whole.take([keras.ops.convert_to_tensor(np.mean(g, axis=0)) for g in zip(*rows, strict=True)], 7)
        for part in (rows[:3], rows[3:6], rows[6:]):
            gathered.take([keras.ops.convert_to_tensor(np.mean(g, axis=0)) for g in zip(*part, strict=True)], len(part))
        gathered.flush()
    for a, b in zip(one, parts, strict=True):
        np.testing.assert_allclose(np.asarray(a.value), np.asarray(b.value), atol=1e-6)
    assert float(gathered.step.value) == 3


@pytest.mark.parametrize("train", ["all", "head"])
def test_four_small_batches_are_one_large_one(model, sentences, train):
    """60 rows: the second step has 28, its last batch 4."""
    large = fit(model, sentences, batch_size=32, train=train, epochs=3)
    small = fit(model, sentences, batch_size=8, accumulate=4, train=train, epochs=3)
    assert small.history["loss"] == pytest.approx(large.history["loss"], rel=1e-5)
    # if a gradient is only rounding error, as for key biases, Adam still takes full steps
    assert_same(
        {k: v for k, v in weights_of(small).items() if "key/bias" not in k},
        {k: v for k, v in weights_of(large).items() if "key/bias" not in k},
        atol=1e-4,
    )
    prob = [bridge.predict(f, sentences[0], None, {}, None)["prob"] for f in (small, large)]
    np.testing.assert_allclose(*prob, atol=1e-5)
    assert small.facts["accumulate"] == 4


# ---------------------------------------------------------------- averaged weights


def test_averages_by_hand():
    rng = np.random.default_rng(4)
    ours = variables(rng, SHAPES)
    optimizer = BertAdamW(ours, 0.1, None, ema=0.8)
    optimizer.begin(0.1, steps=5, warmup=0.2)
    seen = []
    for _ in range(5):
        optimizer.apply([keras.ops.convert_to_tensor(rng.normal(size=v.shape).astype(np.float32)) for v in ours])
        seen.append([np.array(v.value, np.float64) for v in ours])
    share = 0.2 * 0.8 ** np.arange(4, -1, -1) / (1 - 0.8**5)
    assert share.sum() == pytest.approx(1)
    optimizer.swap()
    for i, v in enumerate(ours):
        mean = sum(w * s[i] for w, s in zip(share, seen, strict=True))
        np.testing.assert_allclose(np.asarray(v.value), mean, atol=1e-6)
    optimizer.swap()
    for v, last in zip(ours, seen[-1], strict=True):
        np.testing.assert_array_equal(np.asarray(v.value), last.astype(np.float32))


def interrupt_at(epoch):
    return lambda kind, values: kind == "epoch" and values["epoch"] == epoch


@pytest.mark.parametrize("train", ["all", "head"])
def test_a_fit_has_the_averaged_weights(model, sentences, train):
    """One step per epoch, so that interrupts return the weights after each step."""
    options = {
        "epochs": 3,
        "batch_size": 60,
        "train": train,
        "learning_rate": 1e-2,
        "weight_decay": 0.5,
        "head": {"calibrate": False},
    }
    seen = rows_of(sentences, 20)
    after = [weights_of(fit(model, sentences, seen, on_event=interrupt_at(e), **options)) for e in (1, 2, 3)]
    fitted = fit(model, sentences, seen, ema=0.6, **options)
    share = 0.4 * 0.6 ** np.arange(2, -1, -1) / (1 - 0.6**3)
    mean = {name: sum(w * a[name] for w, a in zip(share, after, strict=True)) for name in after[0]}
    assert_same(weights_of(fitted), mean, atol=1e-5)
    prob = bridge.predict(fitted, seen["a"], None, {}, None)["prob"]
    loss = -np.log(prob[np.arange(20), sentences[1][:20]]).mean()
    assert fitted.history["val_loss"][-1] == pytest.approx(loss, abs=1e-5)


# ---------------------------------------------------------------- adversarial training


class Recorder:
    """Takes gradients and keeps them."""

    loss_scale = 1.0

    def __init__(self, trained):
        self.kept = [keras.Variable(keras.ops.zeros(v.shape), trainable=False) for v in trained]
        self.variables = self.kept

    def take(self, gradients, rows):
        for kept, gradient in zip(self.kept, gradients, strict=True):
            kept.assign(gradient)

    def flush(self):
        pass


def test_fgm_adds_the_gradient_at_the_moved_words(model, sentences):
    import tensorflow as tf

    task = find_task("classification")({"levels": ["cat", "dog"]})
    network = build_network(model, task, read_head_options(model, {}), "all", dropout=0.0)
    network.train_only("all")
    encodings = model.encode(sentences[0][:8], None)
    inputs, codes = encodings.pad(np.arange(8)), np.array(sentences[1][:8], np.int32)
    trained, words = network.trainable_variables, network.backbone.embeddings.word

    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(task.loss(codes, network(*inputs, training=True), network.head))
        return [np.array(tf.convert_to_tensor(g)) for g in tape.gradient(loss, [v.value for v in trained])]

    place = next(i for i, v in enumerate(trained) if v is words)
    clean = gradients()
    before, norm = np.array(words.value), np.linalg.norm(clean[place])
    words.assign(before + 0.5 * clean[place] / (norm + 1e-8))
    moved = gradients()
    words.assign(before)
    recorder = Recorder(trained)
    step = TrainStep(
        lambda y, *x: [task.loss(y, network(*x, training=True), network.head)],
        trained,
        network.non_trainable_variables,
        recorder,
        codes,
        inputs,
        FastGradientMethod(network.backbone.embeddings, place, 0.5),
    )
    step(codes, *inputs)
    assert not np.allclose(clean[place], moved[place], atol=1e-3)
    for kept, a, b, v in zip(recorder.kept, clean, moved, trained, strict=True):
        np.testing.assert_allclose(np.asarray(kept.value), a + b, atol=2e-5, err_msg=v.path)
    assert network.backbone.embeddings.shift is None
    np.testing.assert_array_equal(np.asarray(words.value), before)


def test_adversarial_training_needs_the_words(model, sentences):
    with pytest.raises(BertrError, match="word vectors"):
        fit(model, sentences, adversarial=0.5, train="top:1")


# ---------------------------------------------------------------- class weights, smoothing


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, [1.0, 3.0, 0.5]])
def test_the_training_loss_is_torchs(smoothing, weights):
    rng = np.random.default_rng(5)
    outputs, codes = rng.normal(size=(9, 3)).astype(np.float32), rng.integers(0, 3, 9).astype(np.int32)
    task = find_task("classification")({"levels": ["a", "b", "c"]})
    task.train_with(weights, smoothing, codes)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(outputs), torch.tensor(codes).long(), reduction="none", label_smoothing=smoothing
    ).numpy()
    if weights:
        expected = expected * np.array(weights)[codes]
    np.testing.assert_allclose(task.training_loss(codes, outputs, None), expected, atol=1e-6)
    plain = torch.nn.functional.cross_entropy(torch.tensor(outputs), torch.tensor(codes).long()).item()
    assert task.evaluate(codes, outputs, None, None)["loss"] == pytest.approx(plain, abs=1e-6)  # neither in validation


def test_balanced_weights_by_hand(model, sentences):
    codes = np.array([0] * 6 + [1] * 2 + [2], np.int32)
    task = find_task("classification")({"levels": ["a", "b", "c"]})
    task.train_with("balanced", 0.0, codes)
    assert task.spec["class_weights"] == pytest.approx([9 / 18, 9 / 6, 9 / 3])
    texts = sentences[0]
    rare = [int(i % 10 == 1) for i in range(60)]  # of the dogs, one in five
    shares = [
        bridge.predict(fit(model, (texts, rare), class_weights=w), texts, None, {}, None)["prob"][:, 1].mean()
        for w in (None, "balanced", [1.0, 50.0])
    ]
    assert shares[0] < shares[1] < shares[2]


def test_other_tasks_refuse_class_weights(model, sentences):
    from bertr.tasks.base import Task

    with pytest.raises(BertrError, match="not support class weights"):
        Task({}).train_with("balanced", 0.0, None)
    Task({}).train_with(None, 0.0, None)


# ---------------------------------------------------------------- early stopping


def test_the_best_epoch_by_hand():
    w = [keras.Variable(0.0)]
    best = EarlyStopping(2)
    figures = [(0.5, 1.0), (0.8, 0.9), (0.8, 0.7), (0.7, 0.1), (float("nan"), 0.1)]
    waited = []
    for epoch, (accuracy, loss) in enumerate(figures, 1):
        w[0].assign(epoch)
        best.update({"epoch": epoch, "loss": 1.0, "val_loss": loss, "val_accuracy": accuracy}, w)
        waited.append(best.waited(epoch))
    assert best.epoch == 3 and waited == [False, False, False, False, True]
    best.restore_best(w)
    assert float(w[0].value) == 3


@pytest.mark.parametrize("train", ["all", "top:1", "head"])
def test_early_stopping_gives_back_the_best_epoch(model, sentences, monkeypatch, train):
    figures = iter([0.5, 0.7, 0.6, 0.65, 0.9])
    options = {"epochs": 9, "train": train, "dropout": 0.1}
    second = weights_of(fit(model, sentences, rows_of(sentences, 9), on_event=interrupt_at(2), **options))
    monkeypatch.setattr(find_task("classification"), "metrics", lambda *args: {"accuracy": next(figures)})
    fitted = fit(model, sentences, rows_of(sentences, 9), early_stopping=2, **options)
    facts = bridge.describe_fit(fitted)
    assert facts["epochs_done"] == 4 and facts["best_epoch"] == 2 and facts["stopped_early"]
    assert not facts["interrupted"] and len(fitted.history["loss"]) == 4
    assert_same(weights_of(fitted), second)


def test_all_epochs_may_pass_and_the_best_is_kept(model, sentences, monkeypatch):
    figures = iter([0.5, 0.9, 0.6])
    monkeypatch.setattr(find_task("classification"), "metrics", lambda *args: {"accuracy": next(figures)})
    facts = fit(model, sentences, rows_of(sentences, 9), early_stopping=5, epochs=3).facts
    assert (facts["epochs_done"], facts["best_epoch"], facts["stopped_early"]) == (3, 2, False)


def test_early_stopping_needs_validation(model, sentences):
    with pytest.raises(BertrError, match="needs validation"):
        fit(model, sentences, early_stopping=2)


# ---------------------------------------------------------------- all together


def test_all_together_learn(model, sentences):
    fitted = fit(
        model,
        sentences,
        rows_of(sentences, 20),
        epochs=20,
        learning_rate=3e-3,
        accumulate=2,
        batch_size=8,
        ema=0.9,
        adversarial=0.3,
        layer_decay=0.9,
        schedule="constant",
        class_weights="balanced",
        label_smoothing=0.1,
        early_stopping=20,
        dropout=0.1,
    )
    prob = bridge.predict(fitted, sentences[0], None, {}, None)["prob"]
    assert np.mean(prob.argmax(axis=1) == sentences[1]) > 0.95
