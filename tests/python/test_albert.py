"""ALBERT against transformers + torch: states, gradients, files of both kinds, and every verb on it."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from checkpoints import canonical_tensors
from conftest import make_albert
from one_step import assert_same_step

from bertr import bridge
from bertr.checkpoints import weight_names
from bertr.checkpoints.huggingface import huggingface_tensors, write_huggingface
from bertr.errors import BertrError
from bertr.families import build_backbone, read_checkpoint
from bertr.families.albert import AlbertConfig
from bertr.kernels.compiled import Forward
from bertr.nn import backbone as backbone_module
from bertr.nn.packing import PaddedPacking


@pytest.fixture(scope="module")
def model(albert):
    return bridge.load(albert, {})


def batch(vocab_size=2000):
    rng = np.random.default_rng(5)
    lengths, n = [12, 7, 1, 30], 30
    mask = (np.arange(n) < np.array(lengths)[:, None]).astype(np.int32)
    ids = (rng.integers(5, vocab_size, mask.shape) * mask).astype(np.int32)
    return ids, ((np.arange(n) >= 5) * mask).astype(np.int32), mask


def their_states(model, ids, segments, mask):
    """The states of every layer; those of the embeddings are projected to the hidden size."""
    seen = []
    hook = model.encoder.embedding_hidden_mapping_in.register_forward_hook(lambda m, i, out: seen.append(out))
    layers = [layer for group in model.encoder.albert_layer_groups for layer in group.albert_layers]
    hooks = [layer.register_forward_hook(lambda m, i, out: seen.append(out)) for layer in layers]
    with torch.no_grad():
        model(torch.tensor(ids).long(), attention_mask=torch.tensor(mask), token_type_ids=torch.tensor(segments).long())
    for h in [hook, *hooks]:
        h.remove()
    return [s.numpy() for s in seen]


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("way", ["packed", "padded", "alone"])
def test_states_of_every_layer(grouped, way, monkeypatch):
    if way == "padded":
        monkeypatch.setattr(backbone_module, "packing_for", PaddedPacking)
    folder, theirs = grouped
    bert = build_backbone(read_checkpoint(folder))
    forward = Forward(lambda *x: tuple(bert.states_for("none", *x, range(5))), bert.variables)
    inputs = batch()
    expected = their_states(theirs.albert, *inputs)
    assert len(expected) == 5
    ours = [[s for s in forward(*(x[i : i + 1] for x in inputs))] for i in range(4)] if way == "alone" else None
    ours = [np.concatenate(s) for s in zip(*ours, strict=True)] if ours else forward(*inputs)
    for mine, his in zip(ours, expected, strict=True):
        real = inputs[2].astype(bool)
        np.testing.assert_allclose(mine[real], his[real], atol=1e-5, rtol=0)
        assert not mine[~real].any()


def test_attention_of_every_layer(grouped):
    folder, _ = grouped
    theirs = transformers.AlbertModel.from_pretrained(folder, attn_implementation="eager").eval()
    ids, segments, mask = batch()
    with torch.no_grad():
        expected = theirs(
            torch.tensor(ids).long(),
            attention_mask=torch.tensor(mask),
            token_type_ids=torch.tensor(segments).long(),
            output_attentions=True,
        ).attentions
    ours = np.asarray(build_backbone(read_checkpoint(folder)).attention(ids, segments, mask, (1, 2, 3, 4)))
    for row, n in enumerate(mask.sum(axis=1)):
        for mine, his in zip(ours[row], expected, strict=True):
            np.testing.assert_allclose(mine[:, :n, :n], his[row, :, :n, :n].numpy(), atol=1e-5)


@pytest.mark.parametrize("pool", ["mean", "pooler"])
def test_loss_and_every_gradient(grouped, pool):
    """A shared block's gradient is the sum over all the layers it is used in."""
    folder, theirs = grouped
    tensors = 7 + 16 * theirs.config.num_hidden_groups
    assert_same_step(build_backbone(read_checkpoint(folder)), theirs.albert, batch(), pool, tensors)


