"""Scores Parquet files on a Spark cluster. Structured streaming does the bookkeeping: its checkpoint knows which files
are done, so the same call goes on after the driver was killed, and Spark runs the tasks of lost workers again.

Workers need a Python with bertr's packages, but no R and no bertr: bertr and the fit travel in an archive.
"""

import contextlib
import itertools
import json
import os
import re
import tempfile
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from pyspark import cloudpickle
from pyspark.errors import AnalysisException
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StringType, StructType

from ..errors import BertrError
from ..events import throttled
from . import worker
from .archive import write_archive
from .columns import Columns
from .folder import ELSEWHERE, check_apart, check_run, find_files
from .local import open_tables, run_of
from .spark_errors import ERRORS, failed, left, named, unread
from .spark_session import session
from .tables import check_new

# in the output; readers skip names with an underscore
RUN, DAMAGED, CHECKPOINT = "_bertr_run", "_bertr_damaged", "_bertr_checkpoint"
FILE = "_metadata.file_path"  # a column that Spark gives every table of files
PARQUET = "*.[pP][aA][rR][qQ][uU][eE][tT]"  # a pattern of names
FILES = 16  # of a micro-batch, at least: a killed driver loses at most one
OTHERS = 10  # files that are read, at most, to tell whether one is damaged
WAIT = 0.2  # seconds between two looks at the query
TO_WORKERS = ("KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL")


def score(
    handle: Any, source: str, target: str, plan: dict[str, Any], master: str, on_event: Callable[..., Any] | None
) -> dict[str, Any]:
    """As `score` of local.py, for Parquet and with Spark. Files are not kept apart, nor is the order of rows.

    Args:
        handle: a Model or a Fit.
        source, target: paths, or addresses that Spark knows.
        plan: see local.py.
        master: the URL of Spark's master.
        on_event: as in bridge.py.

    Returns:
        A dict: `rows`, the number of rows that were scored now.

    Raises:
        BertrError: spark, source, column, text, schema, folder, file, no_tensorflow.
    """
    source, target = (path if "://" in path else os.path.abspath(path) for path in (source, target))
    _check_patterns(source, target)
    columns = Columns(handle, plan["what"], plan["columns"], plan["options"], plain=True)
    _check_apart(target, source)
    if "://" not in source:  # so that a file is named before anything is scored
        open_tables(find_files(source, [".parquet"]), plan, columns)
    with session(master, plan["rows"]) as spark, tempfile.TemporaryDirectory() as above:
        archive = os.path.join(above, f"bertr-{uuid.uuid4().hex}.zip")  # a server keeps those of all calls
        write_archive(handle, archive)
        run = {**run_of(handle, plan), "source": source}
        try:
            return _Run(spark, source, target, plan, columns, run).score(archive, throttled(on_event))
        except ERRORS as e:
            raise failed(str(e)) from None


def _check_apart(target, source):
    """As `check_apart`, also of addresses."""
    local = [path.removeprefix("file://") for path in (target, source)]
    a, b = (path.rstrip("/") + "/" for path in (target, source))
    if not any("://" in path for path in local):
        check_apart(*local)
    elif a.startswith(b) or b.startswith(a):
        raise BertrError("folder", f"'{target}' and '{source}' are one folder, or one is in the other.", ELSEWHERE)


def _address(path):
    """A path of this machine as an address, as a cluster may take plain paths for those of another file system."""
    return path if "://" in path else f"file://{path}"


def _check_patterns(*paths):
    for path in paths:
        if any(char in path for char in "*?[]{}"):
            raise BertrError(
                "folder", f"'{path}' has one of the characters * ? [ ] {{ }}.", "Spark reads it as a pattern."
            )


