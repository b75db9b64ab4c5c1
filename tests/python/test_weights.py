"""weights.py and its readers: every format gives the same tensors, and every damage one sentence."""

import json
import os
import pathlib
import pickle
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf
import torch
import transformers
from safetensors.numpy import load_file, save_file

from bertr import names
from bertr.config import BertConfig
from bertr.errors import BertrError
from bertr.tokenizer import Tokenizer
from bertr.vocabulary import read_vocab_txt
from bertr.weights import canonical_tensors, huggingface_tensors, read_checkpoint, write_huggingface

TINY = pathlib.Path(__file__).parents[1] / "fixtures" / "google_tiny"


@pytest.fixture(scope="module")
def checkpoint(minilm):
    return read_checkpoint(minilm)


@pytest.fixture(scope="module")
def torch_model(minilm):
    return transformers.BertModel.from_pretrained(minilm).eval()


def google_names(layers):
    """The variables of a BERT pre-training checkpoint in Google's own words (google-research/bert `modeling.py`)."""
    out = [f"bert/embeddings/{n}" for n in ("word_embeddings", "token_type_embeddings", "position_embeddings",
                                            "LayerNorm/beta", "LayerNorm/gamma")]
    for i in range(layers):
        block = f"bert/encoder/layer_{i}"
        for dense in ("attention/self/query", "attention/self/key", "attention/self/value", "attention/output/dense",
                      "intermediate/dense", "output/dense"):
            out += [f"{block}/{dense}/kernel", f"{block}/{dense}/bias"]
        for norm in ("attention/output", "output"):
            out += [f"{block}/{norm}/LayerNorm/beta", f"{block}/{norm}/LayerNorm/gamma"]
    out += ["bert/pooler/dense/kernel", "bert/pooler/dense/bias"]
    head = "cls/predictions"
    out += [f"{head}/output_bias", f"{head}/transform/dense/kernel", f"{head}/transform/dense/bias",
            f"{head}/transform/LayerNorm/beta", f"{head}/transform/LayerNorm/gamma"]
    return [*out, "cls/seq_relationship/output_weights", "cls/seq_relationship/output_bias"]


def google_tensors_of(model):
    """A torch BertModel's weights under Google's names: the inverse of transformers' own TF1 converter."""
    out = {}
    for name, x in model.state_dict().items():
        name = name.replace("encoder.layer.", "encoder.layer_").replace(".", "/")
        if "_embeddings/weight" in name:
            name = name.removesuffix("/weight")
        elif "LayerNorm" in name:
            name = name.replace("/weight", "/gamma").replace("/bias", "/beta")
        elif name.endswith("/weight"):
            name, x = name.removesuffix("weight") + "kernel", x.T
        out["bert/" + name] = x.numpy()
    return out


def save_tensorflow(prefix, tensors):
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=list(tensors), shape_and_slices=[""] * len(tensors),
                      tensors=[tf.constant(x) for x in tensors.values()])


def write_google_folder(folder, tensors, source):
    """`source` is the Hugging Face folder the config and the vocabulary come from."""
    folder.mkdir(parents=True)
    shutil.copy(os.path.join(source, "config.json"), folder / "bert_config.json")
    shutil.copy(os.path.join(source, "vocab.txt"), folder)
    save_tensorflow(folder / "bert_model.ckpt", tensors)
    return folder


def same_tensors(a, b):
    assert set(a) == set(b)
    for name, x in a.items():
        assert x.dtype == np.float32 and x.flags.c_contiguous
        np.testing.assert_array_equal(x, b[name], err_msg=name)


# Hugging Face ---------------------------------------------------------------------------------------------------

