"""Task models of Hugging Face as fits, and fits as task models: the outputs are those of transformers."""

import gzip
import itertools
import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from checkpoints import edit_json
from conftest import fit_sentences, make_sentences
from safetensors.numpy import load_file, save_file
from small import perturb, small_config

from bertr import bridge
from bertr.errors import BertrError
from bertr.tasks.entities.tags import codes_of, levels_of, outputs_with, well_formed

SIZES = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64, "initializer_range": 0.3}
BIO = ["B-PER", "O", "I-PER", "B-LOC", "I-LOC"]
CLOSE = {"atol": 1e-5, "rtol": 0}


@pytest.fixture(scope="session")
def texts(english):
    """200 texts."""
    return [text for text in english if text.isascii()][::9][:200]


@pytest.fixture(scope="session")
def task_model(tmp_path_factory, fixtures, spiece):
    """`task_model(class, **config)` saves a small random model of transformers; gives (folder, torch model)."""
    vocab = gzip.decompress((fixtures / "vocabs" / "uncased.txt.gz").read_bytes())

    def make(name, edit=None, **config):
        folder = tmp_path_factory.mktemp(name)
        torch.manual_seed(1)
        if name.startswith("Albert"):
            (folder / "spiece.model").write_bytes(spiece)
            sizes = {**SIZES, "vocab_size": 2000, "embedding_size": 12, "num_hidden_layers": 2}
            made = transformers.AlbertConfig(**{**sizes, **config})
        else:
            (folder / "vocab.txt").write_bytes(vocab)
            settings = {"do_lower_case": True, "tokenizer_class": "BertTokenizer", "model_max_length": 512}
            (folder / "tokenizer_config.json").write_text(json.dumps(settings))
            made = small_config(len(vocab.split(b"\n")), initializer_range=0.3, **config)
        model = perturb(getattr(transformers, name)(made)).eval()
        model.save_pretrained(folder)
        return str(folder), model

    return make


def load(folder, **options):
    return bridge.load(folder, options)


def predict(fit, a, b=None):
    return bridge.predict(fit, a, b, {}, None)


def outputs_of(model, fit, a, b=None):
    """(logits of a torch model for every encoded row, without padding; the Encodings), from the fit's own tokens."""
    encodings, out = fit.task.encode(fit.base, a, b, fit.base.max_len), []
    with torch.no_grad():
        for ids, segments in zip(
            *(np.split(x, encodings.row_splits[1:-1]) for x in (encodings.ids, encodings.segments)), strict=True
        ):
            ids, segments = (torch.tensor(x[None].astype(np.int64)) for x in (ids, segments))
            out.append(model(ids, token_type_ids=segments))
    return out, encodings


def named(labels):
    return {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}


def scores(found, labels):
    """A pipeline's result as a matrix."""
    return np.array([[{one["label"]: one["score"] for one in row}[label] for label in labels] for row in found])


# ---------------------------------------------------------------- texts


@pytest.mark.parametrize("family", ["Bert", "Albert"])
@pytest.mark.parametrize(
    ("problem", "labels", "task", "column"),
    [
        (None, ["bad", "good", "so so"], "classification", "prob"),
        ("single_label_classification", ["no", "yes"], "classification", "prob"),
        ("multi_label_classification", ["toxic", "insult"], "multilabel", "prob"),
        ("regression", ["stars"], "regression", "values"),
        ("regression", ["stars", "price"], "regression", "values"),
        (None, ["stars"], "regression", "values"),
    ],
)
def test_texts_are_scored_as_by_the_pipeline(task_model, texts, family, problem, labels, task, column):
    folder, model = task_model(f"{family}ForSequenceClassification", problem_type=problem, **named(labels))
    fit = load(folder)
    assert (
        fit.task.name == task
        and not fit.base.checkpoint.unread
        and not fit.base.checkpoint.missing.keys() - {"mlm", "nsp"}
    )
    assert fit.task.spec.get("levels", fit.task.spec.get("outputs")) == labels
    if family == "Bert":
        pipeline = transformers.pipeline("text-classification", folder, top_k=None)
        pairs = [{"text": a, "text_pair": b} for a, b in itertools.pairwise(texts)]
        np.testing.assert_allclose(predict(fit, texts)[column], scores(pipeline(texts), labels), **CLOSE)
        np.testing.assert_allclose(
            predict(fit, texts[:-1], texts[1:])[column], scores(pipeline(pairs), labels), **CLOSE
        )
        return
    out, _ = outputs_of(model, fit, texts)
    logits = torch.cat([one.logits for one in out]).double()
    expected = {"regression": logits if problem else logits.sigmoid(), "multilabel": logits.sigmoid()}
    np.testing.assert_allclose(predict(fit, texts)[column], expected.get(task, logits.softmax(1)), **CLOSE)


