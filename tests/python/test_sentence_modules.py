"""Folders of sentence models: their vectors are those of sentence-transformers, also after they were saved."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import torch
from folders import TEXTS, assert_refused, configure, edit, make_folder, write_json
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules

from bertr import bridge
from bertr.errors import BertrError


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path / "shape")


HIDDEN = 16
POOLINGS = {mode: modules.Pooling(HIDDEN, pooling_mode=mode) for mode in modules.Pooling.POOLING_MODES}
AFTER = {
    **{mode: [pooling] for mode, pooling in POOLINGS.items()},
    "two at once": [modules.Pooling(HIDDEN, pooling_mode=("cls", "mean"))],
    "in another order": [modules.Pooling(HIDDEN, pooling_mode=("mean", "cls")), modules.Dense(2 * HIDDEN, 8)],
    "one twice": [modules.Pooling(HIDDEN, pooling_mode=("mean", "mean"))],
    "four at once": [modules.Pooling(HIDDEN, pooling_mode=("cls", "max", "mean", "lasttoken"))],
    "normalised": [POOLINGS["mean"], modules.Normalize()],
    "LaBSE": [POOLINGS["cls"], modules.Dense(HIDDEN, 12), modules.Normalize()],
    "dense after two at once": [
        modules.Pooling(HIDDEN, pooling_mode=("cls", "mean")),
        modules.Dense(2 * HIDDEN, 8, activation_function=torch.nn.ReLU()),
    ],
    "two dense layers": [
        POOLINGS["max"],
        modules.Dense(HIDDEN, 20, bias=False, activation_function=torch.nn.Sigmoid()),
        modules.Dense(20, 10, activation_function=torch.nn.Identity()),
    ],
}


def sentence_model(folder, after, out, **options):
    torch.manual_seed(5)
    encoder = modules.Transformer(str(folder), max_seq_length=20)
    SentenceTransformer(modules=[encoder, *after], device="cpu", **options).save(str(out))
    return str(out)


def assert_same_vectors(out, options=None, texts=TEXTS[:8], **theirs):
    expected = SentenceTransformer(out, device="cpu").encode(texts, **theirs)
    got = bridge.embed(bridge.load(out, {}), texts, None, options or {}, None)["values"]
    np.testing.assert_allclose(got, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", AFTER)
def test_vectors_are_those_of_sentence_transformers(folder, shape, tmp_path):
    out = sentence_model(folder, AFTER[shape], tmp_path / "sentence")
    assert_same_vectors(out)
    bridge.save(bridge.load(out, {}), str(tmp_path / "saved"), "")
    assert_same_vectors(str(tmp_path / "saved"))
    np.testing.assert_allclose(
        *(
            bridge.embed(bridge.load(f, {}), TEXTS[:8], None, {}, None)["values"]
            for f in (out, str(tmp_path / "saved"))
        ),
        atol=1e-6,
    )


def test_old_names_of_poolings(folder, tmp_path):
    out = pathlib.Path(sentence_model(folder, [POOLINGS["mean"]], tmp_path / "sentence"))
    write_json(
        out / "1_Pooling" / "config.json",
        {
            "word_embedding_dimension": HIDDEN,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": False,
            "pooling_mode_max_tokens": True,
            "pooling_mode_mean_sqrt_len_tokens": True,
            "pooling_mode_weightedmean_tokens": True,
            "pooling_mode_lasttoken": False,
        },
    )
    assert_same_vectors(str(out))


def test_lower_case_of_a_sentence_model(folder, tmp_path):
    """It is applied before the tokenizer's settings, so accents stay."""
    configure(folder, do_lower_case=False)
    out = pathlib.Path(sentence_model(folder, [POOLINGS["mean"]], tmp_path / "sentence"))
    edit(out / "sentence_bert_config.json", lambda text: json.dumps({**json.loads(text), "do_lower_case": True}))
    assert_same_vectors(str(out), texts=["The CAT sleeps", "ÜBER the GREEN Tree", "[MASK] Dog"])


