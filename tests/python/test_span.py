"""The span task: places, loss, search, and whole fits."""

import itertools
import math

import numpy as np
import pytest
import torch

from bertr import bridge
from bertr.errors import BertrError
from bertr.tasks.span.search import best_spans, contexts, fullest, locate, search
from bertr.tasks.span.task import NBEST, Answers, Span, best_threshold, mean_loss
from bertr.text.windows import windows
from bertr.text.wordpiece import Tokenizer

WORDS = "the a cat dog bird fish tree sun moon rain red blue . , ?".split()


@pytest.fixture
def whole(tiny):
    tokenizer = Tokenizer(bridge.vocab(bridge.load(tiny, {})))
    return lambda a, b=None: tokenizer.encode(a, b, 10**6, offsets=True)


@pytest.fixture
def multilingual(fixtures):
    """A tokenizer whose pieces of Hangul share characters: it has the letters that syllables are made of."""
    letters = [chr(c) for c in (*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A8, 0x11C3))]
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + c for c in letters), "##\u11ab\u1103"]
    return Tokenizer(vocab)


def random_texts(rng, n, longest):
    return [" ".join(rng.choice(WORDS, rng.integers(1, longest))) for _ in range(n)]


def find(outputs, encodings, longest, texts):
    """All spans of each text, the slow way: {(start, end): score}, and the score of none."""
    rows = [[] for _ in range(texts)]
    for r, text in enumerate(encodings.owner):
        part = slice(encodings.row_splits[r], encodings.row_splits[r + 1])
        place = [
            i
            for i in range(part.start, part.stop)
            if encodings.end[i] > 0 and encodings.segments[i] == encodings.segments[part.stop - 1]
        ]
        rows[text].append((part.start, place))
    out = []
    for mine in rows:
        shown, spans = {}, {}
        for first, place in mine:
            for i in place:
                begin = encodings.start[i]
                room = min(begin - encodings.start[place[0]], encodings.end[place[-1]] - begin)
                if begin not in shown or room > shown[begin][0]:
                    shown[begin] = room, first  # the first row that shows most around it
        for first, place in mine:
            for i, j in itertools.product(place, place):
                begin, end = int(encodings.start[i]), int(encodings.end[j])
                if 0 <= j - i < longest and shown[begin][1] == first:
                    spans[begin, end] = float(outputs[i, 0]) + float(outputs[j, 1])
        out.append((spans, min(float(outputs[first, 0]) + float(outputs[first, 1]) for first, _ in mine)))
    return out


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("longest", [1, 3, 30])
def test_the_search_finds_what_trying_all_spans_finds(whole, pairs, longest):
    rng = np.random.default_rng(longest)
    texts = random_texts(rng, 25, 40)
    texts[3] = ""
    e = windows(whole(random_texts(rng, 25, 12), texts) if pairs else whole(texts), 16, 5)
    outputs = rng.normal(0, 3, (len(e.ids), 2)).astype(np.float32)
    for found, (spans, none) in zip(search(outputs, e, longest, NBEST), find(outputs, e, longest, 25), strict=True):
        best = sorted(((z, *span) for span, z in spans.items()), reverse=True)[:NBEST]
        assert [s[1:] for s in found.spans] == [s[1:] for s in best]
        np.testing.assert_allclose([s[0] for s in found.spans], [s[0] for s in best])
        assert math.isclose(found.none, none, rel_tol=1e-12)
        if spans:
            total = math.log(sum(map(math.exp, spans.values())))
            assert math.isclose(found.total, total, abs_tol=1e-9)


def test_spans_that_cannot_be_are_not_found():
    inf = np.inf
    begin, close = np.array([-inf, 1.0, 0.0, -inf]), np.array([9.0, -inf, 2.0, 3.0])
    first, last, score, total = best_spans(begin, close, 2, 9)
    assert list(zip(first, last, score, strict=True)) == [(1, 2, 3.0), (2, 3, 3.0), (2, 2, 2.0)]
    assert math.isclose(total, math.log(2 * math.exp(3) + math.exp(2)))
    for b, c in ((begin[:0], close[:0]), (begin[:1], close[:1])):
        first, *_, total = best_spans(b, c, 30, 5)
        assert len(first) == 0 and total == -inf


# ---------------------------------------------------------------- places