# ---------------------------------------------------------------- Hugging Face files


def test_every_tensor_is_read(grouped):
    folder, theirs = grouped
    c = read_checkpoint(folder)
    groups = theirs.config.num_hidden_groups
    assert c.format == "huggingface" and c.missing == {} and c.pooling == "pooler" and c.max_len == 64
    assert c.config == AlbertConfig(2000, 32, 4, 4, 64, 64, 2, "gelu_tanh", 0.0, 0.0, 1e-12, 0.2, 12, groups)
    assert {k: v.shape for k, v in c.tensors.items()} == weight_names.tensor_shapes(c.config)
    state = {k: v.numpy() for k, v in theirs.state_dict().items()}
    for ours, name in (
        ("embeddings/projection/kernel", "albert.encoder.embedding_hidden_mapping_in.weight"),
        ("mlm/transform/kernel", "predictions.dense.weight"),
        ("pooler/kernel", "albert.pooler.weight"),
        ("nsp/kernel", "sop_classifier.classifier.weight"),
    ):
        np.testing.assert_array_equal(c.tensors[ours], state[name].T)
    np.testing.assert_array_equal(c.tensors["mlm/bias"], state["predictions.bias"])
    assert sum(t.size for t in c.tensors.values()) == theirs.num_parameters()
    assert all(reason.startswith("repeats") for reason in c.unread.values())
    again = canonical_tensors(huggingface_tensors(c.tensors, c.config))
    assert all(np.array_equal(again[k], c.tensors[k]) for k in c.tensors)


def test_what_is_written_opens_in_transformers(grouped, tmp_path):
    folder, theirs = grouped
    c = read_checkpoint(folder)
    write_huggingface(tmp_path, c)
    again, report = transformers.AlbertForPreTraining.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    ids, segments, mask = (torch.tensor(x).long() for x in batch())
    with torch.no_grad():
        a, b = (m.eval()(ids, attention_mask=mask, token_type_ids=segments) for m in (again, theirs))
    assert torch.equal(a.prediction_logits, b.prediction_logits) and torch.equal(a.sop_logits, b.sop_logits)
    text = "The Caf\u00e9 on the corner, they said: ``good''"
    expected = bridge.tokenize(bridge.load(str(folder), {}), [text], None, None)["token_ids"][0].tolist()
    assert transformers.AutoTokenizer.from_pretrained(tmp_path)(text)["input_ids"] == expected
    back = read_checkpoint(tmp_path)
    for field in ("config", "vocab", "tokenizer", "pooling", "max_len", "spiece"):
        assert getattr(back, field) == getattr(c, field)
    assert all(np.array_equal(back.tensors[k], c.tensors[k]) for k in c.tensors)


@pytest.mark.parametrize(
    ("change", "expected"),
    [({}, (True, False)), ({"do_lower_case": False}, (False, False)), ({"keep_accents": True}, (True, True))],
)
def test_tokenizer_settings(albert, tmp_path, change, expected):
    shutil.copytree(albert, tmp_path / "copy")
    (tmp_path / "copy" / "tokenizer_config.json").write_text(json.dumps(change))
    c = read_checkpoint(tmp_path / "copy")
    assert (c.tokenizer["lower_case"], c.tokenizer["keep_accents"]) == expected
    model = bridge.load(str(tmp_path / "copy"), {})
    theirs = transformers.AlbertTokenizer.from_pretrained(tmp_path / "copy", **change)
    texts = ["The Caf\u00e9 na\u00efve", "``so'' he SAID"]
    assert [[i for i in row if i] for row in bridge.tokenize(model, texts, None, None)["token_ids"].tolist()] == theirs(
        texts
    )["input_ids"]


