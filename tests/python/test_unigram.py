"""The unigram tokenizer against Hugging Face tokenizers: ids and places of real, hostile and random texts."""

import io
import random

import numpy as np
import pytest
import sentencepiece
from caches import check_bounded
from frames import assert_truncated
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, decoders, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as Rust
from tokenizers.models import Unigram

from bertr.errors import BertrError
from bertr.text import chunks
from bertr.text.charsmap import Charsmap
from bertr.text.encodings import MARK
from bertr.text.unigram import SPECIAL, UnigramTokenizer

NAMES = ["<s>", "<pad>", "</s>", "<unk>"]
PARTS = [
    *("the", "ab", "\u00e9", "\u00df", "\u4e2d", MARK, "er", "ing", "\ufb01", "\u338f", "\u00bd", "\u2026", "\u2122"),
    *(" ", " ", "  ", "\x01", "\x00", "\t", "\n", "\r", "\u3000", "\u00a0", "\u200b", "\ufeff", "\u00ad"),
    *("\u0300", "\u0301", "\u0308", "\u0327", "\u200d", "\u200c", "\ufe0f", "\u0903", "\u0600", "\u1161", "\u11a8"),
    *("\u0915", "\u094d", "\u0958", "\U0001f468", "\u200d\u2122"),
    *("<mask>", "<s>", " <unk>", "<pad>"),
]


@pytest.fixture(scope="module")
def texts(strange_texts):
    return strange_texts


@pytest.fixture(scope="module")
def model(texts):
    """(pieces with their scores, table of replacements) with XLM-RoBERTa's ids and normalisation."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=out,
        vocab_size=3000,
        normalization_rule_name="nmt_nfkc",
        num_threads=1,
        minloglevel=2,
    )
    proto = sentencepiece_model_pb2.ModelProto.FromString(out.getvalue())
    pieces = [(name, 0.0) for name in NAMES] + [(p.piece, p.score) for p in proto.pieces[3:]]
    return pieces, proto.normalizer_spec.precompiled_charsmap


@pytest.fixture(scope="module", params=[False, True], ids=["white space", "spaces"])
def both(request, model):
    """(ours, Rust's, whether only spaces separate words)"""
    pieces, charsmap = model
    rust = Rust(Unigram(pieces, 3, False))
    metaspace = pre_tokenizers.Metaspace(MARK, prepend_scheme="always")
    if request.param:
        several = normalizers.Replace(Regex(" {2,}"), " ")
        rust.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap), several])
        rust.pre_tokenizer = metaspace
    else:
        rust.normalizer = normalizers.Precompiled(charsmap)
        rust.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
    rust.decoder = decoders.Metaspace(MARK, prepend_scheme="always")
    rust.add_special_tokens([*NAMES, AddedToken("<mask>", lstrip=True)])
    rust.post_processor = processors.TemplateProcessing(
        "<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", 0), ("</s>", 2)]
    )
    return make(pieces, charsmap, spaces=request.param), rust, request.param


def make(pieces, charsmap, **settings):
    vocab = [piece for piece, _ in pieces] + ["<mask>"]
    flags = {"normalized": False, "single_word": False, "rstrip": False}
    added = [{"content": c, "id": vocab.index(c), "lstrip": c == "<mask>", "piece": True, **flags} for c in NAMES]
    added.append({"content": "<mask>", "id": len(vocab) - 1, "lstrip": True, "piece": False, **flags})
    return UnigramTokenizer(vocab, [score for _, score in pieces], added, charsmap=charsmap, **settings)


def random_texts(n, seed):
    rng = random.Random(seed)

    def part():
        kind = rng.random()
        if kind < 0.5:
            return rng.choice(PARTS)
        code = rng.randrange(0x20, 0x3000) if kind < 0.8 else rng.randrange(1, 0x110000)
        return chr(code) if not 0xD800 <= code < 0xE000 else "x"

    return ["".join(part() for _ in range(rng.randrange(1, 30))) for _ in range(n)]


def test_normalisation_of_clusters(model):
    ours, theirs = Charsmap(model[1]), normalizers.Precompiled(model[1])
    for text in random_texts(5000, seed=1):
        assert ours.normalise(text)[0] == theirs.normalize_str(text), ascii(text)


@pytest.mark.parametrize("joined", ["\u200d\u2122\u0308", "\u094d\u0958\u0308"], ids=["emoji", "conjuncts"])
def test_characters_that_join_a_cluster(model, joined):
    """The mark of a longer cluster is kept, that of a short one is not."""
    ours, theirs = Charsmap(model[1]), normalizers.Precompiled(model[1])
    for code in range(1, 0x20000):
        if not 0xD800 <= code < 0xE000:
            text = chr(code) + joined
            assert ours.normalise(text)[0] == theirs.normalize_str(text), ascii(text)


@pytest.mark.parametrize("linker", ["\u094d", "\u200d"])
def test_marks_without_end_take_no_time(model, linker, alarm):
    text = "\u0915" + linker * 200_000
    assert Charsmap(model[1]).normalise(text)[0] == text


