"""Task models of every family as fits, and back, against transformers."""

import numpy as np
import pytest
import torch
import transformers
from small_families import FAMILIES, make_family

from bertr import bridge
from bertr.task_models import head_of
from bertr.tasks.inputs import encode

LABELS = {0: "bad", 1: "good", 2: "odd"}
TAGS = {0: "O", 1: "B-X", 2: "I-X"}
TEXTS = ["the cat sleeps", "a red bird and the old dog , with fish", "moon"]
SECONDS = ["a tree .", "the sun shines on the big cat", "rain falls"]


def logits_of(fit, a, b):
    """The outputs of a fit: [rows, outputs], or [tokens, outputs] of all rows one after the other."""
    encodings = encode(fit.base, fit.task, fit.head_options, a, b, 64)
    return fit.scorer.encodings(encodings), encodings


def theirs_of(model, encodings, per_token):
    ids, segments, mask = encodings.pad(np.arange(len(encodings)))
    kinds = {"token_type_ids": torch.tensor(segments).long()} if segments.any() else {}
    with torch.no_grad():
        out = model(torch.tensor(ids).long(), attention_mask=torch.tensor(mask), **kinds)
    if "start_logits" in out:
        return torch.stack([out.start_logits, out.end_logits], dim=2).numpy()[mask.astype(bool)]
    return out.logits.numpy()[mask.astype(bool)] if per_token else out.logits.numpy()


@pytest.fixture
def texts(sentences, english):
    """200 texts, with known and unknown words."""
    return [*sentences[0], *english[:140]]


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_are_scored_as_by_the_pipeline(tmp_path, texts, family):
    """From texts to probabilities, so with the family's own tokenizer."""
    make_family(tmp_path, family, "SequenceClassification", id2label=LABELS, label2id={v: k for k, v in LABELS.items()})
    fit = bridge.load(str(tmp_path), {"head": True})
    found = bridge.predict(fit, texts, None, {}, None)
    pipeline = transformers.pipeline("text-classification", str(tmp_path), top_k=None)
    expected = pipeline(texts, truncation=True, max_length=fit.base.max_len, batch_size=50)
    scores = [[{one["label"]: one["score"] for one in row}[label] for label in LABELS.values()] for row in expected]
    np.testing.assert_allclose(found["prob"], scores, atol=1e-5, rtol=0)
    assert len(texts) == 200 and np.ptp(found["prob"], axis=0).max() > 0.1


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "camembert", "distilbert", "electra", "mpnet"])
@pytest.mark.parametrize("kind", ["SequenceClassification", "TokenClassification", "QuestionAnswering"])
def test_a_head_is_read_and_written(tmp_path, family, kind):
    labels = {"SequenceClassification": LABELS, "TokenClassification": TAGS}.get(kind)
    more = {"id2label": labels, "label2id": {v: k for k, v in labels.items()}} if labels else {}
    (tmp_path / "theirs").mkdir()
    theirs = make_family(tmp_path / "theirs", family, kind, **more)
    fit = bridge.load(str(tmp_path / "theirs"), {"head": True})
    assert bridge.is_fit(fit) and fit.facts["architecture"] == type(theirs).__name__
    a, b = (TEXTS, SECONDS) if kind == "QuestionAnswering" else (TEXTS, None)
    ours, encodings = logits_of(fit, a, b)
    np.testing.assert_allclose(ours, theirs_of(theirs, encodings, fit.task.per_token), atol=1e-5, rtol=0)
    assert head_of(fit) is not None
    bridge.save(fit, str(tmp_path / "ours"), "")
    again, report = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not report["missing_keys"] and not report["mismatched_keys"] and not report["unexpected_keys"]
    np.testing.assert_allclose(theirs_of(again.eval(), encodings, fit.task.per_token), ours, atol=1e-5, rtol=0)
    assert labels is None or again.config.id2label == labels


def test_masked_words_are_filled_as_by_the_pipeline(tmp_path):
    """RoBERTa's mask takes the space before it."""
    theirs = make_family(tmp_path, "roberta")
    model = bridge.load(str(tmp_path), {"head": True})
    assert not bridge.is_fit(model)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = "the cat <mask> on a tree"
    with torch.no_grad():
        inputs = tokenizer(text, return_tensors="pt")
        logits = theirs(**inputs).logits[0, inputs["input_ids"][0] == tokenizer.mask_token_id][0]
    expected = torch.softmax(logits, 0)
    found = bridge.fill_mask(model, [text], None, {"top": 5}, None)
    best = torch.topk(expected, 5)
    np.testing.assert_allclose(found["probability"], best.values.numpy(), atol=1e-5)