# ---------------------------------------------------------------- tokens


@pytest.mark.parametrize(
    "tags", [BIO, ["I-PER", "O", "I-LOC"], ["PER", "LOC", "O"], ["LABEL_0", "B-x", "LABEL_2", "O"]]
)
def test_entities_are_those_of_the_pipeline(task_model, texts, tags):
    folder, model = task_model("BertForTokenClassification", **named(tags))
    fit = load(folder)
    found = predict(fit, texts)
    got = list(zip(*(found[name].tolist() for name in ("row", "start", "end", "code")), strict=True))
    pipeline = transformers.pipeline("token-classification", folder, aggregation_strategy="first")
    expected = [
        (row + 1, one["start"] + 1, one["end"], fit.task.levels.index(one["entity_group"]))
        for row, entities in enumerate(pipeline(texts))
        for one in entities
    ]
    assert got == expected and len(got) > 200
    # the probability of all its words' tags
    logits, encodings = outputs_of(model, fit, texts)
    top = np.concatenate([one.logits[0].softmax(-1).numpy().max(-1) for one in logits])
    words = [
        (t + 1, s + 1, e, p)
        for t, s, e, p in zip(encodings.text, encodings.start, encodings.end, top, strict=True)
        if e
    ]
    for (row, start, end, _), score in list(zip(got, found["score"], strict=True))[:300]:
        inside = [p for t, s, e, p in words if t == row and start <= s and e <= end]
        assert score == pytest.approx(np.prod(inside), abs=1e-5)


def test_tags_of_an_albert(task_model, texts):
    folder, model = task_model("AlbertForTokenClassification", **named(BIO))
    fit = load(folder)
    encodings = fit.task.encode(fit.base, texts, None, fit.base.max_len)
    logits = np.concatenate([one.logits[0].numpy() for one in outputs_of(model, fit, texts)[0]])
    np.testing.assert_allclose(fit.scorer.encodings(encodings), logits, **CLOSE)


@pytest.mark.parametrize(
    ("tags", "levels", "codes"),
    [
        (["O", "B-a", "I-a", "B-b"], ["a", "b"], [0, 1, 2, 3]),
        (["I-b", "O", "I-a"], ["b", "a"], [2, 0, 4]),
        (["a", "O", "b"], ["a", "b"], [2, 0, 4]),
        (["S-a", "E-a", "I-a", "B-a", "O", "U-c", "L-c"], ["a", "U-c", "L-c"], [1, 2, 2, 1, 0, 4, 6]),
        (["noun", "verb"], ["noun", "verb"], [1, 3]),
        (["O"], [], [0]),
    ],
)
def test_codes_of_tags(tags, levels, codes):
    assert levels_of(tags) == levels
    assert codes_of(tags).tolist() == codes


def test_words_that_continue_nothing_begin_an_entity():
    codes = np.array([2, 2, 4, 0, 2, 2, 1, 2, 4, 3, 3])
    splits = np.array([0, 5, 5, 11, 11])
    assert well_formed(codes, splits).tolist() == [1, 2, 3, 0, 1, 1, 1, 2, 3, 3, 3]
    assert len(well_formed(codes[:0], splits[:1])) == 0


def test_outputs_for_codes():
    assert outputs_with(["S-a", "O", "B-a", "E-a", "I-a"]) == {0: 1, 1: 2, 2: 4}
    assert outputs_with(["O", "I-a"]) == {0: 0, 1: 1, 2: 1}


def test_without_an_outside_tag_every_word_is_an_entity(task_model, texts):
    folder, _ = task_model("BertForTokenClassification", **named(["NOUN", "VERB", "ADJ"]))
    found = predict(load(folder), texts[:20])
    words = transformers.BertTokenizer.from_pretrained(folder).backend_tokenizer.pre_tokenizer.pre_tokenize_str
    assert found["text"] == [word for text in texts[:20] for word, _ in words(text)]


