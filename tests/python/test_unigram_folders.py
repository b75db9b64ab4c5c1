"""BERT's weights with XLM-RoBERTa's tokenizer: folders of both kinds, their vectors, tasks, and what is saved."""

import io
import json

import numpy as np
import pytest
import sentencepiece
import torch
import transformers
from conftest import fit_sentences, make_sentences, probabilities_of
from folders import assert_refused, edit
from small import perturb, small_config

from bertr import bridge
from bertr.checkpoints.unigram_files import model_of, read_unigram
from bertr.errors import BertrError
from bertr.text.unigram import UnigramTokenizer

TEXTS = ["The cat <mask> sleeps", "Die Häuser sind größer", "今天天气很好。", "", "  a  b \u3000 c ", "and now ﬁve ½"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory, english, fixtures):
    """A folder as on the hub: sentencepiece.bpe.model, and a small random BERT."""
    folder, out = tmp_path_factory.mktemp("unigram"), io.BytesIO()
    lines = (fixtures / "texts" / "languages.tsv").read_text(encoding="utf-8").splitlines()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*english, *(line.split("\t")[1] for line in lines), *make_sentences()[0]]),
        model_writer=out,
        vocab_size=3000,
        normalization_rule_name="nmt_nfkc",
        num_threads=1,
        minloglevel=2,
    )
    (folder / "sentencepiece.bpe.model").write_bytes(out.getvalue())
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "XLMRobertaTokenizer"}', encoding="utf-8")
    torch.manual_seed(1)
    config = small_config(3002, max_position_embeddings=64, initializer_range=0.2)
    perturb(transformers.BertModel(config)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def fast(plain, tmp_path_factory):
    """The same as newer versions of transformers save it: tokenizer.json."""
    folder = tmp_path_factory.mktemp("fast")
    transformers.XLMRobertaTokenizer.from_pretrained(plain).save_pretrained(folder)
    transformers.BertModel.from_pretrained(plain).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["plain", "fast", "named by the model"])
def camembert(request, plain, tmp_path_factory):
    """The files of `plain` as CamemBERT's, whose ids are others; there is one more of them."""
    folder = tmp_path_factory.mktemp("camembert")
    (folder / "sentencepiece.bpe.model").write_bytes((plain / "sentencepiece.bpe.model").read_bytes())
    config = small_config(3005, max_position_embeddings=64)
    transformers.BertModel(config).save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    settings.write_text('{"tokenizer_class": "CamembertTokenizer"}', encoding="utf-8")
    if request.param == "fast":
        transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
        (folder / "sentencepiece.bpe.model").unlink()
    if request.param == "named by the model":
        settings.unlink()
        edit(folder / "config.json", lambda text: json.dumps({**json.loads(text), "model_type": "camembert"}))
    return folder, request.param


@pytest.fixture
def copied(fast, tmp_path):
    for path in fast.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def rows(encodings):
    return [ids.tolist() for ids in np.split(encodings.ids, encodings.row_splits[1:-1])]


def change(folder, edit_json):
    edit(folder / "tokenizer.json", lambda text: json.dumps(edit_json(json.loads(text))))


@pytest.mark.parametrize("kind", ["plain", "fast"])
def test_ids_and_vectors_are_those_of_transformers(kind, request):
    folder = request.getfixturevalue(kind)
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    model = bridge.load(str(folder), {})
    assert rows(model.tokenizer.encode(TEXTS, max_len=64)) == theirs(TEXTS)["input_ids"]
    assert rows(model.tokenizer.encode(TEXTS, TEXTS[::-1], max_len=64)) == theirs(TEXTS, TEXTS[::-1])["input_ids"]
    given = theirs(TEXTS, TEXTS[::-1], padding=True, return_tensors="pt")
    with torch.no_grad():  # transformers takes segment 0 where the tokenizer gives none
        states = transformers.BertModel.from_pretrained(folder).eval()(**given).last_hidden_state
    ours = bridge.embed(model, TEXTS, TEXTS[::-1], {"pool": "cls"}, None)["values"]
    np.testing.assert_allclose(ours, states[:, 0], atol=1e-5)


