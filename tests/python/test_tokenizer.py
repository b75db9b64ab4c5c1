"""Tokens and their places against Hugging Face's Rust tokenizers, built from the same vocabularies."""

import gzip
import json
import random

import numpy as np
import pytest
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, processors

from bertr.errors import BertrError
from bertr.text import chunks
from bertr.text.added_tokens import literal
from bertr.text.wordpiece import Tokenizer

CASED = {"uncased": False, "cased": True, "chinese": False, "multi_cased": True}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SMALL = [*SPECIAL, "[unused1]", "a", "b", "##b", "##c", "中", "i", "İ", "!"]


@pytest.fixture(scope="module")
def vocabs(fixtures):
    def read(name):
        lines = gzip.decompress((fixtures / "vocabs" / f"{name}.txt.gz").read_bytes()).decode().split("\n")
        return [line.strip() for line in lines[:-1]]

    return {name: read(name) for name in CASED}


@pytest.fixture(scope="module")
def languages(fixtures):
    lines = (fixtures / "texts" / "languages.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[1] for line in lines]


@pytest.fixture(scope="module")
def torture(fixtures):
    lines = (fixtures / "texts" / "torture.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line)["text"] for line in lines if line]


@pytest.fixture(scope="module", params=list(CASED))
def both(request, vocabs):
    """Our tokenizer and the reference on one of Google's vocabularies."""
    vocab, lower = vocabs[request.param], not CASED[request.param]
    return Tokenizer(vocab, lower_case=lower), reference(vocab, lower)


def reference(vocab, lower, strip=None, chinese=True, max_word_chars=100, special=True):
    index = {token: i for i, token in enumerate(vocab)}
    out = tokenizers.Tokenizer(models.WordPiece(index, unk_token="[UNK]", max_input_chars_per_word=max_word_chars))
    out.normalizer = normalizers.BertNormalizer(True, chinese, strip, lower)
    out.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    out.post_processor = processors.BertProcessing(("[SEP]", index["[SEP]"]), ("[CLS]", index["[CLS]"]))
    if special:
        out.add_special_tokens(SPECIAL)
    return out


def assert_same(ours, theirs, texts, pairs=None, max_len=10**6):
    got = ours.encode(texts, pairs, max_len, offsets=True)
    expected = theirs.encode_batch(texts if pairs is None else list(zip(texts, pairs, strict=True)))
    np.testing.assert_array_equal(got.lengths, [len(e) for e in expected])
    for r, e in enumerate(expected):
        row = slice(got.row_splits[r], got.row_splits[r + 1])
        assert got.ids[row].tolist() == e.ids, ascii(texts[r])
        assert got.segments[row].tolist() == e.type_ids
        assert list(zip(got.start[row].tolist(), got.end[row].tolist(), strict=True)) == e.offsets, ascii(texts[r])
    return got


def random_strings(n, seed):
    """Strings mixed from many scripts, marks, controls, spaces, emoji, special tokens and long words."""
    rng = random.Random(seed)
    blocks = [(0x20, 0x7E)] * 6 + [
        (0x00, 0x20),
        (0x7F, 0xA0),
        (0xA0, 0x17F),
        (0x180, 0x24F),
        (0x300, 0x36F),
        (0x370, 0x3FF),
        (0x400, 0x4FF),
        (0x530, 0x58F),
        (0x590, 0x5FF),
        (0x600, 0x6FF),
        (0x900, 0x97F),
        (0xB80, 0xBFF),
        (0xE00, 0xE7F),
        (0xF00, 0xFFF),
        (0x10A0, 0x10FF),
        (0x1100, 0x11FF),
        (0x13A0, 0x13FF),
        (0x1E00, 0x1FFF),
        (0x2000, 0x206F),
        (0x20A0, 0x214F),
        (0x2E80, 0x303F),
        (0x3040, 0x30FF),
        (0x4E00, 0x9FFF),
        (0xAC00, 0xD7A3),
        (0xE000, 0xE0FF),
        (0xF900, 0xFAFF),
        (0xFB00, 0xFB4F),
        (0xFE00, 0xFE2F),
        (0xFF00, 0xFFFD),
        (0x1D100, 0x1D1FF),
        (0x1D400, 0x1D7FF),
        (0x1F300, 0x1FAFF),
        (0x20000, 0x2A6DF),
        (0x2B800, 0x2B9FF),
        (0xE0000, 0xE01EF),
    ]
    words = [
        *SPECIAL,
        "[mask]",
        "[MASK",
        "👩\u200d👩\u200d👧\ufe0f",
        "🇮🇹",
        "İstanbul",
        "ΟΔΟΣ",
        "x" * 99,
        "x" * 100,
        "x" * 101,
        "é" * 100,
        "e\u0301" * 100,
        "中" * 120,
        "한국어",
        "ﬁn",
        "\u302e\u0301",
        "\x1c",
        "\x85",
        "\ufeff",
        "don't",
        "naïve",
        "Straße",
        "café",
        " ",
        "  ",
        "\n",
    ]

    def part():
        if rng.random() < 0.25:
            return rng.choice(words)
        first, last = rng.choice(blocks)
        return "".join(chr(rng.randint(first, last)) for _ in range(rng.randint(1, 6)))

    return ["".join(part() for _ in range(rng.randint(0, 14))) for _ in range(n)]


def test_real_texts(both, english, languages):
    assert_same(*both, english + languages)


def test_torture_strings(both, torture):
    assert_same(*both, torture)


def test_random_unicode(both):
    assert_same(*both, random_strings(5000, seed=1))


@pytest.mark.parametrize(
    "settings",
    [
        {"lower": True, "strip": False},
        {"lower": False, "strip": True},
        {"lower": True, "chinese": False},
        {"lower": False, "max_word_chars": 200},
        {"lower": True, "max_word_chars": 3},
        {"lower": True, "special": False},
    ],
)
def test_every_setting(vocabs, torture, languages, settings):
    ours = Tokenizer(
        vocabs["multi_cased"],
        settings["lower"],
        settings.get("strip"),
        settings.get("chinese", True),
        settings.get("max_word_chars", 100),
        added=None if settings.get("special", True) else [],
    )
    assert_same(ours, reference(vocabs["multi_cased"], **settings), torture + languages + random_strings(1000, seed=2))


@pytest.mark.parametrize(("name", "planes"), [("uncased", range(17)), ("multi_cased", [0, 1, 2, 3, 14])])
def test_every_code_point(vocabs, name, planes):
    ours, theirs = Tokenizer(vocabs[name], lower_case=not CASED[name]), reference(vocabs[name], not CASED[name])
    for plane in planes:
        chars = [chr(c) for c in range(plane << 16, plane + 1 << 16) if not 0xD800 <= c < 0xE000]
        assert_same(ours, theirs, [" ".join(f"a{c}b" for c in chars[i : i + 500]) for i in range(0, len(chars), 500)])


def test_minilm_as_its_own_tokenizer_file(minilm, english, torture):
    theirs = tokenizers.Tokenizer.from_file(f"{minilm}/tokenizer.json")
    theirs.no_padding()
    theirs.no_truncation()
    with open(f"{minilm}/vocab.txt", encoding="utf-8") as f:
        ours = Tokenizer([line.strip() for line in f])
    assert_same(ours, theirs, english[::4] + torture)


def test_truncation(both, english):
    ours, theirs = both
    for max_len in (3, 8, 17):
        theirs.enable_truncation(max_len)
        got = assert_same(ours, theirs, english[:300], max_len=max_len)
        theirs.no_truncation()
        full = [len(e) for e in theirs.encode_batch(english[:300])]
        assert got.full_lengths.tolist() == ours.count(english[:300]).tolist() == full
        assert got.n_truncated == sum(n > max_len for n in full)


def test_pairs(both, english):
    ours, theirs = both
    a, b = english[:300] + ["", "x", ""], english[-300:] + ["", "", "y"]
    assert_same(ours, theirs, a, b)
    assert ours.count(a, b).tolist() == [len(e) for e in theirs.encode_batch(list(zip(a, b, strict=True)))]
    for max_len in (5, 9, 21, 51):  # an even number of pieces to share: the one case where all agree on ties
        theirs.enable_truncation(max_len, strategy="longest_first")
        assert_same(ours, theirs, a, b, max_len)
    theirs.no_truncation()


def test_pairs_are_cut_as_google_cuts_them():
    ours = Tokenizer(SMALL)
    for n_a in range(9):
        for n_b in range(9):
            for max_len in range(4, 20):
                a, b = ["a"] * n_a, ["b"] * n_b
                while len(a) + len(b) > max_len - 3:  # _truncate_seq_pair of google-research/bert
                    (a if len(a) > len(b) else b).pop()
                got = ours.encode(["a " * n_a], ["b " * n_b], max_len)
                assert [ours.vocab[i] for i in got.ids] == ["[CLS]", *a, "[SEP]", *b, "[SEP]"]
                assert got.segments.tolist() == [0] * (len(a) + 2) + [1] * (len(b) + 1)
                assert got.n_truncated == (n_a + n_b + 3 > max_len)
                assert got.full_lengths.tolist() == [n_a + n_b + 3]


def test_offsets_give_the_text_of_the_piece(vocabs, english, languages):
    ours = Tokenizer(vocabs["multi_cased"], lower_case=False)
    texts = english + languages
    got = ours.encode(texts, offsets=True)
    for r, text in enumerate(texts):
        for i in range(got.row_splits[r] + 1, got.row_splits[r + 1] - 1):
            token = ours.vocab[got.ids[i]]
            assert token == "[UNK]" or text[got.start[i] : got.end[i]] == token.removeprefix("##")


def test_literal_special_tokens_are_words_to_google():
    text = ["a[MASK]b"]
    assert Tokenizer(SMALL).encode(text).ids.tolist() == [2, 6, 4, 7, 3]
    assert Tokenizer(SMALL, added=[]).encode(text).ids.tolist() == [2, 6, 1, 1, 1, 7, 3]


def test_the_cache_changes_nothing(monkeypatch, vocabs, english, languages):
    texts = english[::5] + languages
    ours = Tokenizer(vocabs["uncased"])
    first, again = ours.encode(texts, offsets=True), ours.encode(texts, offsets=True)
    monkeypatch.setattr(chunks, "CACHE_SIZE", 10)
    small = Tokenizer(vocabs["uncased"])
    bounded = small.encode(texts, offsets=True)
    assert 0 < len(small._ids) <= 10
    for other in (again, bounded):
        np.testing.assert_array_equal(first.ids, other.ids)
        np.testing.assert_array_equal(first.start, other.start)
        np.testing.assert_array_equal(first.end, other.end)


def test_long_chunks_are_not_kept_and_cost_no_more_than_their_length():
    ours = Tokenizer(SMALL)
    texts = ["a" * 10**6, "中" * 10**5, "é" * 10**5, "!" * 10**5, "\u302e\u0301" * 10**5]  # quadratic: for ever
    assert ours.count(texts).tolist() == [3, 10**5 + 2, 3, 10**5 + 2, 3]
    assert all(len(chunk) == 1 for chunk in ours._ids)


def test_empty_blank_and_broken_texts():
    got = Tokenizer(SMALL).encode(["", " \t\u3000", "\u200b", "\ud800", "a\udcffb"], offsets=True)
    assert got.lengths.tolist() == [2, 2, 2, 2, 4]
    assert got.ids[:2].tolist() == [2, 3]
    assert got.start[-4:].tolist() == [0, 0, 2, 0]
    assert len(Tokenizer(SMALL).encode([])) == 0
    assert len(Tokenizer(SMALL).encode([], [], offsets=True).ids) == 0


def test_one_token_per_character(vocabs, languages, torture):
    texts = languages + torture + random_strings(500, seed=3)
    for lower in (True, False):
        ours = Tokenizer(vocabs["chinese"], lower_case=lower, mode="characters")
        got = ours.encode(texts, max_len=10**6, offsets=True)
        assert got.lengths.tolist() == [len(text) + 2 for text in texts]
        for r, text in enumerate(texts):
            row = slice(got.row_splits[r] + 1, got.row_splits[r + 1] - 1)
            assert got.start[row].tolist() == list(range(len(text)))
            assert got.end[row].tolist() == list(range(1, len(text) + 1))


def test_characters_by_hand():
    def tokens(text, **settings):
        ours = Tokenizer(SMALL, mode="characters", **settings)
        return [ours.vocab[i] for i in ours.encode([text], max_len=9).ids][1:-1]

    assert tokens("aB 中\t\u3000é") == ["a", "b", "[unused1]", "中", "[unused1]", "[unused1]", "[UNK]"]
    assert tokens("aB", lower_case=False) == ["a", "[UNK]"]
    assert tokens("Iİ") == ["i", "İ"]  # its lower case is two characters
    assert tokens("abababababab") == ["a", "b"] * 3 + ["a"]


def test_take_and_pad():
    vocab = ["a", "b", "c", *SPECIAL]  # [PAD] is 3
    got = Tokenizer(vocab).encode(["a b c", "", "b", "a a"], ["c", "b", "", "a"], max_len=6, offsets=True)
    taken = got.take([3, 1, 3])
    assert taken.ids.tolist() == [5, 0, 0, 6, 0, 6, 5, 6, 1, 6, 5, 0, 0, 6, 0, 6]
    assert taken.segments.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1]
    assert taken.row_splits.tolist() == [0, 6, 10, 16]
    assert taken.start.tolist() == [0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]
    assert (got.n_truncated, taken.n_truncated, got.take([0]).n_truncated) == (1, 0, 1)
    ids, segments, mask = got.pad([2, 0])
    assert ids.tolist() == [[5, 1, 6, 6, 3, 3], [5, 0, 1, 6, 2, 6]]
    assert segments.tolist() == [[0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 1]]
    assert mask.tolist() == [[1, 1, 1, 1, 0, 0], [1] * 6]
    assert {x.dtype for x in (ids, segments, mask, got.ids, got.full_lengths, got.start)} == {np.dtype(np.int32)}
    assert (got.segments.dtype, got.row_splits.dtype) == (np.int8, np.int64)
    assert got.pad([])[0].shape == (0, 0)


def test_decode(vocabs, english):
    ours, theirs = Tokenizer(vocabs["uncased"]), reference(vocabs["uncased"], True)
    theirs.decoder = tokenizers.decoders.WordPiece(cleanup=False)
    known = [e.ids for e in theirs.encode_batch(english) if ours.unk_id not in e.ids]
    assert [ours.decode(ids + [ours.pad_id]) for ids in known] == theirs.decode_batch(known)
    assert ours.decode(ours.encode(["Unaffable [MASK] ☃☃"]).ids) == "unaffable [MASK] [UNK]"
    with pytest.raises(BertrError, match="Token id 30522 is not in the vocabulary"):
        ours.decode([101, 30522])


def test_special_tokens_are_found():
    ours = Tokenizer(SMALL)
    assert (ours.pad_id, ours.unk_id, ours.cls_id, ours.sep_id, ours.mask_id) == (0, 1, 2, 3, 4)
    assert Tokenizer(SPECIAL[:4]).mask_id is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Tokenizer(SMALL, added=[literal("b", 3)]), "'b' is not in the vocabulary under its id 3"),
        (lambda: Tokenizer(["[PAD]", "[CLS]", "a"]), r"has no \[UNK\] and no \[SEP\]"),
        (lambda: Tokenizer(SMALL, mode="bytes"), "`mode` is 'bytes'"),
        (lambda: Tokenizer(SMALL).encode(["a"], max_len=2), "`max_len` is 2, .* at least 3"),
        (lambda: Tokenizer(SMALL).encode(["a"], ["b"], max_len=3), "`max_len` is 3, .* at least 4"),
        (lambda: Tokenizer(SMALL).encode(["a"], []), "1 texts, but 0 second texts"),
    ],
)
def test_bad_input_is_one_sentence(call, message):
    with pytest.raises(BertrError, match=message) as caught:
        call()
    assert caught.value.hint
