"""Weights of words: against torch, completeness, words, known answers."""

import numpy as np
import pytest
import torch
import transformers

from bertr import bridge, explain
from bertr.errors import BertrError

TEXTS = ["the old cat sleeps, and", "dogs run faster under the rain .", "cat", "a big dog eats! the fish"]
STEPS = 20


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(explain, "STEPS", STEPS)
    monkeypatch.setattr(explain, "MOST_STEPS", STEPS)


def fit(folder, task, a, b, target, head=None, train="head", load=None, epochs=2, rate=None):
    options = {"head": head or {}, "seed": 1, "epochs": epochs, "train": train, "dropout": 0.0, "learning_rate": rate}
    return bridge.fit(bridge.load(folder, load or {}), task, a, b, target, None, options, None)


def weights(fitted, a, b=None, method="integrated_gradients", classes=None):
    options = {"method": method, "classes": [-1] * len(a) if classes is None else classes}
    return bridge.explain(fitted, a, b, options, None)


class Torch:
    """The encoder of a fit whose head alone was trained, in torch, in double precision."""

    def __init__(self, fitted, folder):
        self.model = transformers.AutoModel.from_pretrained(folder).eval().double()
        self.fit, self.head = fitted, [torch.tensor(w).double() for w in fitted.network.head.get_weights()]
        self.tokenizer = fitted.base.tokenizer

    def weights(self, texts, score):
        """Integrated gradients by token of one text, or of several that are read apart, as a list of arrays; `score` is
        a function of their hidden states [1, length, hidden]. A text is a str, or a pair of them."""
        table = self.model.get_input_embeddings().weight.detach()
        ends, more = [], []
        for text in texts:
            a, b = text if isinstance(text, tuple) else (text, None)
            e = self.tokenizer.encode([a], None if b is None else [b], 512)
            ids, special = torch.tensor(e.ids).long()[None], [self.tokenizer.cls_id, self.tokenizer.sep_id]
            masked = torch.where(torch.isin(ids, torch.tensor(special)), ids, self.tokenizer.mask_id)
            ends.append((table[masked], table[ids]))
            more.append(torch.tensor(e.segments).long()[None])
        out = [np.zeros(start.shape[1]) for start, _ in ends]
        points, shares = np.polynomial.legendre.leggauss(STEPS)
        for point, share in zip((points + 1) / 2, shares / 2, strict=True):
            here = [(start + point * (end - start)).requires_grad_() for start, end in ends]
            states = [
                self.model(inputs_embeds=x, token_type_ids=kinds).last_hidden_state
                for x, kinds in zip(here, more, strict=True)
            ]
            gradients = torch.autograd.grad(score(*states), here)
            for total, g, (start, end) in zip(out, gradients, ends, strict=True):
                total += share * (g * (end - start)).sum(-1)[0].numpy()
        return out

    def by_word(self, texts, score, places):
        """The same summed over the tokens in each of `places`: a list of one list of tokens per word, for each text."""
        tokens = np.concatenate(self.weights(texts, score))
        return np.array([tokens[list(word)].sum() for word in places])


def log_odds(z, k):
    others = torch.cat([z[..., :k], z[..., k + 1 :]], dim=-1)
    return z[..., k] - torch.logsumexp(others, dim=-1)


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())


PIECES = [[1] * 6, [2, 1, 2, 1, 1, 1, 1], [1], [1] * 7]  # of the words of TEXTS: dog ##s, fast ##er


def words_of(pieces, first=1):
    """The tokens of words with so many pieces, of which the first is at `first`."""
    ends = np.cumsum([first, *pieces])
    return [range(start, end) for start, end in zip(ends[:-1], ends[1:], strict=True)]


def linear(other, x):
    """A linear head of `x`."""
    kernel, bias = other.head
    return x @ kernel + bias