def test_answers_are_found_in_the_windows_that_show_all_of_them(whole):
    question, context = "the cat", "red dog " * 10 + "blue fish tree " + "sun moon " * 10
    start = context.index("blue")
    e = windows(whole([question, question], [context, "red"]), 16, 5)
    where = contexts(e)
    places = locate(where, e, np.array([start, -1]), np.array([start + 14, 0]))
    shown = 0
    for r in range(len(e)):
        part = slice(e.row_splits[r], e.row_splits[r + 1])
        inside = e.segments[part] == 1
        starts, ends = e.start[part][inside], e.end[part][inside]
        complete = e.owner[r] == 0 and start in starts and start + 14 in ends
        shown += complete
        first, last = places[r]
        assert (first > 0) == complete
        if complete:
            assert (e.start[part][first], e.end[part][last]) == (start, start + 14)
    assert 0 < shown < len(e) - 1


@pytest.mark.parametrize("mode", ["wordpiece", "characters"])
def test_spans_are_characters_of_the_text(minilm, mode):
    """Word by word: from characters to tokens and back, and again to the same tokens."""
    model = bridge.load(minilm, {"tokens": mode})
    context = "The 👩‍🚀 nai\u0308ve café — ﬁve 莱茵河 e\u0301te\u0301! 한국어 [SEP] x\u200by \t ends😀."
    words = [w for w in context.split() if w != "—"]
    places = [(context.index(w), context.index(w) + len(w)) for w in words]
    n = len(words)
    e = windows(model.encode_whole(["Which?"] * n, [context] * n, offsets=True), 512, 9)
    where = contexts(e)
    start, end = np.array(places).T
    tokens = locate(where, e, start, end)
    outputs = np.zeros((len(e.ids), 2), np.float32)
    for r, (first, last) in enumerate(tokens):
        assert first > 0
        outputs[e.row_splits[r] + first, 0] = outputs[e.row_splits[r] + last, 1] = 9
    predicted = [f.spans[0][1:] for f in search(outputs, e, 30, 1)]
    for word, (s, t) in zip(words, predicted, strict=True):
        assert word.strip("\u200d") in context[s:t] or context[s:t] in word
        if word.isalnum():
            assert context[s:t] == word
    again = np.array(predicted).T
    assert np.array_equal(locate(where, e, *again), tokens)


def test_no_span_cuts_a_character_that_tokens_share(multilingual):
    text = "한국어 안다 한국"
    e = windows(multilingual.encode([text], None, 10**6, offsets=True), 64, 9)
    assert len(e.ids) - 2 > len(text)  # several pieces a syllable
    where = contexts(e)
    bounds = [
        (int(e.start[i]), int(e.end[j]))
        for i in np.flatnonzero(where.opens)
        for j in np.flatnonzero(where.closes)
        if j >= i
    ]
    assert len(set(bounds)) == len(bounds)
    assert {text[s:t] for s, t in bounds} >= {"한", "국", "국어", "안다", text}
    for s, t in bounds:
        first, last = locate(where, e, np.array([s]), np.array([t]))[0]
        assert (e.start[first], e.end[last]) == (s, t) and where.opens[first] and where.closes[last]


def test_every_place_to_begin_counts_once(whole):
    rng = np.random.default_rng(0)
    texts = random_texts(rng, 20, 60)
    e = windows(whole(texts), 16, 6)
    once, owner = fullest(contexts(e), e), np.repeat(e.owner, e.lengths)
    places = sorted(zip(owner[once].tolist(), e.start[once].tolist(), strict=True))
    expected = [(i, int(s)) for i, text in enumerate(texts) for s in whole([text]).start[1:-1]]
    assert places == expected


# ---------------------------------------------------------------- loss and threshold


