"""RoBERTa, XLM-RoBERTa, CamemBERT, DistilBERT, ELECTRA and MPNet against transformers + torch: states, attention, loss,
gradients and masked words of small random models; their folders; fits; the same on JAX."""

import numpy as np
import pytest
import torch
import transformers
from checkpoints import canonical_tensors
from conftest import target
from one_step import assert_same_step
from small_families import FAMILIES, make_family

from bertr import bridge
from bertr.errors import BertrError
from bertr.families import build_backbone, mpnet, read_checkpoint
from bertr.kernels.compiled import Forward
from bertr.nn import backbone as backbone_module
from bertr.nn.packing import PaddedPacking
from bertr.tasks.mlm.head import word_head

LENGTHS = [12, 7, 1, 60]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory):
    """(name, folder, torch model)."""
    folder = tmp_path_factory.mktemp("family")
    return request.param, str(folder), make_family(folder, request.param)


def batch(config, longest=60):
    rng = np.random.default_rng(5)
    mask = (np.arange(longest) < np.minimum(LENGTHS, longest)[:, None]).astype(np.int32)
    if longest > max(LENGTHS):
        mask[-1] = 1
    ids = np.where(mask, rng.integers(5, 50, mask.shape), 1).astype(np.int32)  # 1: RoBERTa's padding
    return ids, ((np.arange(longest) >= 5) * mask * (config.num_segments > 1)).astype(np.int32), mask


def their_output(model, config, ids, segments, mask, **more):
    kinds = {"token_type_ids": torch.tensor(segments).long()} if config.num_segments else {}
    with torch.no_grad():
        return model(torch.tensor(ids).long(), attention_mask=torch.tensor(mask), **kinds, **more)


@pytest.mark.parametrize("way", ["packed", "padded"])
def test_states_of_every_layer(family, way, monkeypatch):
    if way == "padded":
        monkeypatch.setattr(backbone_module, "packing_for", PaddedPacking)
    name, folder, theirs = family
    bert = build_backbone(read_checkpoint(folder))
    forward = Forward(lambda *x: tuple(bert.states_for("none", *x, range(4))), bert.variables)
    inputs = batch(bert.config, 300 if name == "mpnet" else 60)
    expected = their_output(theirs.base_model, bert.config, *inputs, output_hidden_states=True).hidden_states
    real = inputs[2].astype(bool)
    for mine, his in zip(forward(*inputs), expected, strict=True):
        np.testing.assert_allclose(mine[real], his[real].numpy(), atol=1e-5, rtol=0)
        assert not mine[~real].any()
    first = np.asarray(bert.states_for("cls", *inputs, (3,))[0])
    np.testing.assert_allclose(first, expected[3][:, 0].numpy(), atol=1e-5, rtol=0)


def test_attention_of_every_layer(family):
    _, folder, _ = family
    theirs = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    bert = build_backbone(read_checkpoint(folder))
    inputs = batch(bert.config)
    expected = their_output(theirs, bert.config, *inputs, output_attentions=True).attentions
    ours = np.asarray(bert.attention(*inputs, (1, 2, 3)))
    for row, n in enumerate(LENGTHS):
        for mine, his in zip(ours[row], expected, strict=True):
            np.testing.assert_allclose(mine[:, :n, :n], his[row, :, :n, :n].numpy(), atol=1e-5)


@pytest.mark.parametrize("family", ["roberta", "distilbert", "electra", "mpnet"], indirect=True)
def test_loss_and_every_gradient(family):
    _, folder, theirs = family
    ours = build_backbone(read_checkpoint(folder))
    tensors = len([name for name in ours.shapes() if not name.startswith("pooler")])
    assert_same_step(ours, theirs.base_model, batch(ours.config), "mean", tensors)


def test_words_behind_a_mask(family):
    _, folder, theirs = family
    model = bridge.load(folder, {})
    ids, segments, mask = batch(model.config)
    expected = their_output(theirs, model.config, ids, segments, mask).logits.numpy()
    states = np.asarray(model.backbone(ids, segments, mask))
    ours = np.concatenate([np.asarray(x) for _, x in word_head(model).each_words(states.reshape(-1, 32))])
    real = mask.astype(bool)
    np.testing.assert_allclose(ours.reshape(expected.shape)[real], expected[real], atol=2e-5, rtol=1e-5)