def test_minilm_is_read_in_full(checkpoint, torch_model):
    theirs = torch_model.state_dict()
    assert checkpoint.format == "huggingface" and checkpoint.pooling == "mean" and checkpoint.max_len == 256
    assert list(checkpoint.unread) == ["embeddings.position_ids"] and set(checkpoint.missing) == {"mlm", "nsp"}
    assert len(checkpoint.tensors) == len(theirs)  # 103
    for ours, name in (("embeddings/word", "embeddings.word_embeddings.weight"),
                       ("embeddings/norm/gamma", "embeddings.LayerNorm.weight"),
                       ("block_5/attention/norm/beta", "encoder.layer.5.attention.output.LayerNorm.bias"),
                       ("pooler/bias", "pooler.dense.bias")):
        np.testing.assert_array_equal(checkpoint.tensors[ours], theirs[name].numpy())
    for ours, name in (("block_0/attention/value/kernel", "encoder.layer.0.attention.self.value.weight"),
                       ("block_3/attention/output/kernel", "encoder.layer.3.attention.output.dense.weight"),
                       ("block_3/feed_forward/inner/kernel", "encoder.layer.3.intermediate.dense.weight"),
                       ("block_3/feed_forward/outer/kernel", "encoder.layer.3.output.dense.weight")):
        np.testing.assert_array_equal(checkpoint.tensors[ours], theirs[name].numpy().T)
    assert {k: v.shape for k, v in checkpoint.tensors.items()} == {
        k: v for k, v in names.tensor_shapes(checkpoint.config).items() if not k.startswith(("mlm", "nsp"))}


def test_what_is_written_opens_in_transformers_with_the_same_numbers(checkpoint, torch_model, minilm, tmp_path):
    write_huggingface(tmp_path, checkpoint)
    model, report = transformers.BertModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = ["Das WÄRE schön: [MASK] 東京!", "playing"]
    batch = tokenizer(text, padding=True, return_tensors="pt")
    reference = transformers.AutoTokenizer.from_pretrained(minilm)(text)["input_ids"]
    assert [row[:sum(mask)] for row, mask in zip(batch["input_ids"].tolist(), batch["attention_mask"].tolist(),
                                                strict=True)] == [[i for i in row if i] for row in reference]
    with torch.no_grad():
        for ours, theirs in zip(model.eval()(**batch, output_hidden_states=True).hidden_states,
                                torch_model(**batch, output_hidden_states=True).hidden_states, strict=True):
            assert torch.equal(ours, theirs)
    again = read_checkpoint(tmp_path)
    same_tensors(again.tensors, checkpoint.tensors)
    for field in ("config", "vocab", "tokenizer", "pooling", "max_len"):
        assert getattr(again, field) == getattr(checkpoint, field)


def random_pretraining_model(folder, **save):
    torch.manual_seed(1)
    config = transformers.BertConfig(vocab_size=15, hidden_size=12, num_hidden_layers=3, num_attention_heads=3,
                                     intermediate_size=20, max_position_embeddings=16)
    model = transformers.BertForPreTraining(config)
    for p in model.parameters():
        torch.nn.init.normal_(p)
    model.save_pretrained(folder, **save)
    shutil.copy(TINY / "vocab.txt", folder)
    return model.eval()


@pytest.fixture
def pretraining(tmp_path):
    folder = tmp_path / "pretraining"
    return folder, random_pretraining_model(folder)


def test_the_pretraining_heads_are_read_and_written(pretraining, tmp_path):
    folder, model = pretraining
    c = read_checkpoint(folder)
    state = {k: v.numpy() for k, v in model.state_dict().items()}
    np.testing.assert_array_equal(c.tensors["mlm/bias"], state["cls.predictions.bias"])
    np.testing.assert_array_equal(c.tensors["mlm/transform/kernel"], state["cls.predictions.transform.dense.weight"].T)
    np.testing.assert_array_equal(c.tensors["mlm/norm/gamma"], state["cls.predictions.transform.LayerNorm.weight"])
    np.testing.assert_array_equal(c.tensors["nsp/kernel"], state["cls.seq_relationship.weight"].T)
    assert c.missing == {} and c.pooling == "pooler" and c.max_len == 16

    write_huggingface(tmp_path / "ours", c)
    again = transformers.BertForPreTraining.from_pretrained(tmp_path / "ours").eval()
    ids = torch.tensor([[2, 5, 6, 3]])
    with torch.no_grad():
        assert torch.equal(again(ids).prediction_logits, model(ids).prediction_logits)
        assert torch.equal(again(ids).seq_relationship_logits, model(ids).seq_relationship_logits)


def test_shards_and_old_spellings_make_no_difference(pretraining, tmp_path):
    folder, _ = pretraining
    whole = read_checkpoint(folder)
    random_pretraining_model(tmp_path / "shards", max_shard_size="4KB")
    assert not (tmp_path / "shards" / "model.safetensors").exists()
    same_tensors(read_checkpoint(tmp_path / "shards").tensors, whole.tensors)

    old = {}
    for name, x in load_file(folder / "model.safetensors").items():
        if "LayerNorm" in name:
            name = name.replace("weight", "gamma").replace("bias", "beta")
        old[name] = x
    save_file(old, folder / "model.safetensors")
    same_tensors(read_checkpoint(folder).tensors, whole.tensors)

    bare = {name.removeprefix("bert."): x for name, x in old.items()}
    save_file(bare, folder / "model.safetensors")
    same_tensors(read_checkpoint(folder).tensors, whole.tensors)


