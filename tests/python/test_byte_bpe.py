"""The byte-level BPE tokenizer against Hugging Face tokenizers: ids and places of real, hostile and random texts."""

import json
import random
import unicodedata

import numpy as np
import pytest
from caches import check_bounded
from frames import assert_truncated
from test_added_tokens import KINDS, TOKENS
from tokenizers import AddedToken, Regex, decoders, pre_tokenizers, processors
from tokenizers import Tokenizer as Rust
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from bertr.errors import BertrError
from bertr.explain import find_words
from bertr.tasks.entities.words import at_spaces, at_words
from bertr.text import byte_bpe, chunks
from bertr.text.basic import WHITE_SPACE
from bertr.text.byte_bpe import LETTER, SPACE, ByteBPETokenizer
from bertr.text.letters import LETTERS, NUMBERS

NAMES = ["<s>", "<pad>", "</s>", "<unk>"]
PARTS = [
    *("the", "ab", "\u00e9", "\u00df", "\u4e2d", "er", "'s", "'ll", "'", "don't", "123", "\u00bd", "\u2167", "\u0663"),
    *(" ", " ", "  ", "\t", "\n", "\r", "\u3000", "\u00a0", "\u200b", "\x00", "\x1c", "\x85", "_", "!", "..."),
    *("\u0301", "\u200d", "\U0001f600", "\U0001f469\u200d\U0001f469", "\ufe0f", "\u0c5d", "\u31350"),
    *("<mask>", "<s>", " <unk>", "<pad>", "</s>"),
]


@pytest.fixture(scope="module")
def texts(strange_texts):
    return [*strange_texts, ""]


def trained(texts, prefix_space, alphabet=None, **settings):
    rust = Rust(BPE(**settings))
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    alphabet = pre_tokenizers.ByteLevel.alphabet() if alphabet is None else alphabet
    rust.train_from_iterator(
        texts, BpeTrainer(vocab_size=2000, special_tokens=NAMES, initial_alphabet=alphabet, show_progress=False)
    )
    rust.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    rust.decoder = decoders.ByteLevel()
    rust.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, prefix_space)
    return rust


def same(rust, **settings):
    """Our tokenizer with the vocabulary, the merges and the added tokens of Rust's."""
    content = json.loads(rust.to_str())
    vocab = [rust.id_to_token(i) for i in range(rust.get_vocab_size())]
    added = [{**token, "piece": token["content"] in content["model"]["vocab"]} for token in content["added_tokens"]]
    prefix_space = content["pre_tokenizer"]["add_prefix_space"]
    return ByteBPETokenizer(vocab, content["model"]["merges"], added, prefix_space=prefix_space, **settings)


@pytest.fixture(scope="module", params=[False, True], ids=["as it is", "space before"])
def both(request, texts):
    """(ours, Rust's)"""
    rust = trained(texts, request.param)
    return same(rust), rust


def random_texts(n, seed, parts=PARTS):
    rng = random.Random(seed)

    def part():
        kind = rng.random()
        if kind < 0.5:
            return rng.choice(parts)
        code = rng.randrange(0x20, 0x3000) if kind < 0.8 else rng.randrange(1, 0x110000)
        return chr(code) if not 0xD800 <= code < 0xE000 else "x"

    return ["".join(part() for _ in range(rng.randrange(1, 30))) for _ in range(n)]


def rows(encodings):
    return [ids.tolist() for ids in np.split(encodings.ids, encodings.row_splits[1:-1])]


class Row:
    """What we read of an Encoding, whose own lists are new ones each time."""

    def __init__(self, encoding):
        self.ids, self.tokens, self.offsets = encoding.ids, encoding.tokens, encoding.offsets


def assert_same(ours, rust, texts):
    """If a space is added, the reference's places are those that it does not trim, trimmed here."""
    got = ours.encode(texts, max_len=100_000, offsets=True)
    prefix_space = json.loads(rust.to_str())["pre_tokenizer"]["add_prefix_space"]
    rust.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), not prefix_space, prefix_space)
    for row, theirs in enumerate(map(Row, rust.encode_batch(texts))):
        where, text = slice(got.row_splits[row], got.row_splits[row + 1]), texts[row]
        assert got.ids[where].tolist() == theirs.ids, ascii(text)
        places = list(zip(got.start[where].tolist(), got.end[where].tolist(), strict=True))
        if prefix_space:
            for k, (token, (start, end)) in enumerate(zip(theirs.tokens, theirs.offsets, strict=True)):
                if token == SPACE:  # of the text, or added: the reference gives it the next character
                    assert places[k][0] == places[k][1], ascii(text)
                    places[k] = theirs.offsets[k]
                else:
                    theirs.offsets[k] = trimmed(text, start, end, token)
        assert places == theirs.offsets, ascii(text)