def test_every_tensor_is_read_and_written(family, tmp_path):
    name, folder, theirs = family
    model = bridge.load(folder, {})
    c = model.checkpoint
    state = {k.removeprefix(f"{theirs.base_model_prefix}."): v.numpy() for k, v in theirs.state_dict().items()}
    expected = canonical_tensors(state, c.config)
    assert {*c.tensors} == {*expected}
    assert all(np.array_equal(c.tensors[ours], x) for ours, x in expected.items())
    assert sum(t.size for t in c.tensors.values()) == theirs.num_parameters()
    assert all(reason.startswith("repeats") for reason in c.unread.values())
    bridge.save(model, str(tmp_path / "saved"), "{}")
    again, report = type(theirs).from_pretrained(tmp_path / "saved", output_loading_info=True)
    assert not any(report.values())
    theirs_again = again.state_dict()
    assert all(torch.equal(theirs_again[key], value) for key, value in theirs.state_dict().items())
    assert all(getattr(again.config, field) == value for field, value in FAMILIES[name][1].items())
    assert bridge.load(str(tmp_path / "saved"), {}).fingerprint == model.fingerprint


@pytest.mark.parametrize(
    ("family", "train"),
    [("roberta", "all"), ("distilbert", "top:2"), ("electra", "head"), ("mpnet", "all")],
    indirect=["family"],
)
def test_a_fit_survives_folder_and_bytes(family, sentences, tmp_path, train):
    texts, label_ids = sentences
    model = bridge.load(family[1], {})
    options = {"head": {}, "seed": 1, "epochs": 2, "learning_rate": 1e-3, "train": train}
    fit = bridge.fit(model, "classification", texts, None, target(label_ids), None, options, None)
    expected = bridge.predict(fit, texts, None, {}, None)["prob"]
    bridge.save(fit, str(tmp_path / "fit"), "{}")
    for again in (bridge.load(str(tmp_path / "fit"), {}), bridge.from_bytes(bridge.to_bytes(fit, "{}"), None)):
        np.testing.assert_array_equal(bridge.predict(again, texts, None, {}, None)["prob"], expected)


@pytest.mark.parametrize("family", ["electra", "mpnet"], indirect=True)
def test_further_masked_words_but_no_next_sentences(family, sentences):
    model = bridge.load(family[1], {})
    options = {"head": {}, "seed": 1, "epochs": 1, "learning_rate": 1e-3}
    fit = bridge.fit(model, "mlm", sentences[0], None, {"pairs": False}, None, options, None)
    assert np.isfinite(fit.history["loss"]).all()
    with pytest.raises(BertrError, match="no next-sentence head, but the formula names two texts"):
        bridge.fit(model, "mlm", sentences[0], sentences[0], {"pairs": True}, None, options, None)


def test_an_electra_has_no_pooler(tmp_path):
    make_family(tmp_path, "electra")
    model = bridge.load(str(tmp_path), {})
    assert model.checkpoint.pooling == "cls" and "pooler" not in model.checkpoint.missing
    with pytest.raises(BertrError, match="This checkpoint has no pooler"):
        bridge.embed(model, ["a cat"], None, {"pool": "pooler"}, None)


def test_a_discriminator_is_read_as_an_encoder(tmp_path):
    """The ELECTRAs of the hub are discriminators; what they tell of each token is not read."""
    theirs = make_family(tmp_path, "electra", "PreTraining")
    model = bridge.load(str(tmp_path), {})
    assert not bridge.is_fit(model)
    assert all("discriminator" in name for name in model.checkpoint.unread)
    inputs = batch(model.config)
    expected = their_output(theirs.electra, model.config, *inputs).last_hidden_state.numpy()
    real = inputs[2].astype(bool)
    ours = np.asarray(model.backbone(*inputs))
    np.testing.assert_allclose(ours[real], expected[real], atol=1e-5, rtol=0)


def test_kinds_of_distances_are_mpnets():
    n = 600
    place = torch.arange(n)
    encoder = transformers.models.mpnet.modeling_mpnet.MPNetEncoder
    expected = encoder.relative_position_bucket(place[None, :] - place[:, None])
    distance = np.arange(n)[None, :] - np.arange(n)[:, None]
    np.testing.assert_array_equal(mpnet.kinds_of_distances(n)[distance + n - 1], expected.numpy())


ON_JAX = """
from bertr import bridge
import numpy as np
folder, inputs = values
model = bridge.load(folder, {})
out = np.asarray(model.backbone(*(np.array(x, np.int32) for x in inputs))).tolist()
"""


@pytest.mark.parametrize("name", ["roberta", "mpnet"])
def test_states_on_jax(on_jax, tmp_path, name):
    make_family(tmp_path, name)
    model = bridge.load(str(tmp_path), {})
    inputs = batch(model.config)
    got = np.array(on_jax(ON_JAX, str(tmp_path), [x.tolist() for x in inputs]))
    np.testing.assert_allclose(got, np.asarray(model.backbone(*inputs)), atol=1e-5)
