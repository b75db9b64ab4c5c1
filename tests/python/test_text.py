"""The basic tokenizer, on every code point, against Hugging Face's normalizer and pre-tokenizer."""

import random

import pytest
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from bertr.text import basic

# planes 4 to 13 are empty: test_tokenizer.py goes through them once
CODE_POINTS = [chr(c) for c in [*range(0x40000), *range(0xE0000, 0x110000)] if not 0xD800 <= c < 0xE000]
# Python decomposes these letters of Unicode 13 and 16, the reference (9.0) does not. As no vocabulary holds them
# either way, they are the same [UNK] at the same place: test_tokenizer.py compares every code point's tokens.
NEW_COMPOSED = (
    "\U00011938\U000105c9\U000105e4\U00011383\U00011385\U0001138e\U00011391\U000113c5\U000113c7\U000113c8"
    "\U00016121\U00016122\U00016123\U00016124\U00016125\U00016126\U00016127\U00016128\U00016d68\U00016d69"
    "\U00016d6a"
)
SETTINGS = [(lower, strip, chinese) for lower in (True, False) for strip in (True, False) for chinese in (True, False)]


def reference(lower, strip, chinese):
    return BertNormalizer(clean_text=True, lowercase=lower, strip_accents=strip, handle_chinese_chars=chinese)


@pytest.mark.parametrize("settings", [(True, True, True), (False, False, True), (True, False, False)])
def test_every_code_point_is_normalised_as_the_reference_does(settings):
    ours, theirs = basic.BasicTokenizer(*settings), reference(*settings)
    wrong = [c for c in CODE_POINTS if ours.normalise(f"a{c}b")[0] != theirs.normalize_str(f"a{c}b")]
    assert [hex(ord(c)) for c in wrong if c not in NEW_COMPOSED] == []


def test_every_code_point_is_split_off_as_punctuation_as_the_reference_does():
    ours, theirs = basic.BasicTokenizer(False, False, False), BertPreTokenizer()
    # the pre-tokenizer sees normalised text: control characters are gone, white space is a blank
    seen = [c for c in CODE_POINTS if ours.normalise(c)[0] == c]

    def words(text):
        return [word for word, _ in basic.words(*ours.normalise(text))]

    wrong = [hex(ord(c)) for c in seen if words(f"a{c}b") != [w for w, _ in theirs.pre_tokenize_str(f"a{c}b")]]
    assert wrong == []


def test_chunks_are_what_lies_between_the_whitespace_of_the_reference():
    theirs = reference(False, False, False)
    for c in CODE_POINTS:
        text = f"a{c}b{c}"
        starts = basic.chunk_starts(text)
        assert len(basic.chunks(text)) == len(starts) == len(theirs.normalize_str(text).split()), hex(ord(c))
        assert all(text[start:].startswith(chunk) for start, chunk in zip(starts, basic.chunks(text), strict=True))


@pytest.mark.parametrize("settings", SETTINGS)
def test_marks_in_any_order_and_number(settings):
    """Canonical reordering, marks newer than the reference's tables, Hangul, letters that change their length."""
    ours, theirs = basic.BasicTokenizer(*settings), reference(*settings)
    alphabet = (
        "aZ -\u3000\x0b\xad\u200d\ufe0fé\u1eb9\u0301İßẞΣςῌﬁ가각\u1100\u1161\u11a8豈中\u0301\u0323\u0315\u0345"
        "\u302e\u302f\u0f71\u0f74\u08d4\u1dfa\U0001d166\U0001e000"
    )
    rng = random.Random(1)
    for _ in range(3000):
        text = "".join(rng.choices(alphabet, k=rng.randint(1, 12)))
        assert ours.normalise(text)[0] == theirs.normalize_str(text), ascii(text)


def test_sources_point_at_the_character_they_came_from():
    ours = basic.BasicTokenizer(lower_case=True, strip_accents=True, chinese_chars=True)
    assert ours.normalise("\u200bÉa\u0301각") == ("eaᄀ\u1161\u11a8", [1, 2, 4, 4, 4])
    assert ours.normalise("x中") == ("x 中 ", [0, 1, 1, 1])
    assert basic.BasicTokenizer(True, False, True).normalise("İx") == ("i\u0307x", [0, 0, 1])
    assert [(word, list(source)) for word, source in basic.words(*ours.normalise("Hi, Él"))] == [
        ("hi", [0, 1]),
        (",", [2]),
        ("el", [4, 5]),
    ]


def test_lower_case_goes_by_single_characters():
    ours = basic.BasicTokenizer(lower_case=True, strip_accents=False, chinese_chars=True)
    assert ours.normalise("ΟΔΟΣ")[0] == "οδοσ"  # str.lower() ends in a final sigma


def test_lone_surrogates_are_dropped():
    assert basic.BasicTokenizer(True, True, True).normalise("a\ud800b\udfff") == ("ab", [0, 2])
