"""Added tokens against Hugging Face's Rust tokenizers: every kind of them, in texts of all sorts."""

import random
import unicodedata

import numpy as np
import pytest
from test_tokenizer import assert_same, random_strings, reference
from tokenizers import AddedToken

from bertr.text.added_tokens import literal
from bertr.text.wordpiece import SPECIAL, Tokenizer

KINDS = {
    "normalized": {"normalized": True},
    "as it is": {"normalized": False},
    "single word": {"normalized": True, "single_word": True},
    "single word as it is": {"normalized": False, "single_word": True},
    "with spaces before": {"normalized": False, "lstrip": True},
    "with spaces after": {"normalized": True, "rstrip": True},
    "with spaces around": {"normalized": False, "lstrip": True, "rstrip": True},
}
# In brackets, plain, with a hyphen, a part of another one, with spaces, emoji, Chinese, accents, capitals, a piece
TOKENS = [
    "[E1]",
    "<url>",
    "covid-19",
    "covid",
    "new york",
    "New York City",
    "😃",
    "👩\u200d👩",
    "新词",
    "Café",
    "ABC",
    "##x",
    "newword",
    "a",
    "İ",
    "ﬁ",
    "e\u0301",
    "@user",
    "\u3000wide",
    "ends here.",
]
VOCAB = [
    *SPECIAL.values(),
    *"abcdefghijklmnopqrstuvwxyz0123456789.,-<>[]@#'",
    "new",
    "york",
    "covid",
    "word",
    "user",
    "the",
    *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789"),
    "新",
    "中",
    "é",
    "ABC",
    "##city",
]


def texts(n, seed):
    """Random strings with the tokens in them, in any case, next to letters, marks, spaces and each other."""
    rng = random.Random(seed)
    around = [
        "",
        "",
        " ",
        "  ",
        "\t",
        "\n",
        "x",
        "É",
        "_",
        "-",
        ".",
        "新",
        "\u200d",
        "\u0301",
        "\x00",
        "\u3000",
        "9",
        "½",
    ]
    out = []
    for text in random_strings(n, seed):
        parts = []
        for _ in range(rng.randint(1, 4)):
            token = rng.choice(TOKENS)
            parts += [
                rng.choice(around),
                rng.choice([token, token, token.upper(), token.lower(), token[:-1]]),
                rng.choice(around),
            ]
        at = rng.randint(0, len(text))
        out.append(text[:at] + "".join(parts) + (text[at:] if rng.random() < 0.3 else ""))
    return out


def both(kind, lower, mixed=False):
    """Our tokenizer and the reference, with all tokens of one kind, or each of another."""
    theirs = reference(VOCAB, lower)
    added = [{**literal(name, i), "special": True} for i, name in enumerate(SPECIAL.values())]
    for k, content in enumerate(TOKENS):
        flags = {
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            **(list(KINDS.values())[k % len(KINDS)] if mixed else KINDS[kind]),
        }
        theirs.add_tokens([AddedToken(content, special=False, **flags)])
        added.append({"content": content, "id": theirs.token_to_id(content), "piece": content in VOCAB, **flags})
    names = dict(enumerate(VOCAB)) | {token["id"]: token["content"] for token in added}
    return Tokenizer([names[i] for i in sorted(names)], lower_case=lower, added=added), theirs


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_token_is_found_as_the_reference_finds_it(kind, lower):
    assert_same(*both(kind, lower), texts(10_000, seed=7 + lower))


@pytest.mark.parametrize("lower", [True, False])
def test_kinds_beside_each_other(lower):
    ours, theirs = both(None, lower, mixed=True)
    some = texts(5_000, seed=11)
    assert_same(ours, theirs, some)
    assert_same(ours, theirs, some[:500], some[500:1000])


def test_words_of_a_text_count_as_in_the_reference():
    """Word characters determine where `single_word` tokens end."""
    ours, theirs = both("single word", True)
    chars = [chr(c) for c in range(1, 0x20000) if unicodedata.category(chr(c)) not in ("Cs", "Cn")]
    assert_same(ours, theirs, [f"covid{c} covid {c}covid" for c in chars[::7]])


def test_a_token_that_word_pieces_do_not_have_is_only_found_as_it_was_added():
    ours = Tokenizer([*VOCAB, "zebra"], added=[{**literal("zebra", len(VOCAB)), "piece": False}])
    assert ours.encode(["zebra"]).ids[1:-1].tolist() == [len(VOCAB)]
    assert len(VOCAB) not in ours.encode(["Zebra"]).ids


def test_characters_stay_in_step_but_for_added_tokens():
    ours, _ = both("normalized", True)
    characters = Tokenizer(
        ours.vocab,
        mode="characters",
        added=[{**literal("[E1]", ours.vocab.index("[E1]"))}, {**literal("new york", ours.vocab.index("new york"))}],
    )
    got = characters.encode(["a[E1]b in new york [MASK]"], offsets=True)
    tokens = [ours.vocab[i] for i in got.ids[1:-1]]
    assert tokens[:3] == ["a", "[E1]", "b"] and "new york" in tokens and "[MASK]" not in tokens
    places = list(zip(got.start[1:-1].tolist(), got.end[1:-1].tolist(), strict=True))
    assert places[1] == (1, 5) and places[tokens.index("new york")] == (10, 18)
    np.testing.assert_array_equal(got.start[2:-1], got.end[1:-2])  # nothing is left out


def test_decoding_gives_added_tokens_as_they_were_added():
    """The reference returns some of them in lower case."""
    vocab = [*VOCAB, "see", "in", "[E1]", "New York"]
    added = [{**literal(token, vocab.index(token)), "normalized": True, "piece": False} for token in vocab[-2:]]
    ours = Tokenizer(vocab, added=added)
    assert ours.decode(ours.encode(["See [e1] in new york"]).ids) == "see [E1] in New York"
