"""Folders as people have them: each is read as transformers reads it (ids, offsets, states), also after saving, or is
refused."""

import json

import numpy as np
import pytest
import torch
import transformers
from folders import (
    ADDED,
    IDS,
    SPECIAL,
    TEXTS,
    VOCAB,
    assert_refused,
    configure,
    edit,
    flags,
    make_folder,
    tokenizer_json,
    use_names,
    write_json,
)
from safetensors.torch import load_file, save_file

from bertr import bridge
from bertr.checkpoints.tokenizer_files import SETTINGS, tokenizer_config
from bertr.text.wordpiece import Tokenizer


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path / "shape")


TOKENS = {
    "plain": lambda f: None,
    "added_tokens.json": lambda f: write_json(f / "added_tokens.json", IDS),
    "tokenizer.json": tokenizer_json,
    "tokenizer.json alone": lambda f: tokenizer_json(f, keep_vocab=False),
    "added_tokens_decoder": lambda f: configure(
        f,
        added_tokens_decoder={
            **{str(i): flags(token, special=True, normalized=False) for i, token in enumerate(SPECIAL)},
            **{str(i): flags(token) for token, i in IDS.items()},
        },
    ),
    "added_tokens_decoder, some stripped": lambda f: configure(
        f,
        added_tokens_decoder={
            "4": flags("[MASK]", lstrip=True, special=True, normalized=False),
            **{str(i): flags(token, rstrip=True, single_word=token == "newword") for token, i in IDS.items()},
        },
    ),
    "additional_special_tokens": lambda f: configure(f, additional_special_tokens=["[E1]", "[unused0]", "<url>"]),
    "extra_special_tokens": lambda f: configure(f, extra_special_tokens=["[E1]", "[unused0]"]),
    "special_tokens_map.json": lambda f: write_json(
        f / "special_tokens_map.json",
        {"additional_special_tokens": ["[E1]", "New York"], "mask_token": flags("[MASK]", lstrip=True)},
    ),
    "added_tokens.json, special by the map": lambda f: (
        write_json(f / "added_tokens.json", IDS),
        write_json(f / "special_tokens_map.json", {"additional_special_tokens": ["New York", "[E1]"]}),
    ),
    "other names of special tokens": use_names,
    "Windows' line ends": lambda f: edit(f / "vocab.txt", lambda text: text.replace("\n", "\r\n")),
    "one blank last line": lambda f: edit(f / "vocab.txt", lambda text: text + "\n"),
    "three blank last lines": lambda f: edit(f / "vocab.txt", lambda text: text + "\n\n\n"),
    "a blank line in the middle": lambda f: edit(f / "vocab.txt", lambda text: text.replace("\ncat\n", "\n\ncat\n")),
    "a token twice": lambda f: edit(f / "vocab.txt", lambda text: text.replace("\ncat\n", "\ndog\ncat\n")),
    "white space after tokens": lambda f: edit(f / "vocab.txt", lambda text: text.replace("\ncat\n", "\ncat \t\n")),
    "cased": lambda f: configure(f, do_lower_case=False),
    "accents kept": lambda f: configure(f, strip_accents=False),
    "a tokenizer of the same kind": lambda f: configure(f, tokenizer_class="DistilBertTokenizer"),
}


def assert_reads_like_transformers(folder, texts=TEXTS):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    theirs = transformers.BertModel.from_pretrained(folder).double().eval()
    model = bridge.load(str(folder), {})
    encodings = model.encode(texts, None, offsets=True)
    states = bridge.embed(model, texts, None, {"pool": "none"}, None)["values"]
    for r, text in enumerate(texts):
        expected = tokenizer(text, return_offsets_mapping=True)
        row = slice(*encodings.row_splits[r : r + 2])
        assert encodings.ids[row].tolist() == expected["input_ids"], text
        places = list(zip(encodings.start[row].tolist(), encodings.end[row].tolist(), strict=True))
        assert places == expected["offset_mapping"], text
        with torch.no_grad():
            state = theirs(torch.tensor([expected["input_ids"]])).last_hidden_state[0].numpy()
        np.testing.assert_allclose(states[row], state, atol=1e-5, rtol=0, err_msg=text)