def test_every_unread_variable_has_its_reason(pretraining):
    folder, _ = pretraining
    state = load_file(folder / "model.safetensors")
    word, pos = state["bert.embeddings.word_embeddings.weight"], np.arange(16)[None]
    extra = {"cls.predictions.decoder.weight": word, "bert.embeddings.position_ids": pos,
             "classifier.weight": word[:2], "bert.encoder.layer.3.output.dense.bias": word[0],
             "cls.predictions.decoder.bias": word[:, 0], "something.else": word}
    save_file({k: np.ascontiguousarray(v) for k, v in {**state, **extra}.items()}, folder / "model.safetensors")
    unread = read_checkpoint(folder).unread
    assert set(unread) == set(extra)
    assert unread["cls.predictions.decoder.weight"] == "repeats 'bert.embeddings.word_embeddings.weight'"
    assert "differs" in unread["cls.predictions.decoder.bias"]
    assert "constant" in unread["bert.embeddings.position_ids"] and "one task" in unread["classifier.weight"]
    assert "above" in unread["bert.encoder.layer.3.output.dense.bias"] and "no variable" in unread["something.else"]


def test_a_tied_tensor_kept_under_its_second_name_is_read(pretraining):
    folder, _ = pretraining
    whole = read_checkpoint(folder)
    state = load_file(folder / "model.safetensors")
    state["cls.predictions.decoder.weight"] = state.pop("bert.embeddings.word_embeddings.weight")
    save_file(state, folder / "model.safetensors")
    again = read_checkpoint(folder)
    same_tensors(again.tensors, whole.tensors)
    assert again.unread == {}


def test_half_a_head_is_no_head(pretraining):
    folder, _ = pretraining
    state = load_file(folder / "model.safetensors")
    del state["cls.predictions.transform.dense.bias"]
    save_file(state, folder / "model.safetensors")
    c = read_checkpoint(folder)
    assert list(c.missing) == ["mlm"] and not any(n.startswith("mlm") for n in c.tensors)
    assert c.unread["cls.predictions.transform.dense.weight"] == "its head is not complete in the file"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_float32(pretraining, dtype):
    folder, model = pretraining
    model.to(dtype).save_pretrained(folder)
    for name, x in read_checkpoint(folder).tensors.items():
        assert x.dtype == np.float32, name
    got = read_checkpoint(folder).tensors["embeddings/word"]
    np.testing.assert_array_equal(got, model.bert.embeddings.word_embeddings.weight.detach().float().numpy())


def test_layers_keeps_the_lower_blocks(checkpoint, minilm):
    c = read_checkpoint(minilm, layers=2)
    assert c.config.num_layers == 2 and c.unread == checkpoint.unread and c.missing == checkpoint.missing
    same_tensors(c.tensors, {n: x for n, x in checkpoint.tensors.items()
                             if not n.startswith(("block_2", "block_3", "block_4", "block_5"))})


@pytest.mark.parametrize("layers", [0, 7, -1, 1.5, "2"])
def test_layers_out_of_range(minilm, layers):
    with pytest.raises(BertrError, match="layers 1 to 6"):
        read_checkpoint(minilm, layers=layers)


def test_conversions_of_state_bytes_are_each_others_inverse(checkpoint):
    theirs = huggingface_tensors(checkpoint.tensors)
    assert all(x.flags.c_contiguous for x in theirs.values())
    same_tensors(canonical_tensors(theirs), checkpoint.tensors)


# Google ---------------------------------------------------------------------------------------------------------

