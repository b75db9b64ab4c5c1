"""The columns that scoring adds to a table, as Arrow arrays: those of `bert_predict()` or `bert_embed()`.

R says what the columns are called and what each one is in R, its kind; a task's `table` gives their values.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from .. import features
from ..model import Fit
from ..tasks.base import Items
from ..tasks.mlm.next_sentence import follow
from .predict import predict

TYPES = {
    "character": pa.string(),
    "double": pa.float64(),
    "integer": pa.int32(),
    "logical": pa.bool_(),
    "vector": pa.list_(pa.float32()),
}


class Columns:
    """Computes the added columns.

    Args:
        handle: a Model or a Fit.
        what: "predict", "next_sentence" or "embed".
        columns: a list of dicts: `name`; `kind`, see TYPES, or "factor" or "list"; of a factor `levels`, list of str,
            and `ordered`.
        options: as those of the function of bridge.py with the name `what`; `max_len` is given.
        plain: whether factors become texts, where nothing reads Arrow's dictionaries.
    """

    def __init__(self, handle: Any, what: str, columns: list[dict[str, Any]], options: dict[str, Any], plain: bool):
        self.handle, self.columns, self.options = handle, columns, options
        self.compute = {"predict": self._predictions, "next_sentence": self._follows, "embed": self._vectors}[what]
        self.encoder = handle if what == "predict" else handle.model if isinstance(handle, Fit) else handle
        self.plain = plain
        self.schema = pa.schema([(column["name"], self._type(column)) for column in columns])

    def expect_many(self) -> None:
        """Makes the numbers of a batch independent of what was computed before it."""
        if self.compute == self._predictions:
            scorer = self.handle.scorer.rows
        elif self.compute == self._follows:
            scorer = self.encoder.scorer("cls", (self.encoder.config.num_layers,))
        else:
            scorer = features.scorer_of(self.encoder, self.options)
        scorer.runner.expect_many()

    def of(self, texts: list[list[str | None]], progress: Callable[[int], Any] | None = None) -> tuple[pa.Table, int]:
        """The columns for texts.

        Args:
            texts: one list per text column; None where a text is missing.
            progress: None, or a function of the number of texts done.

        Returns:
            (the columns, NULL where a text is missing; the number of texts that were cut).
        """
        complete = [row for row, each in enumerate(zip(*texts, strict=True)) if None not in each]
        n = len(texts[0])
        if not complete:
            return pa.table([pa.nulls(n, each) for each in self.schema.types], self.schema), 0
        a, *b = [[column[row] for row in complete] for column in texts]
        values, encodings = self.compute(a, b[0] if b else None, progress)
        place = np.full(n, -1)
        place[complete] = np.arange(len(complete))
        places = pa.array(place, mask=place < 0)
        arrays = [
            self._array(value, column, len(complete)).take(places)
            for value, column in zip(values, self.columns, strict=True)
        ]
        return pa.table(arrays, self.schema), encodings.n_truncated

    def _predictions(self, a, b, progress):
        columns, encodings = predict(self.handle, a, b, self.options["max_len"], progress)
        return self.handle.task.table(columns, [column["kind"] for column in self.columns]), encodings

    def _follows(self, a, b, progress):
        encodings = self.encoder.encode(a, b, self.options["max_len"])
        return [follow(self.encoder, encodings, progress)], encodings

    def _vectors(self, a, b, progress):
        values, encodings = features.vectors(self.encoder, a, b, self.options, progress)
        return [values], encodings

    def _type(self, column):
        if column["kind"] == "factor":
            return pa.string() if self.plain else pa.dictionary(pa.int32(), pa.string(), column["ordered"])
        if column["kind"] == "list":
            item = self.handle.task.item
            return pa.list_(pa.string() if item is None else pa.struct([(k, TYPES[v]) for k, v in item.items()]))
        return TYPES[column["kind"]]

    def _array(self, value, column, n):
        """The Arrow array of `n` texts."""
        kind = self._type(column)
        if column["kind"] == "factor":
            codes = pa.DictionaryArray.from_arrays(
                pa.array(value, pa.int32()), pa.array(column["levels"], pa.string()), ordered=column["ordered"]
            )
            return codes.cast(kind)
        if column["kind"] == "vector":
            offsets = np.arange(n + 1, dtype=np.int32) * value.shape[1]
            return pa.ListArray.from_arrays(offsets, pa.array(value.reshape(-1)))
        if isinstance(value, Items):
            fields = [pa.array(value.columns[field.name], field.type) for field in kind.value_type]
            offsets = np.searchsorted(value.text, np.arange(n + 1)).astype(np.int32)
            return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(fields, fields=list(kind.value_type)))
        return pa.array(value, kind)
