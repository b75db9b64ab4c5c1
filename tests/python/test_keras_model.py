"""The encoder as a Keras layer against `embed`, transformers and its own copies; BERT's optimizer against torch's."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
import transformers
from checkpoints import canonical_tensors
from conftest import make_albert

from bertr import bridge
from bertr.errors import BertrError
from bertr.families import build_backbone, read_checkpoint
from bertr.keras_layer import BertEncoder
from bertr.kernels import onednn
from bertr.training.adamw import BertAdamW

TEXTS = [
    "the cat sat on a red tree",
    "dog",
    "a small bird sings under the old moon , and the rain falls !",
    "fish eats",
]
NAMES = ("token_ids", "segment_ids", "mask")
NA = -(2**31)


@pytest.fixture(params=["bert", "albert"])
def any_model(request, tmp_path, spiece):
    if request.param == "bert":
        return bridge.load(request.getfixturevalue("tiny"), {})
    make_albert(tmp_path, spiece)
    return bridge.load(str(tmp_path), {})


def inputs_of(model, texts=TEXTS, max_len=None):
    tokens = bridge.tokenize(model, texts, None, max_len)
    return [tokens[name] for name in NAMES]


def keras_model(model, pool=None, train="all", max_len=None, dropout=None, precision="float32"):
    return bridge.keras_model(model, pool, train, max_len, dropout, precision)


def predict(keras_model, inputs):
    return keras_model.predict(inputs, verbose=0)


def with_head(bert, seed=1):
    init = keras.initializers.GlorotUniform(seed)
    return keras.Model(bert.inputs, keras.layers.Dense(1, "sigmoid", kernel_initializer=init)(bert.output["pooled"]))


def encoder(model):
    return next(layer for layer in model.layers if isinstance(layer, BertEncoder))


def fit(model, inputs, epochs=1, **options):
    """Trains to tell the first half of the rows from the others; gives the losses."""
    model.compile(bridge.keras_optimizer(len(inputs[0]), 4, epochs, 1e-2, 0.1), "binary_crossentropy", **options)
    y = (np.arange(len(inputs[0])) < len(inputs[0]) / 2).astype("float32")[:, None]
    return model.fit(inputs, y, batch_size=4, epochs=epochs, verbose=0, shuffle=False).history["loss"]


def assert_parallel(vectors, expected):
    """Equal within 1e-6 of their length: processors round differently, by parts of the largest entries."""
    length = np.linalg.norm(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(vectors / length, expected / length, atol=1e-6, rtol=0)


def assert_same(a, b, **tolerance):
    assert a.keys() == b.keys()
    for name in a:
        if tolerance:
            np.testing.assert_allclose(a[name], b[name], **tolerance)
        else:
            np.testing.assert_array_equal(a[name], b[name])


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("pool", ["mean", "cls", "max", "pooler"])
def test_outputs_are_those_of_embed(any_model, pool):
    bert, inputs = keras_model(any_model, pool), inputs_of(any_model)
    out = predict(bert, inputs)
    assert_parallel(out["pooled"], bridge.embed(any_model, TEXTS, None, {"pool": pool}, None)["values"])
    tokens = bridge.embed(any_model, TEXTS, None, {"pool": "none"}, None)["values"]
    real = inputs[2].astype(bool)
    assert_parallel(out["sequence"][real], tokens)
    assert not out["sequence"][~real].any()
    assert_same(predict(bert, dict(zip(NAMES, inputs, strict=True))), out)
    assert [x.name for x in bert.inputs] == list(NAMES) and all(x.dtype == "int32" for x in bert.inputs)
    for name, x in bert.output.items():
        assert x.dtype == "float32" and x.shape[-1] == out[name].shape[-1] and len(x.shape) == out[name].ndim


def test_several_poolings_are_joined(model):
    bert = keras_model(model)
    layer = BertEncoder(**{**encoder(bert).get_config(), "pool": "mean+cls"})
    layer.backbone.set_tensors(model.checkpoint.tensors)
    inputs = inputs_of(model)
    pooled = np.asarray(layer(*inputs)["pooled"])
    assert layer.compute_output_spec(*bert.inputs)["pooled"].shape == (None, pooled.shape[1])
    parts = [predict(keras_model(model, pool), inputs)["pooled"] for pool in ("mean", "cls")]
    assert_parallel(pooled, np.concatenate(parts, axis=1))


def test_a_trained_fit_is_the_model_too(model, sentences):
    from conftest import fit_sentences

    fitted = fit_sentences(model, sentences, seed=1, epochs=1, learning_rate=1e-2)
    out = predict(keras_model(fitted, "mean"), inputs_of(model))["pooled"]
    expected = bridge.embed(fitted, TEXTS, None, {"pool": "mean"}, None)["values"]
    np.testing.assert_allclose(out, expected, atol=1e-6)
    assert not np.allclose(out, bridge.embed(model, TEXTS, None, {"pool": "mean"}, None)["values"], atol=1e-3)


def their_gradients(folder, inputs, upstream):
    theirs = transformers.AutoModel.from_pretrained(folder).eval()
    ids, segments, mask = (torch.tensor(x).long() for x in inputs)
    states = theirs(ids, attention_mask=mask, token_type_ids=segments).last_hidden_state
    real = mask[:, :, None].float()
    pooled = (states * real).sum(1) / real.sum(1)
    (pooled * torch.tensor(upstream)).sum().backward()
    return canonical_tensors({k: p.grad.numpy() for k, p in theirs.named_parameters() if p.grad is not None})


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("mode", ["eager", "tape in the graph", "tape outside"])
def test_gradients_are_those_of_transformers(tiny, model, training, mode):
    """With training = FALSE oneDNN's operations once made them zero without an error."""
    layer, inputs = encoder(keras_model(model, "mean", dropout=0.0)), inputs_of(model)
    upstream = np.random.default_rng(3).normal(size=(len(TEXTS), model.config.hidden_size)).astype(np.float32)
    variables = layer.backbone._variables()

    def loss():
        return tf.reduce_sum(layer(*inputs, training=training)["pooled"] * upstream)

    def both(loss=loss):
        with tf.GradientTape() as tape:
            value = loss()
        return [tf.convert_to_tensor(g) for g in tape.gradient(value, [v.value for v, _ in variables.values()])]

    gradients = {"eager": both, "tape in the graph": tf.function(both)}.get(mode, lambda: both(tf.function(loss)))()
    expected = their_gradients(tiny, inputs, upstream)
    assert len(expected) == 5 + 16 * 3
    for (name, (_, columns)), g in zip(variables.items(), gradients, strict=True):
        ours = np.asarray(g) if columns is None else np.asarray(g)[..., columns]
        np.testing.assert_allclose(ours, expected[name], atol=2e-5, rtol=1e-3, err_msg=name)
        if not name.endswith("key/bias"):  # adds the same to all scores
            assert np.abs(ours).max() > 1e-4, name


