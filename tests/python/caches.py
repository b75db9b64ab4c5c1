"""What holds for the caches of all tokenizers that work by chunks."""

import numpy as np

from bertr.text import chunks


def check_bounded(tokenizer, most, texts, expected):
    """A tokenizer whose caches hold at most so many chunks, none of them long, encodes as `expected`."""
    encodings = tokenizer.encode(texts, max_len=10**6, offsets=True)
    for kept in (tokenizer._ids, tokenizer._spans):
        assert 0 < len(kept) <= most
        assert all(len(chunk) <= chunks.LONGEST_CACHED for chunk in kept)
    for name in ("ids", "start", "end"):
        np.testing.assert_array_equal(getattr(encodings, name), getattr(expected, name))
