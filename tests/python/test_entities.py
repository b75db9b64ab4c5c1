"""Entities: words and their codes, windows, and the whole way from spans to spans."""

import random

import numpy as np
import pytest
from conftest import make_albert

from bertr import bridge
from bertr.tasks import metrics
from bertr.tasks.entities import iob
from bertr.tasks.entities.heads import TokenHead
from bertr.tasks.entities.task import UNSCORED, Entities

FRAGMENTS = [
    "cafe\u0301",
    "São",
    "U.S.",
    "don't",
    "👩\u200d👩\u200d👧",
    "❤\ufe0f",
    "🇩🇪",
    "北京大学",
    "हिन्दी",
    "한국어",
    "ไทย",
    "e\u0301e\u0301",
    "unbelievably",
    "x",
    "(Paris)",
    "10%",
    "\u200bzero",
    "na\u00efve",
    "İstanbul",
]


def texts_of(rng, n):
    return [
        "".join(rng.choice(FRAGMENTS) + rng.choice(["", " ", "  ", "\n"]) for _ in range(rng.randrange(1, 12)))
        for _ in range(n)
    ]


def target_of(spans, levels):
    """The bridge's columns from lists of (start, end, label), counted as Python does."""
    flat = [(row, *span) for row, some in enumerate(spans) for span in some]
    row, start, end, label = zip(*flat, strict=True) if flat else ([],) * 4
    return {
        "row": list(row),
        "start": list(start),
        "end": list(end),
        "code": [levels.index(x) for x in label],
        "levels": levels,
    }


def spans_of(out, levels, n):
    """The reverse, from what R gets."""
    spans = [[] for _ in range(n)]
    for row, start, end, code in zip(out["row"], out["start"], out["end"], out["code"], strict=True):
        spans[row - 1].append((int(start) - 1, int(end), levels[code]))
    return spans


def words_of(encodings, row):
    """The spans of a text's words."""
    mine = np.repeat(encodings.owner, encodings.lengths) == row
    mine &= encodings.end > 0
    return sorted(set(zip(encodings.start[mine].tolist(), encodings.end[mine].tolist(), strict=True)))


@pytest.mark.parametrize("words", ["punctuation", "space"])
@pytest.mark.parametrize(
    "options, max_len",
    [({}, 512), ({}, 12), ({"tokens": "characters"}, 512), ({"tokens": "characters"}, 9), ({"lower_case": False}, 512)],
)
def test_spans_become_codes_become_spans(minilm, options, max_len, words):
    rng, levels = random.Random(8), ["a", "b"]
    model, texts = bridge.load(minilm, options), texts_of(random.Random(7), 60)
    task = Entities({"levels": levels, "crf": False, "words": words})
    encodings = task.encode(model, texts, None, max_len)
    assert encodings.lengths.max() <= max_len and encodings.n_truncated == 0
    spans = []
    for row in range(len(texts)):
        places, some, at = words_of(encodings, row), [], 0
        while at < len(places):
            last = min(at + rng.randrange(3), len(places) - 1)
            if rng.random() < 0.6:
                some.append((places[at][0], places[last][1], rng.choice(levels)))
            at = last + 1
        spans.append(some)
    codes, notes = task.targets(target_of(spans, levels), encodings)
    assert not notes
    outputs = np.zeros((len(codes), 5), np.float32)
    outputs[codes != UNSCORED, codes[codes != UNSCORED]] = 30.0
    out = task.decode(outputs, encodings, texts, None, TokenHead(5, [], 0.0, 1))
    assert spans_of(out, levels, len(texts)) == spans
    assert out["text"] == [texts[r][s:e] for r, some in enumerate(spans) for s, e, _ in some]
    assert np.min(out["score"]) > 0.99


def test_words_are_whole(minilm):
    model = bridge.load(minilm, {})
    text = "cafe\u0301 unbelievably (U.S.) 北京 ❤\ufe0f x"
    encodings = Entities({"levels": ["a"], "crf": False, "words": "punctuation"}).encode(model, [text], None, 512)
    words = [text[s:e] for s, e in words_of(encodings, 0)]
    assert words == ["cafe\u0301", "unbelievably", "(", "U", ".", "S", ".", ")", "北", "京", "❤\ufe0f", "x"]


