"""Files of tables, read and written in batches of rows: Parquet, CSV as `write.csv()` writes it, and JSON lines.

A batch has texts to score and `rest`, the columns to keep in the form that `write` takes. A file is written in parts,
one per batch, which `join` makes one file.
"""

import csv
import itertools
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from ..errors import BertrError

BLOCK = 2**22  # bytes of CSV that are read at once, eight times: no row may be longer


class Table:
    """A file to read.

    Args:
        path: the file.
        text: list of str, the columns with the texts.
        keep: list of str, the columns to keep; None: all.

    Raises:
        BertrError: column.
    """

    def __init__(self, path: str, text: list[str], keep: list[str] | None):
        self.path, self.text, self.every = path, text, keep is None
        self.keep = keep or []
        self.source: Any = None
        names = self._names()
        if self.every:
            self.keep = list(dict.fromkeys(names))
        self._check(names)

    def kept(self) -> Any:
        """What must be the same in all files of a folder: the kept columns and their types."""
        return self.keep

    def share(self) -> float:
        """The share of the file that has been read, from 0 to 1."""
        raise NotImplementedError

    def batches(self, rows: int) -> Iterator[tuple[list[list[str | None]], Any]]:
        """Yields (one list of texts per text column, the rest) of `rows` rows, the last time of those that are left; at
        least once."""
        raise NotImplementedError

    def write(self, rest: Any, added: pa.Table, path: str, first: bool) -> None:
        """Writes a part: the rest of a batch and its added columns."""
        raise NotImplementedError

    def join(self, parts: list[str], path: str) -> None:
        """Makes one file of all parts."""
        with open(path, "wb") as out:
            for part in parts:
                with open(part, "rb") as f:
                    shutil.copyfileobj(f, out)

    def _names(self):
        raise NotImplementedError

    def _check(self, names):
        for name in dict.fromkeys([*self.text, *self.keep]):
            if names.count(name) != 1:
                what = "has no column" if name not in names else "has more than one column"
                shown = ", ".join(f"'{each}'" for each in names[:10])
                raise BertrError("column", f"'{self.path}' {what} '{name}'.", f"Its columns are {shown}.")


class Parquet(Table):
    def _names(self):
        with self._open() as file:
            self.schema, self.rows = file.schema_arrow.remove_metadata(), file.metadata.num_rows
        return self.schema.names

    def _check(self, names):
        super()._check(names)
        for name in self.text:
            kind = self.schema.field(name).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            if kind not in (pa.string(), pa.large_string(), pa.string_view(), pa.null()):
                raise BertrError("text", f"Column '{name}' of '{self.path}' must be text, not {kind}.")

    def kept(self):
        return [[name, str(self.schema.field(name).type)] for name in self.keep]

    def share(self):
        return self.read / max(1, self.rows)

    def batches(self, rows):
        self.read = 0
        with self._open() as file:
            read = file.iter_batches(rows, columns=list(dict.fromkeys([*self.text, *self.keep])))
            for table in cut(read, rows, self.schema):
                self.read += len(table)
                yield [table[name].to_pylist() for name in self.text], table.select(self.keep)

    def write(self, rest, added, path, first):
        pq.write_table(beside(rest, added), path)

    def join(self, parts, path):
        with pq.ParquetWriter(path, pq.read_schema(parts[0])) as out:
            for part in parts:
                with pq.ParquetFile(part) as file:
                    out.write_table(file.read())

    def _open(self):
        return pq.ParquetFile(self.path, buffer_size=2**20)


