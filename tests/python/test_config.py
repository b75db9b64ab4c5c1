"""config.py: sizes and constants from Google's and Hugging Face's JSON."""

import json
import math

import pytest
import torch
import transformers
from transformers.activations import ACT2FN

from bertr.checkpoints.config import BertConfig
from bertr.checkpoints.files import read_json
from bertr.errors import BertrError

GOOGLE = {
    "attention_probs_dropout_prob": 0.05,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.2,
    "hidden_size": 12,
    "initializer_range": 0.03,
    "intermediate_size": 20,
    "max_position_embeddings": 16,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
    "vocab_size": 15,
    "pooler_type": "first_token_transform",
}


def test_activations_are_those_of_their_names():
    x = torch.linspace(-4, 4, 101)
    erf = torch.tensor([v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()])
    tanh = 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    for name, ours, expected in (("gelu", "gelu_erf", erf), ("gelu_new", "gelu_tanh", tanh)):
        config = BertConfig.from_dict({**GOOGLE, "hidden_act": name})
        assert config.activation == ours
        torch.testing.assert_close(ACT2FN[config.to_huggingface()["hidden_act"]](x), expected, atol=1e-6, rtol=0)


def test_transformers_reads_the_same_values_from_our_json(tmp_path):
    config = BertConfig.from_dict({**GOOGLE, "layer_norm_eps": 1e-6})
    (tmp_path / "config.json").write_text(json.dumps(config.to_huggingface()))
    theirs = transformers.AutoConfig.from_pretrained(tmp_path)
    assert isinstance(theirs, transformers.BertConfig)
    for ours, value in GOOGLE.items():
        if ours not in ("hidden_act", "pooler_type"):
            assert getattr(theirs, ours) == value
    assert theirs.layer_norm_eps == 1e-6
    assert BertConfig.from_dict(theirs.to_dict()) == config


def test_head_size():
    assert BertConfig.from_dict(GOOGLE).head_size == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": None}, "'hidden_size' in the config file must be .*, not null"),
        ({"hidden_size": "abc"}, "'hidden_size' in the config file must be .*, not \"abc\""),
        ({"num_hidden_layers": 0}, "'num_hidden_layers' in the config file must be .*, not 0"),
        ({"vocab_size": 1.5}, "'vocab_size' in the config file must be .*, not 1.5"),
        ({"hidden_dropout_prob": "0.1"}, "'hidden_dropout_prob' in the config file must be .*, not \"0.1\""),
        ({"hidden_act": "prelu"}, "the activation 'prelu'"),
        ({"hidden_act": ["gelu"]}, "the activation"),
        ({"num_attention_heads": 5}, "12 is not a multiple of num_attention_heads 5"),
    ],
)
def test_a_wrong_value_is_named(change, message):
    with pytest.raises(BertrError, match=message) as e:
        BertConfig.from_dict({**GOOGLE, **change})
    assert e.value.code == "config" and e.value.hint


@pytest.mark.parametrize("content", [b'{"hidden_size": 12', b"", b"\xff\xfe", b"[1]"])
def test_damaged_json_is_one_sentence(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(BertrError, match="JSON"):
        read_json(path)
