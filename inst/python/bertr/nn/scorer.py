"""Scoring many rows: batches sorted by length with a token budget, results restored to the input order."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from .. import notes
from ..kernels.backend import COMPILES_SHAPES, gpus, is_out_of_memory, too_little_memory
from ..kernels.buckets import bucketed, static_shapes
from ..kernels.compiled import Forward
from ..kernels.dense import can_keep_weights
from ..kernels.precision import current

if TYPE_CHECKING:
    from ..text.encodings import Encodings
    from .network import Network

SMALLER = "The device ran out of memory, so texts are now computed in smaller batches."
MANY = 200_000  # tokens needed to amortize tracing the second graph


def token_budget(config: Any) -> int:
    """Padded tokens per batch.

    Measured on processors: throughput stops improving at 8,192 tokens for a hidden size of 384, at 2,048 for 768.
    Batches then take about equally long, and the overhead of launching an operation is small.

    Args:
        config: a BertConfig.

    Returns:
        int.
    """
    if gpus():
        return 32_768  # thousands of cores at work
    if COMPILES_SHAPES:
        return 2048  # every batch is padded to it, even that of a single text
    return min(8192, max(2048, 2048 * 768**2 // config.hidden_size**2))


def scoring_batches(lengths: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Batches of rows of similar length.

    Args:
        lengths: int [rows], tokens of each row.
        budget: most padded tokens of a batch; a batch has at least one row.

    Yields:
        int64 [batch], row numbers, the longest rows first.
    """
    order = np.argsort(-lengths, kind="stable")  # the longest first: memory peaks immediately or never
    start = 0
    while start < len(order):
        rows = max(1, budget // int(lengths[order[start]]))
        yield order[start : start + rows]
        start += rows


class GraphRunner:
    """Runs batches through a compiled graph of `call(ids, segments, mask)`, which is traced once.

    Once the weights are final, large inputs use a second graph. It is faster but holds a second copy of the dense
    layers' weights (see kernels/dense.py), and it is slower for few rows, which stay with the first graph.

    Args:
        call: a function of int32 ids, segments and mask, [batch, length] each.
        layer: the Backbone or Network whose variables `call` uses.
        config: a BertConfig.
        kind: everything `call` depends on except the variables; runners of the same kind share a graph. None: no
            sharing.
    """

    def __init__(self, call: Callable[..., Any], layer: Any, config: Any, kind: Any = None):
        self.call, self.layer, self.config = call, layer, config
        self.kind = kind
        self.forward, self.of_many = Forward(call, layer.variables, kind=kind), None
        self.in_half = {}  # float type -> a Forward whose blocks compute in it
        self.tokens_seen = 0

    def weights_are_final(self) -> None:
        """Declares that the weights no longer change. Shared layers get no second graph: it would copy the weights once
        per layer."""
        if can_keep_weights() and not self.config.shares_blocks:
            self.of_many = Forward(self.call, self.layer.variables, final=True)

    def expect_many(self) -> None:
        """Declares that many tokens will follow. Which graph runs a call then depends only on the call: the two graphs
        round differently."""
        self.tokens_seen = MANY

    def for_tokens(self, tokens: int, budget: int) -> Callable[..., Any]:
        """The function that runs the batches of a call.

        Args:
            tokens: real tokens of the call.
            budget: padded tokens per batch.

        Returns:
            A function from ids, segments and mask to the outputs.
        """
        precision = current()
        if precision != "float32":
            return self._in_half(precision)
        self.tokens_seen += tokens
        return self.of_many if self.of_many and tokens >= budget and self.tokens_seen >= MANY else self.forward

    def _in_half(self, precision):
        def call(*inputs):
            with self.layer.computing_in(precision):
                return self.call(*inputs)

        if precision not in self.in_half:
            self.in_half[precision] = Forward(call, self.layer.variables, kind=self.kind and (precision, self.kind))
        return self.in_half[precision]


class Scorer:
    """Runs any number of rows in batches.

    Args:
        runner: has `for_tokens(tokens, budget)`, which returns a function from int32 ids, segments and mask, [batch,
            length] each, to outputs [batch, ...], or [batch, length, ...] if `per_token`.
        config: a BertConfig.
        per_token: whether there is one output per token.
    """

    def __init__(self, runner: Any, config: Any, per_token: bool = False):
        self.runner, self.config, self.per_token = runner, config, per_token
        self.budget = token_budget(config)
        self.memory: Any = None  # or {precision and tokens of a row: its output}, while rows are remembered

    def remember(self, on: bool) -> None:
        """Starts or ends remembering the outputs of rows, so that no row is computed twice; not for tokens."""
        self.memory = {} if on and not self.per_token else None

    def encodings(self, encodings: "Encodings", progress: Callable[[int], Any] | None = None) -> Any:
        """Outputs of encoded rows.

        Args:
            encodings: an Encodings with at least one row.
            progress: None, or a function that is called with the number of rows done after every batch.

        Returns:
            [rows, ...], or [tokens, ...] aligned with `encodings.ids` if per token; usually float32.
        """
        return self._compute(encodings, progress) if self.memory is None else self._recall(encodings, progress)

    def _recall(self, encodings, progress):
        memory, splits = self.memory, encodings.row_splits
        keys = [
            (current(), encodings.ids[start:end].tobytes(), encodings.segments[start:end].tobytes())
            for start, end in zip(splits[:-1], splits[1:], strict=True)
        ]
        new = [row for key, row in {key: row for row, key in enumerate(keys)}.items() if key not in memory]
        if new:
            values: Any = self._compute(encodings.take(np.array(new)), progress)
            memory.update({keys[row]: value for row, value in zip(new, values, strict=True)})
        if progress:
            progress(len(encodings))
        return np.stack([memory[key] for key in keys])

    def _compute(self, encodings, progress):
        run = self.runner.for_tokens(int(encodings.row_splits[-1]), self.budget)
        out, done, lengths = None, 0, encodings.lengths
        for rows in scoring_batches(bucketed(lengths), self.budget):
            values = self._values(run, encodings, rows)
            if out is None:
                n = int(encodings.row_splits[-1]) if self.per_token else len(encodings)
                out = np.empty((n, *values.shape[1:]), values.dtype)
            out[encodings.places(rows) if self.per_token else rows] = values
            done += len(rows)
            if progress:
                progress(done)
        return out

    def _values(self, run, encodings, rows):
        """The outputs of a batch. Out of memory makes it and all later batches smaller."""
        length = int(bucketed(encodings.lengths[rows[0]]))
        full = max(1, self.budget // length)
        if len(rows) > full:
            parts = [rows[start : start + full] for start in range(0, len(rows), full)]
            return np.concatenate([self._values(run, encodings, part) for part in parts])
        try:
            return self._batch(run, encodings, rows, full)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if full == 1:
                raise too_little_memory("for even one text") from error
        notes.leave(SMALLER)
        self.budget = full // 2 * length
        return self._values(run, encodings, rows)

    def _batch(self, run, encodings, rows, full):
        """The outputs of some rows, [rows, ...] or [tokens, ...]; `full`: how many would make a full batch."""
        ids, segments, mask = encodings.pad(_evened(rows, full, len(encodings)))
        values = run(*static_shapes((ids, segments, mask), full))[: len(rows)]
        return values[:, : ids.shape[1]][mask[: len(rows)].astype(bool)] if self.per_token else values


def _evened(rows, full, total):
    """Pads the batch by repeating its last row so that few distinct shapes occur.

    The number of rows becomes `full`, or a multiple of a power of two that is about a hundredth of `total`. oneDNN
    caches about a megabyte of kernels for each distinct shape, and the leftover last batch would otherwise differ from
    call to call."""
    step = 2 ** max(0, (total // 64).bit_length() - 1)
    return np.pad(rows, (0, max(0, min(full, -(-len(rows) // step) * step) - len(rows))), mode="edge")


class NetworkScorer:
    """The head's outputs for encoded texts.

    The head is part of the graph, except where a text has several rows or a scorer of `pooled` rows is given: then the
    head runs once on the features of all rows.

    Args:
        network: a Network.
        pooled: None, or the Scorer of the head's input.
    """

    def __init__(self, network: "Network", pooled: Scorer | None = None):
        self.network = network
        self.apart = network.join is not None or pooled is not None
        call = network.pooled if self.apart else network
        kind = network.kind and ("outputs", self.apart, network.kind)
        config = network.backbone.config
        self.rows = pooled or Scorer(
            GraphRunner(lambda *x: call(*x), network, config, kind), config, network.task.per_token
        )

    def encodings(self, encodings: "Encodings", progress: Callable[[int], Any] | None = None) -> np.ndarray:
        """As `Scorer.encodings`, but [texts, ...], or [tokens, ...] for tasks per token."""
        values, network = self.rows.encodings(encodings, progress), self.network
        return ops.convert_to_numpy(network.head(network.joined(values, encodings.owner))) if self.apart else values