def test_the_tiny_google_checkpoint_is_read_in_full():
    c = read_checkpoint(TINY)
    variables = dict(tf.train.list_variables(str(TINY / "bert_model.ckpt")))
    slots = {v for v in variables if v.endswith(("/adam_m", "/adam_v"))}
    assert set(c.unread) == slots | {"global_step"} and c.missing == {}
    assert {c.unread[v] for v in slots} == {"optimiser state"}
    assert len(c.tensors) == len(variables) - len(c.unread) == 46
    for name, variable in (("embeddings/position", "bert/embeddings/position_embeddings"),
                           ("block_1/attention/query/kernel", "bert/encoder/layer_1/attention/self/query/kernel"),
                           ("block_1/feed_forward/inner/kernel", "bert/encoder/layer_1/intermediate/dense/kernel"),
                           ("mlm/transform/kernel", "cls/predictions/transform/dense/kernel")):
        np.testing.assert_array_equal(c.tensors[name], tf.train.load_variable(str(TINY / "bert_model.ckpt"), variable))
    nsp = tf.train.load_variable(str(TINY / "bert_model.ckpt"), "cls/seq_relationship/output_weights")
    np.testing.assert_array_equal(c.tensors["nsp/kernel"], nsp.T)  # the one kernel Google keeps as (out, in)
    assert c.format == "google" and c.config.activation == "gelu_erf" and c.vocab[-1] == "boy"
    assert (c.pooling, c.max_len) == ("pooler", 16)
    assert c.tokenizer == {"lower_case": True, "strip_accents": None, "chinese_chars": True, "max_word_chars": 200,
                           "keep_special": False, "mode": "wordpiece"}


def test_a_google_checkpoint_of_minilm_has_identical_tensors(checkpoint, torch_model, minilm, tmp_path):
    tensors = google_tensors_of(torch_model)
    slots = {"bert/pooler/dense/bias/adam_m": tensors["bert/pooler/dense/bias"],
             "global_step": np.int64(7), "output_weights": np.ones((2, 384), np.float32)}
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
    known = {f"bert/{v}": k for k, v in names.file_names(12, "google").items()}
    known |= {v: k for k, v in names.file_names(12, "google").items() if v.startswith("cls/")}
    documented = google_names(12)
    assert len(documented) == 206
    assert len({known[v] for v in documented}) == 206 == len(names.file_names(12, "google"))


def google2_tensors_of(google, heads, layout):
    """TF1 variables as TF2's official models save them, heads apart, in the layouts of two of its versions."""
    size = google["bert/pooler/dense/bias"].size // heads
    layers = 1 + max(int(n.split("layer_")[1].split("/")[0]) for n in google if "layer_" in n)
    attended = "_attention_output_dense" if layout == "old" else "_attention_layer/_output_dense"
    inner = {"attention/self/query": "_attention_layer/_query_dense",
             "attention/self/key": "_attention_layer/_key_dense",
             "attention/self/value": "_attention_layer/_value_dense", "attention/output/dense": attended,
             "attention/output/LayerNorm": "_attention_layer_norm", "intermediate/dense": "_intermediate_dense",
             "output/dense": "_output_dense", "output/LayerNorm": "_output_layer_norm"}
    root = {"old": "model/", "new": "encoder/", "pretraining": "model/layer_with_weights-0/"}[layout]
    out = {}
    for i, name in enumerate(("word", "position", "token_type")):
        out[f"{root}layer_with_weights-{i}/embeddings"] = google[f"bert/embeddings/{name}_embeddings"]
    for leaf in ("gamma", "beta"):
        out[f"{root}layer_with_weights-3/{leaf}"] = google[f"bert/embeddings/LayerNorm/{leaf}"]
    for name, x in google.items():
        if name.startswith("bert/encoder/"):
            i, rest = name.removeprefix("bert/encoder/layer_").split("/", 1)
            module, leaf = rest.rsplit("/", 1)
            if "/self/" in module:
                x = x.reshape(*x.shape[:-1], heads, size)
            elif rest == "attention/output/dense/kernel":
                x = x.reshape(heads, size, -1)
            out[f"{root}layer_with_weights-{int(i) + 4}/{inner[module]}/{leaf}"] = x
    for leaf in ("kernel", "bias"):
        pooler = "next_sentence..pooler_dense" if layout == "new" else f"{root}layer_with_weights-{layers + 4}"
        out[f"{pooler}/{leaf}"] = google[f"bert/pooler/dense/{leaf}"]
    if layout != "old":
        head = {"new": "masked_lm", "pretraining": "model/layer_with_weights-2"}[layout]
        for leaf in ("kernel", "bias"):
            out[f"{head}/dense/{leaf}"] = google[f"cls/predictions/transform/dense/{leaf}"]
        for leaf in ("gamma", "beta"):
            out[f"{head}/layer_norm/{leaf}"] = google[f"cls/predictions/transform/LayerNorm/{leaf}"]
        out[f"{head}/output_bias.Sbias"] = google["cls/predictions/output_bias"]
        out[f"{head}/embedding_table"] = google["bert/embeddings/word_embeddings"]
    out = {f"{name}/.ATTRIBUTES/VARIABLE_VALUE": x for name, x in out.items()}
    out["save_counter/.ATTRIBUTES/VARIABLE_VALUE"] = np.int64(1)
    out["optimizer/iter/.ATTRIBUTES/VARIABLE_VALUE"] = np.int64(1)
    out["_CHECKPOINTABLE_OBJECT_GRAPH"] = np.array(b"graph", object)
    return out


