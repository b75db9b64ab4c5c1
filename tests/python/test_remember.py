"""Rows that are remembered are encoded once, for several fits of heads."""

import numpy as np
from conftest import fit_sentences

from bertr import bridge
from bertr.nn.scorer import Scorer


def test_texts_are_encoded_once_for_all_fits(tiny, sentences, monkeypatch):
    texts, codes = sentences
    computed, compute = [], Scorer._compute

    def counted(self, encodings, progress):
        computed.append(len(encodings))
        return compute(self, encodings, progress)

    monkeypatch.setattr(Scorer, "_compute", counted)
    plain = bridge.predict(
        fit_sentences(bridge.load(tiny, {}), (texts[20:], codes[20:]), train="head"), texts[:20], *REST
    )
    computed.clear()
    model = bridge.load(tiny, {})
    bridge.remember(model, True)
    for part in (slice(0, 40), slice(20, None)):
        fitted = fit_sentences(model, (texts[part], codes[part]), train="head")
    seen = []
    prob = bridge.predict(fitted, texts[:20], None, {}, lambda kind, values: seen.append(values["done"]) and False)
    assert sum(computed) == len(set(texts)) and seen[-1] == 20
    np.testing.assert_allclose(prob["prob"], plain["prob"], atol=1e-5)
    bridge.remember(model, False)
    computed.clear()
    bridge.predict(fitted, texts[:20], *REST)
    assert sum(computed) == 20 and all(scorer.memory is None for scorer in model.scorers.values())


REST = (None, {}, None)
