"""A family that bertr does not know is registered from outside, and every verb takes its folders."""

import dataclasses
import json

import numpy as np
import pytest
from checkpoints import TINY
from conftest import changed_parts, target
from keras import ops
from safetensors.numpy import load_file, save_file

from bertr import bridge
from bertr.checkpoints import heads, weight_names
from bertr.checkpoints.config import SIZE, BertConfig
from bertr.errors import BertrError
from bertr.families import FAMILIES, base, register
from bertr.nn.layers import Block, Embeddings
from bertr.nn.packing import PaddedPacking


def renamed(rows):
    """BERT's tables with other names in Hugging Face's column."""
    return tuple((*row[:3], row[3].replace("attention.self", "look").replace("encoder.", "")) for row in rows)


class MadeEmbeddings(Embeddings):
    """Positions count from `offset`."""

    def call(self, ids, segments, positions, training=False):
        return super().call(ids, segments, positions + self.config.offset, training=training)


class MadeBlock(Block):
    """Half of every block's output."""

    def call(self, x, **kwargs):
        return 0.5 * super().call(x, **kwargs)


@dataclasses.dataclass(frozen=True)
class MadeConfig(BertConfig):
    offset: int = 0

    model_type = "made"
    title = "a made-up model"
    names = weight_names.Names(
        *map(renamed, (weight_names.TENSORS, weight_names.DENSE, weight_names.NORMS)),
        {"google": {}, "google2": {}, "huggingface": {}},
    )
    heads = heads.Heads("made", "made.pooler.dense", "tanh", "classifier")
    more = {"position_offset": ("offset", SIZE)}

    def to_huggingface(self):
        return {
            **super().to_huggingface(),
            "model_type": "made",
            "architectures": ["MadeModel"],
            "position_offset": self.offset,
        }


MADE = base.Family(MadeConfig, lambda d: None, base.read_tokenizer, MadeEmbeddings, MadeBlock)


@pytest.fixture
def family():
    register(MADE)
    yield
    del FAMILIES["made"]


@pytest.fixture
def bert(tmp_path):
    """The tiny BERT as a folder of Hugging Face."""
    bridge.save(bridge.load(str(TINY), {}), str(tmp_path / "bert"), "{}")
    return tmp_path / "bert"


@pytest.fixture
def folder(bert, tmp_path):
    """The same weights under the names of the family."""
    made = tmp_path / "made"
    made.mkdir()
    (made / "vocab.txt").write_bytes((bert / "vocab.txt").read_bytes())
    config = json.loads((bert / "config.json").read_text())
    (made / "config.json").write_text(json.dumps({**config, "model_type": "made", "position_offset": 2}))
    ours = BertConfig.from_dict(config)
    table = {
        weight_names.file_names(ours, "huggingface")[name]: theirs
        for name, theirs in weight_names.file_names(MadeConfig(**dataclasses.asdict(ours)), "huggingface").items()
    }
    tensors = load_file(bert / "model.safetensors")
    save_file({f"made.{table[name]}": x for name, x in tensors.items()}, made / "model.safetensors")
    return made


def states(model, texts):
    e = model.encode(texts, None)
    return np.asarray(model.backbone(*e.pad(np.arange(len(e)))))


def by_hand(model, texts):
    """The states of the family from a BERT of the same weights: blocks halved, positions shifted."""
    e, bert = model.encode(texts, None), model.backbone
    ids, segments, mask = e.pad(np.arange(len(e)))
    positions = np.tile(np.arange(ids.shape[1]) + 2, (len(ids), 1))
    packing = PaddedPacking(mask, "float32", model.config.num_heads)
    x = packing.pack(bert.embeddings(ids, segments, positions))
    for block in bert.blocks:
        x = 0.5 * block(x, packing=packing)
    return ops.convert_to_numpy(packing.pad(x))


def test_unknown_before(folder):
    with pytest.raises(BertrError, match="a model of type 'made'") as e:
        bridge.load(str(folder), {})
    assert e.value.hint.endswith(
        '"model_type": "bert", "albert", "roberta", "xlm-roberta", "camembert", "distilbert", "electra" or "mpnet".'
    )


def test_its_states(family, folder, bert):
    texts = ["the cat sat", "a dog"]
    model, plain = bridge.load(str(folder), {}), bridge.load(str(bert), {})
    np.testing.assert_allclose(states(model, texts), by_hand(plain, texts), atol=1e-5)
    assert bridge.describe(model)["config"]["offset"] == 2 and not model.checkpoint.unread


def test_it_is_saved_and_read_again(family, folder, tmp_path):
    model = bridge.load(str(folder), {})
    bridge.save(model, str(tmp_path / "again"), "{}")
    again = bridge.load(str(tmp_path / "again"), {})
    assert again.fingerprint == model.fingerprint
    assert "layer.0.look.query.weight" in load_file(tmp_path / "again" / "model.safetensors")


@pytest.mark.parametrize("train", ["all", "head"])
def test_it_is_trained_and_kept(family, folder, sentences, tmp_path, train):
    texts, label_ids = sentences
    options = {"head": {}, "seed": 1, "epochs": 2, "learning_rate": 1e-3, "train": train}
    model = bridge.load(str(folder), {})
    fit = bridge.fit(model, "classification", texts, None, target(label_ids), None, options, None)
    expected = bridge.predict(fit, texts, None, {}, None)["prob"]
    bridge.save(fit, str(tmp_path / "fit"), "{}")
    pieces = list(bridge.to_bytes(fit, "{}"))
    for back in (bridge.load(str(tmp_path / "fit"), {}), bridge.from_bytes(pieces, None)):
        np.testing.assert_array_equal(bridge.predict(back, texts, None, {}, None)["prob"], expected)
    trained = changed_parts(model, fit)
    assert {"embeddings", "block_0"} <= trained if train == "all" else not trained