def test_a_saved_model_is_the_same_to_transformers_and_to_us(plain, tmp_path):
    model = bridge.load(str(plain), {})
    bridge.save(model, str(tmp_path / "saved"), "")
    again = bridge.load(str(tmp_path / "saved"), {})
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    ids = rows(model.tokenizer.encode(TEXTS, TEXTS[::-1], max_len=64))
    assert rows(again.tokenizer.encode(TEXTS, TEXTS[::-1], max_len=64)) == ids
    assert theirs(TEXTS, TEXTS[::-1])["input_ids"] == ids
    assert again.fingerprint == model.fingerprint


def test_the_ids_of_camembert(camembert, tmp_path):
    folder, kind = camembert
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    vocab, settings, content = read_unigram(str(folder), 3005)
    ours = UnigramTokenizer(vocab, **model_of(content), **settings)
    assert vocab[:7] == ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>"]
    texts = [*TEXTS, "<s> a <unk>NOTUSED b", "</s> <pad><unk>"]
    assert rows(ours.encode(texts, max_len=64)) == theirs(texts)["input_ids"]
    assert rows(ours.encode(texts, texts[::-1], max_len=64)) == theirs(texts, texts[::-1])["input_ids"]
    if kind != "named by the model":  # no family of bertr has that type
        model = bridge.load(str(folder), {})
        bridge.save(model, str(tmp_path / "saved"), "")
        again = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
        assert type(again).__name__ == "CamembertTokenizer"
        assert again(texts, texts[::-1])["input_ids"] == rows(ours.encode(texts, texts[::-1], max_len=64))
        assert bridge.load(str(tmp_path / "saved"), {}).fingerprint == model.fingerprint


@pytest.mark.parametrize("train", ["all", "head"])
def test_a_fit_learns_and_is_kept(plain, train):
    sentences = make_sentences()
    fit = fit_sentences(
        bridge.load(str(plain), {}), sentences, train=train, epochs=12, batch_size=16, learning_rate=2e-3, seed=1
    )
    prob = probabilities_of(fit, sentences)
    assert (prob.argmax(axis=1) == sentences[1]).mean() > (0.9 if train == "all" else 0.6)
    again = bridge.from_bytes(bridge.to_bytes(fit, "{}"), None)
    np.testing.assert_array_equal(probabilities_of(again, sentences), prob)


def test_spaces_separate_words_in_newer_files(copied):
    """As in multilingual-e5: Metaspace alone, and several spaces count as one."""

    def newer(content):
        several = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
        content["normalizer"] = {"type": "Sequence", "normalizers": [content["normalizer"], several]}
        content["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}
        return content

    change(copied, newer)
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(copied / "tokenizer.json"))
    model = bridge.load(str(copied), {})
    texts = [*TEXTS, "a ", "a \u3000", "\u3000 a\n\nb "]
    assert rows(model.tokenizer.encode(texts, max_len=64)) == theirs(texts)["input_ids"]
    assert len(model.tokenizer.encode(["a "]).ids) == len(model.tokenizer.encode(["a"]).ids) + 1


def test_other_pieces_at_the_edges(copied):
    """BERT's template, and a vocabulary whose table of replacements is missing."""

    def berts(content):
        content["normalizer"] = None
        second = {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "</s>", "type_id": 1}}
        content["post_processor"]["pair"] = [*content["post_processor"]["single"], *second]
        return content

    change(copied, berts)
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(copied / "tokenizer.json"))
    model = bridge.load(str(copied), {})
    ours = model.tokenizer.encode(TEXTS, TEXTS[::-1], max_len=64)
    theirs.pad_token = "<pad>"
    expected = theirs(TEXTS, TEXTS[::-1], padding=True, return_tensors="np", return_token_type_ids=True)
    np.testing.assert_array_equal(ours.pad(range(len(TEXTS)))[1], expected["token_type_ids"])
    assert rows(ours) == theirs(TEXTS, TEXTS[::-1])["input_ids"]