@pytest.mark.parametrize("shape", TOKENS)
def test_ids_places_and_states_are_those_of_transformers(folder, shape, tmp_path):
    TOKENS[shape](folder)
    assert_reads_like_transformers(folder)
    saved = tmp_path / "saved"
    bridge.save(bridge.load(str(folder), {}), str(saved), "")
    before, after = (bridge.load(str(f), {}).encode(TEXTS, None, offsets=True) for f in (folder, saved))
    for part in ("ids", "start", "end"):
        np.testing.assert_array_equal(getattr(before, part), getattr(after, part))
    reopened = transformers.AutoTokenizer.from_pretrained(saved)
    assert [reopened(text)["input_ids"] for text in TEXTS] == [
        before.ids[slice(*before.row_splits[r : r + 2])].tolist() for r in range(len(TEXTS))
    ]


def test_tokens_that_transformers_adds_to_a_saved_folder_are_found(folder, tmp_path):
    saved = tmp_path / "saved"
    bridge.save(bridge.load(str(folder), {}), str(saved), "")
    tokenizer = transformers.AutoTokenizer.from_pretrained(saved)
    tokenizer.add_tokens(["newword", "New York"])
    tokenizer.save_pretrained(saved)
    ids = bridge.load(str(saved), {}).encode(["a newword in New York"], None).ids.tolist()
    assert ids == tokenizer("a newword in New York")["input_ids"] and len(VOCAB) + 1 in ids


@pytest.mark.parametrize(
    "ids", [{"trail ": 0, "[E1]": 2}, {"a\nb": 0, "[E1]": 2}, {"##foo": 0, "xcat": 2}, {"[E1]": 1, "[E2]": 4}]
)
def test_ids_with_gaps_are_saved(folder, tmp_path, ids):
    write_json(folder / "added_tokens.json", {token: len(VOCAB) + i for token, i in ids.items()})
    texts = ["a [E1] [E2] cat", "b bfoo b##foo xcatb", "trail  trail", "a\nb a b"]
    model, saved = bridge.load(str(folder), {}), tmp_path / "saved"
    expected = model.encode(texts, None).ids
    bridge.save(model, str(saved), "")
    tokenizer = transformers.AutoTokenizer.from_pretrained(saved)
    assert [i for text in texts for i in tokenizer(text)["input_ids"]] == expected.tolist()
    for rest in ("bertr.json", "sentence_bert_config.json"):  # as where only the other files were copied
        np.testing.assert_array_equal(bridge.load(str(saved), {}).encode(texts, None).ids, expected)
        (saved / rest).unlink()


GENERIC = {
    "as BERT's": {},
    "cased": {"lowercase": False},
    "accents kept": {"strip_accents": False},
    "Chinese characters in words": {"handle_chinese_chars": False},
}


@pytest.mark.parametrize("shape", GENERIC)
def test_a_generic_tokenizer_does_what_its_own_file_says(folder, shape):
    tokenizer_json(folder, keep_vocab=False)
    edit(
        folder / "tokenizer.json",
        lambda text: json.dumps(
            {**json.loads(text), "normalizer": {**json.loads(text)["normalizer"], **GENERIC[shape]}}
        ),
    )
    configure(folder, tokenizer_class="PreTrainedTokenizerFast")
    assert_reads_like_transformers(folder, [*TEXTS, "The CAT sleeps on a \u4e2d\u6587 tree"])


def test_a_byte_order_mark_is_not_part_of_a_token(folder):
    """transformers then treats [PAD] as a new token; all other ids are the same."""
    expected = bridge.load(str(folder), {}).encode(TEXTS, None).ids
    edit(folder / "vocab.txt", lambda text: "\ufeff" + text)
    model = bridge.load(str(folder), {})
    assert model.tokenizer.vocab[0] == "[PAD]"
    np.testing.assert_array_equal(model.encode(TEXTS, None).ids, expected)