def test_an_albert_with_a_vocabulary_has_berts_tokens(albert, tmp_path):
    """As the Chinese ones."""
    folder = tmp_path / "zh"
    shutil.copytree(albert, folder)
    (folder / "spiece.model").unlink()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "##s"]
    (folder / "vocab.txt").write_text("\n".join(words + [f"[unused{i}]" for i in range(1993)]))
    model = bridge.load(str(folder), {})
    assert bridge.token_table(model, ["Thes x"], None, None)["token"] == ["[CLS]", "the", "##s", "[UNK]", "[SEP]"]
    bridge.save(model, str(tmp_path / "saved"), "{}")
    again = bridge.load(str(tmp_path / "saved"), {})
    assert bridge.describe(again)["fingerprint"] == bridge.describe(model)["fingerprint"]


def test_layers_keeps_so_many_applications(grouped):
    folder, theirs = grouped
    inputs, groups = batch(), theirs.config.num_hidden_groups
    expected = their_states(theirs.albert, *inputs)
    for keep in (1, 2):
        c = read_checkpoint(folder, layers=keep)
        assert (c.config.num_layers, c.config.num_groups) == (keep, 1) and c.missing == {}
        states = build_backbone(c).states_for("none", *inputs, range(keep + 1))
        real = inputs[2].astype(bool)
        np.testing.assert_allclose(np.asarray(states[keep])[real], expected[keep][real], atol=1e-5)
    if groups == 2:
        with pytest.raises(BertrError, match="share weights in groups of 2"):
            read_checkpoint(folder, layers=3)
    else:
        assert read_checkpoint(folder, layers=3).config.num_layers == 3


# ---------------------------------------------------------------- every verb


def fit(model, **options):
    texts = [f"the {'cat' if i % 2 else 'dog'} was {'here ' * (i % 5)}" for i in range(24)]
    target = {"label_ids": np.arange(24, dtype=np.int32) % 2, "levels": ["dog", "cat"]}
    return texts, bridge.fit(
        model,
        "classification",
        texts,
        None,
        target,
        None,
        {"head": {}, "seed": 1, "epochs": 2, "learning_rate": 1e-3, **options},
        None,
    )


def test_embeddings_are_those_of_transformers(albert, model):
    texts = ["The cat sat.", "", "Something (quite) longer than the others"]
    theirs = transformers.AlbertModel.from_pretrained(albert).eval()
    for pool in ("mean", "pooler", "none"):
        got = bridge.embed(model, texts, None, {"pool": pool}, None)["values"]
        expected = []
        for text in texts:
            with torch.no_grad():
                out = theirs(torch.tensor(bridge.tokenize(model, [text], None, None)["token_ids"]))
            states = out.last_hidden_state[0].numpy()
            expected.append(
                {"mean": states.mean(0, keepdims=True), "pooler": out.pooler_output.numpy(), "none": states}[pool]
            )
        np.testing.assert_allclose(got, np.concatenate(expected), atol=1e-5)


@pytest.mark.parametrize("train", ["all", "head", "top:4"])
def test_a_fit_survives_folder_and_bytes(model, train, tmp_path):
    texts, fitted = fit(model, train=train)
    prob = bridge.predict(fitted, texts, None, {}, None)["prob"]
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    for again in (bridge.load(str(tmp_path / "fit"), {}), bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)):
        np.testing.assert_array_equal(bridge.predict(again, texts, None, {}, None)["prob"], prob)
        assert bridge.describe(again)["tokens"] == "sentencepiece"
        assert bridge.describe(again)["config"] == bridge.describe(model)["config"]


def test_shared_layers_are_one_set_of_variables(model):
    _, fitted = fit(model)
    shapes, pool = weight_names.tensor_shapes(model.config), fitted.head_options["pool"]
    assert pool == "pooler"
    encoder = sum(int(np.prod(s)) for n, s in shapes.items() if not n.startswith(("mlm", "nsp")))
    head = sum(int(np.prod(v.shape)) for v in fitted.network.head.trainable_variables)
    assert fitted.facts["parameters_trained"] == encoder + head
    assert len(fitted.network.backbone.trainable_variables) == 7 + 12 + 2  # query, key and value are one
    trained = fitted.network.backbone.tensors()
    assert not np.array_equal(
        trained["block_0/attention/query/kernel"], model.checkpoint.tensors["block_0/attention/query/kernel"]
    )
    assert not np.array_equal(
        trained["embeddings/projection/kernel"], model.checkpoint.tensors["embeddings/projection/kernel"]
    )