def test_entities_are_explained(task_model):
    folder, _ = task_model("BertForTokenClassification", **named(BIO))
    fit, text = load(folder), "I left Rome for the bank in Paris."
    found = predict(fit, [text])
    best = int(np.argmax(found["score"]))
    for classes, label, part in ((-1, fit.task.levels[found["code"][best]], found["text"][best]), (1, "LOC", None)):
        out = bridge.explain(fit, [text], None, {"method": "integrated_gradients", "classes": [classes]}, None)
        assert out["label"] == [label] and part in (None, out["part"][0])


# ---------------------------------------------------------------- answers


def best_answer(logits, encodings, contexts, none, longest=30):
    """The answer by the pipeline of transformers 4: the best product of two probabilities, or no answer."""
    segments = np.split(encodings.segments, encodings.row_splits[1:-1])
    starts, ends = (np.split(x, encodings.row_splits[1:-1]) for x in (encodings.start, encodings.end))
    for one, segment, start, end, context in zip(logits, segments, starts, ends, contexts, strict=True):
        z = np.stack([one.start_logits[0].double().numpy(), one.end_logits[0].double().numpy()])
        hidden = (segment == 0) | (end == 0)
        hidden[0] = False
        z[:, hidden] = -np.inf
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        null = p[0, 0] * p[1, 0]
        product = np.triu(np.outer(*p)) * (np.subtract.outer(np.arange(len(end)), np.arange(len(end))) > -longest)
        product[0], product[:, 0] = 0, 0
        first, last = np.unravel_index(product.argmax(), product.shape)
        yield "" if none and null > product[first, last] else context[start[first] : end[last]]


@pytest.mark.parametrize("family", ["Bert", "Albert"])
@pytest.mark.parametrize("none", [False, True])
def test_answers_are_those_of_the_pipeline(task_model, texts, family, none):
    folder, model = task_model(f"{family}ForQuestionAnswering")
    fit = load(folder, no_answer=none)
    questions, contexts = texts, texts[::-1]
    logits, encodings = outputs_of(model, fit, questions, contexts)
    theirs = np.concatenate([np.stack([x.start_logits[0], x.end_logits[0]], axis=1) for x in logits])
    np.testing.assert_allclose(fit.scorer.encodings(encodings), theirs, **CLOSE)
    if family == "Albert":
        return  # pieces that share characters: an answer then begins and ends with whole characters
    found = predict(fit, questions, contexts)["text"]
    assert found == list(best_answer(logits, encodings, contexts, none))
    assert not none or 0 < found.count("") < len(found)


# ---------------------------------------------------------------- what else there is to a fit


@pytest.fixture(scope="module")
def classes(task_model):
    """A model of three classes: (folder, torch model)."""
    return task_model("BertForSequenceClassification", **named(["a", "b", "c"]))


@pytest.fixture
def copy(classes, tmp_path):
    """A copy of its folder."""
    return shutil.copytree(classes[0], tmp_path / "copy")


def test_a_fit_from_elsewhere_is_kept(classes, texts, tmp_path):
    fit = load(classes[0])
    expected = predict(fit, texts)["prob"]
    bridge.save(fit, str(tmp_path / "fit"), '{"r": 1}')
    again = [bridge.from_bytes(bridge.to_bytes(fit, "{}"), None), load(str(tmp_path / "fit"))]
    again.append(
        bridge.calibrate(
            again[-1], texts, None, {"label_ids": [0, 1, 2, 0] * 50, "levels": ["a", "b", "c"]}, None, None
        )["fit"]
    )
    again.append(bridge.from_bytes(bridge.to_bytes(again[-1], "{}"), None))
    for other in again[:2]:
        np.testing.assert_allclose(predict(other, texts)["prob"], expected, **CLOSE)
        assert (
            other.facts
            == fit.facts
            == {"train": "elsewhere", "architecture": "BertForSequenceClassification", "max_len": 512, "pool": "cls"}
        )
    for other in again[2:]:
        assert other.facts["calibration_rows"] == 200 and other.facts["temperature"] > 1
        np.testing.assert_array_equal(predict(other, texts)["chosen"], expected.argmax(1))
    assert bridge.spec(again[1]) == '{"r": 1}'