@pytest.mark.parametrize("layout", ["old", "new", "pretraining"])
def test_tf2_object_checkpoints_give_the_same_tensors(layout, tmp_path):
    folder = tmp_path / "tf2"
    folder.mkdir()
    for name in ("vocab.txt", "bert_config.json"):
        shutil.copy(TINY / name, folder)
    google = {v: tf.train.load_variable(str(TINY / "bert_model.ckpt"), v)
              for v, _ in tf.train.list_variables(str(TINY / "bert_model.ckpt")) if "adam" not in v}
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


# Vocabulary and tokenizer settings ------------------------------------------------------------------------------

def test_vocabulary_lines_end_at_newline_only(tmp_path):
    path = tmp_path / "vocab.txt"
    tokens = ["[PAD]", "a\u2028", "\u0085", "\u3000", "", "\x0b", "b"]
    path.write_bytes("\r\n".join([*tokens, ""]).encode())
    assert read_vocab_txt(path) == tokens
    assert read_vocab_txt(path, strip=True) == [t.strip() for t in tokens]
    path.write_bytes("\n".join(tokens).encode())  # no newline after the last
    assert read_vocab_txt(path) == tokens


def test_tokenizer_json_alone_gives_the_same_vocabulary_and_settings(checkpoint, minilm, tmp_path):
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        os.symlink(os.path.join(minilm, name), tmp_path / name)
    c = read_checkpoint(tmp_path)
    assert c.vocab == checkpoint.vocab and c.tokenizer == checkpoint.tokenizer
    Tokenizer(c.vocab, **c.tokenizer)


SETTINGS = [
    # folder, tokenizer_config.json, BertNormalizer of tokenizer.json, tokens, -> lower_case, strip_accents, chinese
    ("x", {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False}, None, "a",
     (False, True, False)),
    ("bert-base-cased", {"do_lower_case": True}, None, "A", (True, None, True)),
    ("x", {}, {"lowercase": False, "strip_accents": False, "handle_chinese_chars": False}, "a", (False, False, False)),
    ("x", {"do_lower_case": True}, {"lowercase": False}, "a", (True, None, True)),
    ("bert-base-uncased", None, None, "A", (True, None, True)),
    ("bert-base-cased", None, None, "a", (False, None, True)),
    ("showcased", None, None, "a", (True, None, True)),
    ("x", None, None, "A", (False, None, True)),
    ("x", None, None, "[NEW]", (True, None, True)),
    ("x", None, None, "<S>", (True, None, True)),
]


@pytest.mark.parametrize(("name", "config", "normalizer", "token", "expected"), SETTINGS)
def test_tokenizer_settings_of_hugging_face_folders(tmp_path, name, config, normalizer, token, expected):
    c = read_checkpoint(TINY)
    folder = tmp_path / name
    write_huggingface(folder, c)
    (folder / "tokenizer_config.json").unlink()
    (folder / "vocab.txt").write_text("\n".join([*c.vocab[:-1], token]))
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    if normalizer is not None:
        steps = {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "BertNormalizer", **normalizer}]}
        (folder / "tokenizer.json").write_text(json.dumps({"normalizer": steps}))
    lower_case, strip_accents, chinese_chars = expected
    assert read_checkpoint(folder).tokenizer == {
        "lower_case": lower_case, "strip_accents": strip_accents, "chinese_chars": chinese_chars,
        "max_word_chars": 100, "keep_special": True, "mode": "wordpiece"}


def test_a_japanese_dictionary_tokenizer_is_refused(tmp_path):
    write_huggingface(tmp_path, read_checkpoint(TINY))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertJapaneseTokenizer"}')
    with pytest.raises(BertrError, match="Japanese dictionary"):
        read_checkpoint(tmp_path)


