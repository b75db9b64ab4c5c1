"""Triples from characters to tokens and back."""

import numpy as np
import pytest

from bertr import bridge
from bertr.tasks.inputs import encode
from bertr.tasks.metrics import count_items
from bertr.tasks.relations.task import Relations
from bertr.tasks.relations.triples import to_characters, to_triples


def encoded(model, texts, max_len=None):
    task = Relations({"levels": ["a", "b"], "form": "gplinker"})
    return encode(model, task, {"pair": "joint", "long": "truncate"}, texts, None, model.length(max_len))


def place(text, part, nth=0):
    at = -1
    for _ in range(nth + 1):
        at = text.index(part, at + 1)
    return at, at + len(part)


def back(triples, encodings):
    """The characters of what was made of them"""
    found = [(r, triples.of(r), np.ones(len(triples.of(r)))) for r in range(len(encodings))]
    return to_characters(found, encodings)[0]


@pytest.fixture
def model(minilm):
    return bridge.load(minilm, {})


def test_characters_survive_the_way_through_tokens(model):
    texts = [
        "Ada Lovelace wrote to Charles Babbage.",
        "😀 José's café 👩‍👩‍👧 naïve 中文字 Ω",
        "nothing",
        "한국어 서울 Zoë",
    ]
    parts = [
        ("Ada Lovelace", "Charles Babbage"),
        ("Lovelace", "Ada Lovelace"),
        ("Ada", "Ada"),
        ("😀", "José"),
        ("café", "中文"),
        ("文", "文字"),
        ("Ω", "naïve"),
        ("서울", "한국어"),
        ("Zoë", "서울"),
    ]
    text, columns = [], []
    for k, (h, t) in enumerate(parts):
        text.append(next(i for i, s in enumerate(texts) if h in s and t in s))
        columns.append([*place(texts[text[-1]], h), k % 2, *place(texts[text[-1]], t)])
    e = encoded(model, texts)
    triples = to_triples(np.array(text), np.array(columns), e)
    assert (triples.n_lost, triples.n_snapped) == (0, 0)
    expected = sorted([t, *c] for t, c in zip(text, columns, strict=True))
    assert sorted(back(triples, e).tolist()) == expected
    assert len(triples.of(2)) == 0


def test_spans_within_tokens_are_widened_and_counted(model):
    text = "Minister for the Middle East Tobias Ellwood"
    columns = [
        [*place(text, "st Tobias"), 0, *place(text, "Ellwood")],
        [*place(text, "st Tobias"), 1, 0, 8],
        [*place(text, " Tobias "), 0, *place(text, "East")],
        [12, 13, 0, 0, 8],
    ]
    e = encoded(model, [text])
    triples = to_triples(np.zeros(4, int), np.array(columns), e)
    assert triples.n_snapped == 2  # "st Tobias" and " Tobias "
    assert triples.n_lost == 1  # a space alone
    assert sorted(back(triples, e).tolist()) == sorted(
        [
            [0, *place(text, "East Tobias"), 0, *place(text, "Ellwood")],
            [0, *place(text, "East Tobias"), 1, 0, 8],
            [0, *place(text, "Tobias"), 0, *place(text, "East")],
        ]
    )


def test_windows_share_triples_and_lose_those_too_far_apart(tiny):
    model = bridge.load(tiny, {})
    text = " ".join(["cat"] + ["the"] * 6 + ["dog"] + ["the"] * 30 + ["fish bird"])
    near = [*place(text, "cat"), 0, *place(text, "dog")]
    far = [*place(text, "cat"), 1, *place(text, "fish")]
    late = [*place(text, "fish"), 1, *place(text, "bird")]
    wide = [0, len(text), 0, 0, 3]
    e = encoded(model, ["sun", text, "moon"], 16)
    assert len(e) > 6 and e.owner[0] == 0 and e.owner[-1] == 2
    triples = to_triples(np.ones(4, int), np.array([near, far, late, wide]), e)
    assert triples.n_lost == 2 and triples.n_snapped == 0
    assert sorted(back(triples, e).tolist()) == sorted([[1, *near], [1, *late]])
    rows = [r for r in range(len(e)) if len(triples.of(r))]
    for r in rows:
        ids = e.ids[e.row_splits[r] : e.row_splits[r + 1]]
        for hs, he, _, ts, te in triples.of(r):
            words = [bridge.vocab(model)[ids[k]] for k in (hs, he, ts, te)]
            assert words in (["cat", "cat", "dog", "dog"], ["fish", "fish", "bird", "bird"])


def test_tokens_are_those_of_a_search_over_all(model):
    rng = np.random.default_rng(9)
    texts = [
        " ".join(rng.choice(["Zoë", "unbelievable", "a", "co-op", "中文", "don't", "x  y"], rng.integers(1, 30)))
        for _ in range(20)
    ]
    e = encoded(model, texts, 20)
    text = rng.integers(0, 20, 200)
    ends = np.array([len(texts[t]) for t in text])
    low = rng.integers(0, ends)
    columns = np.column_stack(
        [low, np.minimum(ends, low + rng.integers(1, 12, 200)), text % 2, low, np.minimum(ends, low + 1)]
    )
    triples = to_triples(text, columns, e)
    expected = set()
    for t, (hs, he, c, ts, te) in zip(text.tolist(), columns.tolist(), strict=True):
        rows = [r for r in range(len(e)) if e.owner[r] == t]
        everywhere = {(s, d) for r in rows for s, d in tokens(e, r) if d}
        for r in rows:
            spans = [span(tokens(e, r), everywhere, s, d) for s, d in ((hs, he), (ts, te))]
            if all(spans):
                expected.add((r, *spans[0], c, *spans[1]))
    assert {(r, *t) for r in range(len(e)) for t in triples.of(r).tolist()} == expected and len(expected) > 100


def tokens(e, row):
    at = slice(e.row_splits[row], e.row_splits[row + 1])
    return list(zip(e.start[at].tolist(), e.end[at].tolist(), strict=True))


def span(row, everywhere, start, end):
    """The first and last token of the row over these characters, if no token of the text over them is missing."""
    over = {(s, d) for s, d in everywhere if d > start and s < end}
    here = [k for k, (s, d) in enumerate(row) if d and d > start and s < end]
    return (here[0], here[-1]) if here and {row[k] for k in here} == over else None


def test_agreement_by_hand():
    truth = np.array([[0, 1, 2, 0, 4, 5], [0, 1, 2, 1, 4, 5], [1, 0, 1, 0, 0, 1]])
    found = np.array([[0, 1, 2, 0, 4, 5], [1, 0, 1, 1, 0, 1]])
    some, none = (count_items(truth, which, 3, 2).total() for which in (found, found[:0]))
    assert (some.f_meas(), some.precision(), some.recall()) == (2 / 5, 1 / 2, 1 / 3)
    assert (none.f_meas(), none.precision(), none.recall()) == (0, 0, 0)
