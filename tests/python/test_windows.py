"""Texts over the limit, and texts of several rows."""

import numpy as np
import pytest

from bertr import bridge
from bertr.text.windows import head_and_tail, windows
from bertr.text.wordpiece import Tokenizer


@pytest.fixture
def whole(tiny):
    words = bridge.vocab(bridge.load(tiny, {}))
    tokenizer = Tokenizer(words)
    return lambda a, b=None: tokenizer.encode(a, b, 10**6, offsets=True)


def rows(encodings):
    return np.split(encodings.ids, encodings.row_splits[1:-1])


def test_windows_hold_every_token_in_order(whole):
    texts = ["the cat " * n for n in (1, 5, 30)]
    e = whole(texts)
    w = windows(e, 12, 3)
    assert w.owner.tolist() == sorted(w.owner.tolist()) and set(w.owner) == {0, 1, 2}
    assert w.lengths.max() <= 12
    for text in range(3):
        mine = [r for r, o in zip(rows(w), w.owner, strict=True) if o == text]
        assert all(r[0] == e.ids[0] and r[-1] == e.ids[-1] for r in mine)  # [CLS] and [SEP]
        body = list(mine[0][1:-1])
        for r in mine[1:]:
            assert body[-3:] == list(r[1:4])
            body += list(r[4:-1])
        assert body == rows(e)[text][1:-1].tolist()
    assert len(rows(windows(e, 12, 0))) == 1 + 1 + 6


def test_windows_of_a_pair_keep_the_first_text(whole):
    e = whole(["red fish", "the cat"], ["the dog " * 20, "sun"])
    w = windows(e, 16, 4)
    assert w.owner.tolist()[-1] == 1 and w.owner.tolist().count(1) == 1
    first = e.ids[:4]
    for r, o in zip(range(len(w)), w.owner, strict=True):
        part = slice(w.row_splits[r], w.row_splits[r + 1])
        if o == 0:
            assert np.array_equal(w.ids[part][:4], first)
            assert w.segments[part].tolist() == [0] * 4 + [1] * (len(w.ids[part]) - 4)
    inside = (w.segments == 1) & (w.end > 0) & np.isin(np.repeat(w.owner, w.lengths), 0)
    assert set(w.start[inside]) == {8 * i for i in range(20)} | {8 * i + 4 for i in range(20)}


def test_head_and_tail(whole):
    e = whole(["the cat dog bird fish tree sun moon rain runs", "a cat"])
    out = head_and_tail(e, 8)
    a, b = rows(e)[0], rows(out)[0]
    assert b.tolist() == [a[0], a[1], *a[-6:-1], a[-1]]  # a quarter of 6 in front
    assert out.n_truncated == 1 and out.owner is None and out.full_lengths.tolist() == [12, 4]


@pytest.mark.parametrize("windows", ["mean", "max", "attention"])
@pytest.mark.parametrize("train", ["all", "head"])
def test_a_word_beyond_the_limit_is_seen_in_windows(tiny, windows, train, tmp_path):
    rng = np.random.default_rng(1)
    texts, codes = [], []
    for i in range(60):
        words = rng.choice(["sun", "moon", "tree", "rain"], rng.integers(3, 60)).tolist()
        texts.append(" ".join([*words, ("cat", "dog")[i % 2]]))
        codes.append(i % 2)
    model = bridge.load(tiny, {"max_len": 16})
    target = {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}
    options = {
        "head": {"long": "window", "windows": windows, "pool": "max"},
        "seed": 1,
        "dropout": 0.0,
        "epochs": 40,
        "learning_rate": 3e-3,
        "train": train,
    }
    seen = {"a": texts[:7], "b": None, "target": {**target, "label_ids": target["label_ids"][:7]}}
    fitted = bridge.fit(model, "classification", texts, None, target, seen, options, None)
    prob = bridge.predict(fitted, texts, None, {}, None)["prob"]
    assert np.mean(prob.argmax(axis=1) == codes) > (0.9 if train == "all" else 0.6)  # an encoder of random weights
    assert fitted.facts["rows"] == 60 and fitted.facts["valid_rows"] == 7
    alone = [bridge.predict(fitted, [t], None, {}, None)["prob"][0] for t in texts[:5]]
    np.testing.assert_allclose(alone, prob[:5], atol=1e-5)
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    for back in (bridge.load(str(tmp_path / "fit"), {}), bridge.from_bytes(bridge.to_bytes(fitted, "{}"), None)):
        np.testing.assert_allclose(bridge.predict(back, texts, None, {}, None)["prob"], prob, atol=1e-6)
