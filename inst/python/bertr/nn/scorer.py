"""Scoring many rows: length-sorted batches cut by tokens, results put back in order."""

import numpy as np
from keras import ops

from ..kernels.backend import COMPILES_SHAPES
from ..kernels.compiled import Forward, bucketed, static_shapes
from ..kernels.dense import can_keep_weights

MANY = 200_000  # tokens after which a second graph has made up for the time that it takes to make


def token_budget(config):
    """Padded tokens a batch, measured: 8,192 with 384 columns and 2,048 with 768, where more gains nothing. So batches
    take about as long, and what it costs to start an operation is little beside it."""
    if COMPILES_SHAPES:
        return 2048  # every batch is filled up to it there, a single text's too
    return min(8192, max(2048, 2048 * 768**2 // config.hidden_size**2))


def scoring_batches(lengths, budget):
    """Row numbers in batches of at most `budget` padded tokens, like lengths together (at least one row each)."""
    order = np.argsort(-lengths, kind="stable")  # the longest first: memory peaks at once or never
    start = 0
    while start < len(order):
        rows = max(1, budget // int(lengths[order[start]]))
        yield order[start:start + rows]
        start += rows


class GraphRunner:
    """Runs batches as a compiled graph on this machine: `call(ids, segments, mask)` with the variables of `layer`. The
    graph is kept: later calls trace nothing. `kind` tells all that `call` depends on but the variables; runners of one
    kind share their graph.

    Once the weights of `layer` are final, many tokens get a second graph, which is faster and holds the weights of
    dense layers once more (see kernels/dense.py). Few rows stay with the first one: it would be slower with them."""

    def __init__(self, call, layer, config, kind=None):
        self.call, self.layer, self.config = call, layer, config
        self.forward, self.of_many = Forward(call, layer.variables, kind=kind), None
        self.seen = 0  # tokens so far

    def weights_are_final(self):
        """Nothing changes the weights from now on. Layers that share them would hold them once each."""
        if can_keep_weights() and not self.config.shares_blocks:
            self.of_many = Forward(self.call, self.layer.variables, final=True)

    def for_tokens(self, tokens, budget):
        """What runs the batches, of `budget` tokens, of a call with so many tokens."""
        self.seen += tokens
        return self.of_many if self.of_many and tokens >= budget and self.seen >= MANY else self.forward


class Scorer:
    """Runs any number of texts in batches. `runner` says what runs a batch: `for_tokens(tokens, budget)` gives a
    function from int32 ids, segments and mask, [batch, length] each, to the outputs of its rows, [batch, ...], or
    [batch, length, ...] if `per_token`."""

    def __init__(self, runner, config, per_token=False):
        self.runner, self.config, self.per_token = runner, config, per_token
        self.budget = token_budget(config)

    def encodings(self, encodings, progress=None):
        """The outputs of encoded rows, [rows, ...], or [tokens, ...] aligned with `encodings.ids` if per token."""
        run = self.runner.for_tokens(int(encodings.row_splits[-1]), self.budget)
        out, done, lengths = None, 0, encodings.lengths
        for rows in scoring_batches(bucketed(lengths), self.budget):
            full = max(1, self.budget // int(bucketed(lengths[rows[0]])))
            ids, segments, mask = encodings.pad(_evened(rows, full, len(encodings)))
            values = run(*static_shapes((ids, segments, mask), full))[:len(rows)]
            if self.per_token:
                values = values[:, :ids.shape[1]][mask[:len(rows)].astype(bool)]  # [tokens of these rows, ...]
            if out is None:
                n = int(encodings.row_splits[-1]) if self.per_token else len(encodings)
                out = np.empty((n, *values.shape[1:]), values.dtype)
            out[encodings.places(rows) if self.per_token else rows] = values
            done += len(rows)
            if progress:
                progress(done)
        return out


def _evened(rows, full, total):
    """The rows of a batch, the last one again until their number is one of few: `full`, or a multiple of a hundredth of
    all (more or less, and a power of two). oneDNN keeps a megabyte of kernels for each shape that it meets, and what is
    left over for the last batch would be another one in each of a million texts' many calls."""
    step = 2 ** max(0, (total // 64).bit_length() - 1)
    return np.pad(rows, (0, max(0, min(full, -(-len(rows) // step) * step) - len(rows))), mode="edge")


class NetworkScorer:
    """The head's outputs for encoded texts: [texts, ...], or [tokens, ...] for tasks that look at tokens.

    The head has its part in the graph, but where several rows are one text, and where there is a scorer of `pooled`
    rows: then it takes what it reads of all of them."""

    def __init__(self, network, pooled=None):
        self.network = network
        self.apart = network.join is not None or pooled is not None
        call = network.pooled if self.apart else network
        kind = network.kind and ("outputs", self.apart, network.kind)
        config = network.backbone.config
        self.rows = pooled or Scorer(GraphRunner(lambda *x: call(*x), network, config, kind), config,
                                     network.task.per_token)

    def encodings(self, encodings, progress=None):
        values, network = self.rows.encodings(encodings, progress), self.network
        return ops.convert_to_numpy(network.head(network.joined(values, encodings.owner))) if self.apart else values
