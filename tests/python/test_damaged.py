"""Folders that are damaged, incomplete or of another model: one sentence each, with a hint."""

import pickle
import shutil
import sys

import numpy as np
import pytest
from checkpoints import TINY, edit_json, save_tensorflow

from bertr import bridge
from bertr.checkpoints.huggingface import write_huggingface
from bertr.errors import BertrError
from bertr.families import read_checkpoint


def assert_refused(folder, damage, message):
    damage(folder)
    with pytest.raises(BertrError, match=message) as e:
        bridge.load(str(folder), {})
    assert "\n" not in str(e.value) and e.value.hint


def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def only_a_pickle(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weights": 1}))


def a_pointer(folder):
    """As the specification of Git LFS shows it."""
    (folder / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\n"
        "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
    )


def a_torch_pointer(folder):
    a_pointer(folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


HUGGINGFACE_DAMAGE = {
    "a pointer": (a_pointer, "model.safetensors' is a Git LFS pointer of a few lines"),
    "a pointer of torch": (a_torch_pointer, "pytorch_model.bin' is a Git LFS pointer"),
    "cut safetensors": (lambda f: cut(f / "model.safetensors", 0.9), "model.safetensors' is damaged or cut short"),
    "safetensors cut in its header": (lambda f: cut(f / "model.safetensors", 0.01), "damaged or cut short"),
    "empty safetensors": (lambda f: cut(f / "model.safetensors", 0), "damaged or cut short"),
    "cut config": (lambda f: cut(f / "config.json", 0.5), "config.json' could not be read as JSON"),
    "cut tokenizer_config": (lambda f: cut(f / "tokenizer_config.json", 0.5), "could not be read as JSON"),
    "a pickle": (only_a_pickle, "pytorch_model.bin' is damaged, cut short or not written by torch"),
    "gpt2": (lambda f: edit_json(f / "config.json", model_type="gpt2"), "type 'gpt2', which bertr does not read[.]"),
    "modernbert": (
        lambda f: edit_json(f / "config.json", model_type="modernbert"),
        "holds a ModernBERT, which bertr does not read yet",
    ),
    "deberta": (
        lambda f: edit_json(f / "config.json", model_type="deberta-v2"),
        "holds a DeBERTa of version 2 or 3, which bertr does not read yet",
    ),
    "by architecture": (
        lambda f: edit_json(f / "config.json", model_type=None, architectures=["XLNetForPreTraining"]),
        "type 'XLNet'",
    ),
    "relative positions": (
        lambda f: edit_json(f / "config.json", position_embedding_type="relative_key"),
        "'relative_key' positions",
    ),
    "decoder": (lambda f: edit_json(f / "config.json", is_decoder=True), "a BERT that is a decoder"),
    "more layers than in the file": (
        lambda f: edit_json(f / "config.json", num_hidden_layers=3),
        "16 variables of the encoder .* 'encoder.layer.2.attention.self.query.weight'",
    ),
    "another width": (
        lambda f: edit_json(f / "config.json", intermediate_size=8),
        r"'encoder.layer.0.intermediate.dense.weight' .* shape 16 x 4, .* requires 8 x 4",
    ),
    "embedding of another size": (lambda f: edit_json(f / "config.json", vocab_size=20), "15 x 4, .* requires 20 x 4"),
    "vocabulary too short": (lambda f: (f / "vocab.txt").write_text("[PAD]\n[UNK]\n"), r"has no \[CLS\]"),
    "vocabulary too long": (lambda f: (f / "vocab.txt").write_text("a\n" * 16), "has 16 tokens, .* only 15 rows"),
    "vocabulary in Latin-1": (lambda f: (f / "vocab.txt").write_bytes(b"caf\xe9\n" * 15), "could not be read as UTF-8"),
    "no vocabulary": (lambda f: (f / "vocab.txt").unlink(), "also needs vocab.txt or tokenizer.json; a Google"),
    "another tokenizer": (
        lambda f: (
            (f / "vocab.txt").unlink(),
            (f / "tokenizer.json").write_text('{"model": {"type": "WordLevel", "vocab": []}}'),
        ),
        "holds a WordLevel tokenizer",
    ),
    "a BPE without a vocabulary": (
        lambda f: (
            (f / "vocab.txt").unlink(),
            (f / "tokenizer_config.json").unlink(),
            (f / "tokenizer.json").write_text('{"model": {"type": "BPE", "vocab": [], "merges": []}}'),
        ),
        "'model.vocab' in .* must be an object",
    ),
    "token ids with a gap": (
        lambda f: (
            (f / "vocab.txt").unlink(),
            (f / "tokenizer.json").write_text('{"model": {"vocab": {"a": 0, "b": 2}}}'),
        ),
        r"has no \[PAD\]",
    ),
    "a shard is gone": (
        lambda f: (
            (f / "model.safetensors").unlink(),
            (f / "model.safetensors.index.json").write_text(
                '{"weight_map": {"a": "model-00001-of-00001.safetensors"}}'
            ),
        ),
        "lacks 1 of the 1 files",
    ),
}


@pytest.mark.parametrize("case", HUGGINGFACE_DAMAGE)
def test_a_damaged_hugging_face_folder_is_one_sentence(tmp_path, case):
    damage, message = HUGGINGFACE_DAMAGE[case]
    write_huggingface(tmp_path, read_checkpoint(TINY))
    assert_refused(tmp_path, damage, message)


def other_google_model(folder):
    save_tensorflow(folder / "bert_model.ckpt", {"bert/encoder/transformer/group_0/inner_group_0/x": np.float32(1)})


GOOGLE_DAMAGE = {
    "cut data": (lambda f: cut(f / "bert_model.ckpt.data-00000-of-00001", 0.5), r"data-\*' is damaged or cut short"),
    "cut index": (lambda f: cut(f / "bert_model.ckpt.index", 0.5), "index' is damaged or cut short"),
    "empty index": (lambda f: cut(f / "bert_model.ckpt.index", 0), "index' is damaged or cut short"),
    "no data": (
        lambda f: (f / "bert_model.ckpt.data-00000-of-00001").unlink(),
        "a Google checkpoint also needs bert_model.ckpt.data-00000-of-00001[.]",
    ),
    "no index": (lambda f: (f / "bert_model.ckpt.index").unlink(), "also needs bert_model.ckpt.index"),
    "no config": (lambda f: (f / "bert_config.json").unlink(), "a Google checkpoint also needs bert_config.json[.]"),
    "cut config": (lambda f: cut(f / "bert_config.json", 0.5), "bert_config.json' could not be read as JSON"),
    "vocabulary too short": (lambda f: (f / "vocab.txt").write_text("[PAD]\n"), r"has no \[UNK\]"),
    "albert": (other_google_model, "they belong to ALBERT[.]"),
}


@pytest.mark.parametrize("case", GOOGLE_DAMAGE)
def test_a_damaged_google_folder_is_one_sentence(tmp_path, case):
    damage, message = GOOGLE_DAMAGE[case]
    folder = tmp_path / "copy"
    shutil.copytree(TINY, folder)
    assert_refused(folder, damage, message)


def test_a_wrong_folder_says_what_it_holds_and_what_is_missing(tmp_path):
    with pytest.raises(
        BertrError,
        match="holds nothing; .* needs config.json, model.safetensors, vocab.txt or "
        "tokenizer.json; .* needs bert_config.json, bert_model.ckpt.index, "
        "bert_model.ckpt.data-00000-of-00001, vocab.txt[.]",
    ):
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


def only_tokenizer_json(folder):
    (folder / "spiece.model").unlink()
    (folder / "tokenizer.json").write_text('{"model": {"type": "Unigram", "vocab": []}}')


ALBERT_DAMAGE = {
    "several blocks a layer": (lambda f: edit_json(f / "config.json", inner_group_num=2), "'inner_group_num' is 2"),
    "groups of unlike size": (lambda f: edit_json(f / "config.json", num_hidden_groups=3), "not a multiple of num_hid"),
    "too many groups": (
        lambda f: edit_json(f / "config.json", num_hidden_groups=2),
        "not those of an ALBERT with 4 layers: 16 variables .* .first: 'encoder.albert_layer_groups.1",
    ),
    "another width": (lambda f: edit_json(f / "config.json", embedding_size=10), "2000 x 12, .* requires 2000 x 10"),
    "only tokenizer.json": (only_tokenizer_json, "has no spiece.model"),
    "damaged spiece.model": (lambda f: (f / "spiece.model").write_bytes(b"x" * 99), "SentencePiece model could not be"),
    "empty spiece.model": (lambda f: (f / "spiece.model").write_bytes(b""), "SentencePiece model could not be"),
    "a roberta's config": (
        lambda f: edit_json(f / "config.json", model_type="roberta"),
        "not those of a RoBERTa with 4 layers",
    ),
    "an electra's config": (
        lambda f: edit_json(f / "config.json", model_type=None, architectures=["ElectraForPreTraining"]),
        "not those of an ELECTRA with 4 layers",
    ),
    "a distilbert's config": (
        lambda f: edit_json(f / "config.json", model_type="distilbert", n_layers=4, n_heads=4, dim=32, hidden_dim=64),
        "not those of a DistilBERT with 4 layers",
    ),
}


@pytest.mark.parametrize("case", ALBERT_DAMAGE)
def test_a_damaged_albert_folder_is_one_sentence(albert, tmp_path, case):
    damage, message = ALBERT_DAMAGE[case]
    folder = tmp_path / "copy"
    shutil.copytree(albert, folder)
    assert_refused(folder, damage, message)
