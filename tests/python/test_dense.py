"""Both implementations of dense layers against torch's."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
import transformers
from conftest import make_sentences, target

from bertr import bridge
from bertr.kernels import dense, onednn
from bertr.nn import scorer as scorer_module

ROWS = (1, 16, 17, 300, 2000)  # for which oneDNN uses several weight layouts
AFTER = {
    "linear": lambda x: x,
    "gelu_erf": torch.nn.functional.gelu,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
}
WAYS = pytest.mark.parametrize("final", [True, False])


def _drawn(*shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _layer(final, then="linear", plus=False, n_in=128, n_out=256):
    """A dense layer as a graph of `x` and what is added, and its variables."""
    kernel, bias = (keras.Variable(_drawn(*shape, seed=i)) for i, shape in enumerate([(n_in, n_out), (n_out,)]))

    def call(x, added):
        with dense.final_weights(final):
            return dense.dense(x, kernel, bias, then, added if plus else None)

    signature = [tf.TensorSpec([None, width], tf.float32) for width in (n_in, n_out)]
    return tf.function(call, autograph=False, input_signature=signature), kernel, bias


def _torch(x, kernel, bias):
    return torch.nn.functional.linear(torch.tensor(x), torch.tensor(np.array(kernel)).T, torch.tensor(np.array(bias)))


@WAYS
@pytest.mark.parametrize("then", AFTER)
def test_values_are_torchs_for_any_number_of_rows(final, then):
    layer, kernel, bias = _layer(final, then)
    for rows in (*ROWS, 1):
        x = _drawn(rows, 128, seed=rows)
        np.testing.assert_allclose(
            layer(x, _drawn(rows, 256, seed=3)), AFTER[then](_torch(x, kernel, bias)), atol=2e-5, rtol=1e-5
        )


@WAYS
def test_a_sum_is_torchs_and_leaves_what_was_added(final):
    layer, kernel, bias = _layer(final, plus=True)
    for rows in ROWS:
        x, added = _drawn(rows, 128, seed=rows), tf.constant(_drawn(rows, 256, seed=3))
        expected = _torch(x, kernel, bias) + torch.tensor(added.numpy())
        np.testing.assert_allclose(layer(x, added), expected, atol=2e-5, rtol=1e-5)
        np.testing.assert_array_equal(added, _drawn(rows, 256, seed=3))


@WAYS
def test_eagerly_and_with_more_axes_it_is_the_same(final):
    _, kernel, bias = _layer(final)
    x = _drawn(3, 5, 128, seed=1)
    with dense.final_weights(final):
        np.testing.assert_allclose(dense.dense(x, kernel, bias), _torch(x, kernel, bias).numpy(), atol=2e-5)


def _operations(function):
    return _types(function.get_concrete_function())


def _types(concrete):
    return [op.type for op in concrete.graph.get_operations()]


def _there():
    return onednn.port.IsMklEnabled() and len(onednn.kernels.get_registered_kernels_for_op(dense.KERNEL).kernel) > 0


def test_final_weights_take_one_operation_where_tensorflow_has_it(monkeypatch):
    for then in dense.ACTIVATIONS:
        assert (dense.KERNEL in _operations(_layer(True, then)[0])) == _there()
        assert dense.KERNEL not in _operations(_layer(False, then)[0])
    older = types.SimpleNamespace(get=lambda name: types.SimpleNamespace(attr=[]))  # a TensorFlow without the attribute
    for module, name, other in (
        (onednn.port, "IsMklEnabled", lambda: False),
        (onednn, "op_def_registry", older),
        (tf.config, "get_visible_devices", lambda kind: [kind]),
    ):
        with monkeypatch.context() as m:
            m.setattr(module, name, other)
            assert dense.KERNEL not in _operations(_layer(True)[0])


# ---------------------------------------------------------------- graphs of final weights


@pytest.fixture
def at_once(monkeypatch):
    """Every call takes the graph of many tokens, where there is one."""
    monkeypatch.setattr(scorer_module, "token_budget", lambda config: 100)
    monkeypatch.setattr(scorer_module, "MANY", 0)


def _keep(forward):
    """The number of products in a graph that may cache reordered weights."""
    return _types(forward.graph).count(dense.KERNEL)


def _fit(model, sentences, **options):
    texts, codes = sentences
    return bridge.fit(
        model,
        "classification",
        texts,
        None,
        target(codes),
        {"a": texts, "b": None, "target": target(codes)},
        {"head": {"calibrate": False}, "seed": 1, "epochs": 2, "learning_rate": 1e-3, **options},
        None,
    )


def test_many_tokens_in_large_calls_take_the_second_graph(tiny, monkeypatch):
    runner = bridge.load(tiny, {}).scorer("mean", (3,)).runner
    runner.of_many = object()
    monkeypatch.setattr(scorer_module, "MANY", 25)
    second = [runner.for_tokens(n, budget=10) is runner.of_many for n in (9, 15, 9, 10, 3)]
    assert second == [False, False, False, True, False]


@pytest.fixture(scope="module")
def exact_states(minilm):
    """The last states of each sentence, by transformers in double precision: arrays [tokens, hidden]."""
    torch_model = transformers.BertModel.from_pretrained(minilm).double().eval()
    encodings = bridge.load(minilm, {}).encode(make_sentences()[0], None)
    with torch.no_grad():
        return [
            torch_model(torch.tensor(encodings.pad([row])[0]).long()).last_hidden_state[0].numpy()
            for row in range(len(encodings))
        ]


@pytest.mark.parametrize(
    ("pool", "pooled"),
    [
        ("mean", lambda states: states.mean(axis=0, keepdims=True)),
        ("cls", lambda states: states[:1]),
        ("none", lambda states: states),
    ],
)
def test_both_graphs_give_the_exact_vectors(minilm, sentences, exact_states, pool, pooled, at_once, monkeypatch):
    model = bridge.load(minilm, {})
    exact = np.concatenate([pooled(states) for states in exact_states])

    def assert_exact():
        vectors = bridge.embed(model, sentences[0], None, {"pool": pool}, None)["values"]
        np.testing.assert_allclose(vectors, exact, atol=1e-5, rtol=0)

    assert_exact()
    runner = next(iter(model.scorers.values())).runner
    assert _there() == bool(runner.of_many) and (not _there() or _keep(runner.of_many) == 24)  # 6 blocks of 4
    monkeypatch.setattr(runner, "of_many", None)
    assert_exact()
    assert _keep(runner.forward) == 0


def test_lower_layers_and_those_that_share_weights_have_one_graph(tiny, albert):
    model = bridge.load(tiny, {})
    two = [bool(model.scorer("mean", layers).runner.of_many) for layers in ((3,), (2, 3), (2,))]
    assert two == [_there(), _there(), False]
    assert bridge.load(albert, {}).scorer("mean", (4,)).runner.of_many is None


def test_weights_are_kept_only_once_they_are_trained(model, sentences, at_once):
    """Otherwise every epoch would be evaluated with the weights of the first one."""
    fitted = _fit(model, sentences)
    assert _there() == bool(fitted.scorer.rows.runner.of_many)
    prob = bridge.predict(fitted, sentences[0], None, {}, None)["prob"]
    loss = -np.log(prob[np.arange(len(prob)), sentences[1]]).mean()
    assert fitted.history["val_loss"][-1] == pytest.approx(loss, abs=1e-5)
    assert fitted.history["val_loss"][0] != pytest.approx(loss, abs=1e-3)


def test_heads_on_one_encoder_share_its_graph(model, sentences):
    one, other = (_fit(model, sentences, train="head", epochs=n) for n in (1, 3))
    assert one.scorer.rows is other.scorer.rows is model.scorer(model.pool(None), (3,))


def test_a_fit_is_read_with_the_graphs_it_had(model, sentences, at_once):
    for train in ("all", "head"):
        fitted = _fit(model, sentences, train=train)
        back = bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)
        assert bool(back.scorer.rows.runner.of_many) == bool(fitted.scorer.rows.runner.of_many)
        one, other = (bridge.predict(f, sentences[0], None, {}, None)["prob"] for f in (fitted, back))
        np.testing.assert_array_equal(one, other)
