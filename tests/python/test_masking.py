"""Masked words, and the second texts of pairs."""

import dataclasses
import random

import numpy as np
import pytest
from conftest import VOCAB, WORDS, language

from bertr import bridge
from bertr.nn.network import read_head_options
from bertr.tasks.mlm.masking import Words, draw_seconds, hide, pair_up
from bertr.tasks.mlm.task import MaskedLanguage
from bertr.training.fit import make_samples


@pytest.fixture
def model(pretrained):
    return bridge.load(pretrained[1], {})


def samples_of(model, texts, max_len=48):
    task = MaskedLanguage({"pairs": False, "whole_words": False})
    return task, make_samples(model, task, read_head_options(model, {}), texts, None, {}, max_len)


def encodings_of(model, texts):
    return model.encode_whole(texts, None)


def test_how_many_words_are_hidden_and_how(model):
    e = encodings_of(model, language(4000))
    words = Words(model.tokenizer)
    seen, hidden = hide(e, words, False, np.random.default_rng(0))
    lengths = e.lengths
    row = np.repeat(np.arange(len(e)), lengths)
    counts = np.bincount(row[hidden >= 0], minlength=len(e))
    np.testing.assert_array_equal(counts, np.maximum(1, np.round(0.15 * lengths)))
    special = np.isin(e.ids, [0, 1, 2, 3, 4])
    assert not (hidden[special] >= 0).any()
    chosen = hidden >= 0
    np.testing.assert_array_equal(hidden[chosen], e.ids[chosen])
    np.testing.assert_array_equal(seen[~chosen], e.ids[~chosen])
    n = chosen.sum()
    masked = (seen[chosen] == words.mask_id).sum() / n
    same = (seen[chosen] == e.ids[chosen]).sum() / n
    size = len(VOCAB)
    for share, p in ((masked, 0.8 + 0.1 / size), (same, 0.1 + 0.1 / size)):  # a random token may be [MASK] or the same
        assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / n)
    place = (np.arange(len(e.ids)) - np.repeat(e.row_splits[:-1], lengths)) / np.repeat(lengths, lengths)
    assert abs(place[chosen].mean() - place[~special].mean()) < 0.02  # everywhere in a text
    assert set(seen[chosen & (seen != words.mask_id) & (seen != e.ids)]) == set(range(size)) - {words.mask_id}


def test_masks_differ_between_epochs_and_not_between_seeds(model):
    task, samples = samples_of(model, language(50))
    rng = np.random.default_rng(5)
    first, second = task.draw(samples, rng), task.draw(samples, rng)
    again = task.draw(samples, np.random.default_rng(5))
    np.testing.assert_array_equal(first.targets, again.targets)
    np.testing.assert_array_equal(first.encodings.ids, again.encodings.ids)
    assert (first.targets != second.targets).any()


def test_whole_words_are_hidden_whole(model):
    rng = random.Random(2)
    texts = [
        " ".join(rng.choice(WORDS[2:20]) + rng.choice(["", "s", "ser", "sersing"]) for _ in range(30))
        for _ in range(200)
    ]
    e = encodings_of(model, texts)
    words = Words(model.tokenizer)
    inner = np.array([VOCAB[i].startswith("##") for i in e.ids])
    assert inner.mean() > 0.3
    word = np.cumsum(~inner)
    _, hidden = hide(e, words, True, np.random.default_rng(1))
    by_word = np.bincount(word, hidden >= 0), np.bincount(word)
    assert set((by_word[0] / np.maximum(1, by_word[1])).tolist()) == {0.0, 1.0}
    row = np.repeat(np.arange(len(e)), e.lengths)
    counts = np.bincount(row[hidden >= 0])
    most = np.maximum(1, np.round(0.15 * e.lengths))
    assert (counts <= most).all() and (counts >= most - 3).all()
    _, pieces = hide(e, words, False, np.random.default_rng(1))
    by_word = np.bincount(word, pieces >= 0) / np.maximum(1, np.bincount(word))
    assert ((by_word > 0) & (by_word < 1)).any()


def test_whole_words_of_sentence_pieces(albert):
    model = bridge.load(albert, {})
    words = Words(model.tokenizer)
    inside = {token: flag for token, flag in zip(model.tokenizer.vocab, words.inner.tolist(), strict=True)}
    assert inside["ing"] and not any(inside[token] for token in ("\u2581the", "\u2581", ",", "[MASK]", "<unk>"))
    e = encodings_of(model, ["the unbelievable happening, untranslatable 2000\u4eca \u4eca"] * 50)
    _, hidden = hide(e, words, True, np.random.default_rng(1))
    word = np.cumsum(~words.inner[e.ids])
    by_word = np.bincount(word, hidden >= 0) / np.maximum(1, np.bincount(word))
    assert set(by_word.tolist()) == {0.0, 1.0}
    unknown = np.isin(e.ids, model.tokenizer.unk_id)
    assert unknown.any() and not (hidden[unknown] >= 0).any()


def test_texts_with_nothing_to_hide(model):
    e = encodings_of(model, ["", "[UNK] [MASK]", "the"])
    seen, hidden = hide(e, Words(model.tokenizer), False, np.random.default_rng(0))
    assert (hidden >= 0).sum() == 1


def test_long_texts_are_read_whole(model):
    _, samples = samples_of(model, language(3), max_len=6)
    whole = encodings_of(model, language(3))
    assert samples.encodings.lengths.max() <= 6 and samples.encodings.n_truncated == 0
    inside = whole.ids[~np.isin(whole.ids, [2, 3])]
    np.testing.assert_array_equal(samples.encodings.ids[~np.isin(samples.encodings.ids, [2, 3])], inside)


@pytest.mark.parametrize("max_len", [8, 13, 48])
def test_pairs_are_put_together_as_the_tokenizer_does(model, max_len):
    a, b = language(40), language(40, seed=2)
    b[3], a[5] = "", ""
    whole = model.encode_whole(a, b)
    second = np.random.default_rng(0).integers(0, 40, 40)
    ours = pair_up(whole, second, max_len)
    theirs = model.encode(a, [b[i] for i in second], max_len)
    for field in dataclasses.fields(ours):
        np.testing.assert_array_equal(getattr(ours, field.name), getattr(theirs, field.name), err_msg=field.name)


def test_half_of_the_second_texts_are_others():
    rng = np.random.default_rng(1)
    for n in (1, 2, 7, 100):
        second, is_random = draw_seconds(n, rng)
        assert is_random.sum() == n // 2
        np.testing.assert_array_equal(second != np.arange(n), is_random == 1)
    draws = [draw_seconds(100, rng)[1] for _ in range(2)]
    assert (draws[0] != draws[1]).any()