def test_the_encoder_alone(classes, texts):
    folder, torch_model = classes
    model = load(folder, head=False)
    assert not bridge.is_fit(model) and "classifier.weight" in model.checkpoint.unread
    inputs = transformers.AutoTokenizer.from_pretrained(folder)(texts[:3], return_tensors="pt", padding=True)
    with torch.no_grad():
        expected = torch_model.bert(**inputs).pooler_output
    for one in (model, load(folder)):
        values = bridge.embed(one, texts[:3], None, {"pool": "pooler"}, None)["values"]
        np.testing.assert_allclose(values, expected, **CLOSE)
    assert load(folder, head=False, layers=1).config.num_layers == 1


def test_pretrained_heads_are_no_fits(task_model):
    for kind in (
        "BertForMaskedLM",
        "BertForPreTraining",
        "BertForNextSentencePrediction",
        "BertModel",
        "AlbertForMaskedLM",
    ):
        assert not bridge.is_fit(load(task_model(kind)[0]))


def test_settings_of_a_task_model(classes):
    fit = load(classes[0], max_len=9, lower_case=False, labels=["x", "y", "z"])
    assert (fit.facts["max_len"], fit.base.tokenizer.lower_case, fit.task.levels) == (9, False, ["x", "y", "z"])
    assert predict(fit, ["one two three four five six seven eight nine ten"])["n_truncated"] == 1


def test_labels_that_are_missing(copy):
    config = json.loads((copy / "config.json").read_text())
    del config["id2label"], config["label2id"]
    (copy / "config.json").write_text(json.dumps(config))
    assert load(str(copy)).task.levels == ["LABEL_0", "LABEL_1", "LABEL_2"]
    assert load(str(copy), labels=["x", "y", "z"]).task.levels == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id2label": {"0": "a", "1": "b"}}, "'id2label' in .* is for 2 outputs, but the head has 3"),
        ({"id2label": {"0": "a", "1": "b", "3": "c"}}, "has 3 labels, but none for output 2"),
        ({"id2label": {"0": "a", "1": "b", "2": "b"}}, "has the label 'b' for more than one output"),
        ({"id2label": {"0": "a", "1": "b", "2": 7}}, r"'id2label.2' in .* must be a string that is not empty, not 7"),
        ({"id2label": {"0": "a", "1": "b", "2": ""}}, "must be a string that is not empty"),
        ({"id2label": ["a", "b", "c"]}, "'id2label' in .* must be an object"),
        ({"id2label": None, "num_labels": 4}, "'num_labels' in .* is for 4 outputs, but the head has 3"),
        ({"id2label": None, "num_labels": "3"}, "'num_labels' in .* must be a whole number"),
        ({"problem_type": "ranking"}, "'problem_type' in .* must be one of"),
        ({"problem_type": 1}, "'problem_type' in .* must be one of"),
    ],
)
def test_damaged_descriptions_of_a_head(copy, change, message):
    edit_json(copy / "config.json", **change)
    refused(message, "head", str(copy))
    assert not bridge.is_fit(load(str(copy), head=False))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classifier.bias": None}, "has no 'classifier.bias', which a BertForSequenceClassification needs"),
        ({"classifier.weight": np.ones((3, 31), np.float32)}, "has the shape 3 x 31, but .* requires 3 x 32"),
        ({"classifier.weight": np.ones((), np.float32)}, "requires 1 x 32"),
        ({"classifier.bias": np.ones(2, np.float32)}, "has the shape 2, but .* requires 3"),
        ({"classifier.bias": np.full(3, np.nan, np.float32)}, "infinite or NaN"),
    ],
)
def test_damaged_weights_of_a_head(copy, change, message):
    change_weights(copy, change)
    refused(message, "damaged" if "NaN" in message else "head", str(copy))
    assert not bridge.is_fit(load(str(copy), head=False))


def test_a_head_without_weights_is_reported(copy):
    change_weights(copy, {"classifier.bias": None, "classifier.weight": None})
    model = load(str(copy))
    assert not bridge.is_fit(model) and "no weights of its head" in model.checkpoint.missing["head"]


def test_another_class_is_an_encoder(copy):
    edit_json(copy / "config.json", architectures=["MyBertForSequenceClassification"])
    assert not bridge.is_fit(load(str(copy)))