def test_the_loss_is_cross_entropy_over_cls_and_context(whole):
    e = windows(whole(["the cat", "a"], ["red dog sun", "moon"]), 64, 9)  # contexts at 4:7 of 8 and 3:4 of 5
    task = Span({"none": True, "longest": 30, "threshold": 0.0})
    places = np.array([[5, 6, 4, 7], [0, 0, 3, 4]], np.int32)
    rng = np.random.default_rng(0)
    outputs = rng.normal(0, 2, (13, 2)).astype(np.float32)
    padded = np.full((2, 8, 2), 7.0, np.float32)
    padded[0], padded[1, :5] = outputs[:8], outputs[8:]
    loss = np.asarray(task.loss(places, padded, None))

    def entropy(row, allowed, target):
        logits = torch.tensor(padded[row][allowed])
        return (
            sum(
                torch.nn.functional.cross_entropy(logits[:, k], torch.tensor(allowed.index(target[k])))
                for k in range(2)
            ).item()
            / 2
        )

    expected = [entropy(0, [0, 4, 5, 6], (5, 6)), entropy(1, [0, 3], (0, 0))]
    np.testing.assert_allclose(loss, expected, atol=1e-5)
    assert math.isclose(mean_loss(places, outputs, e), np.mean(expected), abs_tol=1e-6)
    even = np.asarray(task.loss(places, np.zeros_like(padded), None))
    np.testing.assert_allclose(even, [math.log(4), math.log(2)], atol=1e-6)  # by hand


def test_the_threshold_is_the_best_of_all():
    rng = np.random.default_rng(0)
    for n in (1, 2, 7, 40):
        margin = rng.normal(0, 2, n).round(1)
        answered, none = rng.integers(0, 2, (2, n)).astype(float)

        def total(line, margin=margin, answered=answered, none=none):
            return np.where(margin > line, none, answered).sum()

        line = best_threshold(margin, answered, none)
        assert math.isclose(total(line), max(total(x) for x in np.arange(-9, 9, 0.01)))
    assert best_threshold(np.array([1.0, -1.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0])) == 0


def test_targets(whole):
    task = Span({"none": True, "longest": None, "threshold": 0.0})
    e = windows(whole(["the cat", "the"], ["red dog " * 30, "sun"]), 90, 9)
    target = {"start": [0, -1], "end": [239, 0], "contexts": ["x", "y"], "golds": ["p", "q", ""], "gold_counts": [2, 1]}
    out, _ = task.targets(target, e)
    assert isinstance(out, Answers) and out.golds == [["p", "q"], [""]] and out.none.tolist() == [False, True]
    assert out.places.tolist() == [[4, 63, 4, 64], [0, 0, 3, 4]]
    shorter, _ = task.targets({**target, "end": [3, 0]}, e)
    for targets, longest in ((out, 60), (shorter, 30)):  # of training rows, whatever was made of others before
        task.train_with(None, None, targets)
        assert task.spec["longest"] == longest


# ---------------------------------------------------------------- fits


def animals(n, longest, seed=0):
    """The only animal of each text is the answer; some texts have none."""
    rng = np.random.default_rng(seed)
    contexts, start, end = [], [], []
    for i in range(n):
        words = rng.choice(["sun", "moon", "tree", "rain"], rng.integers(2, longest)).tolist()
        at = int(rng.integers(len(words)))
        if i % 4:
            words[at] = ("cat", "dog", "bird")[i % 3]
        contexts.append(" ".join(words))
        start.append(len(" ".join([*words[:at], ""])) if i % 4 else -1)
        end.append(start[-1] + len(words[at]) if i % 4 else 0)
    golds = [c[max(s, 0) : t] for c, s, t in zip(contexts, start, end, strict=True)]
    return contexts, {"start": start, "end": end, "contexts": contexts, "golds": golds, "gold_counts": [1] * n}


OPTIONS = {"head": {}, "seed": 1, "dropout": 0.0, "epochs": 25, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def fitted(tiny):
    model = bridge.load(tiny, {"max_len": 20})
    b, target = animals(120, 40)
    vb, valid = animals(30, 40, 1)
    return bridge.fit(
        model, "span", ["the?"] * 120, b, target, {"a": ["the?"] * 30, "b": vb, "target": valid}, OPTIONS, None
    )


def test_a_fit_finds_answers_and_their_absence(fitted, tmp_path):
    b, target = animals(60, 40, 2)
    out = bridge.predict(fitted, ["the?"] * 60, b, {}, None)
    right = [t == g for t, g in zip(out["text"], target["golds"], strict=True)]
    assert np.mean(right) > 0.9 and len(set(target["golds"])) == 4
    assert fitted.history["val_exact_match"][-1] > 0.8 and fitted.history["val_f_meas"][-1] > 0.8
    assert fitted.history["val_loss"][-1] < fitted.history["val_loss"][0]
    for text, c, s, e in zip(out["text"], b, out["start"], out["end"], strict=True):
        assert text == (c[s - 1 : e] if s else "") and (s > 0) == (e > 0)
    assert ((out["score"] > 0) & (out["score"] <= 1)).all()
    best = {}
    for i, text, p in zip(out["nbest_row"], out["nbest_text"], out["nbest_score"], strict=True):
        best.setdefault(int(i), []).append((p, text))
    for i, spans in best.items():
        assert len(spans) <= NBEST and spans == sorted(spans, key=lambda x: -x[0])
        if out["start"][i - 1]:
            assert out["text"][i - 1] == spans[0][1] and out["score"][i - 1] == spans[0][0]
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    for back in (bridge.load(str(tmp_path / "fit"), {}), bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)):
        again = bridge.predict(back, ["the?"] * 60, b, {}, None)
        assert again["text"] == out["text"] and back.task.spec == fitted.task.spec
        np.testing.assert_allclose(again["nbest_score"], out["nbest_score"], atol=1e-6)


