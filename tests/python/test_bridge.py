"""The functions R calls: scoring, embeddings, tokens, saving."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
import torch
import transformers

from bertr import bridge, store
from bertr.errors import BertrError


@pytest.fixture
def model(tiny):
    return bridge.load(tiny, {})


def small_fit(model, sentences, **options):
    texts, codes = sentences
    target = {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dög"]}
    return bridge.fit(
        model, "classification", texts, None, target, None, {"head": {}, "seed": 1, "epochs": 2, **options}, None
    )


def probabilities(fitted, texts):
    return bridge.predict(fitted, texts, None, {}, None)["prob"]


# ---------------------------------------------------------------- scoring


def test_a_row_does_not_depend_on_its_neighbours(model, sentences):
    texts, _ = sentences
    fitted = small_fit(model, sentences)
    together = probabilities(fitted, texts)
    alone = np.concatenate([probabilities(fitted, [t]) for t in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together[::-1], probabilities(fitted, texts[::-1]), atol=1e-5)


@pytest.mark.parametrize("pool, layer", [("mean", None), ("cls", 2), ("max", 0), ("pooler", None), ("none", 1)])
def test_embeddings_are_those_of_transformers(tiny, model, sentences, pool, layer):
    texts = [*sentences[0][:8], "", "unknowable"]
    ours = bridge.embed(model, texts, None, {"pool": pool, "layer": layer}, None)
    theirs = transformers.BertModel.from_pretrained(tiny).eval()
    tokenizer = transformers.BertTokenizer(os.path.join(tiny, "vocab.txt"))
    expected = []
    for text in texts:
        with torch.no_grad():
            out = theirs(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        states = out.hidden_states[3 if layer is None else layer][0].numpy()
        expected.append(
            {
                "mean": states.mean(0, keepdims=True),
                "cls": states[:1],
                "max": states.max(0, keepdims=True),
                "pooler": out.pooler_output.numpy(),
                "none": states,
            }[pool]
        )
    np.testing.assert_allclose(ours["values"], np.concatenate(expected), atol=1e-5)
    assert ours["n_tokens"].tolist() == [len(tokenizer(t)["input_ids"]) for t in texts]


def test_layers_are_averaged_and_vectors_normalised(model, sentences):
    texts = sentences[0][:5]
    each = [bridge.embed(model, texts, None, {"pool": "mean", "layer": k}, None)["values"] for k in (1, 3)]
    both = bridge.embed(model, texts, None, {"pool": "mean", "layer": [1, 3], "normalise": True}, None)["values"]
    mean = (each[0] + each[1]) / 2
    np.testing.assert_allclose(both, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5)


def test_a_fitted_encoder_gives_its_own_embeddings(model, sentences):
    fitted = small_fit(model, sentences, learning_rate=1e-2)
    a = bridge.embed(model, sentences[0], None, {}, None)["values"]
    b = bridge.embed(fitted, sentences[0], None, {}, None)["values"]
    assert np.abs(a - b).max() > 1e-3


@pytest.mark.parametrize("options, code", [({"layer": 4}, "layer"), ({"max_len": 65}, "max_len")])
def test_impossible_embeddings(model, options, code):
    with pytest.raises(BertrError) as e:
        bridge.embed(model, ["the cat"], None, options, None)
    assert e.value.code == code


def test_a_fits_length_holds_for_all_it_does(model, sentences, tmp_path):
    fitted = small_fit(model, sentences, max_len=9)
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    for f in (fitted, bridge.load(str(tmp_path / "fit"), {}), bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)):
        assert bridge.describe(f)["max_len"] == 9
        assert bridge.embed(f, ["cat " * 30], None, {}, None)["n_tokens"].tolist() == [9]
        assert bridge.tokenize(f, ["cat " * 30], None, None)["token_ids"].shape == (1, 9)
        assert bridge.predict(f, ["cat " * 30], None, {}, None)["n_truncated"] == 1


def test_pairs_need_a_second_segment(tiny, tmp_path):
    folder = tmp_path / "single"
    shutil.copytree(tiny, folder)
    theirs = transformers.BertModel.from_pretrained(tiny)
    theirs.config.type_vocab_size = 1
    one = transformers.BertModel(theirs.config)
    one.save_pretrained(folder)
    model = bridge.load(str(folder), {})
    bridge.embed(model, ["the cat"], None, {}, None)
    with pytest.raises(BertrError, match="second segment"):
        bridge.embed(model, ["the cat"], ["sleeps"], {}, None)


def test_cut_texts_are_counted(model):
    out = bridge.embed(model, ["cat " * 100, "cat"], None, {"max_len": 10}, None)
    assert out["n_truncated"] == 1 and out["n_tokens"].tolist() == [10, 3]


# ---------------------------------------------------------------- tokens


def test_tokens_and_their_places(model):
    text = "The CATS  singer!"
    t = bridge.tokenize(model, [text], None, None)
    table = bridge.token_table(model, [text], None, None)
    assert table["token"] == ["[CLS]", "the", "cat", "##s", "[UNK]", "!", "[SEP]"]
    assert t["token_ids"].tolist() == [table["token_id"].tolist()]
    assert [text[s - 1 : e] for s, e in zip(table["start"], table["end"], strict=True)] == [
        "",
        "The",
        "CAT",
        "S",
        "singer",
        "!",
        "",
    ]
    assert bridge.count_tokens(model, [text], None).tolist() == [7]
    assert bridge.detokenize(model, t["token_ids"][0], [7]) == ["the cats [UNK] !"]
    with pytest.raises(BertrError, match="id"):
        bridge.detokenize(model, [1000], [1])


def test_characters_mode(tiny):
    with pytest.raises(BertrError):
        bridge.load(tiny, {"tokens": "letters"})
    model = bridge.load(tiny, {"tokens": "characters"})
    assert bridge.tokenize(model, ["a?z", ""], None, None)["mask"].sum(axis=1).tolist() == [5, 2]


def test_models_and_info_are_plain(model):
    json.dumps(bridge.info())
    columns = bridge.models()
    assert len({len(c) for c in columns.values()}) == 1 and "all-MiniLM-L6-v2" in columns["name"]
    facts = bridge.describe(model)
    json.dumps(facts)
    assert facts["config"]["num_layers"] == 3 and facts["pooling"] == "pooler" and facts["missing"] == ["mlm", "nsp"]
    assert bridge.vocab(model)[:2] == ["[PAD]", "[UNK]"]
    assert not bridge.is_fit(model)


# ---------------------------------------------------------------- keeping

FITS = [
    {},
    {"train": "head"},
    {"train": "head", "head": {"units": [8, 4], "activation": "tanh"}},
    {"train": "top:1", "max_len": 20},
]


@pytest.mark.parametrize("options", FITS)
def test_a_fit_comes_back_the_same(model, sentences, options, tmp_path):
    texts = sentences[0]
    fitted = small_fit(model, sentences, **options)
    expected = probabilities(fitted, texts)
    data = list(bridge.to_bytes(fitted, '{"a": "ü"}'))
    bridge.save(fitted, str(tmp_path / "fit"), '{"a": "ü"}')
    for back in (bridge.from_bytes(data, None), bridge.load(str(tmp_path / "fit"), {})):
        assert bridge.is_fit(back) and bridge.spec(back) == '{"a": "ü"}'
        assert np.array_equal(probabilities(back, texts), expected)
        assert bridge.describe_fit(back)["levels"] == ["cat", "dög"]
        again = bridge.from_bytes(bridge.to_bytes(back, "{}"), None)
        assert np.array_equal(probabilities(again, texts), expected)
    if options.get("train") == "head":
        assert sum(map(len, data)) < 20_000  # the head alone, not the encoder


def test_a_saved_fit_opens_in_transformers(model, sentences, tmp_path):
    fitted = small_fit(model, sentences, learning_rate=1e-2)
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    theirs = transformers.AutoModel.from_pretrained(tmp_path / "fit").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "fit")
    with torch.no_grad():
        states = theirs(**tokenizer("the cat sleeps", return_tensors="pt")).last_hidden_state[0].numpy()
    ours = bridge.embed(fitted, ["the cat sleeps"], None, {"pool": "none"}, None)["values"]
    np.testing.assert_allclose(ours, states, atol=1e-5)


def test_a_model_is_saved_with_its_settings(tiny, tmp_path):
    model = bridge.load(tiny, {"tokens": "characters", "max_len": 12, "layers": 2})
    bridge.save(model, str(tmp_path / "m"), "")
    back = bridge.describe(bridge.load(str(tmp_path / "m"), {}))
    assert (back["tokens"], back["max_len"], back["config"]["num_layers"]) == ("characters", 12, 2)
    assert bridge.describe(bridge.load(str(tmp_path / "m"), {"tokens": "wordpiece"}))["tokens"] == "wordpiece"


def test_the_activation_can_be_chosen(tiny, tmp_path):
    exact, chosen = bridge.load(tiny, {}), bridge.load(tiny, {"activation": "gelu_tanh"})
    theirs = transformers.BertModel.from_pretrained(tiny, hidden_act="gelu_new").eval()
    ids = torch.tensor(bridge.tokenize(chosen, ["the cat sleeps"], None, None)["token_ids"]).long()
    with torch.no_grad():
        expected = theirs(ids).last_hidden_state[0].numpy()
    states = [bridge.embed(m, ["the cat sleeps"], None, {"pool": "none"}, None)["values"] for m in (exact, chosen)]
    np.testing.assert_allclose(states[1], expected, atol=1e-5)
    assert np.abs(states[0] - expected).max() > 2e-5
    fitted = small_fit(chosen, (["the cat", "a dog"], [0, 1]), train="head")
    back = bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)
    assert np.array_equal(probabilities(back, ["the cat"]), probabilities(fitted, ["the cat"]))
    assert bridge.describe(back)["config"]["activation"] == "gelu_tanh"
    bridge.save(chosen, str(tmp_path / "m"), "")
    assert bridge.describe(bridge.load(str(tmp_path / "m"), {}))["config"]["activation"] == "gelu_tanh"


def test_a_head_refuses_another_base(tiny, sentences, tmp_path):
    """The weights in memory during training count, not the file that later has the same name."""
    origin, base = shutil.copytree(tiny, tmp_path / "origin"), tmp_path / "base"
    bridge.save(bridge.load(str(origin), {}), str(base), "")
    shutil.rmtree(origin)
    model = bridge.load(str(base), {})
    bridge.save(small_fit(model, sentences, learning_rate=1e-2), str(base), "{}")  # other weights, same place
    fitted = small_fit(model, sentences, train="head")
    data = list(bridge.to_bytes(fitted, "{}"))
    with pytest.raises(BertrError, match="not the one this fit was trained on"):
        bridge.from_bytes(data, None)
    shutil.rmtree(base)
    assert list(bridge.to_bytes(fitted, "{}")) == data  # needs no folder
    with pytest.raises(BertrError, match="There is no folder"):
        bridge.from_bytes(data, None)
    bridge.save(model, str(tmp_path / "copy"), "")  # the same weights elsewhere, in another file, will do
    back = bridge.from_bytes(data, str(tmp_path / "copy"))
    assert np.array_equal(probabilities(back, sentences[0]), probabilities(fitted, sentences[0]))


def test_a_newer_folder_is_refused(model, tmp_path):
    bridge.save(model, str(tmp_path / "m"), "")
    path = tmp_path / "m" / "bertr.json"
    meta = json.loads(path.read_text())
    path.write_text(json.dumps({**meta, "format": 99}))
    (tmp_path / "m" / "model.safetensors").unlink()  # reported even if the rest cannot be read
    with pytest.raises(BertrError, match="newer bertr"):
        bridge.load(str(tmp_path / "m"), {})


@pytest.mark.parametrize("size", [7, 1000, 2**24])
def test_the_pieces_of_a_fit_are_a_file_of_safetensors(model, sentences, monkeypatch, size):
    fitted = small_fit(model, sentences)
    monkeypatch.setattr(store, "PIECE", size)
    pieces = list(bridge.to_bytes(fitted, "{}"))
    assert {len(p) for p in pieces[:-1]} <= {size} and 0 < len(pieces[-1]) <= size
    tensors = safetensors.numpy.load(b"".join(pieces))
    for name, expected in fitted.network.backbone.tensors().items():
        np.testing.assert_array_equal(tensors[f"bert/{name}"], expected)
    back = bridge.from_bytes(pieces, None)
    assert np.array_equal(probabilities(back, sentences[0]), probabilities(fitted, sentences[0]))


def test_what_is_damaged_is_told(model, sentences, tmp_path):
    fitted = small_fit(model, sentences)
    data = b"".join(bridge.to_bytes(fitted, "{}"))
    for part in (data[:50], data[: len(data) // 2], data[8:], b""):
        with pytest.raises(BertrError, match="could not be read"):
            bridge.from_bytes([part], None)
    bridge.save(fitted, str(tmp_path / "m"), "")
    head, meta = tmp_path / "m" / "head.safetensors", tmp_path / "m" / "bertr.json"
    whole = head.read_bytes()
    head.write_bytes(whole[:50])
    with pytest.raises(BertrError, match="could not be read"):
        bridge.load(str(tmp_path / "m"), {})
    head.write_bytes(whole)
    meta.write_text(json.dumps({k: v for k, v in json.loads(meta.read_text()).items() if k != "spec"}))
    with pytest.raises(BertrError, match="There is no 'spec' in .*bertr.json"):
        bridge.load(str(tmp_path / "m"), {})


def test_saving_through_a_link_and_into_the_working_directory(model, tmp_path, monkeypatch):
    bridge.save(model, str(tmp_path / "real"), "one")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    bridge.save(model, str(tmp_path / "link"), "two")
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "real" / "bertr.json").read_text())["spec"] == "two"
    monkeypatch.chdir(tmp_path / "real")
    with pytest.raises(BertrError, match="working directory"):
        bridge.save(model, ".", "three")


FULL_DISK = """
    import resource, signal, sys
    from bertr import bridge
    from bertr.errors import BertrError
    model = bridge.load(sys.argv[1], {})
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        bridge.save(model, sys.argv[2], "")
    except BertrError as e:
        print("told:", e.message)
"""


def test_a_full_disk_leaves_the_old_folder(tiny, model, tmp_path):
    """A limit on file size simulates a full disk: writing fails halfway through the weights."""
    import textwrap

    folder = tmp_path / "keep"
    bridge.save(model, str(folder), "old")
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), tiny, str(folder)], capture_output=True, text=True
    )
    assert "told:" in out.stdout and "could not be written" in out.stdout, out.stderr
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["keep"]


def test_saving_replaces_what_was_there(model, tmp_path):
    for spec in ("one", "two"):
        bridge.save(model, str(tmp_path / "m"), spec)
    assert json.loads((tmp_path / "m" / "bertr.json").read_text())["spec"] == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_place_that_cannot_be_written(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BertrError, match="could not be written"):
        bridge.save(model, str(tmp_path / "file" / "m"), "")


def test_no_pickle_is_written(model, sentences, tmp_path):
    bridge.save(small_fit(model, sentences), str(tmp_path / "m"), "{}")
    names = {os.path.relpath(os.path.join(d, f), tmp_path / "m") for d, _, fs in os.walk(tmp_path / "m") for f in fs}
    assert {n.rsplit(".", 1)[1] for n in names} == {"json", "txt", "safetensors"}
    assert store.META in names