def trimmed(text, start, end, token):
    part = text[start:end]
    spaces = WHITE_SPACE if any(char in WHITE_SPACE for char in token) else " "  # an added token with white space
    first = end - len(part.lstrip(spaces))
    return first, max(first, start + len(part.rstrip(spaces)))


def test_ids_and_places(both, texts):
    assert_same(*both, texts + random_texts(20_000, seed=2))


@pytest.mark.parametrize("pattern, ranges", [(r"\p{L}", LETTERS), (r"\p{N}", NUMBERS)])
def test_letters_and_numbers_are_those_of_the_reference(pattern, ranges):
    ends = [[int(end, 16) for end in span.split("-")] for span in ranges.split()]
    listed = {code for span in ends for code in range(span[0], span[-1] + 1)}
    removed = pre_tokenizers.Split(Regex(pattern), "removed")
    codes = [code for code in range(0x40000) if not 0xD800 <= code < 0xE000]
    for i in range(0, len(codes), 4096):
        text = " ".join(map(chr, codes[i : i + 4096]))
        left = {char for part, _ in removed.pre_tokenize_str(text) for char in part}
        assert [code for code in codes[i : i + 4096] if code in listed] == [
            code for code in codes[i : i + 4096] if chr(code) not in left
        ]


def test_words_of_all_characters(both):
    """Texts with and without characters above U+FFFF are split by different patterns."""
    codes = [code for code in range(1, 0x20000) if not 0xD800 <= code < 0xE000]
    random.Random(0).shuffle(codes)
    for kept in (codes, [code for code in codes if code < 0x10000]):
        words = [chr(code) + " " * (i % 3 == 0) for i, code in enumerate(kept)]
        assert_same(*both, ["".join(words[i::32]) for i in range(32)])


def test_the_cache_is_bounded_and_changes_nothing(both, texts, monkeypatch):
    ours, rust = both
    texts = [*texts[:300], "\u4e2d\u6587" * 10_000, "a" * 10_000, "ab <mask> " * 5_000, " " * 1000, *texts[:10]]
    first = ours.encode(texts, max_len=10**6, offsets=True)
    monkeypatch.setattr(chunks, "CACHE_SIZE", 10)
    monkeypatch.setattr(chunks, "ROOM", 500)
    monkeypatch.setattr(byte_bpe, "SHORT", 5)  # longer words are merged one by one
    small = same(rust)
    check_bounded(small, 10, texts, first)