class Csv(Table):
    """All columns are text, so that nothing changes in those that are kept. A missing value is NA, or nothing, both
    without quotes."""

    def _names(self):
        with open(self.path, encoding="utf-8-sig", newline="") as source:
            names = next(csv.reader(source), [])
            self.empty = not source.read(1)  # not even a line's end after the header
        if not names:
            raise ValueError("it has no header")
        return names

    def share(self):
        return self.source.tell() / max(1, os.path.getsize(self.path))

    def batches(self, rows):
        names = list(dict.fromkeys([*self.text, *self.keep]))
        reading = arrow_csv.ReadOptions(block_size=BLOCK, use_threads=False)
        parsing = arrow_csv.ParseOptions(newlines_in_values=True)
        converting = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=names,
            null_values=["NA", ""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        with open(self.path, "rb") as self.source:
            schema = pa.schema([(name, pa.string()) for name in names])
            read = [] if self.empty else arrow_csv.open_csv(self.source, reading, parsing, converting)
            for table in cut(read, rows, schema):
                yield [table[name].to_pylist() for name in self.text], table.select(self.keep)

    def write(self, rest, added, path, first):
        table = beside(rest, added)
        columns = [column.to_pylist() for column in table.columns]
        with open(path, "w", encoding="utf-8", newline="") as out:
            if first:
                out.write(",".join(map(csv_field, table.column_names)) + "\n")
            for row in zip(*columns, strict=True):
                out.write(",".join(map(csv_field, row)) + "\n")


class JsonLines(Table):
    """Every line is a JSON object. The columns are those of the first one; others may lack some, or have more."""

    def _names(self):
        with self._open() as source:
            for row in self._rows(source):
                return list(row)
        return [*self.text, *self.keep]  # without rows nothing is missing

    def kept(self):
        return None  # rows may differ in their columns and types

    def share(self):
        return self.source.buffer.tell() / max(1, os.path.getsize(self.path))

    def batches(self, rows):
        with self._open() as self.source:
            read = self._rows(self.source)
            batch = list(itertools.islice(read, rows))
            while True:
                yield [[self._text(row, name) for row in batch] for name in self.text], batch
                batch = list(itertools.islice(read, rows))
                if not batch:
                    return

    def write(self, rest, added, path, first):
        with open(path, "w", encoding="utf-8") as out:
            for row, more in zip(rest, added.to_pylist(), strict=True):
                kept = row if self.every else {name: row[name] for name in self.keep if name in row}
                check_new(more, list(kept), self.path)
                out.write(json.dumps({**kept, **more}, ensure_ascii=False) + "\n")

    def _open(self):
        return open(self.path, encoding="utf-8-sig", newline="\n")

    def _rows(self, source):
        for number, line in enumerate(source, 1):
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"line {number} is not a JSON object")
                if "\\ud" in line.lower():  # half of a character in UTF-16, perhaps, which cannot be written
                    used = row if self.every else {name: row.get(name) for name in (*self.text, *self.keep)}
                    json.dumps(used, ensure_ascii=False).encode()
                yield row

    def _text(self, row, name):
        text = row.get(name)
        if not isinstance(text, str | None):
            raise BertrError("text", f"Column '{name}' of '{self.path}' must be text, not {json.dumps(text)[:50]}.")
        return text


FORMATS = {".parquet": Parquet, ".csv": Csv, ".jsonl": JsonLines, ".ndjson": JsonLines, ".json": JsonLines}


def check_new(added: Iterable[str], kept: list[str], path: str) -> None:
    """Checks that no added column has the name of a kept one.

    Raises:
        BertrError: column.
    """
    for name in added:
        if name in kept:
            raise BertrError(
                "column",
                f"'{path}' already has a column '{name}', which would be overwritten.",
                "Leave it out of `keep`, or rename it.",
            )


def cut(batches: Iterable[pa.RecordBatch], rows: int, schema: pa.Schema) -> Iterator[pa.Table]:
    """Tables of exactly `rows` rows, the last one of those that are left; at least one."""
    waiting, any_yet = [], False
    for batch in batches:
        while len(batch):
            part = batch.slice(0, rows - sum(map(len, waiting)))
            waiting.append(part)
            batch = batch.slice(len(part))
            if sum(map(len, waiting)) == rows:
                yield pa.Table.from_batches(waiting)
                waiting, any_yet = [], True
    if waiting:
        yield pa.Table.from_batches(waiting)
    elif not any_yet:
        yield schema.empty_table()


def beside(left: pa.Table, right: pa.Table) -> pa.Table:
    """The columns of both tables."""
    return pa.table([*left.columns, *right.columns], pa.schema([*left.schema, *right.schema]))


def csv_field(value: Any) -> str:
    """A field as `write.csv()` writes it; a list as JSON."""
    if value is None:
        return "NA"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, list):
        value = json.dumps(value, ensure_ascii=False)
    return '"' + value.replace('"', '""') + '"' if isinstance(value, str) else repr(value)