@pytest.fixture(scope="module")
def chinese_albert(tmp_path_factory):
    """The folder of a small random ALBERT whose pieces are made of few texts, with Chinese ones of two characters."""
    import io

    import sentencepiece

    texts = [
        "the red cat in paris met the blue dog (u.s.) today, didn't she?",
        "unbelievably rains 北京大学 tokyo cafe",
    ]
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts * 20),
        model_writer=out,
        vocab_size=120,
        hard_vocab_limit=False,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=["[CLS]", "[SEP]", "[MASK]"],
        num_threads=1,
        minloglevel=2,
        user_defined_symbols=list("().北京大学"),
    )
    folder = tmp_path_factory.mktemp("chinese")
    size = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue()).get_piece_size()
    make_albert(folder, out.getvalue(), vocab_size=size)
    return str(folder)


@pytest.mark.parametrize(
    "text, words",
    [
        ("The cat rains", ["The", "cat", "rains"]),
        ("  unbelievably  red ", ["unbelievably", "red"]),
        ("Tokyo, Paris.", ["Tokyo", ",", "Paris", "."]),
        ("(Paris) met cat(s)", ["(", "Paris", ")", "met", "cat", "(", "s", ")"]),
        ("the U.S. cat", ["the", "U", ".", "S", ".", "cat"]),
        ("in 北京大学 today", ["in", "北", "京", "大", "学", "today"]),
        ("cat北dog", ["cat", "北", "dog"]),
        ("cafe\u0301 cafe\u0301s e\u0301", ["cafe\u0301", "cafe\u0301s", "e\u0301"]),
        ("caf\u00e9, \u00e9t\u00e9", ["caf\u00e9", ",", "\u00e9t\u00e9"]),
        ("cat\u00a0dog\u2003red\x0bblue\ntoday", ["cat", "dog", "red", "blue", "today"]),
        ("he said: [MASK]!", ["he", "said", ":", "[MASK]", "!"]),
        ("", []),
        (" ", []),
    ],
)
def test_the_words_of_an_albert(chinese_albert, text, words):
    """Words split by hand, because pieces mark only spaces."""
    task = Entities({"levels": ["a"], "words": "punctuation"})
    encodings = task.encode(bridge.load(chinese_albert, {}), [text], None, 64)
    assert [text[s:e] for s, e in words_of(encodings, 0)] == words


def test_the_words_of_an_albert_are_those_of_a_bert(albert, minilm):
    """Or several words, if one piece contains parts of both."""
    texts = texts_of(random.Random(5), 200)
    ours, berts = (
        Entities({"levels": ["a"], "words": "punctuation"}).encode(bridge.load(folder, {}), texts, None, 512)
        for folder in (albert, minilm)
    )
    whole = bridge.load(albert, {}).encode_whole(texts, None, offsets=True)
    same = 0
    for row, text in enumerate(texts):
        mine, theirs = words_of(ours, row), words_of(berts, row)
        piece = slice(*(whole.row_splits[row : row + 2] + (1, -1)))
        crossed = [
            (s, e)
            for s, e in zip(whole.start[piece].tolist(), whole.end[piece].tolist(), strict=True)
            if sum(s < stop and begin < e for begin, stop in theirs) > 1
        ]
        for begin, stop in mine:
            inside = [(s, e) for s, e in theirs if s < stop and begin < e]
            assert (inside[0][0], inside[-1][1]) == (begin, stop), (text, text[begin:stop])
            same += len(inside) == 1
            assert len(inside) == 1 or any(begin <= s and e <= stop for s, e in crossed), (text, text[begin:stop])
    assert same > 300


@pytest.mark.parametrize("words", ["punctuation", "space"])
def test_entities_of_whole_words_are_learnt_by_an_albert(albert, words):
    texts = [
        "unbelievably, the Washington Post (London) said.",
        "The unbelievably long Washington.",
        "No one (here) said so.",
    ]
    names = ["unbelievably", "Washington"]
    spans = [[(t.index(n), t.index(n) + len(n), n[0]) for n in names if n in t] for t in texts]
    if words == "space":  # what stands between spaces
        spans = [
            [(s, e + (t[e : e + 1] in [",", "."]), k) for s, e, k in some] for t, some in zip(texts, spans, strict=True)
        ]
    model, levels = bridge.load(albert, {}), ["W", "u"]
    task = Entities({"levels": levels, "words": words})
    encodings = task.encode(model, texts, None, 64)
    codes, notes = task.targets(target_of(spans, levels), encodings)
    assert not notes and sorted(codes[codes > 0]) == [1, 1, 3, 3]  # one code a word, though of several pieces
    assert np.sum(model.encode_whole(texts, None).lengths) > np.sum(codes != UNSCORED) + 2 * len(texts) + 4
    options = {"head": {"words": words}, "seed": 1, "epochs": 60, "learning_rate": 5e-3, "dropout": 0.0}
    fitted = bridge.fit(model, "entities", texts * 8, None, target_of(spans * 8, levels), None, options, None)
    out = bridge.predict(fitted, texts, None, {}, None)
    assert spans_of(out, levels, len(texts)) == spans