@pytest.mark.parametrize("pool", ["mean", "pooler", "max"])
def test_classes_as_with_torch(tiny, sentences, few_steps, pool):
    texts, codes = sentences
    codes = [(k + (len(t) > 30)) % 3 for k, t in zip(codes, texts, strict=True)]
    target = {"label_ids": codes, "levels": ["a", "b", "c"]}
    fitted = fit(tiny, "classification", texts, None, target, {"pool": pool})
    fitted.task.spec["temperature"] = 2.0
    other = Torch(fitted, tiny)
    kernel, bias, scale = sorted(other.head, key=lambda w: -w.ndim)

    def score(states, k):
        x = {"mean": states.mean(1), "pooler": other.model.pooler(states), "max": states.max(1).values}[pool]
        return log_odds((scale * (x / x.norm(dim=-1, keepdim=True)) @ kernel + bias) / 2.0, k).sum()

    classes = [2, 1, 0, 1]
    out = weights(fitted, TEXTS, classes=classes)
    assert out["label"] == ["c", "b", "a", "b"]
    for i, k in enumerate(classes):
        expected = other.by_word([TEXTS[i]], lambda states, k=k: score(states, k), words_of(PIECES[i]))
        close(out["weight"][out["row"] == i + 1], expected)


def test_labels_and_numbers_as_with_torch(tiny, sentences, few_steps):
    texts, codes = sentences
    values = np.stack([codes, np.array(codes) * [len(t) > 20 for t in texts]], axis=1)
    labels = fit(tiny, "multilabel", texts, None, {"values": values, "levels": ["a", "b"]}, {"pool": "mean"})
    target = {"values": 3.0 + 100.0 * values, "outputs": ["x", "y"]}
    numbers = fit(tiny, "regression", texts, None, target, {"pool": "mean"})
    shares = fit(tiny, "regression", texts, None, {"values": values[:, 1:], "outputs": ["y"]}, {"link": "logit"})
    share = bridge.predict(shares, TEXTS, None, {}, None)["values"][:, 0]
    np.testing.assert_allclose(weights(shares, TEXTS)["score"], np.log(share / (1 - share)), rtol=1e-4, atol=1e-5)
    for fitted, unit in ((labels, [1.0, 1.0]), (numbers, numbers.task.spec["sd"])):
        other = Torch(fitted, tiny)
        for k in (0, 1):
            out = weights(fitted, TEXTS, classes=[k] * 4)
            for i, pieces in enumerate(PIECES):
                expected = other.by_word(
                    [TEXTS[i]],
                    lambda states, other=other, k=k: linear(other, states.mean(1))[0, k],
                    words_of(pieces),
                )
                close(out["weight"][out["row"] == i + 1], unit[k] * expected)
    predicted = bridge.predict(numbers, TEXTS, None, {}, None)["values"]
    np.testing.assert_allclose(weights(numbers, TEXTS)["score"], predicted[:, 0], rtol=1e-5)


def test_pairs_as_with_torch(tiny, sentences, few_steps):
    texts, codes = sentences
    a, b = [*TEXTS, *texts], [*TEXTS[1:], TEXTS[0], *texts[1:], texts[0]]
    values = np.linspace(0, 1, len(a))[:, None]
    target = {"values": values, "outputs": ["y"]}
    joint = fit(tiny, "regression", a, b, target, {"pool": "mean"})
    cosine = fit(tiny, "regression", a, b, target, {"pool": "mean", "pair": "cosine"})
    for fitted in (joint, cosine):
        out, other = weights(fitted, a[:4], b[:4]), Torch(fitted, tiny)
        first, last = PIECES, PIECES[1:] + PIECES[:1]
        slope = other.head[0] if fitted is cosine else None

        def together(states, other=other):
            return linear(other, states.mean(1))[0, 0]

        def apart(x, y, slope=slope):
            return slope * torch.cosine_similarity(x.mean(1), y.mean(1))[0]

        for i in range(4):
            gap = 2 if fitted is cosine else 1  # [SEP] [CLS], or [SEP]
            places = [*words_of(first[i]), *words_of(last[i], 1 + sum(first[i]) + gap)]
            given = [a[i], b[i]] if fitted is cosine else [(a[i], b[i])]
            expected = other.by_word(given, apart if fitted is cosine else together, places)
            close(out["weight"][out["row"] == i + 1], fitted.task.spec["sd"][0] * expected)
            assert out["side"][out["row"] == i + 1].tolist() == [1] * len(first[i]) + [2] * len(last[i])


