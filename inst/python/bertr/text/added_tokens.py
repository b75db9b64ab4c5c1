"""Tokens added to a vocabulary, found in texts before words are cut.

Source: Hugging Face tokenizers, `added_vocabulary.rs`. A token that is not normalized is looked for in the text as it
is, the others in what is left after normalising, their own content normalised as well. The leftmost match counts, and
of those the longest. `single_word` tokens count only where no word character is next to them; a match then still takes
its characters from shorter tokens. `lstrip` and `rstrip` tokens take the white space before or after them.
"""

import re
import unicodedata

from .basic import WHITE_SPACE, is_plain, is_space

# What Rust's \w also has: letters in circles and squares, and the joiners
_MORE_WORD = re.compile("[\u24b6-\u24e9\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189\u200c\u200d]")


class AddedTokens:
    """Finds tokens in texts. `tokens`: dicts with `content`, `id`, `normalized`, `single_word`, `lstrip` and `rstrip`;
    `normalise` gives (normalised text, source indices) as `BasicTokenizer` does."""

    def __init__(self, tokens, normalise):
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

    def reach_over_space(self, text):
        """Is there a token in it that is not between white space, so that a text cannot be cut there?"""
        return bool(self._wide_raw.search(text) or
                    self._any_wide_normal and self._wide_normal.search(self._normalise(text)[0]))

    def in_plain(self, chunk):
        """Is there a token in a chunk that is plain (see `is_plain`)?"""
        return self._in_plain.search(chunk) is not None

    def anywhere(self, text):
        """Is there a token in this text?"""
        return bool(self._in_raw.search(text) or self._normal and self._in_normal.search(self._normalise(text)[0]))

    def split_raw(self, text):
        """(id or None, start, end) of every part of a text: a token, or what is between tokens."""
        return _split(text, self._in_raw, self._raw)

    def split_normalised(self, text):
        """The same of a text that is normalised."""
        return _split(text, self._in_normal, self._normal)


def _any_of(contents):
    """A pattern of the longest of these at a place."""
    return re.compile("|".join(map(re.escape, sorted(contents, key=len, reverse=True))) or "(?!)")


def _split(text, pattern, tokens):
    out, done = [], 0
    for found in pattern.finditer(text):
        token, (start, end) = tokens[found.group()], found.span()
        if token["single_word"] and (_is_word(text[start - 1:start]) or _is_word(text[end:end + 1])):
            continue
        if token["lstrip"]:
            start = max(start, done)  # the token before may have taken its first spaces
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
    """Does it match Rust's \\w? Characters that this Python does not know yet do not, nor does none."""
    if not char:
        return False
    kind = unicodedata.category(char)
    return kind[0] in "LM" or kind in ("Nd", "Nl", "Pc") or _MORE_WORD.match(char) is not None