@pytest.mark.parametrize("prefix_space", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_added_tokens(texts, kind, prefix_space):
    rust = trained(texts[:50], prefix_space)
    rust.add_tokens([AddedToken(token, **KINDS[kind]) for token in TOKENS])
    parts = [*PARTS, *TOKENS, *TOKENS, *(f" {token} " for token in TOKENS)]
    some = random_texts(500, seed=3, parts=parts)
    known = [text for text in some if all(unicodedata.category(char) != "Cn" for char in text)]  # to this Python
    assert_same(same(rust), rust, known)


def test_pairs_and_truncation(both, texts):
    ours, rust = both
    first, second = texts[:400], texts[-400:]
    whole = ours.encode(first, second, max_len=100_000)
    theirs = rust.encode_batch(list(zip(first, second, strict=True)))
    assert [row.ids for row in theirs] == rows(whole)
    assert ours.count(first, second).tolist() == [len(row.ids) for row in theirs] == whole.lengths.tolist()
    assert (whole.pad(range(400))[1] == 0).all()
    rust.enable_truncation(18)
    try:
        theirs = rust.encode_batch(first)
    finally:
        rust.no_truncation()
    cut = ours.encode(first, max_len=18, offsets=True)
    assert rows(cut) == [row.ids for row in theirs]
    assert cut.end.tolist() == [end for row in theirs for _, end in row.offsets]
    assert_truncated(ours, rust, first, second, 18)


def test_a_second_look_is_the_same(both, texts):
    first, again = (both[0].encode(texts, max_len=100_000, offsets=True) for _ in range(2))
    for name in ("ids", "start", "end"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert len(both[0].encode([])) == 0


def test_decoding(both, texts):
    """Texts come back as they were; invalid bytes become what Rust makes of them."""
    ours, rust = both
    for text in [text for text in texts if "<" not in text]:
        ids = ours.encode([text], max_len=100_000).ids.tolist()
        assert ours.decode(ids) == (text[1:] if ours.decode(ids) != text and text[:1] == " " else text)
    rng = random.Random(4)
    prefix = json.loads(rust.to_str())["pre_tokenizer"]["add_prefix_space"]
    for _ in range(300):
        ids = [rng.randrange(4, 2000) for _ in range(9)]
        theirs = rust.decode(ids, skip_special_tokens=False)
        assert ours.decode(ids) == (theirs.removeprefix(" ") if prefix else theirs)
    mask = ours.mask_id
    assert ours.decode(ours.encode(["the <mask> is <mask>"]).ids) == "the <mask> is <mask>"
    assert ours.decode([mask, mask]) == "<mask> <mask>"


@pytest.mark.parametrize("unknown", [None, "<unk>"])
def test_vocabularies_without_some_bytes(texts, unknown):
    rust = trained(texts[:50], False, alphabet=[], **({"unk_token": unknown} if unknown else {}))
    ours, some = same(rust, unknown=unknown), random_texts(500, seed=5)
    assert any(letter not in ours.vocab for letter in LETTER)
    assert rows(ours.encode(some, max_len=10_000)) == [row.ids for row in rust.encode_batch(some)]


def test_words_that_are_tokens_need_no_merges(texts):
    rust = trained(texts, False)
    content = json.loads(rust.to_str())
    content["model"]["merges"] = content["model"]["merges"][:300]
    content["model"]["ignore_merges"] = True
    rust = Rust.from_str(json.dumps(content))
    ours = same(rust, ignore_merges=True)
    assert rows(ours.encode(texts, max_len=10_000)) == [row.ids for row in rust.encode_batch(texts)]
    assert rows(ours.encode(texts[:50])) != rows(same(rust).encode(texts[:50]))


def by_hand(merges, pieces=(), **settings):
    vocab = [*NAMES, *LETTER, *(a + b for a, b in merges), *pieces]
    return ByteBPETokenizer(vocab, merges, [], **settings)


def test_hand_made_merges():
    """The first merge wins, then the leftmost; a merge of a merge may come before the next one of the same kind."""

    def pieces(tokenizer, text):
        return [tokenizer.vocab[i] for i in tokenizer.encode([text]).ids[1:-1]]

    ours = by_hand([("b", "c"), ("a", "b"), ("a", "bc"), ("x", "x"), ("xx", "x")])
    assert pieces(ours, "abc") == ["abc"]
    assert pieces(ours, "abab") == ["ab", "ab"]
    assert pieces(ours, "aab") == ["a", "ab"]
    assert pieces(ours, "xxxxx") == ["xx", "xxx"]
    assert pieces(by_hand([("xx", "x"), ("x", "x")], ["xx"]), "xxxxx") == ["xxx", "xx"]
    assert pieces(ours, " ab") == ["\u0120", "ab"]
    long = by_hand([("x" * n, "x" * n) for n in (1, 2, 4, 8)])
    many = [long.vocab[i] for i in long.encode(["x" * 100_003], max_len=10_000).ids[1:-1]]
    assert many == ["x" * 16] * 6250 + ["xx", "x"]


def test_words_begin_at_spaces_and_punctuation(both):
    ours = both[0]
    text = " The 中文 cat\n\nis (on)  \u00e9t\u00e9, "
    whole = ours.encode([text], max_len=100, offsets=True)
    start, end = at_words(whole, ours.inside_words(whole, [text]), [text])
    assert [text[a:b] for a, b in zip(start, end, strict=True) if b > 0] == [
        *("The", "中", "文", "cat", "is", "(", "on", ")", "\u00e9t\u00e9", ",")
    ]
    start, end = at_spaces(whole, [text])
    assert [text[a:b] for a, b in zip(start, end, strict=True) if b > 0] == [
        *("The", "中文", "cat", "is", "(on)", "\u00e9t\u00e9,")
    ]
    texts = ["a cat", "\n  b"]
    words, whole = find_words(ours, texts, None, False), ours.encode(texts, max_len=100, offsets=True)
    kinds = words.of_tokens(whole, False)
    assert [ours.vocab[i].strip(SPACE) for i in whole.ids[kinds == 2]] == ["b"]  # white space at the start is no word
    assert [ours.surface(token) for token in ("\u0120the", "the", "\u010a")] == [
        *(("the", False), ("the", True), ("\n", True))
    ]


def test_missing_tokens_and_wrong_merges():
    with pytest.raises(BertrError, match="no <pad>"):
        ByteBPETokenizer(["<s>", "</s>", "<unk>"], [], [])
    with pytest.raises(BertrError, match="merges 'q' and 'zz', but its vocabulary has no 'zz'"):
        ByteBPETokenizer([*NAMES, *LETTER], [["q", "zz"]], [])
    with pytest.raises(BertrError, match="`tokens` is 'characters'"):
        by_hand([], mode="characters")