def test_answers_as_with_torch(tiny, few_steps):
    b = ["the cat sleeps , fast er", "a big dog ."] * 10
    target = {"start": [4, 6] * 10, "end": [7, 9] * 10, "contexts": b, "golds": ["cat", "dog"] * 10}
    target["gold_counts"] = [1] * 20
    fitted = fit(tiny, "span", ["the ?"] * 20, b, target)
    fitted.task.spec["longest"] = 2
    out, other = weights(fitted, ["the ?"] * 2, b[:2]), Torch(fitted, tiny)
    predicted = bridge.predict(fitted, ["the ?"] * 2, b[:2], {}, None)
    assert out["part"] == predicted["text"] and all(out["part"])
    for i in range(2):
        pieces = b[i].split()
        starts = np.cumsum([0, *(len(w) + 1 for w in pieces)])
        ends = [predicted["start"][i] - 1, predicted["end"][i] - 1]
        first, last = (3 + np.searchsorted(starts, ends, side="right")).tolist()  # after [CLS] the ? [SEP]

        def score(states, first=first, last=last):
            z = linear(other, states)[0]
            return z[first, 0] + z[last, 1]

        places = [*words_of([1, 1]), *words_of([1] * len(pieces), 4)]
        close(out["weight"][out["row"] == i + 1], other.by_word([("the ?", b[i])], score, places))


def test_entities_as_with_torch(tiny, few_steps):
    texts = ["the big dog sleeps", "a cat runs"] * 10
    columns = {"row": range(20), "start": [4, 2] * 10, "end": [11, 5] * 10, "code": [0, 1] * 10, "levels": ["d", "c"]}
    fitted = fit(tiny, "entities", texts, None, columns, epochs=60, rate=0.03)
    predicted, other = bridge.predict(fitted, texts[:2], None, {}, None), Torch(fitted, tiny)
    out = weights(fitted, texts[:2])
    labels = other.fit.task.levels
    rows = np.array(predicted["row"])
    for i in range(2):
        of_row = np.flatnonzero(rows == i + 1)
        best = of_row[np.argmax(predicted["score"][of_row])]
        assert (out["label"][i], out["part"][i]) == (labels[predicted["code"][best]], predicted["text"][best])
        words = texts[i].split()
        first = words.index(predicted["text"][best].split()[0])
        k = 1 + 2 * predicted["code"][best]
        codes = [k, *[k + 1] * (len(predicted["text"][best].split()) - 1)]

        def score(states, first=first, codes=codes):
            z = linear(other, states)[0]
            return sum(log_odds(z[1 + first + j], code) for j, code in enumerate(codes))

        close(out["weight"][out["row"] == i + 1], other.by_word([texts[i]], score, words_of([1] * len(words))))
    missing = weights(fitted, ["a cat runs"], classes=[0])  # no such entity: the likeliest word
    assert missing["label"] == ["d"] and missing["part"][0] in ("a", "cat", "runs")


def test_albert_as_with_torch(albert, few_steps):
    texts = ["The unbelievably big one.", "New York (here)"] * 5
    target = {"values": np.arange(10.0)[:, None], "outputs": ["y"]}
    fitted = fit(albert, "regression", texts, None, target, {"pool": "mean"})
    out, other = weights(fitted, texts[:2]), Torch(fitted, albert)
    for i in range(2):
        mine = np.flatnonzero(out["row"] == i + 1)
        assert [texts[i][out["start"][k] - 1 : out["end"][k]] for k in mine] == [out["word"][k] for k in mine]
        pieces = fitted.base.tokenizer.encode([texts[i]], None, 512, offsets=True)
        tokens = other.weights([texts[i]], lambda states: linear(other, states.mean(1))[0, 0])[0]
        inside = [
            (pieces.start >= out["start"][k] - 1) & (pieces.end <= out["end"][k]) & (pieces.end > 0) for k in mine
        ]
        assert sum(map(sum, inside)) == np.sum(pieces.end > 0) and max(map(sum, inside)) > 1
        close(out["weight"][mine], fitted.task.spec["sd"][0] * np.array([tokens[word].sum() for word in inside]))


def test_weights_add_up_and_steps_double_where_they_do_not(tiny, sentences, monkeypatch):
    texts, codes = sentences
    target = {"label_ids": codes, "levels": ["a", "b"]}
    fitted = fit(tiny, "classification", texts, None, target, train="all", epochs=20, rate=3e-3)
    monkeypatch.setattr(explain, "STEPS", 4)
    out = weights(fitted, texts)
    sums = np.bincount(out["row"] - 1, out["weight"])
    difference = out["score"] - out["masked_score"]
    assert len(set(out["steps"])) > 1 and (out["gap"] <= 0.01).all()
    sizes = np.bincount(out["row"] - 1, np.abs(out["weight"]))
    np.testing.assert_allclose(sums, difference, rtol=0.01, atol=1e-4 * sizes.max())
    prob = bridge.predict(fitted, texts, None, {}, None)["prob"].max(axis=1)
    assert prob.mean() > 0.9
    np.testing.assert_allclose(1 / (1 + np.exp(-out["score"])), prob, rtol=1e-5)