@pytest.mark.parametrize("options, max_len", [({}, 512), ({}, 10), ({"tokens": "characters"}, 512)])
def test_words_that_end_at_spaces(minilm, options, max_len):
    model, rng = bridge.load(minilm, options), random.Random(9)
    texts = ["I do n't (know)\u2028U.S.-based\tcafe\u0301 .", "  ", *texts_of(rng, 40), "x"]
    encodings = Entities({"levels": ["a"], "words": "space"}).encode(model, texts, None, max_len)
    for row, text in enumerate(texts):
        assert [text[s:e] for s, e in words_of(encodings, row)] == text.split()


def test_an_entity_within_a_word_is_learnt_as_the_word(minilm):
    model, levels = bridge.load(minilm, {}), ["a", "b"]
    task = Entities({"levels": levels, "crf": False, "words": "punctuation"})
    texts = ["the unbelievably big one", "New York-based"]
    encodings = task.encode(model, texts, None, 512)
    spans = [[(6, 13, "a"), (13, 16, "b")], [(0, 8, "b")]]  # two in one word
    codes, notes = task.targets(target_of(spans, levels), encodings)
    assert codes[codes != UNSCORED].tolist() == [0, 1, 0, 0, 3, 4, 0, 0]
    assert notes == [
        "1 entity begins or ends inside a word: learned as whole words.",
        "1 entity has no word outside other entities: not learned.",
    ]


def test_the_loss_is_the_mean_over_words_as_in_torch(minilm):
    import torch

    model, levels = bridge.load(minilm, {}), ["a"]
    task = Entities({"levels": levels, "crf": False, "words": "punctuation"})
    texts = ["unbelievably big", "the cat", "", "New York-based"]
    encodings = task.encode(model, texts, None, 512)
    codes, notes = task.targets(target_of([[(0, 12, "a")], [], [], [(0, 8, "a")]], levels), encodings)
    rows = np.array([3, 0, 1, 2])
    ids, _, mask = encodings.pad(rows)
    targets, same = task.batch(codes, encodings, rows, ids, None)
    assert same is ids and targets.shape == (4, 4, 2)
    outputs = np.random.default_rng(1).normal(size=(*ids.shape, 3)).astype(np.float32)
    loss = np.mean(task.loss(targets, outputs, TokenHead(3, [], 0.0, 1)))
    padded = np.full(ids.shape, -100)
    padded[mask > 0] = np.concatenate([codes[encodings.row_splits[r] : encodings.row_splits[r + 1]] for r in rows])
    padded[padded < 0] = -100
    expected = torch.nn.functional.cross_entropy(torch.tensor(outputs).reshape(-1, 3), torch.tensor(padded).reshape(-1))
    assert loss == pytest.approx(float(expected), abs=1e-6)


def test_f1_is_that_of_seqeval():
    from seqeval.metrics import f1_score

    rng, names = np.random.default_rng(2), ["O", "B-x", "I-x", "B-y", "I-y"]
    for _ in range(20):
        both = []
        for _ in range(2):
            codes = rng.choice(5, 40, p=[0.4, 0.2, 0.1, 0.2, 0.1])
            for i, code in enumerate(codes):  # only what decoding can give
                if names[code][0] == "I" and (i == 0 or names[codes[i - 1]][1:] != names[code][1:]):
                    codes[i] -= 1
            both.append(codes)
        tags = [[[names[c] for c in codes]] for codes in both]
        found, truth = (np.column_stack(iob.spans(codes)) for codes in both)
        f1 = metrics.count_items(truth, found, 2, 2).total().f_meas()
        assert f1 == pytest.approx(f1_score(tags[1], tags[0]))


@pytest.fixture
def animals():
    """Texts in which an animal with the colour before it is an entity."""
    rng, texts, spans = random.Random(3), [], []
    for _ in range(60):
        words, some, text = [], [], ""
        for _ in range(rng.choice([1, 3, 8, 20])):
            words += rng.choice([["red", "cat"], ["blue", "dog"], ["the", "bird"], ["sun"], ["rain"], ["red"], ["and"]])
        for i, word in enumerate(words):
            start = len(text)
            text += word + " "
            if word in ("cat", "dog", "bird"):
                label = "wild" if word == "bird" else "pet"
                some.append((start - (len(words[i - 1]) + 1 if label == "pet" else 0), start + len(word), label))
        texts.append(text)
        spans.append(some)
    return texts, spans, ["pet", "wild"]