def test_ids_and_places(both, texts):
    ours, rust, spaces = both
    texts = texts + random_texts(20_000, seed=2)
    got = ours.encode(texts, max_len=10_000, offsets=True)
    for row, theirs in enumerate(rust.encode_batch(texts)):
        where = slice(got.row_splits[row], got.row_splits[row + 1])
        assert got.ids[where].tolist() == theirs.ids, ascii(texts[row])
        places = list(zip(got.start[where].tolist(), got.end[where].tolist(), strict=True))
        if spaces:
            assert_same_but_spaces(places, theirs, texts[row], rust.normalizer.normalize_str)
        else:
            assert places == theirs.offsets, ascii(texts[row])


def assert_same_but_spaces(places, theirs, text, normalise):
    """Places without the spaces before a word, which the reference includes. Where it removes characters it moves
    places, too: such texts cannot be compared."""
    if any(normalise(char) == "" for char in text):
        return
    for token, (start, end), (first, last) in zip(theirs.tokens, places, theirs.offsets, strict=True):
        if token != MARK and token not in SPECIAL.values():
            assert end == last and first <= start, ascii(text)
            assert normalise(text[first:start]).strip(" ") == "", ascii(text)


def test_pairs_and_truncation(both, texts):
    ours, rust, _ = both
    first, second = texts[:400], texts[-400:]
    whole = ours.encode(first, second, max_len=10_000)
    theirs = rust.encode_batch(list(zip(first, second, strict=True)))
    assert [row.ids for row in theirs] == [r.tolist() for r in np.split(whole.ids, whole.row_splits[1:-1])]
    assert ours.count(first, second).tolist() == [len(row.ids) for row in theirs] == whole.lengths.tolist()
    assert (whole.pad(range(400))[1] == 0).all()  # one segment for the network ...
    for row in range(400):  # ... but the texts can be told apart
        assert whole.segments[whole.row_splits[row + 1] - 1] == 1
    assert_truncated(ours, rust, first, second, 17)


def test_a_second_look_is_the_same(both, texts):
    ours = both[0]
    first, again = (ours.encode(texts, max_len=10_000, offsets=True) for _ in range(2))
    for name in ("ids", "start", "end"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


def test_the_cache_is_bounded_and_changes_nothing(model, texts, monkeypatch):
    long = ["\u4e2d\u6587" * 50_000, "a" * 100_000, "ab <mask> " * 20_000]
    texts = [*texts[:300], *long, *texts[:10]]
    first = make(*model).encode(texts, max_len=10**6, offsets=True)
    monkeypatch.setattr(chunks, "CACHE_SIZE", 10)
    monkeypatch.setattr(chunks, "ROOM", 500)
    small = make(*model)
    check_bounded(small, 10, texts, first)


def test_an_added_token_that_begins_with_a_space(model):
    """It is found after a space only, not at the start of a text."""
    pieces, charsmap = model
    rust = Rust(Unigram(pieces, 3, False))
    rust.normalizer = normalizers.Precompiled(charsmap)
    rust.pre_tokenizer = pre_tokenizers.Metaspace(MARK, prepend_scheme="always")
    vocab = [piece for piece, _ in pieces] + [" cat"]
    flags = {"normalized": False, "single_word": False, "lstrip": False, "rstrip": False}
    rust.add_tokens([AddedToken(" cat", normalized=False)])
    added = [{"content": " cat", "id": len(vocab) - 1, "piece": False, **flags}]
    ours = UnigramTokenizer(vocab, [score for _, score in pieces], added, charsmap=charsmap, spaces=True)
    for text in ("cat and cat", "cat", "the cat", "caf\u00e9 cat", "cat\u00e9"):
        assert ours.encode([text]).ids.tolist()[1:-1] == rust.encode(text).ids, text


def test_decoding(both, english):
    ours, rust, _ = both
    for text in english[:50]:
        ids = ours.encode([text], max_len=10_000).ids.tolist()
        assert ours.decode(ids) == rust.decode([i for i in ids if i not in (0, 2)], skip_special_tokens=False).strip()


def test_hand_made_scores():
    """The best split, the first of equally good ones, and unknown characters, all by hand."""
    pieces = [(n, 0.0) for n in NAMES] + [(MARK, -1.0), ("a", -1.0), ("b", -1.5), (MARK + "a", -2.0), ("ab", -2.4)]
    ours = make(pieces, b"")
    for text, expected in {
        "ab": [4, 8],  # -1 - 2.4 is better than -2 - 1.5
        "a": [7],  # -2 either way: the longer first piece
        "xa": [4, 3, 5],
        "axyb": [7, 3, 6],
    }.items():
        assert ours.encode([text]).ids.tolist() == [0, *expected, 2], text


def test_damaged_tables_and_missing_tokens(model):
    pieces, charsmap = model
    for table in (charsmap[:3], charsmap[:100], b"\xff\xff\xff\x7f" + charsmap[4:]):
        with pytest.raises(BertrError, match="table of character replacements is damaged"):
            make(pieces, table)
    with pytest.raises(BertrError, match="no <pad>"):
        UnigramTokenizer(["<s>", "</s>", "<unk>"], [0.0] * 3, [])
    with pytest.raises(BertrError, match="`tokens` is 'characters'"):
        make(pieces, charsmap, mode="characters")