@pytest.mark.parametrize("mode", ["tape in the graph", "tape outside", "symbolic"])
def test_no_gradient_of_the_bare_encoder_is_zero_either(tiny, mode):
    """The engine differentiates with tf.gradients; whoever uses a tape gets the same."""
    bert, rng = build_backbone(read_checkpoint(tiny)), np.random.default_rng(4)
    ids = rng.integers(5, 30, (3, 9)).astype(np.int32)
    upstream = rng.normal(size=(3, 9, 32)).astype(np.float32)
    variables = [v for v in bert.trainable_variables if not v.path.startswith("bert/pooler")]
    values = [v.value for v in variables]

    def loss(training=False):
        return tf.reduce_sum(bert(ids, ids * 0, ids * 0 + 1, training=training) * upstream)

    def taped(loss):
        with tf.GradientTape() as tape:
            value = loss()
        return tape.gradient(value, values)

    bert.config.__dict__.update(hidden_dropout=0.0, attention_dropout=0.0)
    expected = taped(lambda: loss(True))
    ours = {
        "tape in the graph": tf.function(lambda: taped(loss)),
        "tape outside": lambda: taped(tf.function(loss)),
        "symbolic": tf.function(lambda: tf.gradients(loss(), values)),
    }[mode]()
    assert len(values) == 5 + 12 * 3
    for mine, reference, variable in zip(ours, expected, variables, strict=True):
        mine, reference = tf.convert_to_tensor(mine), tf.convert_to_tensor(reference)
        np.testing.assert_allclose(mine, reference, atol=1e-4, rtol=1e-3, err_msg=variable.path)