def test_the_word_that_makes_a_label_weighs_most(tiny, sentences):
    others = [text.replace("cat", "bird").replace("dog", "fish") for text in sentences[0]]
    texts, animals = [*sentences[0], *others], ["cat", "dog"]
    values = np.array([[animal in text.split() for animal in animals] for text in texts]).astype(float)
    target = {"values": values, "levels": animals}
    fitted = fit(tiny, "multilabel", texts, None, target, {"pool": "mean"}, "all", epochs=30, rate=3e-3)
    for method in ("integrated_gradients", "occlusion"):
        out = weights(fitted, texts[:60], method=method)
        words = np.array(out["word"])
        top = [words[rows][out["weight"][rows].argmax()] for rows in (out["row"] == i + 1 for i in range(60))]
        assert out["label"] == [animals[k] for k in sentences[1]]
        assert np.mean(np.array(top) == out["label"]) > 0.9


def test_a_linear_model_of_mean_vectors_is_known(tiny, few_steps, sentences):
    """With the mean of word vectors as features and a linear head a word's weight is how far its vector moves the mean
    from [MASK], times the kernel."""
    texts, codes = sentences
    fitted = fit(
        tiny, "regression", texts, None, {"values": np.array(codes)[:, None], "outputs": ["y"]}, {"pool": "mean"}
    )
    backbone = fitted.network.backbone
    backbone.states_for = lambda kind, x, segments, mask, layers, training=False: [
        (x if "float" in str(x.dtype) else backbone.embeddings.look_up(x)) * np.float32(1.0)
    ]
    fitted.network.kind = None
    fitted.scorer = type(fitted.scorer)(fitted.network)
    out = weights(fitted, TEXTS)
    kernel, table = fitted.network.head.get_weights()[0][:, 0], backbone.embeddings.word.numpy()
    tokenizer = fitted.base.tokenizer
    for i, pieces in enumerate(PIECES):
        e = tokenizer.encode([TEXTS[i]], None, 512)
        moved = (table[e.ids] - table[tokenizer.mask_id]) @ kernel / len(e.ids) * fitted.task.spec["sd"][0]
        close(out["weight"][out["row"] == i + 1], np.array([moved[list(word)].sum() for word in words_of(pieces)]))
        assert out["gap"][i] < 1e-3


def test_windows_explain_all_of_a_long_text(tiny, sentences):
    texts, codes = sentences
    target = {"label_ids": codes, "levels": ["a", "b"]}
    head = {"long": "window", "windows": "mean", "pool": "mean"}
    fitted = fit(tiny, "classification", texts, None, target, head, "all", {"max_len": 8}, epochs=4)
    out = weights(fitted, texts[:8])
    for i in range(8):
        assert [w for w, r in zip(out["word"], out["row"], strict=True) if r == i + 1] == texts[i].split()
    assert (out["gap"] <= 0.01).all() and out["n_truncated"] == 0
    cut = fit(tiny, "classification", texts, None, target, {"pool": "mean"}, load={"max_len": 8})
    out = weights(cut, texts[:8])
    assert out["n_truncated"] == sum(n > 8 for n in cut.base.tokenizer.count(texts[:8]))
    assert np.bincount(out["row"])[1:].max() <= 6


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_a_text_has_the_same_weights_alone(tiny, sentences, method):
    texts, codes = sentences
    fitted = fit(tiny, "classification", texts, None, {"label_ids": codes, "levels": ["a", "b"]})
    together = weights(fitted, [*texts[:20], "", " \t"], method=method)
    assert 21 not in together["row"] and together["text"].tolist() == list(range(1, 21))
    for i in (0, 7, 19):
        alone = weights(fitted, [texts[i]], method=method)
        np.testing.assert_allclose(together["weight"][together["row"] == i + 1], alone["weight"], atol=1e-5)
    nothing = weights(fitted, [""], method=method)
    assert len(nothing["weight"]) == len(nothing["text"]) == 0