class _Run:
    """A run: `target` is refused if another one wrote it."""

    def __init__(self, spark, source, target, plan, columns, run):
        self.spark, self.plan, self.source_name, self.target_name = spark, plan, source, target
        self.source, self.target = _address(source), _address(target)
        self.files = self._reader(spark.read.format("binaryFile")).load(self.source).inputFiles()
        self.schema = self._first_schema()
        self.all_rows = self._all_rows()
        self.keep = self.schema.names if plan["keep"] is None else plan["keep"]
        self._check(self.schema.names)
        check_new(columns.schema.names, self.keep, self.source_name)
        self.out = StructType([*(self.schema[name] for name in self.keep), *from_arrow_schema(columns.schema)])
        self._begin(json.loads(json.dumps(run)))

    def score(self, archive, emit):
        before = self._rows_done()
        progress = _Progress(before, self.all_rows, emit)
        cloudpickle.register_pickle_by_value(worker)
        name = os.path.basename(archive)
        self.spark.addArtifacts(f"{archive}#{name}", archive=True)
        damaged = [name for name in self._noted(DAMAGED) if name in self.files]
        while (found := self._stream(name, damaged, progress)) is not None:
            damaged.append(found)
            self._note(DAMAGED, found)
        if not damaged and self._rows_done() < self.all_rows:  # somebody else has stopped it, and may go on with it
            raise BertrError(
                "spark",
                "Spark ended before all files were done.",
                "Call again. If this comes again, files have changed under names that were done: rename them.",
            )
        kept = self._tidy()
        if damaged:
            raise unread(damaged)
        if kept:
            raise left(kept)
        return {"rows": self._rows_done() - before}

    def _stream(self, archive, damaged, progress):
        """Scores all files that wait, except damaged ones. Gives a file that could not be read, if it ended at one."""
        wanted = dict.fromkeys([*self.plan["text"], *self.keep])
        settings = {name: os.environ[name] for name in TO_WORKERS if name in os.environ} | {"BERTR_THREADS": "1"}
        reader = self.spark.readStream.schema(self.schema).option("maxFilesPerTrigger", self._files_at_once())
        table = self._reader(reader.option("maxFileAge", "36500d")).parquet(self.source)  # else old files are left out
        if damaged:
            table = table.where(~table[FILE].isin([re.sub("^file:/+", "file:/", name) for name in damaged]))
        query = (
            table.select(*(f"`{name}`" for name in wanted))
            .mapInArrow(worker.on_worker(archive, json.dumps(self.plan), self.keep, settings), self.out)
            .writeStream.format("parquet")
            .option("path", self.target)
            .option("checkpointLocation", self._inside(CHECKPOINT))
            .trigger(availableNow=True)
            .start()
        )
        try:
            progress.watch(query)
        except ERRORS as e:  # which have ended it
            found = next((name for name in named(str(e)) if name in self.files and name not in damaged), None)
            if found is None or not self._is_damaged(found, damaged):
                raise
            return found
        except BaseException:
            query.stop()
            raise

    def _is_damaged(self, name, damaged):
        """Whether a file cannot be read while others can: else the fault is elsewhere, in the network for instance."""
        others = (each for each in self.files if each != name and each not in damaged)
        return not self._can_read(name) and any(map(self._can_read, itertools.islice(others, OTHERS)))

    def _can_read(self, name):
        try:
            self._one_file(self.spark.read.schema(self.schema), name).write.format("noop").mode("overwrite").save()
        except ERRORS:
            return False
        return True

    def _first_schema(self):
        """The columns of the first file that can be read, which those of all must be."""
        fault = BertrError("source", f"'{self.source_name}' holds no Parquet files.")
        for name in self.files:
            try:
                return self._one_file(self.spark.read, name).schema
            except ERRORS as e:
                fault = e
        raise fault

    def _one_file(self, reader, name):
        return reader.option("__globPaths__", "false").parquet(unquote(name))  # its name is no pattern

    def _all_rows(self):
        """As the ends of the files say, of those that can be read."""
        reader = self._reader(self.spark.read.schema(self.schema).option("ignoreCorruptFiles", "true"))
        try:
            return reader.parquet(self.source).count()
        except ERRORS:  # a file that may not be read, which its scoring will name
            return 0

    def _reader(self, reader):
        return reader.option("recursiveFileLookup", "true").option("pathGlobFilter", PARQUET)

    def _files_at_once(self):
        parts = self.spark.range(10_000).selectExpr("spark_partition_id() AS part")  # as many as the cluster has cores
        return max(FILES, 4 * parts.distinct().count())

    def _inside(self, name):
        return f"{self.target.rstrip('/')}/{name}"

    def _check(self, names):
        for name in dict.fromkeys([*self.plan["text"], *self.keep]):
            if name not in names:
                shown = ", ".join(f"'{each}'" for each in names[:10])
                raise BertrError("column", f"'{self.source_name}' has no column '{name}'.", f"Its columns are {shown}.")
        for name in self.plan["text"]:
            kind = self.schema[name].dataType
            if not isinstance(kind, StringType):
                raise BertrError(
                    "text", f"Column '{name}' of '{self.source_name}' must be text, not {kind.simpleString()}."
                )

    def _begin(self, run):
        """Notes which run the folder belongs to."""
        noted = self._noted(RUN)
        if noted:
            check_run(self.target_name, run, json.loads(noted[0]))
        elif self._listed(""):
            raise BertrError("folder", f"'{self.target_name}' holds other files.", "Choose an empty or new folder.")
        else:
            self._note(RUN, json.dumps(run))

    def _note(self, name, line):
        """Adds a line to a note in the output, at once or not at all."""
        self.spark.createDataFrame([(line,)], "line string").coalesce(1).write.mode("append").text(self._inside(name))

    def _noted(self, name):
        """The lines of a note in the output."""
        try:
            return [row[0] for row in self.spark.read.text(self._inside(name)).collect()]
        except AnalysisException:  # there is none
            return []

    def _listed(self, names):
        """The paths of files in the output, also those that Spark has not confirmed."""
        try:
            reader = self.spark.read.format("binaryFile").option("recursiveFileLookup", "true")
            table = reader.load(self._inside(names))
            return [row[0] for row in table.select("path").collect()]
        except AnalysisException:  # there are none
            return []

    def _done(self):
        return self.spark.read.schema(self.out).parquet(self.target)

    def _rows_done(self):
        try:
            return self._done().count()
        except AnalysisException:  # there are none yet
            return 0

    def _tidy(self):
        """Deletes the files of tasks that were not confirmed, as when their driver was killed: others than Spark would
        read them, too. Gives those that it could not delete."""
        confirmed = {os.path.basename(path) for path in self._done().inputFiles()}
        waiting = [path for path in self._listed("part-*") if os.path.basename(path) not in confirmed]
        return [path for path in waiting if not self._delete(path)]

    def _delete(self, path):
        with contextlib.suppress(OSError, *ERRORS):
            if self.target.startswith("file://"):
                os.remove(os.path.join(self.target.removeprefix("file://"), os.path.basename(path)))
                return True
            if hasattr(self.spark, "_jvm"):  # Spark Connect has no access to files
                file = self.spark._jvm.org.apache.hadoop.fs.Path(path)
                return file.getFileSystem(self.spark._jsc.hadoopConfiguration()).delete(file, False)
        return False


class _Progress:
    """Tells how many rows are done, over all queries of a call."""

    def __init__(self, before, all_rows, emit):
        self.before, self.all_rows, self.emit = before, max(1, all_rows), emit
        self.begun, self.done = time.monotonic(), 0

    def watch(self, query):
        """Until the query ends."""
        last = -1
        while not query.awaitTermination(WAIT):
            progress = query.lastProgress
            if progress and progress.batchId > last:
                last, self.done = progress.batchId, self.done + progress.numInputRows
            rate = self.done / max(1e-3, time.monotonic() - self.begun)
            share = min(1.0, (self.before + self.done) / self.all_rows)
            self.emit("score", {"done": self.done, "rate": rate, "share": share})