def test_scoring_still_uses_onednn(tiny):
    """The engine's own graphs have no tape; the layer's have none of its operations."""
    bert = build_backbone(read_checkpoint(tiny))
    layer = encoder(keras_model(bridge.load(tiny, {}), "mean"))

    def operations(call):
        spec = [tf.TensorSpec([None, None], tf.int32)] * 3
        return {
            op.type for op in tf.function(call, autograph=False).get_concrete_function(*spec).graph.get_operations()
        }

    ours, theirs = operations(lambda *x: bert(*x)), operations(lambda *x: layer(*x)["pooled"])
    assert ("_MklLayerNorm" in ours) == bool(onednn.is_on()) and "IdentityN" in ours
    assert not any("Mkl" in name for name in theirs) and "IdentityN" not in theirs


# ---------------------------------------------------------------- masks and missing rows


def test_padding_and_missing_rows_change_nothing(any_model):
    bert, inputs = keras_model(any_model, "max"), inputs_of(any_model)
    expected = predict(bert, inputs)
    wider = [np.pad(x, ((0, 0), (0, 7))) for x in inputs]
    np.testing.assert_allclose(predict(bert, wider)["pooled"], expected["pooled"], atol=1e-6)
    for pool in ("mean", "cls", "max", "pooler"):
        bert = keras_model(any_model, pool)
        expected = predict(bert, inputs)
        missing = [x.copy() for x in inputs]
        for x in missing:
            x[1] = NA
        out = predict(bert, missing)
        rest = [0, 2, 3]
        assert_same({k: v[rest] for k, v in out.items()}, {k: v[rest] for k, v in expected.items()}, atol=1e-6)
        assert not out["pooled"][1].any() and not out["sequence"][1].any()
        alone = predict(bert, [x[1:2] for x in missing])
        assert not alone["pooled"].any() and not alone["sequence"].any()


def test_missing_rows_have_finite_gradients(model):
    bert, inputs = with_head(keras_model(model)), [x.copy() for x in inputs_of(model)]
    for x in inputs:
        x[1] = NA
    assert np.isfinite(fit(bert, inputs, epochs=3)).all()
    assert all(np.isfinite(w).all() for w in bert.get_weights())


# ---------------------------------------------------------------- training


def test_loss_falls(any_model, sentences):
    texts, codes = sentences
    inputs = inputs_of(any_model, texts)
    bert = with_head(keras_model(any_model, "mean", dropout=0.0))
    bert.compile(bridge.keras_optimizer(60, 10, 15, 5e-3, 0.1), "binary_crossentropy")
    loss = bert.fit(inputs, np.array(codes, "f")[:, None], batch_size=10, epochs=15, verbose=0).history["loss"]
    assert loss[-1] < 0.5 * loss[0]


def test_dropout_is_active_only_in_training(model):
    layer, inputs = encoder(keras_model(model)), inputs_of(model)
    pooled = [np.asarray(layer(*inputs, training=training)["pooled"]) for training in (True, True, False, False)]
    assert not np.allclose(pooled[0], pooled[1]) and not np.allclose(pooled[0], pooled[2])
    np.testing.assert_array_equal(pooled[2], pooled[3])
    none = encoder(keras_model(model, dropout=0.0))
    np.testing.assert_array_equal(*(none(*inputs, training=training)["pooled"] for training in (True, False)))
    frozen = encoder(keras_model(model, train="head"))
    np.testing.assert_array_equal(*(frozen(*inputs, training=training)["pooled"] for training in (True, False)))


def trained_parts(layer):
    return {w.path.split("/")[1] for w in layer.trainable_weights}


TRAINED = {
    "all": {"embeddings", "block_0", "block_1", "block_2", "pooler"},
    "top:2": {"block_1", "block_2", "pooler"},
    "head": set(),
}