@pytest.mark.parametrize("crf", [False, True])
def test_entities_are_learnt_and_kept(tiny, animals, crf, tmp_path):
    texts, spans, levels = animals
    target = target_of(spans, levels)
    seen = {"a": texts[:10], "b": None, "target": target_of(spans[:10], levels)}
    options = {"head": {"crf": crf}, "seed": 1, "epochs": 40, "learning_rate": 3e-3, "dropout": 0.0}
    fitted = bridge.fit(bridge.load(tiny, {"max_len": 32}), "entities", texts, None, target, seen, options, None)
    assert fitted.history["val_f_meas"][-1] == 1.0 and fitted.history["val_loss"][-1] < 0.01
    out = bridge.predict(fitted, texts, None, {}, None)
    assert spans_of(out, levels, len(texts)) == spans
    if crf:
        assert np.abs(np.asarray(fitted.network.head.transitions)).max() > 1
    order = np.random.default_rng(1).permutation(len(texts))
    other = bridge.predict(fitted, [texts[i] for i in order], None, {}, None)
    scores = {(r, s): x for r, s, x in zip(order[other["row"] - 1], other["start"], other["score"], strict=True)}
    assert len(scores) == len(out["score"])
    for row, start, score in zip(out["row"], out["start"], out["score"], strict=True):
        assert scores[row - 1, start] == pytest.approx(score, abs=1e-5)
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    for back in (bridge.load(str(tmp_path / "fit"), {}), bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)):
        again = bridge.predict(back, texts, None, {}, None)
        assert spans_of(again, levels, len(texts)) == spans
        np.testing.assert_allclose(again["score"], out["score"], atol=1e-6)


def test_a_frozen_encoder(tiny, animals):
    texts, spans, levels = animals
    options = {"head": {"units": [64]}, "seed": 1, "epochs": 40, "train": "head", "dropout": 0.0}
    fitted = bridge.fit(bridge.load(tiny, {}), "entities", texts, None, target_of(spans, levels), None, options, None)
    assert fitted.facts["learning_rate"] == 5e-3
    assert fitted.history["loss"][-1] < 0.5 * fitted.history["loss"][0]  # the encoder is one of random weights


def test_windows_change_nothing_for_short_texts(tiny, animals):
    texts, spans, levels = animals
    short = [i for i, t in enumerate(texts) if len(t.split()) <= 20]
    task, model = Entities({"levels": levels, "crf": False, "words": "punctuation"}), bridge.load(tiny, {})
    whole, cut = (task.encode(model, [texts[i] for i in short], None, n) for n in (64, 22))
    assert np.array_equal(whole.ids, cut.ids) and np.array_equal(whole.start, cut.start)
    assert np.array_equal(whole.row_splits, cut.row_splits) and np.array_equal(whole.owner, cut.owner)
    longer = [i for i, t in enumerate(texts) if len(t.split()) > 20]
    assert longer and len(task.encode(model, [texts[i] for i in longer], None, 22)) > len(longer)


JAX = """
from bertr import bridge
assert bridge.info()["backend"] == "jax"
tiny, saved, texts, target, options = values
predicted = bridge.predict(bridge.load(saved, {}), texts, None, {}, None)
fit = bridge.fit(bridge.load(tiny, {}), "entities", texts, None, target, None, options, None)
out = [predicted["start"].tolist(), predicted["score"].tolist(), fit.history["loss"]]
"""


def test_a_chain_on_jax(on_jax, tiny, animals, tmp_path):
    """The same predictions; the random initialization differs, so of training only a falling loss is checked."""
    texts, spans, levels = animals
    options = {"head": {"crf": True}, "seed": 1, "epochs": 4, "learning_rate": 3e-3, "dropout": 0.0}
    target = target_of(spans, levels)
    fitted = bridge.fit(bridge.load(tiny, {}), "entities", texts, None, target, None, options, None)
    bridge.save(fitted, str(tmp_path / "fit"), "")
    start, score, losses = on_jax(JAX, tiny, str(tmp_path / "fit"), texts, target, options)
    out = bridge.predict(fitted, texts, None, {}, None)
    assert start == out["start"].tolist()
    np.testing.assert_allclose(score, out["score"], atol=1e-5)
    assert losses[-1] < 0.8 * losses[0]
