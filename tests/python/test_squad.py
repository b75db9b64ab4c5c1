"""SQuAD's files and metrics."""

import json
import re
import string

import numpy as np
import pytest

from bertr import bridge
from bertr.errors import BertrError
from bertr.tasks.span import squad

TEXTS = [
    "",
    "the",
    "The Rhine",
    "Rhine",
    "rhine!",
    "a river, the Rhine",
    "an Rhine  river",
    "Theodor",
    "42 %",
    "42",
    "Überfall",
    "莱茵河",
    "莱茵 河",
    "it's",
    "its",
    "the a an",
    "Rhine Rhine",
    "\u00a0x\u2003y",
]


def bare(text):
    """The official script's normalisation, one step after the other."""
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    text = re.sub("(?<!\\w)(a|an|the)(?!\\w)", " ", text)
    return " ".join(text.split())


def reference_f1(gold, predicted):
    """By precision and recall, each shared word taken off once."""
    gold, predicted = bare(gold).split(), bare(predicted).split()
    if len(gold) == 0 or len(predicted) == 0:
        return int(gold == predicted)
    left, same = list(gold), 0
    for word in predicted:
        if word in left:
            left.remove(word)
            same += 1
    if same == 0:
        return 0
    precision, recall = same / len(predicted), same / len(gold)
    return 2 * precision * recall / (precision + recall)


def test_metrics_are_those_of_the_official_script():
    for predicted in TEXTS:
        for right in [*([t] for t in TEXTS), ["Rhine", "a river"], ["the", "42"], ["", "Rhine"]]:
            exact, f1 = squad.scores([predicted], [right])
            golds = [t for t in right if bare(t)] or [""]
            assert exact[0] == max(bare(g) == bare(predicted) for g in golds)
            assert np.isclose(f1[0], max(reference_f1(g, predicted) for g in golds))


def test_scores_by_hand():
    golds = squad.grouped(["red dog!", "A cat", "", "moon"], [2, 1, 1])
    exact, f1 = squad.scores(["the big red dog", "", "sun"], golds)
    assert exact.tolist() == [0, 1, 0]
    np.testing.assert_allclose(f1, [2 * 1 * (2 / 3) / (1 + 2 / 3), 1, 0])


def test_both_versions_of_the_format_are_read(tmp_path):
    context = "The 莱茵河 😀 flows."
    qas = [
        {
            "id": "a",
            "question": "Which?",
            "answers": [{"text": "莱茵河", "answer_start": 4}, {"text": "莱茵河 😀", "answer_start": 4}],
        },
        {"id": 7, "question": "Who?", "is_impossible": True, "answers": []},
        {"id": "c", "question": "Hidden?"},
    ]
    article = {"title": "Rivers", "paragraphs": [{"context": context, "qas": qas}, {"context": "x", "qas": qas[:1]}]}
    file = tmp_path / "x.json"
    file.write_text("\ufeff" + json.dumps({"version": "v2.0", "data": [article]}), encoding="utf-8")
    out = bridge.read_squad(str(file))
    assert out["id"] == ["a", "7", "c", "a"] and out["title"] == ["Rivers"] * 4
    assert out["context"] == [context] * 3 + ["x"]
    assert out["answer"] == ["莱茵河", "", "", "莱茵河"] and out["start"].tolist() == [5, 0, 0, 5]
    assert out["answered"].tolist() == [True, True, False, True] and out["n_answers"].tolist() == [2, 0, 0, 2]
    assert out["answers"] == ["莱茵河", "莱茵河 😀", "莱茵河", "莱茵河 😀"]


@pytest.mark.parametrize("text", ["{", "[]", '{"data": [{}]}', '{"data": [{"paragraphs": [{"qas": [{"id": 1}]}]}]}'])
def test_other_files_are_told(tmp_path, text):
    file = tmp_path / "x.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BertrError, match="is not a SQuAD file"):
        bridge.read_squad(str(file))