@pytest.mark.parametrize("train", TRAINED)
def test_only_what_is_asked_for_is_trained(model, train, tmp_path):
    bert = with_head(keras_model(model, "pooler", train))
    assert trained_parts(encoder(bert)) == TRAINED[train]
    before = encoder(bert).backbone.tensors()
    fit(bert, inputs_of(model), epochs=2)
    after = encoder(bert).backbone.tensors()
    changed = {name.split("/")[0] for name in before if not np.array_equal(before[name], after[name])}
    assert changed == TRAINED[train]
    bert.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert trained_parts(encoder(again)) == trained_parts(encoder(keras.models.clone_model(bert))) == TRAINED[train]
    again.trainable = False
    assert not again.trainable_weights
    again.trainable = True
    assert trained_parts(encoder(again)) == TRAINED[train]


def test_layers_that_share_weights_are_not_split(albert):
    with pytest.raises(BertrError, match="share their weights"):
        keras_model(bridge.load(albert, {}), train="top:1")


def test_the_pooler_is_there_only_where_it_is_used(model):
    assert encoder(keras_model(model, "mean")).backbone.pooler is None
    assert encoder(keras_model(model, "pooler")).backbone.pooler is not None


@pytest.mark.usefixtures("half")
@pytest.mark.parametrize(("precision", "off"), [("mixed_float16", 0.02), ("mixed_bfloat16", 0.15)])
def test_half_precision_is_finite_and_close(any_model, precision, off):
    inputs = inputs_of(any_model)
    for pool in ("mean", "max", "pooler"):
        half, whole = (predict(keras_model(any_model, pool, precision=p), inputs) for p in (precision, "float32"))
        assert half["pooled"].dtype == half["sequence"].dtype == np.float32
        assert_same(half, whole, atol=off)
        assert np.abs(half["pooled"] - whole["pooled"]).max() > 0
    bert = with_head(keras_model(any_model, "mean", precision=precision))
    assert np.isfinite(fit(bert, inputs, epochs=2)).all()
    assert all(w.dtype == "float32" for w in encoder(bert).weights)


def test_tensorflow_is_never_compiled_by_xla(model):
    bert = with_head(keras_model(model))
    bert.compile("sgd", "binary_crossentropy")
    assert not encoder(bert).supports_jit and bert.jit_compile is False


# ---------------------------------------------------------------- copies and files

RELOAD = """
import json, sys
import numpy as np
from bertr import bridge
import keras
folder, inputs = sys.argv[1], [np.array(x, np.int32) for x in json.load(sys.stdin)]
bert = keras.models.load_model(folder + "/m.keras")
np.save(folder + "/again.npy", bert.predict(inputs, verbose=0))
bert.fit(inputs, np.ones((len(inputs[0]), 1)), verbose=0)
print(type(bert.optimizer).__name__)
"""