def test_arguments_that_do_not_fit(classes, tiny, task_model, tmp_path):
    folder, _ = classes
    refused("`labels` names 2 outputs, but the head has 3", "labels", folder, labels=["a", "b"])
    refused("cannot be cut to lower layers", "layers", folder, layers=1)
    refused("`no_answer` is for models that answer questions", "argument", folder, no_answer=True)
    refused("`labels` is for heads from the Hugging Face hub, but .* has no such head", "argument", tiny, labels=["a"])
    bridge.save(load(folder), str(tmp_path / "fit"), "{}")
    refused("holds a fit of bertr", "argument", str(tmp_path / "fit"), no_answer=True)
    refused("All tags .* are 'O'", "head", task_model("BertForTokenClassification", **named(["O"]))[0])


def refused(message, code, folder, **options):
    with pytest.raises(BertrError, match=message) as caught:
        load(folder, **options)
    assert caught.value.code == code and caught.value.hint


def change_weights(folder, change):
    tensors = {**load_file(folder / "model.safetensors"), **change}
    save_file({k: v for k, v in tensors.items() if v is not None}, folder / "model.safetensors", {"format": "pt"})


# ---------------------------------------------------------------- training further


def train(model, task, a, b, target, **options):
    settings = {"head": {}, "further": True, "train": "head", "epochs": 1, "learning_rate": 1e-12, **options}
    return bridge.fit(model, task, a, b, target, None, settings, None)


def test_classes_are_trained_further_from_the_head(classes, texts):
    start = load(classes[0])
    before = predict(start, texts)["prob"]
    target = {"label_ids": [0, 1, 2, 0] * 50, "levels": ["c", "a", "b"]}
    for kind in ("all", "head"):
        fit = train(start, "classification", texts, None, target, train=kind, dropout=0.0)
        np.testing.assert_allclose(predict(fit, texts)["prob"], before[:, [2, 0, 1]], **CLOSE)
        assert fit.head_options["units"] == [32] and "Training started from the head" in fit.facts["notes"][0]
    again = train(fit, "classification", texts, None, {**target, "levels": ["b", "c", "a"]}, train="head")
    np.testing.assert_allclose(predict(again, texts)["prob"], before[:, [1, 2, 0]], **CLOSE)
    other = train(start, "classification", texts, None, {**target, "levels": ["a", "b", "d"]}, train="head")
    assert other.head_options["units"] == [] and other.facts["notes"] == []
    new = train(start, "classification", texts, None, target, train="head", further=False)
    assert new.head_options["units"] == []


def test_a_head_of_the_hub_learns(task_model):
    texts, codes = make_sentences()
    start = load(task_model("BertForSequenceClassification", **named(["dog", "cat"]))[0])
    target = {"label_ids": codes, "levels": ["cat", "dog"]}
    fit = train(start, "classification", texts, None, target, train="all", epochs=25, learning_rate=2e-3, seed=1)
    assert "Training started from the head" in fit.facts["notes"][0]
    assert (predict(start, texts)["prob"].argmax(axis=1) == codes).mean() < 0.7
    assert (predict(fit, texts)["prob"].argmax(axis=1) == codes).mean() > 0.85


def test_a_head_of_bertr_is_trained_further(model):
    sentences = make_sentences()
    first = fit_sentences(model, sentences, epochs=2, train="head")
    target = {"label_ids": sentences[1], "levels": ["cat", "dog"]}
    again = train(first, "classification", sentences[0], None, target, train="head")
    np.testing.assert_allclose(predict(again, sentences[0])["prob"], predict(first, sentences[0])["prob"], **CLOSE)


@pytest.mark.parametrize("problem", ["multi_label_classification", "regression", None])
def test_labels_and_numbers_are_trained_further(task_model, texts, problem):
    labels = ["x", "y"] if problem else ["x"]
    folder, _ = task_model("BertForSequenceClassification", problem_type=problem, **named(labels))
    start, rng = load(folder), np.random.default_rng(0)
    values = rng.random((200, len(labels)))
    if problem == "multi_label_classification":
        fit = train(start, "multilabel", texts, None, {"values": values.round(), "levels": ["y", "x"]})
        np.testing.assert_allclose(predict(fit, texts)["prob"], predict(start, texts)["prob"][:, ::-1], **CLOSE)
        return
    far = {"values": 7 + 3 * values, "outputs": labels}
    fit = train(start, "regression", texts, None, far if problem else {**far, "values": values})
    assert "Training started" in fit.facts["notes"][0]
    np.testing.assert_allclose(predict(fit, texts)["values"], predict(start, texts)["values"], atol=1e-4)
    if problem is None:  # not learned by a head of numbers from 0 to 1
        assert train(start, "regression", texts, None, far).facts["notes"] == []