def test_tokens_added_after_pretraining_count(tmp_path):
    c = read_checkpoint(TINY)
    write_huggingface(tmp_path, c)
    (tmp_path / "vocab.txt").write_text("\n".join(c.vocab[:13]))
    (tmp_path / "added_tokens.json").write_text(json.dumps({"[NEW]": 13}))
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"id": 0, "content": "[PAD]"},
                                                                          {"id": 14, "content": "[E1]"}]}))
    assert read_checkpoint(tmp_path).vocab == [*c.vocab[:13], "[NEW]", "[E1]"]


@pytest.mark.parametrize(("pooling", "expected"), [
    ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
    ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, "cls"),
    ({"pooling_mode": "cls"}, "cls"),
    (None, "pooler"),
])
def test_pooling_is_the_checkpoints(tmp_path, pooling, expected):
    write_huggingface(tmp_path, read_checkpoint(TINY))
    if pooling:
        (tmp_path / "1_Pooling").mkdir()
        (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 99}')
    c = read_checkpoint(tmp_path)
    assert c.pooling == expected and c.max_len == 16  # never above the position table
    write_huggingface(tmp_path / "again", c)
    assert read_checkpoint(tmp_path / "again").pooling == expected


# Bad input ------------------------------------------------------------------------------------------------------

def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[:int(len(content) * share)])


def edit_json(path, **change):
    d = json.loads(path.read_text())
    d.update(change)
    path.write_text(json.dumps(d))