def test_upper_layers_alone_only_where_they_share_nothing(model, tmp_path, spiece):
    with pytest.raises(BertrError, match="layers share their weights") as e:
        fit(model, train="top:2")
    assert e.value.code == "train" and e.value.hint
    make_albert(tmp_path, spiece, num_hidden_groups=2)
    two = bridge.load(str(tmp_path), {})
    with pytest.raises(BertrError, match="layers share their weights"):
        fit(two, train="top:1")
    _, fitted = fit(two, train="top:2")
    trained, before = fitted.network.backbone.tensors(), two.checkpoint.tensors
    changed = {weight_names.part(n) for n, x in trained.items() if not np.array_equal(x, before[n])}
    assert changed == {"block_1", "pooler"}


def test_dropout_differs_between_the_applications(model):
    bert = build_backbone(model.checkpoint, dropout=0.5)
    ids = np.array([[2, 50, 60, 3]], np.int32)
    a, b = (np.asarray(bert(ids, ids * 0, ids * 0 + 1, training=True)) for _ in range(2))
    assert not np.array_equal(a, b)


def test_config_and_tokenizer_survive_as_json(model):
    import dataclasses

    fields = json.loads(json.dumps(dataclasses.asdict(model.config)))
    again = AlbertConfig.from_fields(fields)
    assert again == model.config and repr(again) == repr(model.config)  # the fingerprint is made of its text


def test_another_tokenizer_is_another_model(albert, model, tmp_path, spiece):
    shutil.copytree(albert, tmp_path / "copy")
    changed = bytearray(spiece)
    at = changed.index("\u2581the".encode())
    changed[at + 3 : at + 4] = b"q"
    (tmp_path / "copy" / "spiece.model").write_bytes(bytes(changed))
    other = bridge.load(str(tmp_path / "copy"), {})
    assert bridge.describe(other)["fingerprint"] != bridge.describe(model)["fingerprint"]


def test_characters_are_not_for_albert(albert):
    with pytest.raises(BertrError, match="only knows the pieces"):
        bridge.load(albert, {"tokens": "characters"})
    assert bridge.load(albert, {"lower_case": False}).tokenizer.lower_case is False


def test_hidden_words_are_those_of_transformers(grouped):
    folder, theirs = grouped
    model = bridge.load(folder, {})
    ours = bridge.fill_mask(model, ["How do I [MASK] my card?"], None, {"top": 2000}, None)
    ids = bridge.tokenize(model, ["How do I [MASK] my card?"], None, None)["token_ids"]
    place = int(np.flatnonzero(ids[0] == model.tokenizer.vocab.index("[MASK]"))[0])
    with torch.no_grad():
        logits = theirs(torch.tensor(ids)).prediction_logits[0, place]
    expected = torch.softmax(logits.double(), 0).numpy()
    places = [model.tokenizer.vocab.index(t) for t in ours["token"]]
    assert len(places) > 1900
    np.testing.assert_allclose(ours["probability"], expected[places], rtol=1e-4, atol=1e-7)


def test_hidden_words_are_learnt(model, tmp_path):
    texts = ["how do i top up my card", "my card was swallowed", "cancel the transfer please"] * 8
    fitted = bridge.fit(
        model,
        "mlm",
        texts,
        None,
        {"pairs": False},
        None,
        {"head": {}, "seed": 1, "epochs": 80, "batch_size": 8, "learning_rate": 5e-3},
        None,
    )
    assert fitted.history["loss"][-1] < 0.4 * fitted.history["loss"][0]
    expected = bridge.fill_mask(fitted, ["my [MASK] was swallowed"], None, {"top": 3}, None)
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    for back in (bridge.load(str(tmp_path / "fit"), {}), bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)):
        again = bridge.fill_mask(back, ["my [MASK] was swallowed"], None, {"top": 3}, None)
        assert again["token"] == expected["token"]
        np.testing.assert_allclose(again["probability"], expected["probability"], rtol=1e-5)