def test_added_tokens_of_other_files_are_kept(copied, tmp_path_factory):
    saved = tmp_path_factory.mktemp("saved") / "model"
    change(copied, lambda content: {**content, "added_tokens": content["added_tokens"][:-1]})  # without <mask>
    model = bridge.load(str(copied), {})
    assert model.tokenizer.mask_id in model.tokenizer.encode(TEXTS).ids
    bridge.save(model, str(saved), "")
    again = bridge.load(str(saved), {})
    assert again.fingerprint == model.fingerprint and again.checkpoint.tokenizer == model.checkpoint.tokenizer
    ids = rows(model.tokenizer.encode(TEXTS, max_len=64))
    assert transformers.AutoTokenizer.from_pretrained(saved)(TEXTS)["input_ids"] == ids


def _with(part, value):
    return lambda folder: change(folder, lambda content: {**content, part: value})


def _model(**fields):
    return lambda folder: change(folder, lambda content: {**content, "model": {**content["model"], **fields}})


def _more_pieces(folder):
    def more(content):
        content["model"]["vocab"].append(["xx", -20.0])
        content["added_tokens"][-1]["id"] += 1
        return content

    (folder / "tokenizer_config.json").unlink()
    change(folder, more)


REFUSED = {
    "a step that is not XLM-RoBERTa's": (_with("normalizer", {"type": "Lowercase"}), "has the step Lowercase"),
    "another way of splitting": (_with("pre_tokenizer", {"type": "Whitespace"}), "the pre_tokenizer Whitespace"),
    "no splitting": (_with("pre_tokenizer", None), "the pre_tokenizer 'null'|the pre_tokenizer null"),
    "no prefix": (
        _with("pre_tokenizer", {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}),
        "a Metaspace with other settings",
    ),
    "several spaces": (
        _with("pre_tokenizer", {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}),
        "a word for each of several spaces",
    ),
    "bytes": (_model(byte_fallback=True), "a fallback to bytes"),
    "no special tokens": (_with("post_processor", None), "special tokens in another order"),
    "a score that is a text": (_model(vocab=[["<s>", "0"]]), "pairs of a string and a number"),
    "a damaged table": (
        _with("normalizer", {"type": "Precompiled", "precompiled_charsmap": "%"}),
        "table of character replacements",
    ),
    "other ids": (_model(vocab=[["a", 0.0]] * 3002), "has the id 0, which belongs to 'a'"),
    "too many pieces": (_more_pieces, "has 3003 tokens, but the word embedding has only 3002 rows"),
    "another tokenizer": (
        lambda folder: (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer"}'),
        "asks for the tokenizer T5Tokenizer",
    ),
    "lower-casing": (
        lambda folder: (folder / "sentence_bert_config.json").write_text('{"do_lower_case": true}'),
        "lower-cases texts",
    ),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_what_cannot_be_read_is_refused(copied, shape):
    assert_refused(copied, *REFUSED[shape])


def test_a_damaged_sentencepiece_model_is_refused(plain, tmp_path):
    for path in plain.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for content in (b"", b"no model", (tmp_path / "sentencepiece.bpe.model").read_bytes()[:2000]):
        (tmp_path / "sentencepiece.bpe.model").write_bytes(content)
        with pytest.raises(BertrError, match=r"sentencepiece.bpe.model' is not a SentencePiece model|rows"):
            bridge.load(str(tmp_path), {})


def test_settings_of_other_tokenizers_are_refused(plain):
    with pytest.raises(BertrError, match="`lower_case` is given"):
        bridge.load(str(plain), {"lower_case": True})
    with pytest.raises(BertrError, match="`tokens` is 'characters'"):
        bridge.load(str(plain), {"tokens": "characters"})


def test_filled_masks_are_readable_texts(plain):
    """A piece with the mark of a space is a word, another one continues the word before it."""
    fit = bridge.fit(
        bridge.load(str(plain), {}),
        "mlm",
        make_sentences()[0],
        None,
        {"pairs": False},
        None,
        {"head": {}, "epochs": 1},
        None,
    )
    text = "The [MASK] sleeps"
    out = bridge.fill_mask(fit, [text], None, {"top": 3000}, None)
    for token, filled in zip(out["token"], out["text"], strict=True):
        assert filled == ("The " + token[1:] if token.startswith("▁") else "The" + token) + " sleeps"
    assert any(token.startswith("▁") for token in out["token"]) and len(out["token"]) > 1000
    some = bridge.fill_mask(fit, [text], None, {"top": 2, "targets": ["cat", "the"]}, None)
    assert sorted(some["token"]) == ["▁cat", "▁the"]