def only_a_pickle(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weights": 1}))


HUGGINGFACE_DAMAGE = {
    "cut safetensors": (lambda f: cut(f / "model.safetensors", 0.9), "model.safetensors' is damaged or cut short"),
    "safetensors cut in its header": (lambda f: cut(f / "model.safetensors", 0.01), "damaged or cut short"),
    "empty safetensors": (lambda f: cut(f / "model.safetensors", 0), "damaged or cut short"),
    "cut config": (lambda f: cut(f / "config.json", 0.5), "config.json' could not be read as JSON"),
    "cut tokenizer_config": (lambda f: cut(f / "tokenizer_config.json", 0.5), "could not be read as JSON"),
    "a pickle": (only_a_pickle, "'pytorch_model.bin' .* is a Python pickle"),
    "roberta": (lambda f: edit_json(f / "config.json", model_type="roberta"), "type 'roberta', which is not BERT"),
    "distilbert": (lambda f: edit_json(f / "config.json", model_type="distilbert"), "type 'distilbert'"),
    "electra by architecture": (lambda f: edit_json(f / "config.json", model_type=None,
                                                    architectures=["ElectraForPreTraining"]), "type 'Electra'"),
    "relative positions": (lambda f: edit_json(f / "config.json", position_embedding_type="relative_key"),
                           "'relative_key' positions"),
    "decoder": (lambda f: edit_json(f / "config.json", is_decoder=True), "a BERT decoder"),
    "more layers than in the file": (lambda f: edit_json(f / "config.json", num_hidden_layers=3),
                                     "16 of the encoder's variables .* 'encoder.layer.2.attention.self.query.weight'"),
    "another width": (lambda f: edit_json(f / "config.json", intermediate_size=8),
                      r"'encoder.layer.0.intermediate.dense.weight' .* shape 16 x 4, .* asks for 8 x 4"),
    "embedding of another size": (lambda f: edit_json(f / "config.json", vocab_size=20), "15 x 4, .* asks for 20 x 4"),
    "vocabulary too short": (lambda f: (f / "vocab.txt").write_text("[PAD]\n[UNK]\n"), "has 2 tokens, .* has 15 rows"),
    "vocabulary too long": (lambda f: (f / "vocab.txt").write_text("a\n" * 16), "has 16 tokens, .* has 15 rows"),
    "vocabulary in Latin-1": (lambda f: (f / "vocab.txt").write_bytes(b"caf\xe9\n" * 15), "could not be read as UTF-8"),
    "no vocabulary": (lambda f: (f / "vocab.txt").unlink(), "it lacks vocab.txt or tokenizer.json; for a Google"),
    "another tokenizer": (lambda f: ((f / "vocab.txt").unlink(), (f / "tokenizer.json").write_text(
        '{"model": {"type": "Unigram", "vocab": []}}')), "holds a Unigram tokenizer"),
    "token ids with a gap": (lambda f: ((f / "vocab.txt").unlink(), (f / "tokenizer.json").write_text(
        '{"model": {"vocab": {"a": 0, "b": 2}}}')), "not 0 to 1 without a gap"),
    "a shard is gone": (lambda f: ((f / "model.safetensors").unlink(), (f / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "model-00001-of-00001.safetensors"}}')), "lacks 1 of the 1 files"),
}


@pytest.mark.parametrize("case", HUGGINGFACE_DAMAGE)
def test_a_damaged_hugging_face_folder_is_one_sentence(tmp_path, case):
    damage, message = HUGGINGFACE_DAMAGE[case]
    write_huggingface(tmp_path, read_checkpoint(TINY))
    damage(tmp_path)
    with pytest.raises(BertrError, match=message) as e:
        read_checkpoint(tmp_path)
    assert "\n" not in str(e.value) and e.value.hint


def other_google_model(folder):
    save_tensorflow(folder / "bert_model.ckpt", {"bert/encoder/transformer/group_0/inner_group_0/x": np.float32(1)})


GOOGLE_DAMAGE = {
    "cut data": (lambda f: cut(f / "bert_model.ckpt.data-00000-of-00001", 0.5), r"data-\*' is damaged or cut short"),
    "cut index": (lambda f: cut(f / "bert_model.ckpt.index", 0.5), "index' is damaged or cut short"),
    "empty index": (lambda f: cut(f / "bert_model.ckpt.index", 0), "index' is damaged or cut short"),
    "no data": (lambda f: (f / "bert_model.ckpt.data-00000-of-00001").unlink(),
                "for a Google checkpoint it lacks bert_model.ckpt.data-00000-of-00001[.]"),
    "no index": (lambda f: (f / "bert_model.ckpt.index").unlink(), "it lacks bert_model.ckpt.index"),
    "no config": (lambda f: (f / "bert_config.json").unlink(), "for a Google checkpoint it lacks bert_config.json[.]"),
    "cut config": (lambda f: cut(f / "bert_config.json", 0.5), "bert_config.json' could not be read as JSON"),
    "vocabulary too short": (lambda f: (f / "vocab.txt").write_text("[PAD]\n"), "has 1 tokens, .* has 15 rows"),
    "albert": (other_google_model, "it is ALBERT, which is not BERT"),
}


@pytest.mark.parametrize("case", GOOGLE_DAMAGE)
def test_a_damaged_google_folder_is_one_sentence(tmp_path, case):
    damage, message = GOOGLE_DAMAGE[case]
    folder = tmp_path / "copy"
    shutil.copytree(TINY, folder)
    damage(folder)
    with pytest.raises(BertrError, match=message) as e:
        read_checkpoint(folder)
    assert "\n" not in str(e.value) and e.value.hint


def test_a_wrong_folder_says_what_it_holds_and_what_is_missing(tmp_path):
    with pytest.raises(BertrError, match="holds nothing; .* lacks config.json, model.safetensors, vocab.txt or "
                       "tokenizer.json; .* lacks bert_config.json, bert_model.ckpt.index, "
                       "bert_model.ckpt.data-00000-of-00001, vocab.txt[.]"):
        read_checkpoint(tmp_path)
    for i in range(12):
        (tmp_path / f"{i:02}.csv").touch()
    with pytest.raises(BertrError, match="it holds 00.csv, .*, 09.csv and 2 more;"):
        read_checkpoint(tmp_path)
    with pytest.raises(BertrError, match="no-such' does not exist"):
        read_checkpoint(tmp_path / "no-such")
    with pytest.raises(BertrError, match="00.csv' is a file"):
        read_checkpoint(tmp_path / "00.csv")


def test_without_tensorflow_only_googles_files_cannot_be_read(monkeypatch, minilm):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    read_checkpoint(minilm, layers=1)
    with pytest.raises(BertrError, match="only be read with TensorFlow"):
        read_checkpoint(TINY)


def test_shapes_are_those_of_transformers(torch_model):
    config = BertConfig.from_dict(torch_model.config.to_dict())
    shapes = names.tensor_shapes(config)
    for ours, theirs in names.file_names(6, "huggingface").items():
        if theirs in torch_model.state_dict():
            x = torch_model.state_dict()[theirs]
            assert names.file_shape(ours, shapes[ours], config, "huggingface") == tuple(x.shape)