def test_entities_are_trained_further(task_model, texts):
    folder, _ = task_model("BertForTokenClassification", **named(BIO))
    start = load(folder)
    target = {"row": [0], "start": [0], "end": [4], "code": [1], "levels": ["LOC", "PER"]}
    fit = train(start, "entities", texts, None, target)
    assert "tags" not in fit.task.spec and "Training started" in fit.facts["notes"][0]
    encodings = fit.task.encode(fit.base, texts, None, 512)
    theirs = start.scorer.encodings(encodings)
    np.testing.assert_allclose(
        fit.scorer.encodings(encodings),
        theirs[:, [BIO.index(t) for t in ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")]],
        atol=1e-4,
    )
    other = train(start, "entities", texts, None, {**target, "levels": ["LOC", "ORG"]})
    assert other.facts["notes"] == []


def test_answers_are_trained_further(task_model, texts):
    folder, _ = task_model("BertForQuestionAnswering")
    start, contexts = load(folder), texts[::-1]
    target = {
        "start": [0] * 200,
        "end": [3] * 200,
        "contexts": contexts,
        "golds": [c[:3] for c in contexts],
        "gold_counts": [1] * 200,
    }
    fit = train(start, "span", texts, contexts, target)
    assert "Training started" in fit.facts["notes"][0]
    np.testing.assert_allclose(
        predict(fit, texts, contexts)["score"], predict(start, texts, contexts)["score"], atol=1e-4
    )


# ---------------------------------------------------------------- back to transformers


def reopened(fit, folder, name):
    """The model that transformers opens, whose tensors are those it needs."""
    bridge.save(fit, str(folder), "{}")
    model, report = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    unexpected = {key for key in report["unexpected_keys"] if "pooler" not in key}  # models of tokens have none
    assert not report["missing_keys"] and not report["mismatched_keys"] and not unexpected
    assert type(model).__name__ == json.loads((folder / "config.json").read_text())["architectures"][0]
    return model.eval()


@pytest.mark.parametrize("family", ["Bert", "Albert"])
@pytest.mark.parametrize("problem", [None, "multi_label_classification", "regression"])
def test_a_task_model_comes_back_as_it_was(task_model, tmp_path, family, problem):
    folder, model = task_model(f"{family}ForSequenceClassification", problem_type=problem, **named(["x", "y"]))
    again = reopened(load(folder), tmp_path / "fit", "AutoModelForSequenceClassification")
    assert again.config.id2label == {0: "x", 1: "y"} and again.config.problem_type == (
        problem or "single_label_classification"
    )
    for name, value in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["TokenClassification", "QuestionAnswering"])
def test_a_model_of_tokens_comes_back_as_it_was(task_model, tmp_path, kind):
    folder, model = task_model(f"BertFor{kind}", **(named(BIO) if kind == "TokenClassification" else {}))
    again = reopened(load(folder), tmp_path / "fit", f"AutoModelFor{kind}")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)
    assert kind == "QuestionAnswering" or list(again.config.id2label.values()) == BIO


def logits_of(model, fit, a, b=None):
    return torch.cat([one.logits for one in outputs_of(model, fit, a, b)[0]])


def test_classes_of_bertr_for_transformers(model, tmp_path):
    texts, codes = make_sentences()
    head = {"units": [32], "activation": "tanh", "pool": "cls"}
    for kind in ("all", "head"):
        fit = fit_sentences(model, (texts, codes), epochs=2, train=kind, head=head)
        fit.task.spec["temperature"] = 1.7
        theirs = reopened(fit, tmp_path / kind, "AutoModelForSequenceClassification")
        expected = predict(fit, texts)["prob"]
        np.testing.assert_allclose(logits_of(theirs, fit, texts).softmax(1), expected, **CLOSE)
        np.testing.assert_allclose(predict(load(str(tmp_path / kind)), texts)["prob"], expected, **CLOSE)
        assert theirs.config.id2label == {0: "cat", 1: "dog"}