def test_a_file_is_read_in_another_process(any_model, tmp_path):
    bert, inputs = with_head(keras_model(any_model)), inputs_of(any_model)
    fit(bert, inputs, epochs=2)
    expected = predict(bert, inputs)
    bert.save(tmp_path / "m.keras")
    done = subprocess.run(
        [sys.executable, "-c", RELOAD, str(tmp_path)],
        input=json.dumps([x.tolist() for x in inputs]),
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("BertOptimizer"), done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy"), expected)


def test_an_exported_model_serves_the_same(any_model, tmp_path):
    bert, inputs = keras_model(any_model), inputs_of(any_model)
    bert.export(str(tmp_path / "served"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    assert_same({k: v.numpy() for k, v in served.serve(inputs).items()}, predict(bert, inputs))


def test_a_clone_is_the_same_with_the_same_weights(any_model):
    bert, inputs = keras_model(any_model), inputs_of(any_model)
    clone = keras.models.clone_model(bert)
    assert encoder(clone).get_config() == encoder(bert).get_config()
    clone.set_weights(bert.get_weights())
    assert_same(predict(clone, inputs), predict(bert, inputs))


# ---------------------------------------------------------------- back from Keras


@pytest.mark.parametrize("pool", ["mean", "pooler"])
def test_a_trained_layer_comes_back(any_model, pool, tmp_path):
    bert, inputs = keras_model(any_model, pool, dropout=0.3), inputs_of(any_model)
    classifier = with_head(bert)
    fit(classifier, inputs, epochs=2)
    back, expected = bridge.from_keras(classifier, any_model), predict(bert, inputs)["pooled"]
    np.testing.assert_allclose(bridge.embed(back, TEXTS, None, {}, None)["values"], expected, atol=2e-6)
    assert back.config == any_model.config and bridge.describe(back)["fingerprint"] != any_model.fingerprint
    bridge.save(back, str(tmp_path / "saved"), "{}")
    saved = bridge.load(str(tmp_path / "saved"), {})
    np.testing.assert_allclose(bridge.embed(saved, TEXTS, None, {}, None)["values"], expected, atol=2e-6)
    np.testing.assert_array_equal(predict(keras_model(saved), inputs)["pooled"], expected)


def test_what_does_not_come_back_is_refused(model, albert):
    bert = keras_model(model)
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    for wrong in (other, "bert", keras):
        with pytest.raises(BertrError, match="one layer of bert_keras.., but it has none"):
            bridge.from_keras(wrong, model)
    twice = keras.Model(bert.inputs, [bert.output["pooled"], keras_model(model)(bert.inputs)["pooled"]])
    with pytest.raises(BertrError, match="but it has 2"):
        bridge.from_keras(twice, model)
    with pytest.raises(BertrError, match="are different models"):
        bridge.from_keras(bert, bridge.load(albert, {}))


def test_wrong_inputs_are_refused(model):
    layer, ints = encoder(keras_model(model)), [keras.Input((None,), dtype="int32") for _ in range(3)]
    with pytest.raises(ValueError, match="'token_ids' .* must be int32 .batch, length., not float32 .any, 50."):
        layer(keras.Input((50,)), *ints[1:])
    with pytest.raises(ValueError, match="'mask' .* not int32 .any, any, 2."):
        layer(*ints[:2], keras.Input((None, 2), dtype="int32"))
    with pytest.raises(BertrError, match="only 64 positions"):
        keras_model(model, max_len=65)
    bert, long = keras_model(model), [np.ones((2, 65), np.int32)] * 3
    with pytest.raises(ValueError, match="65 tokens wide, but this model has only 64 positions"):
        layer(*long)
    for width in (9, 10):  # of the second width on, Keras leaves the length open
        predict(bert, [x[:, :width] for x in long])
    with pytest.raises(Exception, match="only 64 positions. Tokenize with max_len = 64"):
        predict(bert, long)


# ---------------------------------------------------------------- the optimizer


def test_its_steps_are_torchs_and_the_engines():
    rng = np.random.default_rng(0)
    start = {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in (("kernel", (3, 2)), ("qkv_bias", (2,)), ("gamma", (2,)), ("beta", (2,)), ("word", (4, 2)))
    }
    ours, engine = ([keras.Variable(v, name=k) for k, v in start.items()] for _ in range(2))
    theirs = {k: torch.nn.Parameter(torch.tensor(v)) for k, v in start.items()}
    optimizer = bridge.keras_optimizer(95, 10, 2, 0.1, 0.25)  # 10 steps in an epoch, the last one of 5 rows
    optimizer.build(ours)
    reference_engine = BertAdamW(engine, weight_decay=0.01, clip=1.0)
    reference_engine.begin(0.1, steps=20, warmup=0.25)
    decayed = [p for k, p in theirs.items() if k in ("kernel", "word")]
    others = [p for k, p in theirs.items() if k not in ("kernel", "word")]
    reference = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}], lr=0.1, eps=1e-6
    )
    # Hugging Face's schedule begins at 0: its step 1 is our step 0 in the warmup, after which both are the same
    schedule = transformers.get_linear_schedule_with_warmup(reference, 5, 20).lr_lambdas[0]
    for step in range(20):
        rate = 0.1 * schedule(step + 1 if step < 5 else step)
        np.testing.assert_allclose(float(optimizer.learning_rate), rate, rtol=1e-6)
        gradients = [rng.normal(size=v.shape).astype(np.float32) * 10.0 ** rng.integers(-7, 1) for v in start.values()]
        optimizer.apply([tf.constant(g) for g in gradients])
        reference_engine.apply([tf.constant(g) for g in gradients])
        for p, g in zip(theirs.values(), gradients, strict=True):
            p.grad = torch.tensor(g)
        torch.nn.utils.clip_grad_norm_(theirs.values(), 1.0)
        for group in reference.param_groups:
            group["lr"] = rate
        reference.step()
        for mine, same, p in zip(ours, engine, theirs.values(), strict=True):
            np.testing.assert_allclose(np.asarray(mine), np.asarray(same), atol=3e-6)
            np.testing.assert_allclose(np.asarray(mine), p.detach().numpy(), atol=3e-6)
    assert float(optimizer.learning_rate) == 0.0


