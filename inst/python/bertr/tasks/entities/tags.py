"""Tags of words that others chose, such as "B-PER", "I-PER" and "O", in the codes of `iob.py`.

They are read as transformers' pipelines read them: a tag that continues an entity begins one where none of its label is
before it, which also fits IOB1 and tags without a prefix. In BIOES and BILOU single words begin an entity. Without "O"
every word has a label, as with parts of speech, and is an entity of its own.
"""

import re

import numpy as np

OUTSIDE = "O"
BEGIN = "BSU"  # prefixes of tags that begin an entity


def levels_of(tags: list[str]) -> list[str]:
    """The labels in the tags, in the order of the tags."""
    return list(dict.fromkeys(label for _, label in map(_split(tags), tags) if label))


def codes_of(tags: list[str]) -> np.ndarray:
    """The code of every tag, int [tags]; labels count as in `levels_of`."""
    number = {label: 2 * i for i, label in enumerate(levels_of(tags))}
    split = map(_split(tags), tags)
    return np.array([0 if label is None else number[label] + (1 if begins else 2) for begins, label in split])


def _split(tags):
    """A function from a tag to (whether it begins an entity, its label, None for OUTSIDE)."""
    begins_alone = OUTSIDE not in tags

    def split(tag):
        if tag == OUTSIDE:
            return False, None
        found = re.fullmatch("([BIESLU])-(.+)", tag, re.DOTALL)
        if found is None or (found[1] not in "BI" and f"B-{found[2]}" not in tags):
            return begins_alone, tag
        return found[1] in BEGIN, found[2]

    return split


def well_formed(codes: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """The codes of words, where those that continue an entity of another label, or none, begin one.

    Args:
        codes: int [words].
        splits: int [texts + 1], boundaries of each text's words.

    Returns:
        int [words].
    """
    goes_on = (codes > 0) & (codes % 2 == 0)
    before = np.append(0, codes)[: len(codes)]
    before[splits[:-1][np.diff(splits) > 0]] = 0
    return codes - (goes_on & ((before + 1) // 2 != codes // 2))


def outputs_with(tags: list[str]) -> dict[int, int]:
    """{code: the number of the tag that is closest to it}; 0 is absent without OUTSIDE."""
    codes = codes_of(tags).tolist()
    # of the tags with one code "B-" and "I-" come before those of BIOES
    order = sorted(range(len(tags)), key=lambda i: tags[i][:2] in ("B-", "I-"))
    own = {codes[i]: i for i in order}
    other = {code + 1 if code % 2 else code - 1: i for code, i in own.items() if code}
    return {**other, **own}
