"""BERT's weights with RoBERTa's tokenizer: folders of both kinds, their vectors, tasks, and what is saved."""

import json

import numpy as np
import pytest
import torch
import transformers
from conftest import fit_sentences, make_sentences, probabilities_of
from folders import assert_refused, configure, edit
from small import perturb, small_config
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from bertr import bridge
from bertr.checkpoints.byte_bpe_files import read_byte_bpe
from bertr.errors import BertrError
from bertr.families import make_tokenizer, read_checkpoint
from bertr.tasks.mlm.fill_mask import encode_masked

TEXTS = [
    "The cat <mask> sleeps",
    "Die Häuser sind größer",
    "今天天气很好。",
    "",
    "  a  b \u3000 c\n",
    "it's 12 😃",
]
MASK = {"content": "<mask>", "lstrip": True, "rstrip": False, "single_word": False, "normalized": False}
ROWS = 1200


@pytest.fixture(scope="module")
def plain(tmp_path_factory, english):
    """A folder as on the hub: vocab.json, merges.txt, and a small random BERT."""
    folder = tmp_path_factory.mktemp("byte_bpe")
    rust = Tokenizer(BPE())
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=ROWS - 2, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    rust.train_from_iterator([*english, *make_sentences()[0], *TEXTS], trainer)
    rust.model.save(str(folder))
    config = {"tokenizer_class": "RobertaTokenizer", "mask_token": {"__type": "AddedToken", **MASK}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.manual_seed(1)
    config = small_config(ROWS, max_position_embeddings=64, initializer_range=0.2)
    perturb(transformers.BertModel(config)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def fast(plain, tmp_path_factory):
    """The same as transformers saves it: tokenizer.json. With an added token."""
    folder = tmp_path_factory.mktemp("fast")
    tokenizer = transformers.AutoTokenizer.from_pretrained(plain)
    tokenizer.add_tokens(["größer"])
    tokenizer.save_pretrained(folder)
    transformers.BertModel.from_pretrained(plain).save_pretrained(folder)
    return folder


@pytest.fixture
def copied(fast, tmp_path):
    return copy(fast, tmp_path)


def copy(source, folder):
    for path in source.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def change(folder, edit_json):
    edit(folder / "tokenizer.json", lambda text: json.dumps(edit_json(json.loads(text))))


def ids(tokenizer, *sides):
    out = tokenizer.encode(*sides, max_len=64)
    return [row.tolist() for row in np.split(out.ids, out.row_splits[1:-1])]


def of(folder):
    return make_tokenizer(read_checkpoint(folder))


def assert_saved(folder, kind, to):
    """Ids are those of transformers, before and after saving, and so is the class."""
    model = bridge.load(str(folder), {})
    bridge.save(model, str(to), "")
    again = bridge.load(str(to), {})
    assert again.fingerprint == model.fingerprint
    assert again.checkpoint.tokenizer == model.checkpoint.tokenizer
    assert json.loads((to / "tokenizer_config.json").read_text(encoding="utf-8"))["tokenizer_class"] == kind
    for where in (folder, to):
        theirs = transformers.AutoTokenizer.from_pretrained(where)
        assert theirs(TEXTS)["input_ids"] == ids(model.tokenizer, TEXTS)
        assert theirs(TEXTS, TEXTS[::-1])["input_ids"] == ids(model.tokenizer, TEXTS, TEXTS[::-1])
    assert ids(again.tokenizer, TEXTS) == ids(model.tokenizer, TEXTS)


@pytest.mark.parametrize("kind", ["plain", "fast"])
def test_vectors_are_those_of_transformers(kind, request):
    folder = request.getfixturevalue(kind)
    given = transformers.AutoTokenizer.from_pretrained(folder)(TEXTS, TEXTS[::-1], padding=True, return_tensors="pt")
    with torch.no_grad():  # transformers takes segment 0 where the tokenizer gives none
        states = transformers.BertModel.from_pretrained(folder).eval()(**given).last_hidden_state
    ours = bridge.embed(bridge.load(str(folder), {}), TEXTS, TEXTS[::-1], {"pool": "cls"}, None)["values"]
    np.testing.assert_allclose(ours, states[:, 0], atol=1e-5)


@pytest.mark.parametrize("prefix_space", [False, True])
@pytest.mark.parametrize("kind", ["plain", "fast"])
def test_a_saved_model_is_the_same_to_transformers_and_to_us(kind, prefix_space, request, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    configure(copy(request.getfixturevalue(kind), folder), add_prefix_space=prefix_space)
    assert_saved(folder, "RobertaTokenizer", tmp_path / "saved")


def test_the_class_that_follows_tokenizer_json(copied, tmp_path_factory):
    """BERT's frame, no merges for words that are tokens, a space before, bytes that become <unk>, old merges."""

    def other(content):
        model = content["model"]
        model["vocab"]["unused"] = model["vocab"].pop("\u00f0")  # the first byte of the emoji
        model["merges"] = [" ".join(pair) for pair in model["merges"] if "\u00f0" not in pair]
        model |= {"ignore_merges": True, "unk_token": "<unk>"}
        content["pre_tokenizer"]["add_prefix_space"] = True
        cls, sep = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("<s>", "</s>"))
        a, b = ({"Sequence": {"id": name, "type_id": i}} for i, name in enumerate("AB"))
        single, last = [cls, a, sep], {"SpecialToken": {"id": "</s>", "type_id": 1}}
        tokens = {name: {"id": name, "ids": [i], "tokens": [name]} for i, name in ((0, "<s>"), (2, "</s>"))}
        frames = {"single": single, "pair": [*single, b, last], "special_tokens": tokens}
        template = {"type": "TemplateProcessing", **frames}
        content["post_processor"] = {"type": "Sequence", "processors": [content["pre_tokenizer"], template]}
        return content

    change(copied, other)
    configure(copied, tokenizer_class="PreTrainedTokenizerFast", add_prefix_space=True)
    assert 3 in ids(of(copied), TEXTS)[5]
    assert_saved(copied, "PreTrainedTokenizerFast", tmp_path_factory.mktemp("saved") / "model")
    theirs = transformers.AutoTokenizer.from_pretrained(copied)
    pairs = theirs(TEXTS, TEXTS[::-1], padding=True, return_tensors="np", return_token_type_ids=True)
    ours = of(copied).encode(TEXTS, TEXTS[::-1])
    np.testing.assert_array_equal(ours.pad(range(len(TEXTS)))[1], pairs["token_type_ids"])


def test_a_mask_takes_the_space_before_it_unless_a_file_says_otherwise(plain, tmp_path):
    """As in transformers before version 5, and in RoBERTa's training."""
    copy(plain, tmp_path)
    before = ids(of(tmp_path), TEXTS)
    (tmp_path / "tokenizer_config.json").unlink()
    assert ids(of(tmp_path), TEXTS) == before
    configured = {"tokenizer_class": "RobertaTokenizer", "mask_token": {**MASK, "lstrip": False}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(configured), encoding="utf-8")
    assert len(ids(of(tmp_path), TEXTS)[0]) == len(before[0]) + 1


@pytest.mark.parametrize("train", ["all", "head"])
def test_a_fit_learns_and_is_kept(plain, train, tmp_path):
    sentences = make_sentences()
    fit = fit_sentences(
        bridge.load(str(plain), {}), sentences, train=train, epochs=12, batch_size=16, learning_rate=2e-3, seed=1
    )
    prob = probabilities_of(fit, sentences)
    assert (prob.argmax(axis=1) == sentences[1]).mean() > (0.9 if train == "all" else 0.6)
    again = bridge.from_bytes(bridge.to_bytes(fit, "{}"), None)
    np.testing.assert_array_equal(probabilities_of(again, sentences), prob)
    bridge.save(fit, str(tmp_path / "fit"), "")
    np.testing.assert_array_equal(probabilities_of(bridge.load(str(tmp_path / "fit"), {}), sentences), prob)


def test_masks_are_filled_as_transformers_encodes_them(plain):
    model = bridge.load(str(plain), {})
    text = "The cat <mask> sleeps"
    e, masks = encode_masked(model, [text.replace("<mask>", "[MASK]")], 64)
    assert e.ids.tolist() == ids(model.tokenizer, [text])[0]
    assert e.ids[masks > 0].tolist() == [model.tokenizer.mask_id]


def _with(part, value):
    return lambda folder: change(folder, lambda content: {**content, part: value})


def _model(**fields):
    return lambda folder: change(folder, lambda content: {**content, "model": {**content["model"], **fields}})


def _vocab(**more):
    return lambda folder: change(
        folder,
        lambda content: {**content, "model": {**content["model"], "vocab": {**content["model"]["vocab"], **more}}},
    )


REFUSED = {
    "another normalizer": (_with("normalizer", {"type": "NFC"}), "has the step NFC"),
    "another way of splitting": (_with("pre_tokenizer", {"type": "Whitespace"}), "the pre_tokenizer Whitespace"),
    "no splitting": (_with("pre_tokenizer", None), "the pre_tokenizer null"),
    "no words": (_with("pre_tokenizer", {"type": "ByteLevel", "use_regex": False}), "ByteLevel that does not split"),
    "a step that is no object": (_with("normalizer", {"type": "Sequence", "normalizers": [1]}), r"normalizers\[0\]"),
    "random merges": (_model(dropout=0.1), "a dropout"),
    "other pieces": (_model(end_of_word_suffix="</w>"), "the end_of_word_suffix '</w>'"),
    "bytes": (_model(byte_fallback=True), "a fallback to bytes"),
    "no special tokens": (_with("post_processor", None), "special tokens in another order"),
    "an odd template": (_with("post_processor", {"type": "TemplateProcessing", "single": [1], "pair": {}}), "order"),
    "a merge of three": (_model(merges=["a b c"]), r"merges\[0\].* must be a pair of tokens"),
    "a merge that is a number": (_model(merges=[1]), r"merges\[0\].* must be a pair of tokens"),
    "no merges": (_model(merges=None), "must be a list"),
    "an id that is a text": (_vocab(q="1"), "vocab.q.* must be a whole number"),
    "an id twice": (_vocab(qqqqq=7), "have the same id, 7"),
    "too many tokens": (_vocab(qqqqq=ROWS), f"has {ROWS + 1} tokens, but the word embedding has only {ROWS} rows"),
    "another tokenizer": (
        lambda folder: configure(folder, tokenizer_class="GPT2Tokenizer"),
        "asks for the tokenizer GPT2Tokenizer, which splits texts differently from RoBERTa's byte-level BPE",
    ),
    "lower-casing": (
        lambda folder: (folder / "sentence_bert_config.json").write_text('{"do_lower_case": true}'),
        "lower-cases texts before its byte-level BPE",
    ),
    "no special token": (
        lambda folder: configure(folder, pad_token="<none>", added_tokens_decoder={}),
        "The vocabulary has no <none>",
    ),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_what_cannot_be_read_is_refused(copied, shape):
    assert_refused(copied, *REFUSED[shape])


def test_damaged_files_are_refused(plain, tmp_path):
    """Of vocab.json and merges.txt; a merge of unknown tokens is noticed when the tokenizer is made."""

    def refused(name, content, message):
        copy(plain, tmp_path)
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BertrError, match=message) as caught:
            bridge.load(str(tmp_path), {})
        assert caught.value.hint and "\n" not in str(caught.value.args[0])

    refused("merges.txt", b"#version: 0.2\na b c\n", "A line of .*merges.txt' is 'a b c', not a pair")
    refused("merges.txt", b"\xff\xfe", "merges.txt' could not be read as UTF-8")
    refused("merges.txt", b"a zzzz", "merges 'a' and 'zzzz', but its vocabulary has no 'zzzz'")
    refused("vocab.json", b"[]", "vocab.json' does not hold a JSON object")
    refused("vocab.json", b'{"<s>": -1}', "must be a whole number")
    refused("vocab.json", b"{", "vocab.json' could not be read as JSON")
    copy(plain, tmp_path)
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(BertrError, match="merges.txt' could not be read"):
        bridge.load(str(tmp_path), {})


def test_lines_of_merges_may_end_as_on_windows(plain, tmp_path):
    edit(copy(plain, tmp_path) / "merges.txt", lambda text: text.replace("\n", "\r\n"))
    assert read_byte_bpe(str(tmp_path), ROWS) == read_byte_bpe(str(plain), ROWS)


def test_settings_of_other_tokenizers_are_refused(plain):
    with pytest.raises(BertrError, match="`lower_case` is given"):
        bridge.load(str(plain), {"lower_case": True})
    with pytest.raises(BertrError, match="`tokens` is 'characters'"):
        bridge.load(str(plain), {"tokens": "characters"})
