"""Tokens added to a vocabulary, matched in texts before words are split.

Source: Hugging Face tokenizers, `added_vocabulary.rs`. Tokens that are not normalized are matched in the raw text, the
others in the normalised rest, with their own content normalised too. The leftmost match wins, then the longest.
`single_word` tokens count only if no word character is adjacent; such a match still blocks shorter tokens at its
characters. `lstrip` and `rstrip` tokens include the white space before or after them.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from .basic import WHITE_SPACE, is_plain, is_space

# What Rust's \w also matches: circled and squared letters, and the joiners
_MORE_WORD = re.compile("[\u24b6-\u24e9\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189\u200c\u200d]")


class AddedTokens:
    """Finds tokens in texts. `tokens`: dicts with `content`, `id`, `normalized`, `single_word`, `lstrip` and `rstrip`;
    `normalise` returns (normalised text, source indices) as `BasicTokenizer` does."""

    def __init__(self, tokens: list[dict[str, Any]], normalise: Callable[[str], tuple[str, Sequence[int]]]):
        self._raw, self._normal, wide, plain = {}, {}, {}, set()
        for token in tokens:
            content = normalise(token["content"])[0] if token["normalized"] else token["content"]
            place = self._normal if token["normalized"] else self._raw
            if content and content not in place:
                place[content] = token
                if token["lstrip"] or token["rstrip"] or any(map(is_space, token["content"])):
                    wide.setdefault(token["normalized"], []).append(content)
                if is_plain(content):
                    plain.add(content)
        self._in_raw, self._in_normal, self._in_plain = map(_any_of, (self._raw, self._normal, plain))
        self._wide_raw, self._wide_normal = (_any_of(wide.get(kind, ())) for kind in (False, True))
        self._normalise = normalise
        self.any_plain, self.any_wide, self._any_wide_normal = bool(plain), bool(wide), bool(wide.get(True))

    def reach_over_space(self, text: str) -> bool:
        """Whether the text contains a token that includes white space, so that it cannot be split into chunks."""
        return bool(
            self._wide_raw.search(text) or self._any_wide_normal and self._wide_normal.search(self._normalise(text)[0])
        )

    def in_plain(self, chunk: str) -> bool:
        """Whether a plain chunk (see `is_plain`) contains a token."""
        return self._in_plain.search(chunk) is not None

    def anywhere(self, text: str) -> bool:
        """Whether a text contains a token."""
        return bool(self._in_raw.search(text) or self._normal and self._in_normal.search(self._normalise(text)[0]))

    def split_raw(self, text: str) -> list[tuple[int | None, int, int]]:
        """(id, start, end) of each token in a raw text, and (None, start, end) of the parts between."""
        return _split(text, self._in_raw, self._raw)

    def split_normalised(self, text: str) -> list[tuple[int | None, int, int]]:
        """As `split_raw`, for a normalised text."""
        return _split(text, self._in_normal, self._normal)


def literal(content: str, token_id: int) -> dict[str, Any]:
    """An added token that is matched literally, a dict."""
    return {
        "content": content,
        "id": token_id,
        "normalized": False,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "piece": True,
    }


def _any_of(contents):
    """A pattern that matches the longest of these."""
    return re.compile("|".join(map(re.escape, sorted(contents, key=len, reverse=True))) or "(?!)")


def _split(text, pattern, tokens):
    out, done = [], 0
    for found in pattern.finditer(text):
        token, (start, end) = tokens[found.group()], found.span()
        if token["single_word"] and (_is_word(text[start - 1 : start]) or _is_word(text[end : end + 1])):
            continue
        if token["lstrip"]:
            start = max(start, done)  # the previous token may include its first spaces
            while start > done and text[start - 1] in WHITE_SPACE:
                start -= 1
        if token["rstrip"]:
            while end < len(text) and text[end] in WHITE_SPACE:
                end += 1
        if done < start:
            out.append((None, done, start))
        out.append((token["id"], start, end))
        done = end
    if done < len(text):
        out.append((None, done, len(text)))
    return out


def _is_word(char):
    """Whether a character matches Rust's \\w. Characters unknown to this Python do not, nor does ""."""
    if not char:
        return False
    kind = unicodedata.category(char)
    return kind[0] in "LM" or kind in ("Nd", "Nl", "Pc") or _MORE_WORD.match(char) is not None