def test_it_survives_saving_with_its_schedule_and_exclusions():
    optimizer = bridge.keras_optimizer(100, 10, 3, 2e-5, 0.1)
    again = keras.optimizers.deserialize(json.loads(json.dumps(keras.optimizers.serialize(optimizer))))
    assert again.get_config() == optimizer.get_config()
    variables = [keras.Variable(np.ones(2, "f"), name=name) for name in ("kernel", "inner_bias", "gamma", "beta")]
    again.apply([tf.zeros(2)] * 4, variables)
    assert [bool(np.all(np.asarray(v) < 1.0)) for v in variables] == [True, False, False, False]


# ---------------------------------------------------------------- JAX

ON_JAX = """
from bertr import bridge
import keras, numpy as np
folder, texts = values
model = bridge.load(folder, {})
bert = bridge.keras_model(model, "mean", "all", None, 0.0, "float32")
tokens = bridge.tokenize(model, texts, None, None)
x = [tokens[n] for n in ("token_ids", "segment_ids", "mask")]
pooled = bert.predict(x, verbose=0)["pooled"].tolist()
classifier = keras.Model(bert.inputs, keras.layers.Dense(1, "sigmoid")(bert.output["pooled"]))
classifier.layers[-1].set_weights([np.linspace(-1, 1, len(pooled[0]))[:, None], np.zeros(1)])
classifier.compile(bridge.keras_optimizer(4, 4, 8, 1e-2, 0.1), "binary_crossentropy")
y = np.array([[1], [1], [0], [0]], "f")
loss = classifier.fit(x, y, batch_size=4, epochs=8, verbose=0, shuffle=False).history["loss"]
back = bridge.embed(bridge.from_keras(classifier, model), texts, None, {}, None)["values"]
out = {"pooled": pooled, "loss": loss, "back": back.tolist(), "jit": classifier.jit_compile}
"""


def test_jax_gives_the_same(on_jax, tiny, model):
    theirs = on_jax(ON_JAX, tiny, TEXTS)
    bert, inputs = keras_model(model, "mean", dropout=0.0), inputs_of(model)
    np.testing.assert_allclose(predict(bert, inputs)["pooled"], theirs["pooled"], atol=1e-5)
    classifier = with_head(bert)
    width = len(theirs["pooled"][0])  # random weights depend on the backend
    classifier.layers[-1].set_weights([np.linspace(-1, 1, width)[:, None], np.zeros(1)])
    np.testing.assert_allclose(fit(classifier, inputs, epochs=8), theirs["loss"], rtol=1e-3)
    assert theirs["jit"] and theirs["loss"][-1] < theirs["loss"][0]
    ours = bridge.embed(bridge.from_keras(classifier, model), TEXTS, None, {}, None)["values"]
    np.testing.assert_allclose(ours, theirs["back"], atol=2e-3)


def test_keras_that_mixes_up_named_inputs_is_refused(tiny, monkeypatch):
    monkeypatch.setattr(keras, "__version__", "3.6.0")
    with pytest.raises(BertrError, match="needs Keras 3.7 or later, but Keras 3.6.0 is installed"):
        bridge.keras_model(bridge.load(tiny, {}), None, "all", None, None, "float32")
