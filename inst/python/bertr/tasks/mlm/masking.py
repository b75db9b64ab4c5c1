"""Random choices of pre-training for a whole epoch: masked words, and the second texts of pairs.

Source: Devlin et al. 2019; google-research/bert `create_pretraining_data.py`.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import BertrError
from ...text.encodings import truncate
from ...text.ragged import runs, splits

if TYPE_CHECKING:
    from ...text.encodings import Encodings

SHARE = 0.15  # of a row's tokens are masked
MASKED, KEPT = 0.8, 0.1  # share of the chosen tokens that become [MASK], and that stay; the rest become random tokens


class Words:
    """The facts about a vocabulary that masking needs."""

    def __init__(self, tokenizer: Any):
        if tokenizer.mask_id is None:
            raise BertrError(
                "no_mlm",
                "The vocabulary of this model has no [MASK] token, so words cannot be masked.",
                "Use another checkpoint.",
            )
        self.mask_id, self.size = tokenizer.mask_id, len(tokenizer.vocab)
        self.special = np.isin(tokenizer.vocab, tokenizer.literals)  # bool [vocabulary]: never chosen
        self.inner = np.array([tokenizer.inside_word(token) for token in tokenizer.vocab])  # continues a word


def hide(
    encodings: "Encodings", words: Words, whole_words: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Masks max(1, 15 %) of the tokens of every row.

    Args:
        encodings: an Encodings.
        words: the Words of its vocabulary.
        whole_words: whether all pieces of a word are masked together.
        rng: a numpy Generator.

    Returns:
        (ids with masks, original ids of masked tokens or -1), int32 [tokens] each.
    """
    chosen = np.flatnonzero(_choose(encodings, words, whole_words, rng))
    masked, originals = encodings.ids.copy(), np.full(len(encodings.ids), -1, np.int32)
    originals[chosen] = masked[chosen]
    way = rng.random(len(chosen))
    masked[chosen[way < MASKED]] = words.mask_id
    swapped = chosen[way >= MASKED + KEPT]
    masked[swapped] = rng.integers(0, words.size, len(swapped))
    return masked, originals


def most_hidden(lengths: Any) -> Any:
    """How many tokens of a row are masked at most. The special tokens count as a part of its length, as in BERT.

    Args:
        lengths: int, or int [rows].

    Returns:
        int64, of the same shape.
    """
    return np.maximum(1, np.round(SHARE * lengths)).astype(np.int64)


def _choose(encodings, words, whole_words, rng):
    """Bool [tokens]: units (pieces or whole words) chosen in random order up to the row's budget. Words that exceed the
    remaining budget are skipped."""
    ids, lengths = encodings.ids, encodings.lengths
    ordinary = ~words.special[ids]
    first = ordinary.copy()  # tokens that begin a unit
    if whole_words:
        first[1:] &= ~(words.inner[ids[1:]] & ordinary[:-1])
    unit = np.cumsum(first) - 1  # [tokens]
    row = encodings.row[first]  # [units]
    size = np.bincount(unit[ordinary], minlength=len(row))
    order = np.lexsort((rng.random(len(row)), row))
    room = most_hidden(lengths).tolist()
    taken = np.zeros(len(row) + 1, bool)  # the last entry is for tokens before the first unit
    for u, r, n in zip(order.tolist(), row[order].tolist(), size[order].tolist(), strict=True):
        if n <= room[r]:
            room[r] -= n
            taken[u] = True
    return taken[unit] & ordinary


def draw_seconds(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Second texts for pairs: half of the pairs get that of another pair.

    Args:
        n: number of pairs.
        rng: a numpy Generator.

    Returns:
        (int [n], the pair whose second text each one gets; int32 [n], 1 if that is another pair, else 0).
    """
    random = rng.permutation(n) < n // 2
    same = np.arange(n)
    other = (same + rng.integers(1, max(n, 2), n)) % n
    return np.where(random, other, same), random.astype(np.int32)


def pair_up(whole: Any, second: np.ndarray, max_len: int) -> Any:
    """Pairs of the first text of every row and the second text of another row.

    Args:
        whole: an Encodings of pairs, not truncated.
        second: int [rows], the row whose second text each row gets.
        max_len: tokens to truncate pairs to.

    Returns:
        As `whole`, with the new pairs.
    """
    start, stop = whole.row_splits[:-1], whole.row_splits[1:]
    n_second = np.add.reduceat(whole.segments.astype(np.int64), start)  # tokens of the second text, with its [SEP]
    middle = stop - n_second  # where the second text begins
    seps = 1 + whole.one_segment
    counts = np.stack([middle - start - 1 - seps, n_second[second] - 1], axis=1)
    kept = truncate(counts, max_len - 2 - seps)
    one = np.ones(len(kept), np.int64)
    # [CLS] and the first text, its [SEP], the second text, its [SEP]
    starts = np.stack([start, middle - seps, middle[second], stop[second] - 1], axis=1).ravel()
    sizes = np.stack([kept[:, 0] + 1, seps * one, kept[:, 1], one], axis=1)
    at = runs(starts, sizes.ravel())
    return dataclasses.replace(
        whole,
        ids=whole.ids[at],
        segments=whole.segments[at],
        row_splits=splits(sizes.sum(axis=1)),
        n_truncated=int((kept < counts).any(axis=1).sum()),
        full_lengths=(counts.sum(axis=1) + 2 + seps).astype(np.int32),
    )
