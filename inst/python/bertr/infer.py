"""Scoring many rows: length-sorted batches cut by tokens, results put back in order."""

import numpy as np
from keras import ops

from .batches import scoring_batches
from .engine import Forward, bucketed, static_shapes

TOKEN_BUDGET = 2048  # padded tokens a batch; 1-2k measured fastest on CPUs


class Scorer:
    """Runs `call(ids, segments, mask)` over any number of texts. The graph is kept: later calls trace nothing."""

    def __init__(self, call, layer, per_token=False):
        self.forward = Forward(call, layer.variables)
        self.per_token = per_token

    def encodings(self, encodings, progress=None):
        """The outputs of encoded rows, [rows, ...], or [tokens, ...] aligned with `encodings.ids` if per token."""
        out, done, lengths = None, 0, encodings.lengths
        for rows in scoring_batches(bucketed(lengths), TOKEN_BUDGET):
            ids, segments, mask = encodings.pad(rows)
            fixed = max(1, TOKEN_BUDGET // bucketed(ids.shape[1]))
            values = self.forward(*static_shapes((ids, segments, mask), fixed))[:len(rows)]
            if self.per_token:
                values = values[:, :ids.shape[1]][mask.astype(bool)]  # [tokens of these rows, ...]
            if out is None:
                n = int(encodings.row_splits[-1]) if self.per_token else len(encodings)
                out = np.empty((n, *values.shape[1:]), values.dtype)
            out[token_places(encodings, rows) if self.per_token else rows] = values
            done += len(rows)
            if progress:
                progress(done)
        return out


class NetworkScorer:
    """The head's outputs for encoded texts: [texts, ...], or [tokens, ...] for tasks that look at tokens."""

    def __init__(self, network):
        self.network = network
        # where several rows are one text, rows are scored by themselves and joined afterwards
        call = network.pooled if network.join else network
        self.rows = Scorer(lambda *x: call(*x), network, network.task.per_token)

    def encodings(self, encodings, progress=None):
        values, network = self.rows.encodings(encodings, progress), self.network
        return ops.convert_to_numpy(network.head(network.joined(values, encodings.owner))) if network.join else values


def token_places(encodings, rows):
    """Where the tokens of these rows lie in `encodings.ids`, one row after the other."""
    starts = encodings.row_splits[rows]
    lengths = encodings.row_splits[np.asarray(rows) + 1] - starts
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(starts, lengths) + within