def test_only_validation_rows_move_the_threshold(tiny, monkeypatch):
    monkeypatch.setattr("bertr.training.fit.CALIBRATION_ROWS", 20)  # fewer than there are training rows
    b, target = animals(30, 40)
    options = {**OPTIONS, "epochs": 1, "learning_rate": 1e-5}  # so bad that another threshold would be better
    alone = bridge.fit(bridge.load(tiny, {}), "span", ["the?"] * 30, b, target, None, options, None)
    assert alone.task.spec["none"] and alone.task.spec["threshold"] == 0.0
    seen = {"a": ["the?"] * 30, "b": b, "target": target}
    evaluated = bridge.fit(bridge.load(tiny, {}), "span", ["the?"] * 30, b, target, seen, options, None)
    assert evaluated.task.spec["threshold"] != 0.0


def test_a_row_does_not_depend_on_its_neighbours(fitted):
    b, _ = animals(30, 60, 3)
    together = bridge.predict(fitted, ["the?"] * 30, b, {}, None)
    turned = bridge.predict(fitted, ["the?"] * 30, b[::-1], {}, None)
    alone = [bridge.predict(fitted, ["the?"], [c], {}, None) for c in b]
    assert together["text"] == turned["text"][::-1] == [x["text"][0] for x in alone]
    np.testing.assert_allclose(together["score"], turned["score"][::-1], atol=1e-5)
    np.testing.assert_allclose(together["score"], [x["score"][0] for x in alone], atol=1e-5)


def test_predictions_are_targets(fitted):
    b, _ = animals(30, 60, 4)
    a = ["the?"] * 30
    out = bridge.predict(fitted, a, b, {}, None)
    e = fitted.task.encode(fitted.base, a, b, 20)
    target = {
        "start": out["start"] - 1,
        "end": out["end"],
        "contexts": b,
        "golds": out["text"],
        "gold_counts": [1] * 30,
    }
    places = fitted.task.targets(target, e)[0].places
    for r, text in enumerate(e.owner):
        first, last = e.row_splits[r] + places[r, :2]
        if places[r, 0]:
            assert (e.start[first] + 1, e.end[last]) == (out["start"][text], out["end"][text])
    assert {int(t) for t in e.owner[places[:, 0] > 0]} == set(np.flatnonzero(out["start"]).tolist())


def test_single_texts_characters_and_empty_contexts(minilm):
    model = bridge.load(minilm, {"tokens": "characters", "layers": 1, "max_len": 12})
    b = ["红灯 停。绿灯行", "蓝灯停。红灯行。" * 4]
    target = {"start": [3, 0], "end": [4, 2], "contexts": b, "golds": ["停", "蓝灯"], "gold_counts": [1, 1]}
    fitted = bridge.fit(model, "span", b, None, target, None, {**OPTIONS, "epochs": 1}, None)
    out = bridge.predict(fitted, ["红灯停", "", " "], None, {}, None)
    assert fitted.task.spec == {"none": False, "longest": 30, "threshold": 0.0}
    assert out["text"][0] in "红灯停" and out["start"][0] > 0
    assert out["text"][1] == "" and out["start"].tolist()[1] == 0 and out["score"][1] == 1


def test_texts_cannot_be_read_apart(tiny):
    b, target = animals(8, 5)
    with pytest.raises(BertrError, match="together with its question"):
        bridge.fit(bridge.load(tiny, {}), "span", b, b, target, None, {"head": {"pair": "cosine"}}, None)
