"""Checkpoints in Google's formats, of BERT and of ALBERT: the same tensors as from Hugging Face's."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
import transformers
from checkpoints import (
    TINY,
    google2_tensors_of,
    google_names,
    google_tensors_of,
    same_tensors,
    save_tensorflow,
    write_albert_google,
    write_google_folder,
)

from bertr import bridge
from bertr.checkpoints import weight_names
from bertr.checkpoints.config import BertConfig
from bertr.checkpoints.huggingface import write_huggingface
from bertr.errors import BertrError
from bertr.families import read_checkpoint
from bertr.text.wordpiece import SPECIAL


def test_the_tiny_google_checkpoint_is_read_in_full():
    c = read_checkpoint(TINY)
    variables = dict(tf.train.list_variables(str(TINY / "bert_model.ckpt")))
    slots = {v for v in variables if v.endswith(("/adam_m", "/adam_v"))}
    assert set(c.unread) == slots | {"global_step"} and c.missing == {}
    assert {c.unread[v] for v in slots} == {"optimizer state"}
    assert len(c.tensors) == len(variables) - len(c.unread) == 46
    for name, variable in (
        ("embeddings/position", "bert/embeddings/position_embeddings"),
        ("block_1/attention/query/kernel", "bert/encoder/layer_1/attention/self/query/kernel"),
        ("block_1/feed_forward/inner/kernel", "bert/encoder/layer_1/intermediate/dense/kernel"),
        ("mlm/transform/kernel", "cls/predictions/transform/dense/kernel"),
    ):
        np.testing.assert_array_equal(c.tensors[name], tf.train.load_variable(str(TINY / "bert_model.ckpt"), variable))
    nsp = tf.train.load_variable(str(TINY / "bert_model.ckpt"), "cls/seq_relationship/output_weights")
    np.testing.assert_array_equal(c.tensors["nsp/kernel"], nsp.T)  # the one kernel Google keeps as (out, in)
    assert c.format == "google" and c.config.activation == "gelu_erf" and c.vocab[-1] == "boy"
    assert (c.pooling, c.max_len) == ("pooler", 16)
    assert c.tokenizer == {
        "lower_case": True,
        "strip_accents": None,
        "chinese_chars": True,
        "max_word_chars": 200,
        "special": SPECIAL,
        "added": [],
        "one_segment": False,
        "mode": "wordpiece",
    }


def test_a_google_checkpoint_of_minilm_has_identical_tensors(checkpoint, torch_model, minilm, tmp_path):
    tensors = google_tensors_of(torch_model)
    slots = {
        "bert/pooler/dense/bias/adam_m": tensors["bert/pooler/dense/bias"],
        "global_step": np.int64(7),
        "output_weights": np.ones((2, 384), np.float32),
    }
    folder = write_google_folder(tmp_path / "uncased_L-6", {**tensors, **slots}, minilm)
    c = read_checkpoint(folder)
    same_tensors(c.tensors, checkpoint.tensors)
    assert set(c.unread) == set(slots) and c.vocab == checkpoint.vocab
    assert c.config == checkpoint.config  # so that the states are the same too


def test_any_one_checkpoint_name_will_do(tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(TINY, folder)
    for path in folder.glob("bert_model.ckpt*"):
        path.rename(folder / path.name.replace("bert_model.ckpt", "model.ckpt-100"))
    same_tensors(read_checkpoint(folder).tensors, read_checkpoint(TINY).tensors)
    for path in list(folder.glob("model.ckpt*")):
        shutil.copy(path, folder / path.name.replace("100", "200"))
    with pytest.raises(BertrError, match="holds 2 checkpoints"):
        read_checkpoint(folder)


def test_the_name_table_covers_a_google_checkpoint_of_12_layers():
    base = BertConfig(30522, 768, 12, 12, 3072)
    known = {f"bert/{v}": k for k, v in weight_names.file_names(base, "google").items()}
    known |= {v: k for k, v in weight_names.file_names(base, "google").items() if v.startswith("cls/")}
    documented = google_names(12)
    assert len(documented) == 206
    assert len({known[v] for v in documented}) == 206 == len(weight_names.file_names(base, "google"))


@pytest.mark.parametrize("layout", ["old", "new", "pretraining"])
def test_tf2_object_checkpoints_give_the_same_tensors(layout, tmp_path):
    folder = tmp_path / "tf2"
    folder.mkdir()
    for name in ("vocab.txt", "bert_config.json"):
        shutil.copy(TINY / name, folder)
    google = {
        v: tf.train.load_variable(str(TINY / "bert_model.ckpt"), v)
        for v, _ in tf.train.list_variables(str(TINY / "bert_model.ckpt"))
        if "adam" not in v
    }
    config = json.loads((TINY / "bert_config.json").read_text())
    assert config["hidden_size"] == config["num_attention_heads"]  # heads of 1: make them 2, so that order shows
    config["num_attention_heads"] = 2
    (folder / "bert_config.json").write_text(json.dumps(config))
    save_tensorflow(folder / "bert_model.ckpt", google2_tensors_of(google, 2, layout))

    c = read_checkpoint(folder)
    lacking = ("nsp", "mlm") if layout == "old" else ("nsp",)
    assert c.format == "google2" and set(c.missing) == set(lacking)
    same_tensors(c.tensors, {n: x for n, x in read_checkpoint(TINY).tensors.items() if not n.startswith(lacking)})
    reasons = {v.split("/.")[0]: r for v, r in c.unread.items()}
    repeated = {reasons.pop(v) for v in list(reasons) if v.endswith("embedding_table")}
    assert all(r.startswith("repeats") for r in repeated) and len(repeated) == (layout != "old")
    assert set(reasons) == {"save_counter", "optimizer/iter", "_CHECKPOINTABLE_OBJECT_GRAPH"}


def test_a_google_checkpoint_is_written_with_its_own_settings(tmp_path):
    c = read_checkpoint(TINY)
    write_huggingface(tmp_path, c)
    (tmp_path / "bertr.json").write_text("{}")
    again = read_checkpoint(tmp_path)
    same_tensors(again.tensors, c.tensors)
    assert again.format == "bertr" and again.config == c.config
    assert (again.tokenizer, again.pooling, again.max_len) == (c.tokenizer, c.pooling, c.max_len)
    assert transformers.AutoConfig.from_pretrained(tmp_path).hidden_act == "gelu"
    assert transformers.AutoTokenizer.from_pretrained(tmp_path)("all work")["input_ids"] == [2, 5, 6, 3]


@pytest.mark.parametrize("prefix", ["model.ckpt-best", "bert_model.ckpt"])
def test_googles_files_give_the_same_model(grouped, spiece, tmp_path, prefix):
    folder, theirs = grouped
    google = read_checkpoint(write_albert_google(tmp_path / "google", theirs, spiece, prefix))
    hf = read_checkpoint(folder)
    assert google.format == "google" and google.config == hf.config  # "gelu" is the tanh form there
    assert set(google.tensors) == set(hf.tensors) and google.missing == {} and len(google.unread) == 3
    assert all(np.array_equal(google.tensors[k], hf.tensors[k]) for k in hf.tensors)
    assert google.spiece == spiece and google.vocab == hf.vocab
    assert google.tokenizer == {**hf.tokenizer, "quotes": False, "keep_special": False}


def test_of_several_checkpoints_googles_own_name_counts(albert, spiece, tmp_path):
    theirs = transformers.AlbertForPreTraining.from_pretrained(albert)
    folder = write_albert_google(tmp_path / "google", theirs, spiece)
    for path in folder.glob("model.ckpt-best*"):
        shutil.copy(path, folder / path.name.replace("best", "100"))
    model = bridge.load(str(folder), {})
    assert bridge.describe(model)["tokens"] == "sentencepiece"
    bridge.save(model, str(tmp_path / "saved"), "{}")
    again = bridge.load(str(tmp_path / "saved"), {})
    assert bridge.describe(again)["fingerprint"] == bridge.describe(model)["fingerprint"]
    assert again.tokenizer.quotes is False


def test_googles_chinese_vocabulary_is_found(albert, spiece, tmp_path):
    theirs = transformers.AlbertForPreTraining.from_pretrained(albert)
    folder = write_albert_google(tmp_path / "google", theirs, spiece)
    (folder / "30k-clean.model").unlink()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"[unused{i}]" for i in range(1995))]
    (folder / "vocab_chinese.txt").write_text("\n".join(words))
    c = read_checkpoint(folder)
    assert c.vocab == words and c.spiece is None and c.tokenizer["mode"] == "wordpiece"