def test_rows_beyond_the_vocabulary_are_not_used(folder):
    model = bridge.load(str(folder), {})
    assert bridge.describe(model)["unused_rows"] == len(ADDED)
    assert len(bridge.vocab(model)) == len(VOCAB)


def test_a_mask_of_another_name_is_answered(folder):
    use_names(folder)
    config = transformers.BertConfig.from_pretrained(folder)
    transformers.BertForPreTraining(config).save_pretrained(folder)
    model = bridge.load(str(folder), {})
    one, other = (
        bridge.fill_mask(model, [text], None, {"top": 3}, None) for text in ("the <mask> sleeps", "the [MASK] sleeps")
    )
    assert one["text"] == other["text"] == [f"the {token} sleeps".replace(" ##", "") for token in one["token"]]


def test_rows_beyond_the_vocabulary_are_not_an_answer(folder):
    """Even if the masked-word head gives them a high probability."""
    config = transformers.BertConfig.from_pretrained(folder)
    torch.manual_seed(4)
    theirs = transformers.BertForPreTraining(config).eval()
    theirs.cls.predictions.bias.data[len(VOCAB) :] = 20.0
    theirs.save_pretrained(folder)
    found = bridge.fill_mask(bridge.load(str(folder), {}), ["the [MASK] sleeps"], None, {"top": len(VOCAB) + 3}, None)
    assert sorted(found["token"]) == sorted(VOCAB)
    ids = transformers.AutoTokenizer.from_pretrained(folder)("the [MASK] sleeps", return_tensors="pt")
    with torch.no_grad():
        expected = theirs(**ids).prediction_logits[0, 2].softmax(-1).numpy()
    np.testing.assert_allclose(
        found["probability"], [expected[VOCAB.index(token)] for token in found["token"]], rtol=1e-4, atol=1e-9
    )


@pytest.mark.parametrize("train", ["all", "head"])
def test_a_fit_keeps_the_added_tokens(folder, tmp_path, train):
    tokenizer_json(folder)
    model = bridge.load(str(folder), {})
    target = {"label_ids": np.array([0, 1] * 4, np.int32), "levels": ["a", "b"]}
    fitted = bridge.fit(
        model, "classification", TEXTS[:8], None, target, None, {"head": {}, "epochs": 1, "train": train}, None
    )
    expected, ids = bridge.predict(fitted, TEXTS, None, {}, None)["prob"], model.encode(TEXTS, None).ids
    bridge.save(fitted, str(tmp_path / "fit"), "")
    whole = bridge.from_bytes(list(bridge.to_bytes(fitted, "")), None)
    for again in (bridge.load(str(tmp_path / "fit"), {}), whole):
        np.testing.assert_array_equal(again.base.encode(TEXTS, None).ids, ids)
        np.testing.assert_allclose(bridge.predict(again, TEXTS, None, {}, None)["prob"], expected, atol=1e-6)


# ---------------------------------------------------------------- weights


