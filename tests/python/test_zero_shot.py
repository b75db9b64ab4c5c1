"""Zero-shot classification against transformers' pipeline, with the same small model of natural language inference."""

import numpy as np
import pytest
import torch
import transformers
from conftest import make_sentences

from bertr import bridge

LABELS = ["cat", "dog sleeps", "tree"]
TEMPLATE = "the {} ."
TEXTS = ["the cat runs on a tree", "a red bird", "moon", "small fish , big fish and the old dog"]
TEXTS += make_sentences()[0][:16]


@pytest.fixture(scope="module")
def fit(tiny):
    """A fit of pairs with a head like BERT's own, whose weights are then drawn at random."""
    pairs = [f"{a} {b}" for a in ("the cat", "a dog", "rain") for b in ("runs", "sleeps", "falls")]
    given = {"label_ids": np.array([0, 1, 2] * 3, np.int32), "levels": ["contradiction", "neutral", "entailment"]}
    head = {"pool": "cls", "units": [32], "activation": "tanh", "calibrate": False}
    options = {"head": head, "seed": 1, "epochs": 1, "learning_rate": 1e-3, "train": "head"}
    fitted = bridge.fit(bridge.load(tiny, {}), "classification", pairs, pairs[::-1], given, None, options, None)
    rng = np.random.default_rng(3)
    for variable in fitted.network.upper_weights:
        variable.assign(rng.normal(size=variable.shape, scale=0.5).astype(np.float32))
    return fitted


@pytest.fixture(scope="module")
def pipeline(fit, tiny):
    """transformers' pipeline with the weights of `fit`."""
    config = transformers.BertConfig.from_pretrained(tiny)
    config.id2label = dict(enumerate(fit.task.levels))
    config.label2id = {name: i for i, name in config.id2label.items()}
    theirs = transformers.BertForSequenceClassification(config).eval()
    theirs.bert = transformers.BertModel.from_pretrained(tiny)
    kernels = [torch.tensor(np.asarray(v)) for v in fit.network.upper_weights]
    for layer, (kernel, bias) in zip(
        (theirs.bert.pooler.dense, theirs.classifier), (kernels[:2], kernels[2:]), strict=True
    ):
        layer.weight.data, layer.bias.data = kernel.T, bias
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    return transformers.pipeline("zero-shot-classification", model=theirs.eval(), tokenizer=tokenizer)


@pytest.mark.parametrize("several", [False, True])
def test_probabilities_are_those_of_transformers(fit, pipeline, several):
    options = {
        "hypotheses": [TEMPLATE.replace("{}", label) for label in LABELS],
        "entails": [2],
        "against": [0],
        "several": several,
    }
    ours = bridge.zero_shot(fit, TEXTS, None, options, None)
    theirs = pipeline(TEXTS, LABELS, hypothesis_template=TEMPLATE, multi_label=several)
    for row, expected in zip(ours["prob"], theirs, strict=True):
        scores = dict(zip(expected["labels"], expected["scores"], strict=True))
        np.testing.assert_allclose(row, [scores[label] for label in LABELS], atol=1e-5)
    np.testing.assert_array_equal(ours["chosen"], ours["prob"].argmax(axis=1))
    assert ours["prob"].std() > 0.05  # not all alike
