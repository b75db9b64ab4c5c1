"""Scoring many rows: length-sorted batches cut by tokens, results put back in order, memory bounded."""

import numpy as np

from .batches import scoring_batches
from .engine import Forward, static_shapes

TOKEN_BUDGET = 2048  # padded tokens a batch; 1-2k measured fastest on CPUs
CHUNK = 20_000  # rows tokenised, sorted and scored at a time


class Scorer:
    """Runs `call(ids, segments, mask)` over any number of texts. The graph is kept: later calls trace nothing."""

    def __init__(self, call, layer, per_token=False):
        self.forward = Forward(call, layer.variables)
        self.per_token = per_token

    def encodings(self, encodings, progress=None):
        """The outputs of encoded rows, [rows, ...], or [tokens, ...] aligned with `encodings.ids` if per token."""
        out, done, lengths = None, 0, encodings.lengths
        for rows in scoring_batches(lengths, TOKEN_BUDGET):
            ids, segments, mask = encodings.pad(rows)
            fixed = max(1, TOKEN_BUDGET // ids.shape[1])
            values = self.forward(*static_shapes((ids, segments, mask), fixed))[:len(rows)]
            if self.per_token:
                values = values[:, :ids.shape[1]][mask.astype(bool)]  # [tokens of these rows, ...]
            if out is None:
                n = int(encodings.row_splits[-1]) if self.per_token else len(encodings)
                out = np.empty((n, *values.shape[1:]), values.dtype)
            out[self._places(encodings, rows)] = values
            done += len(rows)
            if progress:
                progress(done)
        return out

    def _places(self, encodings, rows):
        if not self.per_token:
            return rows
        starts, lengths = encodings.row_splits[rows], encodings.lengths[rows]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return np.repeat(starts, lengths) + within

    def texts(self, tokenizer, texts, pairs, max_len, use, progress=None, offsets=False):
        """Tokenises and scores a chunk at a time; `use(outputs, encodings)` takes each chunk's outputs, in order.
        Gives the number of texts that were cut."""
        cut = 0
        for start in range(0, len(texts), CHUNK):
            some = slice(start, start + CHUNK)
            encodings = tokenizer.encode(texts[some], pairs[some] if pairs else None, max_len, offsets=offsets)
            cut += encodings.n_truncated
            chunk_progress = (lambda done, start=start: progress(start + done)) if progress else None
            use(self.encodings(encodings, chunk_progress), encodings)
        return cut
