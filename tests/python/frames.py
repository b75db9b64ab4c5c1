"""Pairs of texts in RoBERTa's frame, by hand."""

import numpy as np


def framed(a, b, most):
    """Truncated as by _truncate_seq_pair of google-research/bert, a piece at a time."""
    while len(a) + len(b) > most - 4:
        (a if len(a) > len(b) else b).pop()
    return [0, *a, 2, 2, *b, 2]


def assert_truncated(ours, rust, first, second, most):
    """Pairs of our tokenizer with at most so many tokens, against the pieces of Rust's."""
    cut = ours.encode(first, second, max_len=most)
    assert cut.n_truncated > 10
    for row, ids in enumerate(np.split(cut.ids, cut.row_splits[1:-1])):
        pieces = [rust.encode(text, add_special_tokens=False).ids for text in (first[row], second[row])]
        assert ids.tolist() == framed(*pieces, most), ascii(first[row])
