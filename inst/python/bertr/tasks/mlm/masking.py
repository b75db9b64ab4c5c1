"""Which words are hidden from a model in pre-training, and which second texts pairs get: drawn for a whole epoch.

Source: Devlin et al. 2019; google-research/bert `create_pretraining_data.py`.
"""

import dataclasses

import numpy as np

from ...errors import BertrError
from ...text.encodings import truncate
from ...text.ragged import runs, splits

SHARE = 0.15  # of a row's tokens
MASKED, KEPT = 0.8, 0.1  # of those chosen: become [MASK], stay as they are; the rest become a random token


class Words:
    """What must be known of a vocabulary to hide words of it."""

    def __init__(self, tokenizer):
        if tokenizer.mask_id is None:
            raise BertrError("no_mlm", "The vocabulary of this model has no [MASK] token, so words cannot be masked.",
                             "Use another checkpoint.")
        self.mask_id, self.size = tokenizer.mask_id, len(tokenizer.vocab)
        self.special = np.isin(tokenizer.vocab, tokenizer.literals)  # bool [vocabulary]: never chosen
        self.inner = np.array([tokenizer.inside_word(token) for token in tokenizer.vocab])  # goes on with a word


def hide(encodings, words, whole_words, rng):
    """Of every row max(1, 15 %) of the tokens: (ids as the model sees them, the hidden ids or -1), int32 [tokens]."""
    chosen = np.flatnonzero(_choose(encodings, words, whole_words, rng))
    seen, hidden = encodings.ids.copy(), np.full(len(encodings.ids), -1, np.int32)
    hidden[chosen] = seen[chosen]
    way = rng.random(len(chosen))
    seen[chosen[way < MASKED]] = words.mask_id
    swapped = chosen[way >= MASKED + KEPT]
    seen[swapped] = rng.integers(0, words.size, len(swapped))
    return seen, hidden


def _choose(encodings, words, whole_words, rng):
    """Units (pieces, or whole words) in random order, as many of a row as its number of tokens has room for: bool
    [tokens]. A word that would be too much is passed over."""
    ids, lengths = encodings.ids, encodings.lengths
    ordinary = ~words.special[ids]
    first = ordinary.copy()  # tokens that begin a unit
    if whole_words:
        first[1:] &= ~(words.inner[ids[1:]] & ordinary[:-1])
    unit = np.cumsum(first) - 1  # [tokens]
    row = encodings.row[first]  # [units]
    size = np.bincount(unit[ordinary], minlength=len(row))
    order = np.lexsort((rng.random(len(row)), row))
    room = np.maximum(1, np.round(SHARE * lengths)).astype(int).tolist()  # the special tokens count, as in BERT
    taken = np.zeros(len(row) + 1, bool)  # the last one for tokens before any unit
    for u, r, n in zip(order.tolist(), row[order].tolist(), size[order].tolist(), strict=True):
        if n <= room[r]:
            room[r] -= n
            taken[u] = True
    return taken[unit] & ordinary


def draw_seconds(n, rng):
    """For n pairs: whose second text each one gets, and 1 where that is another pair's (half of them), else 0."""
    random = rng.permutation(n) < n // 2
    own = np.arange(n)
    other = (own + rng.integers(1, max(n, 2), n)) % n
    return np.where(random, other, own), random.astype(np.int32)


def pair_up(whole, second, max_len):
    """The first text of every row with the second text of row `second`, cut to `max_len`; `whole` holds pairs
    that were not cut."""
    start, stop = whole.row_splits[:-1], whole.row_splits[1:]
    later = np.add.reduceat(whole.segments.astype(np.int64), start)  # tokens of the second text, with its [SEP]
    middle = stop - later  # where the second text begins
    counts = np.stack([middle - start - 2, later[second] - 1], axis=1)
    kept = truncate(counts, max_len - 3)
    one = np.ones(len(kept), np.int64)
    # [CLS] and the first text, its [SEP], the second text, its [SEP]
    starts = np.stack([start, middle - 1, middle[second], stop[second] - 1], axis=1).ravel()
    sizes = np.stack([kept[:, 0] + 1, one, kept[:, 1], one], axis=1)
    at = runs(starts, sizes.ravel())
    return dataclasses.replace(
        whole, ids=whole.ids[at], segments=whole.segments[at],
        row_splits=splits(sizes.sum(axis=1)),
        n_truncated=int((kept < counts).any(axis=1).sum()), full_lengths=(counts.sum(axis=1) + 3).astype(np.int32))