def test_occlusion_is_the_fall_of_the_score(tiny, sentences):
    texts, codes = sentences
    fitted = fit(tiny, "classification", texts, None, {"label_ids": codes, "levels": ["a", "b"]})
    out = weights(fitted, ["the dogs run"], method="occlusion", classes=[1])

    def score(text):
        prob = bridge.predict(fitted, [text], None, {}, None)["prob"][0, 1]
        return np.log(prob / (1 - prob))

    masked = "[MASK] dogs run", "the [MASK] [MASK] run", "the dogs [MASK]"  # dog ##s
    for weight, text in zip(out["weight"], masked, strict=True):
        assert weight == pytest.approx(score("the dogs run") - score(text), abs=1e-4)
    assert np.isnan(out["gap"]).all()


def test_other_weights_of_the_encoder_give_other_explanations(tiny, sentences):
    texts, codes = sentences
    target = {"label_ids": codes, "levels": ["a", "b"]}
    fitted = fit(tiny, "classification", texts, None, target, train="all", epochs=8)
    long = [text for text in texts if len(text.split()) >= 12]
    classes = [0] * len(long)
    before = weights(fitted, long, classes=classes)
    rng = np.random.default_rng(1)
    for variable in fitted.network.backbone.trainable_variables:
        value = np.array(variable)
        variable.assign(rng.permutation(value.ravel()).reshape(value.shape))
    after = weights(fitted, long, classes=classes)

    def correlation(rows):
        a, b = (np.argsort(np.argsort(np.abs(out["weight"][rows]))) for out in (before, after))
        return np.corrcoef(a, b)[0, 1]

    assert abs(np.mean([correlation(before["row"] == i + 1) for i in range(len(long))])) < 0.3


def test_long_contexts_of_answers_and_entities_in_windows(tiny):
    words = "sun moon tree rain bird fish red blue green old new big small slow".split()
    context = " ".join(words * 3) + " the cat " + " ".join(words)
    start = context.index("cat")
    target = {"start": [start] * 8, "end": [start + 3] * 8, "contexts": [context] * 8, "golds": ["cat"] * 8}
    target["gold_counts"] = [1] * 8
    span = fit(tiny, "span", ["the ?"] * 8, [context] * 8, target, None, "all", {"max_len": 16}, epochs=30)
    columns = {"row": range(8), "start": [start] * 8, "end": [start + 3] * 8, "code": [0] * 8, "levels": ["c"]}
    entities = fit(tiny, "entities", [context] * 8, None, columns, None, "all", {"max_len": 16}, epochs=30)
    for out, question in ((weights(span, ["the ?"], [context]), 2), (weights(entities, [context]), 0)):
        assert out["part"] == ["cat"] and out["gap"][0] <= 0.01
        assert len(out["word"]) == len(context.split()) + question
        near = np.flatnonzero(out["weight"][question:])
        cat = 3 * len(words) + 1
        assert near.min() > cat - 16 and near.max() < cat + 16


def test_what_cannot_be_explained(tiny, sentences):
    fitted = fit(tiny, "mlm", sentences[0], None, {"pairs": False}, train="top:1", epochs=1)
    with pytest.raises(BertrError, match="task 'mlm' cannot be explained") as caught:
        weights(fitted, ["the cat"])
    assert caught.value.code == "no_explanation"


ON_JAX = """
from bertr import bridge
saved, texts = values
options = {"method": "integrated_gradients", "classes": [-1] * len(texts)}
out = {k: v.tolist() for k, v in bridge.explain(bridge.load(saved, {}), texts, None, options, None).items()
       if k in ("weight", "score", "gap")}
"""


def test_jax_gives_the_same_weights(on_jax, tiny, sentences, tmp_path):
    texts, codes = sentences
    fitted = fit(tiny, "classification", texts, None, {"label_ids": codes, "levels": ["a", "b"]}, train="all")
    bridge.save(fitted, str(tmp_path / "fit"), "")
    ours, out = on_jax(ON_JAX, str(tmp_path / "fit"), TEXTS), weights(fitted, TEXTS)
    close(np.array(ours["weight"]), out["weight"])
    np.testing.assert_allclose(ours["score"], out["score"], rtol=1e-4)
    assert max(ours["gap"]) < 0.01
