"""Reading weights: every format yields the same tensors, and every damage an error in one sentence."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
import transformers
from checkpoints import TINY, canonical_tensors, same_tensors
from safetensors.numpy import load_file, save_file
from small import small_config

from bertr.checkpoints import weight_names
from bertr.checkpoints.config import BertConfig
from bertr.checkpoints.huggingface import huggingface_tensors, write_huggingface
from bertr.checkpoints.vocabulary import read_vocab_txt
from bertr.errors import BertrError
from bertr.families import read_checkpoint
from bertr.text.wordpiece import SPECIAL, Tokenizer

# Hugging Face ---------------------------------------------------------------------------------------------------


def test_minilm_is_read_in_full(checkpoint, torch_model):
    theirs = torch_model.state_dict()
    assert checkpoint.format == "huggingface" and checkpoint.pooling == "mean" and checkpoint.max_len == 256
    assert list(checkpoint.unread) == ["embeddings.position_ids"] and set(checkpoint.missing) == {"mlm", "nsp"}
    assert len(checkpoint.tensors) == len(theirs)  # 103
    for ours, name in (
        ("embeddings/word", "embeddings.word_embeddings.weight"),
        ("embeddings/norm/gamma", "embeddings.LayerNorm.weight"),
        ("block_5/attention/norm/beta", "encoder.layer.5.attention.output.LayerNorm.bias"),
        ("pooler/bias", "pooler.dense.bias"),
    ):
        np.testing.assert_array_equal(checkpoint.tensors[ours], theirs[name].numpy())
    for ours, name in (
        ("block_0/attention/value/kernel", "encoder.layer.0.attention.self.value.weight"),
        ("block_3/attention/output/kernel", "encoder.layer.3.attention.output.dense.weight"),
        ("block_3/feed_forward/inner/kernel", "encoder.layer.3.intermediate.dense.weight"),
        ("block_3/feed_forward/outer/kernel", "encoder.layer.3.output.dense.weight"),
    ):
        np.testing.assert_array_equal(checkpoint.tensors[ours], theirs[name].numpy().T)
    assert {k: v.shape for k, v in checkpoint.tensors.items()} == {
        k: v for k, v in weight_names.tensor_shapes(checkpoint.config).items() if not k.startswith(("mlm", "nsp"))
    }


def test_what_is_written_opens_in_transformers_with_the_same_numbers(checkpoint, torch_model, minilm, tmp_path):
    write_huggingface(tmp_path, checkpoint)
    model, report = transformers.BertModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = ["Das WÄRE schön: [MASK] 東京!", "playing"]
    batch = tokenizer(text, padding=True, return_tensors="pt")
    reference = transformers.AutoTokenizer.from_pretrained(minilm)(text)["input_ids"]
    assert [
        row[: sum(mask)]
        for row, mask in zip(batch["input_ids"].tolist(), batch["attention_mask"].tolist(), strict=True)
    ] == [[i for i in row if i] for row in reference]
    with torch.no_grad():
        for ours, theirs in zip(
            model.eval()(**batch, output_hidden_states=True).hidden_states,
            torch_model(**batch, output_hidden_states=True).hidden_states,
            strict=True,
        ):
            assert torch.equal(ours, theirs)
    again = read_checkpoint(tmp_path)
    same_tensors(again.tensors, checkpoint.tensors)
    for field in ("config", "vocab", "tokenizer", "pooling", "max_len"):
        assert getattr(again, field) == getattr(checkpoint, field)


def random_pretraining_model(folder, **save):
    torch.manual_seed(1)
    sizes = {"hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 20}
    config = small_config(15, max_position_embeddings=16, **sizes)
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
    extra = {
        "cls.predictions.decoder.weight": word,
        "bert.embeddings.position_ids": pos,
        "classifier.weight": word[:2],
        "bert.encoder.layer.3.output.dense.bias": word[0],
        "cls.predictions.decoder.bias": word[:, 0],
        "something.else": word,
    }
    save_file({k: np.ascontiguousarray(v) for k, v in {**state, **extra}.items()}, folder / "model.safetensors")
    unread = read_checkpoint(folder).unread
    assert set(unread) == set(extra)
    assert unread["cls.predictions.decoder.weight"] == "repeats 'bert.embeddings.word_embeddings.weight'"
    assert "differs" in unread["cls.predictions.decoder.bias"]
    assert "constant" in unread["bert.embeddings.position_ids"] and "one task" in unread["classifier.weight"]
    assert "above" in unread["bert.encoder.layer.3.output.dense.bias"] and "not a variable" in unread["something.else"]


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
    assert c.unread["cls.predictions.transform.dense.weight"] == "its head is incomplete in the file"


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
    same_tensors(
        c.tensors,
        {n: x for n, x in checkpoint.tensors.items() if not n.startswith(("block_2", "block_3", "block_4", "block_5"))},
    )


@pytest.mark.parametrize("layers", [0, 7, -1, 1.5, "2"])
def test_layers_out_of_range(minilm, layers):
    with pytest.raises(BertrError, match="layers 1 to 6"):
        read_checkpoint(minilm, layers=layers)


def test_conversions_of_state_bytes_are_each_others_inverse(checkpoint):
    theirs = huggingface_tensors(checkpoint.tensors, checkpoint.config)
    assert all(x.flags.c_contiguous for x in theirs.values())
    same_tensors(canonical_tensors(theirs), checkpoint.tensors)


# Vocabulary and tokenizer settings ------------------------------------------------------------------------------


def test_vocabulary_lines_end_at_newline_only(tmp_path):
    path = tmp_path / "vocab.txt"
    tokens = ["[PAD]", "a\u2028", "\u0085", "\u3000", "", "\x0b", "b"]
    path.write_bytes("\r\n".join([*tokens, ""]).encode())
    expected = ["a" if token == "a\u2028" else token for token in tokens]  # white space after a token goes
    assert read_vocab_txt(path) == expected
    path.write_bytes("\n".join(tokens).encode())  # no newline after the last
    assert read_vocab_txt(path) == expected


def test_tokenizer_json_alone_gives_the_same_vocabulary_and_settings(checkpoint, minilm, tmp_path):
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        os.symlink(os.path.join(minilm, name), tmp_path / name)
    c = read_checkpoint(tmp_path)
    assert c.vocab == checkpoint.vocab and c.tokenizer == checkpoint.tokenizer
    Tokenizer(c.vocab, **c.tokenizer)


SETTINGS = [
    # folder, tokenizer_config.json, BertNormalizer of tokenizer.json, tokens, -> lower_case, strip_accents, chinese
    (
        "x",
        {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False},
        None,
        "a",
        (False, True, False),
    ),
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
        steps = {"type": "Sequence", "normalizers": [{"type": "BertNormalizer", **normalizer}]}
        (folder / "tokenizer.json").write_text(json.dumps({"normalizer": steps}))
    lower_case, strip_accents, chinese_chars = expected
    settings = read_checkpoint(folder).tokenizer
    assert [token["content"] for token in settings.pop("added")] == list(settings["special"].values())
    assert settings == {
        "lower_case": lower_case,
        "strip_accents": strip_accents,
        "chinese_chars": chinese_chars,
        "max_word_chars": 100,
        "special": SPECIAL,
        "one_segment": False,
        "mode": "wordpiece",
    }


def test_a_japanese_dictionary_tokenizer_is_refused(tmp_path):
    write_huggingface(tmp_path, read_checkpoint(TINY))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertJapaneseTokenizer"}')
    with pytest.raises(BertrError, match="BertJapaneseTokenizer"):
        read_checkpoint(tmp_path)


def test_tokens_added_after_pretraining_count(tmp_path):
    c = read_checkpoint(TINY)
    write_huggingface(tmp_path, c)
    (tmp_path / "vocab.txt").write_text("\n".join(c.vocab[:13]))
    (tmp_path / "added_tokens.json").write_text(json.dumps({"[NEW]": 13}))
    (tmp_path / "tokenizer.json").write_text(
        json.dumps({"added_tokens": [{"id": 0, "content": "[PAD]"}, {"id": 14, "content": "[E1]"}]})
    )
    assert read_checkpoint(tmp_path).vocab == [*c.vocab[:13], "[NEW]", "[E1]"]


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode": "cls"}, "cls"),
        (None, "pooler"),
    ],
)
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


def test_shapes_are_those_of_transformers(torch_model):
    config = BertConfig.from_dict(torch_model.config.to_dict())
    shapes = weight_names.tensor_shapes(config)
    for ours, theirs in weight_names.file_names(config, "huggingface").items():
        if theirs in torch_model.state_dict():
            x = torch_model.state_dict()[theirs]
            assert weight_names.file_shape(ours, shapes[ours], config, "huggingface") == tuple(x.shape)