@pytest.mark.parametrize("pool", ["pooler", "cls"])
def test_labels_and_numbers_of_bertr_for_transformers(model, tmp_path, pool):
    texts, codes = make_sentences()
    head = {"pool": "pooler"} if pool == "pooler" else {"units": [32], "activation": "tanh", "pool": "cls"}
    values = np.stack([codes, np.arange(60) % 2], axis=1)
    settings = {"further": False, "learning_rate": 1e-2, "head": head}
    fit = train(model, "multilabel", texts, None, {"values": values, "levels": ["x", "y"]}, **settings)
    theirs = reopened(fit, tmp_path / "labels", "AutoModelForSequenceClassification")
    np.testing.assert_allclose(logits_of(theirs, fit, texts).sigmoid(), predict(fit, texts)["prob"], **CLOSE)
    fit = train(model, "regression", texts, None, {"values": 5.0 + 2 * values, "outputs": ["x", "y"]}, **settings)
    theirs = reopened(fit, tmp_path / "numbers", "AutoModelForSequenceClassification")
    np.testing.assert_allclose(logits_of(theirs, fit, texts), predict(fit, texts)["values"], **CLOSE)
    shares = {"values": values[:, :1] / 1.0, "outputs": ["x"]}
    fit = train(model, "regression", texts, None, shares, **{**settings, "head": {**head, "link": "logit"}})
    pipeline = reopened(fit, tmp_path / "shares", "AutoModelForSequenceClassification")
    np.testing.assert_allclose(logits_of(pipeline, fit, texts).sigmoid(), predict(fit, texts)["values"], **CLOSE)


def test_entities_and_answers_of_bertr_for_transformers(model, tmp_path):
    texts, _ = make_sentences()
    settings = {"further": False, "learning_rate": 1e-3}
    target = {"row": [0], "start": [0], "end": [3], "code": [0], "levels": ["x"]}
    fit = train(model, "entities", texts, None, target, **settings)
    theirs = reopened(fit, tmp_path / "entities", "AutoModelForTokenClassification")
    out, encodings = outputs_of(theirs, fit, texts)
    np.testing.assert_allclose(fit.scorer.encodings(encodings), torch.cat([one.logits[0] for one in out]), **CLOSE)
    assert list(theirs.config.id2label.values()) == ["O", "B-x", "I-x"]
    target = {
        "start": [0] * 60,
        "end": [3] * 60,
        "contexts": texts,
        "golds": [t[:3] for t in texts],
        "gold_counts": [1] * 60,
    }
    fit = train(model, "span", texts, texts, target, **settings)
    theirs = reopened(fit, tmp_path / "span", "AutoModelForQuestionAnswering")
    out, encodings = outputs_of(theirs, fit, texts, texts)
    logits = torch.cat([torch.stack([one.start_logits[0], one.end_logits[0]], 1) for one in out])
    np.testing.assert_allclose(fit.scorer.encodings(encodings), logits, **CLOSE)


@pytest.mark.parametrize(
    "head",
    [{}, {"pool": "mean"}, {"units": [16], "activation": "tanh", "pool": "cls"}, {"units": [32], "pool": "cls"}]
    + [{"units": [32], "activation": "tanh", "pool": "mean"}]
    + [{"units": [32], "activation": "tanh", "pool": "cls", "long": "window"}],
)
def test_other_heads_stay_with_bertr(model, tmp_path, head):
    fit = fit_sentences(model, make_sentences(), epochs=1, train="head", head=head)
    bridge.save(fit, str(tmp_path / "fit"), "{}")
    config = json.loads((tmp_path / "fit" / "config.json").read_text())
    assert config["architectures"] == ["BertModel"] and "id2label" not in config
    assert not any("classifier" in name for name in load_file(tmp_path / "fit" / "model.safetensors"))


def test_a_chain_of_tags_stays_with_bertr(model, tmp_path):
    target = {"row": [0], "start": [0], "end": [3], "code": [0], "levels": ["x"]}
    fit = train(model, "entities", make_sentences()[0], None, target, head={"crf": True}, train="head")
    bridge.save(fit, str(tmp_path / "fit"), "{}")
    assert json.loads((tmp_path / "fit" / "config.json").read_text())["architectures"] == ["BertModel"]