def rename(folder, name):
    tensors = {name(key): value for key, value in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def as_torch(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def as_torch_shards(folder):
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = {name: f"pytorch_model-0000{1 + k % 2}-of-00002.bin" for k, name in enumerate(tensors)}
    for file in set(names.values()):
        torch.save({name: tensors[name] for name in tensors if names[name] == file}, folder / file)
    write_json(folder / "pytorch_model.bin.index.json", {"weight_map": names})


WEIGHTS = {
    **{
        prefix: (lambda f, prefix=prefix: rename(f, lambda name: prefix + name))
        for prefix in ("module.", "model.", "0.auto_model.", "bert.", "bert.bert.", "module.bert.")
    },
    "pytorch_model.bin": as_torch,
    "shards of torch": as_torch_shards,
}


@pytest.mark.parametrize("shape", WEIGHTS)
def test_weights_of_other_writers(folder, shape):
    expected = bridge.embed(bridge.load(str(folder), {}), TEXTS, None, {}, None)["values"]
    WEIGHTS[shape](folder)
    np.testing.assert_array_equal(bridge.embed(bridge.load(str(folder), {}), TEXTS, None, {}, None)["values"], expected)


@pytest.mark.parametrize(
    "activation",
    [
        "gelu",
        "gelu_10",
        "gelu_fast",
        "gelu_new",
        "gelu_python",
        "gelu_pytorch_tanh",
        "gelu_python_tanh",
        "gelu_accurate",
        "hardswish",
        "laplace",
        "leaky_relu",
        "linear",
        "mish",
        "quick_gelu",
        "relu",
        "relu2",
        "relu6",
        "sigmoid",
        "silu",
        "sqrtsoftplus",
        "swish",
        "tanh",
    ],
)
def test_activations(folder, activation):
    edit(folder / "config.json", lambda text: json.dumps({**json.loads(text), "hidden_act": activation}))
    assert_reads_like_transformers(folder, TEXTS[:3])


# ---------------------------------------------------------------- refused


def pieces(folder):
    edit(folder / "vocab.txt", lambda text: text.replace("##", "\u2581"))


def other_tokenizer_json(folder, **change):
    tokenizer_json(folder)
    edit(folder / "tokenizer.json", lambda text: json.dumps({**json.loads(text), **change}))


def only(folder, name):
    (folder / "model.safetensors").rename(folder / name)


REFUSED = {
    "Japanese, by the tokenizer": (
        lambda f: configure(f, tokenizer_class="BertJapaneseTokenizer"),
        "BertJapaneseTokenizer",
    ),
    "Japanese, by the model": (
        lambda f: edit(
            f / "config.json", lambda text: json.dumps({**json.loads(text), "tokenizer_class": "BertJapaneseTokenizer"})
        ),
        "BertJapaneseTokenizer",
    ),
    "XLM-R": (lambda f: configure(f, tokenizer_class="XLMRobertaTokenizer"), "XLMRobertaTokenizer"),
    "pieces in vocab.txt": (pieces, "begin with \u2581"),
    "another normalizer": (lambda f: other_tokenizer_json(f, normalizer={"type": "NFC"}), "has NFC"),
    "another pre-tokenizer": (
        lambda f: other_tokenizer_json(f, pre_tokenizer={"type": "Whitespace"}),
        "has Whitespace",
    ),
    "no pre-tokenizer": (
        lambda f: (
            other_tokenizer_json(f, pre_tokenizer=None),
            configure(f, tokenizer_class="PreTrainedTokenizerFast"),
        ),
        "has no pre_tokenizer",
    ),
    "two vocabularies": (
        lambda f: (
            tokenizer_json(f),
            (f / "vocab.txt").write_text("\n".join([*VOCAB[:10], *VOCAB[10:12][::-1], *VOCAB[12:]])),
        ),
        "has two vocabularies",
    ),
    "more tokens than rows": (lambda f: edit(f / "vocab.txt", lambda text: text + "x\ny\n" * len(ADDED)), "has only"),
    "an added token beyond the rows": (
        lambda f: write_json(f / "added_tokens.json", {**IDS, "more": max(IDS.values()) + 1}),
        "only 103 rows",
    ),
    "an absurd id": (lambda f: write_json(f / "added_tokens.json", {**IDS, "more": 2**31 - 1}), "2147483648 tokens"),
    "an added token in another's place": (lambda f: write_json(f / "added_tokens.json", {"more": 7}), "belongs to"),
    "a token's id that is none": (
        lambda f: configure(f, added_tokens_decoder={"x": flags("more")}),
        "'x', which is not a token id",
    ),
    "flags of another type": (lambda f: configure(f, added_tokens_decoder={"7": flags("more", lstrip="no")}), "lstrip"),
    "weights of TensorFlow": (lambda f: only(f, "tf_model.h5"), "are in 'tf_model.h5'"),
    "weights of Flax": (lambda f: only(f, "flax_model.msgpack"), "are in 'flax_model.msgpack'"),
    "other variables": (lambda f: rename(f, lambda name: "strange." + name), "39 variables .first: 'strange"),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_what_cannot_be_read_is_refused(folder, shape):
    assert_refused(folder, *REFUSED[shape])


def use_mpnet(folder, **settings):
    """The names, and the frame, of MPNet's tokenizer."""
    names = {"[PAD]": "<pad>", "[CLS]": "<s>", "[SEP]": "</s>", "[MASK]": "<mask>"}
    edit(folder / "vocab.txt", lambda text: "\n".join(names.get(line, line) for line in text.split("\n")))
    write_json(folder / "tokenizer_config.json", settings)


OTHER_CLASSES = {
    "MPNet": lambda f: use_mpnet(f, tokenizer_class="MPNetTokenizer", do_lower_case=True),
    "MPNet, fast": lambda f: (use_mpnet(f, tokenizer_class="MPNetTokenizerFast"), tokenizer_json(f)),
    "MPNet's frame in tokenizer.json alone": lambda f: (
        use_mpnet(f, tokenizer_class="MPNetTokenizer"),
        tokenizer_json(f, keep_vocab=False),
        configure(f, tokenizer_class="PreTrainedTokenizerFast"),
    ),
    "Electra": lambda f: configure(f, tokenizer_class="ElectraTokenizer"),
    "Electra, fast": lambda f: (tokenizer_json(f), configure(f, tokenizer_class="ElectraTokenizerFast")),
    "DistilBert, fast": lambda f: (tokenizer_json(f), configure(f, tokenizer_class="DistilBertTokenizerFast")),
}


@pytest.mark.parametrize("shape", OTHER_CLASSES)
def test_tokenizers_of_other_families(folder, shape, tmp_path):
    OTHER_CLASSES[shape](folder)
    texts = [*TEXTS, "a <mask> dog", "the [MASK] cat"]
    model = bridge.load(str(folder), {})
    bridge.save(model, str(tmp_path / "saved"), "")
    again = bridge.load(str(tmp_path / "saved"), {})
    assert again.checkpoint.tokenizer["one_segment"] == shape.startswith("MPNet")
    for where in (folder, tmp_path / "saved"):
        theirs = transformers.AutoTokenizer.from_pretrained(where)
        for ours in (model.tokenizer, again.tokenizer):
            for sides in ((texts,), (texts, texts[::-1])):
                given = theirs(*sides, return_offsets_mapping=True, return_token_type_ids=True)
                got = ours.encode(*sides, max_len=48, offsets=True)
                rows = np.split(np.arange(len(got.ids)), got.row_splits[1:-1])
                assert [got.ids[row].tolist() for row in rows] == given["input_ids"]
                places = [list(zip(got.start[row].tolist(), got.end[row].tolist(), strict=True)) for row in rows]
                assert places == given["offset_mapping"]
                segments = [got.pad([i])[1][0].tolist() for i in range(len(got))]
                assert segments == given["token_type_ids"]


def test_special_tokens_in_another_order_are_refused(folder):
    tokenizer_json(folder)
    configure(folder, tokenizer_class="PreTrainedTokenizerFast")
    cls, a = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    template = {"type": "TemplateProcessing", "single": [a, cls], "pair": [a, cls], "special_tokens": {}}
    edit(folder / "tokenizer.json", lambda text: json.dumps({**json.loads(text), "post_processor": template}))
    assert_refused(folder, lambda f: None, "has special tokens in another order")


def test_fits_saved_before_mpnet_could_be_read_have_one_setting_less(folder):
    settings = dict(bridge.load(str(folder), {}).checkpoint.tokenizer)
    assert settings.pop("one_segment") is False
    assert SETTINGS["wordpiece"](settings, "") is None and Tokenizer(VOCAB, **settings).one_segment is False


def test_distilbert_keeps_its_tokenizer_which_gives_no_segments(folder):
    settings = bridge.load(str(folder), {}).checkpoint.tokenizer
    kinds = {kind: tokenizer_config(settings, VOCAB, kind)[0]["tokenizer_class"] for kind in ("bert", "distilbert")}
    assert kinds == {"bert": "BertTokenizer", "distilbert": "DistilBertTokenizer"}