def test_prompts(folder, tmp_path):
    out = sentence_model(
        folder,
        [POOLINGS["mean"], modules.Normalize()],
        tmp_path / "sentence",
        prompts={"query": "the cat: ", "document": ""},
        default_prompt_name="query",
    )
    assert_same_vectors(out)  # the default one
    assert_same_vectors(out, {"prompt": "document"}, prompt_name="document")
    assert_same_vectors(out, {"prompt": "query"}, prompt_name="query")
    bridge.save(bridge.load(out, {}), str(tmp_path / "saved"), "")
    assert_same_vectors(str(tmp_path / "saved"))
    with pytest.raises(BertrError, match='`prompt` is "passage", but this model has only "document", "query"'):
        bridge.embed(bridge.load(out, {}), ["a"], None, {"prompt": "passage"}, None)


def test_only_the_first_columns(folder, tmp_path):
    out = sentence_model(folder, AFTER["normalised"], tmp_path / "sentence", truncate_dim=4)
    assert_same_vectors(out)
    bridge.save(bridge.load(out, {}), str(tmp_path / "saved"), "")
    assert_same_vectors(str(tmp_path / "saved"))
    assert bridge.describe(bridge.load(out, {}))["width"] == 4


def test_dense_weights_of_torch(folder, tmp_path):
    out = pathlib.Path(sentence_model(folder, AFTER["LaBSE"], tmp_path / "sentence"))
    expected = bridge.embed(bridge.load(str(out), {}), TEXTS, None, {}, None)["values"]
    dense = next(out.glob("*_Dense"))
    torch.save(load_file(dense / "model.safetensors"), dense / "pytorch_model.bin")
    (dense / "model.safetensors").unlink()
    got = bridge.embed(bridge.load(str(out), {}), TEXTS, None, {}, None)["values"]
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("pooling", [("cls", "mean"), "weightedmean"])
def test_a_fit_pools_as_its_folder_says(folder, tmp_path, pooling):
    out = sentence_model(folder, [modules.Pooling(HIDDEN, pooling_mode=pooling)], tmp_path / "sentence")
    model = bridge.load(out, {})
    target = {"label_ids": np.array([0, 1] * 4, np.int32), "levels": ["a", "b"]}
    fitted = bridge.fit(model, "classification", TEXTS[:8], None, target, None, {"head": {}, "epochs": 1}, None)
    assert fitted.facts["pool"] == model.checkpoint.pooling
    assert fitted.network.width == HIDDEN * (2 if len(pooling) == 2 else 1)
    bridge.save(fitted, str(tmp_path / "fit"), "")
    probabilities = [
        bridge.predict(f, TEXTS, None, {}, None)["prob"] for f in (fitted, bridge.load(str(tmp_path / "fit"), {}))
    ]
    np.testing.assert_array_equal(*probabilities)


def dense_of(folder, **change):
    """Turns the folder into a sentence model with a dense layer with these changes in its config."""
    out = pathlib.Path(sentence_model(folder, AFTER["LaBSE"], folder.parent / "sentence"))
    edit(next(out.glob("*_Dense")) / "config.json", lambda text: json.dumps({**json.loads(text), **change}))
    shutil.rmtree(folder)
    out.rename(folder)


def sentence_module(folder, kind, path="2_X"):
    write_json(
        folder / "modules.json",
        [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": path, "type": f"sentence_transformers.models.{kind}"},
        ],
    )


REFUSED = {
    "a module nobody knows": (lambda f: sentence_module(f, "CNN"), "type CNN"),
    "a module outside": (lambda f: sentence_module(f, "Dense", "../2_Dense"), "names the folder '../2_Dense'"),
    "an unknown activation": (lambda f: dense_of(f, activation_function="os.system"), "activation system"),
    "a residual connection": (lambda f: dense_of(f, use_residual=True), "residual"),
    "a dense layer of another width": (lambda f: dense_of(f, in_features=17), "17 inputs instead of 16"),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_modules_that_are_not_known_are_refused(folder, shape):
    assert_refused(folder, *REFUSED[shape])
