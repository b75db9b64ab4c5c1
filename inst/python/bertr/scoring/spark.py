"""Scores Parquet files on a Spark cluster. Structured streaming does the bookkeeping: its checkpoint knows which files
are done, so the same call goes on after the driver was killed, and Spark runs the tasks of lost workers again.

Workers need a Python with bertr's packages, but no R and no bertr: bertr and the fit travel in an archive.
"""

import contextlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from pyspark import cloudpickle
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.functions import col
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StringType, StructType

from ..errors import BertrError
from ..events import throttled
from . import worker
from .archive import write_archive
from .columns import Columns
from .folder import check_apart, check_run, find_files
from .local import open_tables, run_of
from .tables import check_new

RUN, CHECKPOINT = "_bertr_run", "_bertr_checkpoint"  # in the output; readers skip names with an underscore
FILES = 16  # of a micro-batch, at least: a killed driver loses at most one
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
    columns = Columns(handle, plan["what"], plan["columns"], plan["options"], plain=True)
    if "://" not in source + target:
        check_apart(target, source)
    if "://" not in source:  # so that a file is named before anything is scored
        open_tables(find_files(source, [".parquet"]), plan, columns)
    spark = _session(master, plan["rows"])
    try:
        with tempfile.TemporaryDirectory() as above:
            archive = os.path.join(above, "bertr.zip")
            write_archive(handle, archive)
            run = {**run_of(handle, plan), "source": source}
            return _Run(spark, source, target, plan, columns, run).score(archive, throttled(on_event))
    except PySparkException as e:
        raise _failed(str(e)) from None
    finally:
        spark.stop()


def _session(master, rows):
    if master.startswith("sc:"):
        raise BertrError(
            "spark", f"'{master}' is an address of Spark Connect, which bertr cannot use.", "Give the master's URL."
        )
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(rows),
        "spark.executorEnv.BERTR_THREADS": "1",
        **{f"spark.executorEnv.{name}": os.environ[name] for name in TO_WORKERS if name in os.environ},
    }
    if master.startswith("local"):
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    builder = SparkSession.builder.master(master).appName("bertr")
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        with _quiet():
            return builder.getOrCreate()
    except Exception as e:
        hint = "It needs Java 17 or later, in the folder JAVA_HOME or on the path." if "JAVA" in str(e) else ""
        raise BertrError("spark", f"Spark could not be started with '{master}': {_first_line(e)}.", hint) from None


@contextlib.contextmanager
def _quiet():
    """Discards what a process that starts meanwhile, Java, ever writes to standard error: errors come back anyway."""
    sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


class _Run:
    """A run: `target` is refused if another one wrote it."""

    def __init__(self, spark, source, target, plan, columns, run):
        self.spark, self.source, self.target, self.plan = spark, source, target, plan
        table = self._reader(spark.read).parquet(source)
        self.schema, self.all_rows = table.schema, table.count()
        self.keep = self.schema.names if plan["keep"] is None else plan["keep"]
        self._check(self.schema.names)
        check_new(columns.schema.names, self.keep, source)
        self.out = StructType([*(self.schema[name] for name in self.keep), *from_arrow_schema(columns.schema)])
        self._begin(json.loads(json.dumps(run)))

    def score(self, archive, emit):
        before = self._rows_done()
        self.spark.sparkContext.addArchive(archive + "#bertr")
        cloudpickle.register_pickle_by_value(worker)
        wanted = [col(f"`{name}`") for name in dict.fromkeys([*self.plan["text"], *self.keep])]
        files = max(FILES, 4 * self.spark.sparkContext.defaultParallelism)
        query = (
            self._reader(self.spark.readStream.schema(self.schema).option("maxFilesPerTrigger", files))
            .parquet(self.source)
            .select(*wanted)
            .mapInArrow(worker.on_worker("bertr", json.dumps(self.plan), self.keep), self.out)
            .writeStream.format("parquet")
            .option("path", self.target)
            .option("checkpointLocation", self._inside(CHECKPOINT))
            .trigger(availableNow=True)
            .start()
        )
        try:
            self._watch(query, before, emit)
        finally:
            query.stop()
        self._tidy()
        return {"rows": self._rows_done() - before}

    def _reader(self, reader):
        return reader.option("recursiveFileLookup", "true").option("pathGlobFilter", "*.parquet")

    def _inside(self, name):
        return f"{self.target.rstrip('/')}/{name}"

    def _check(self, names):
        for name in dict.fromkeys([*self.plan["text"], *self.keep]):
            if name not in names:
                shown = ", ".join(f"'{each}'" for each in names[:10])
                raise BertrError("column", f"'{self.source}' has no column '{name}'.", f"Its columns are {shown}.")
        for name in self.plan["text"]:
            kind = self.schema[name].dataType
            if not isinstance(kind, StringType):
                raise BertrError("text", f"Column '{name}' of '{self.source}' must be text, not {kind.simpleString()}.")

    def _begin(self, run):
        """Notes which run the folder belongs to."""
        path = self._inside(RUN)
        if any(each.getName() == RUN for each in self._listed()):
            check_run(self.target, run, json.loads(self.spark.read.text(path).first()[0]))
            return
        if self._listed():
            raise BertrError("folder", f"'{self.target}' holds other files.", "Choose an empty or new folder.")
        self.spark.createDataFrame([(json.dumps(run),)], "run string").coalesce(1).write.text(path)

    def _files(self):
        """(Hadoop's file system, the path of the folder)."""
        context = self.spark.sparkContext
        path = context._jvm.org.apache.hadoop.fs.Path(self.target)
        return path.getFileSystem(context._jsc.hadoopConfiguration()), path

    def _listed(self):
        """The paths of all in the folder."""
        files, path = self._files()
        return [each.getPath() for each in files.listStatus(path)] if files.exists(path) else []

    def _done(self):
        return self.spark.read.schema(self.out).parquet(self.target)

    def _rows_done(self):
        try:
            return self._done().count()
        except AnalysisException:  # there are none yet
            return 0

    def _watch(self, query, before, emit):
        begun, done, last = time.monotonic(), 0, -1
        while not query.awaitTermination(WAIT):
            progress = query.lastProgress
            if progress and progress["batchId"] > last:
                last, done = progress["batchId"], done + progress["numInputRows"]
            rate = done / max(1e-3, time.monotonic() - begun)
            emit("score", {"done": done, "rate": rate, "share": min(1.0, (before + done) / max(1, self.all_rows))})

    def _tidy(self):
        """Deletes the files of tasks that a killed driver had not confirmed: others than Spark would read them, too."""
        confirmed = {os.path.basename(path) for path in self._done().inputFiles()}
        files, _ = self._files()
        for path in self._listed():
            if path.getName().startswith("part-") and path.getName() not in confirmed:
                files.delete(path, False)


def _failed(text):
    """The error of Spark with this text."""
    marked = re.search(f"{worker.MARK}(.*?){worker.MARK}", text, re.DOTALL)
    if marked:
        hint = "Install TensorFlow, Keras, safetensors and pyarrow there, or set PYSPARK_PYTHON to a Python with them."
        return BertrError("no_tensorflow", marked[1], hint)
    file = re.search(r"(?:file|path):? ?(\S+?\.parquet)", text)
    if file:
        hint = "Repair it, or move it elsewhere; the same call then does the rest."
        return BertrError("file", f"'{file[1]}' could not be read.", hint)
    return BertrError("spark", f"Spark ended with an error: {_first_line(text)}.")


def _first_line(text):
    return str(text).strip().partition("\n")[0].rstrip(". ")
