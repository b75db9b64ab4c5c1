"""SQuAD: reads its files and scores answers as its official evaluation does.

Source: Rajpurkar et al. 2016 and 2018, and the official evaluation script (v2.0).
"""

import collections
import itertools
import json
import re
import string
from collections.abc import Iterable
from typing import Any

import numpy as np

from ...access import unreadable
from ...errors import BertrError
from ...shapes import FLAG, TEXT, check, fields, list_of, or_null, plain, whole

ID = plain("a string or a whole number", lambda x: TEXT(x, "") is None or whole(-(2**53), 2**53)(x, "") is None)
ANSWER = fields({"text": TEXT, "answer_start": whole(most=2**31 - 2)})
QA = fields({"id": ID, "question": TEXT}, {"answers": or_null(list_of(ANSWER)), "is_impossible": or_null(FLAG)})
FILE = fields(
    {
        "data": list_of(
            fields({"paragraphs": list_of(fields({"context": TEXT, "qas": list_of(QA)}))}, {"title": or_null(TEXT)})
        )
    }
)

ARTICLES = re.compile(r"\b(?:a|an|the)\b")
PUNCTUATION = dict.fromkeys(map(ord, string.punctuation))


def read(path: str) -> dict[str, Any]:
    """The questions of a SQuAD file.

    Returns:
        A dict of columns with one entry per question: id, title, question, context and answer, str; `start`, int32 from
        1, 0 for no answer; `answered`, bool, False if the file has no answers; `n_answers`, int32. And `answers`, list
        of str, the texts of all answers, concatenated.

    Raises:
        BertrError: file.
    """
    columns = {name: [] for name in ("id", "title", "question", "context", "answer")}
    start, answered, answers, n_answers = [], [], [], []
    for article, paragraph, qa in _questions(_content(path)["data"]):
        given = qa.get("answers") or []
        texts = [answer["text"] for answer in given]
        first = texts[0] if texts else ""
        row = (str(qa["id"]), article.get("title") or "", qa["question"], paragraph["context"], first)
        for values, value in zip(columns.values(), row, strict=True):
            values.append(value)
        start.append(given[0]["answer_start"] + 1 if given else 0)
        answered.append(qa.get("answers") is not None)
        answers += texts
        n_answers.append(len(texts))
    return {
        **columns,
        "start": np.array(start, np.int32),
        "answered": np.array(answered, bool),
        "answers": answers,
        "n_answers": np.array(n_answers, np.int32),
    }


def _content(path):
    hint = "It must be JSON with data, paragraphs and qas, as in SQuAD 1.1 and 2.0."
    try:
        with open(path, encoding="utf-8-sig") as f:
            content = json.load(f)
    except OSError as e:
        raise unreadable(path, e) from None
    except (ValueError, RecursionError) as e:
        raise BertrError("file", f"'{path}' is not a SQuAD file: {e}.", hint) from None
    try:
        return check(content, FILE, "it")
    except BertrError as e:
        raise BertrError("file", f"'{path}' is not a SQuAD file: {e.message}", hint) from None


def _questions(articles):
    return (
        (article, paragraph, qa)
        for article in articles
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    )


def words(text: str) -> list[str]:
    """The words that are compared: without case, punctuation and articles."""
    return ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split()


def f1(gold: list[str], predicted: list[str]) -> float:
    """F1 of two lists of words; an empty list matches only another empty list."""
    if not gold or not predicted:
        return float(gold == predicted)
    common = (collections.Counter(gold) & collections.Counter(predicted)).total()
    return 2 * common / (len(gold) + len(predicted))


def grouped(golds: Iterable[str], counts: Iterable[int]) -> list[list[str]]:
    """The right answers of each question as a list of lists, from their concatenation."""
    each = iter(golds)
    return [list(itertools.islice(each, n)) for n in counts]


def scores(predicted: list[str], golds: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """(exact match, F1), float64 [n], of each predicted text: the best over its right answers, [""] for no answer."""
    exact, best = np.zeros((2, len(predicted)))
    for i, (text, right) in enumerate(zip(predicted, golds, strict=True)):
        given = words(text)
        right_words = [w for w in map(words, right) if w] or [[]]
        exact[i] = given in right_words
        best[i] = max(f1(w, given) for w in right_words)
    return exact, best
