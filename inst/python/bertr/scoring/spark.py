"""Scores Parquet files on a Spark cluster. Structured streaming does the bookkeeping: which files are done is in its
checkpoint, so the same call goes on after the driver was killed, and Spark runs tasks of lost workers again.

Workers need Python with bertr's packages, but no R and no bertr: bertr and the fit travel in an archive.
"""

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from pyspark import cloudpickle
from pyspark.errors import AnalysisException, StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql.functions import col
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StringType, StructType

from ..errors import BertrError
from ..events import throttled
from . import worker
from .archive import write_archive
from .columns import Columns
from .local import run_of
from .tables import check_new

RUN, CHECKPOINT = "_bertr_run", "_bertr_checkpoint"  # readers skip names with an underscore
FILES = 16  # of a micro-batch, at least: between two of them a killed driver loses nothing
WAIT = 0.2  # seconds between two looks at the query
TO_WORKERS = ("KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL")


def score(
    handle: Any, source: str, target: str, plan: dict[str, Any], master: str, on_event: Callable[..., Any] | None
) -> dict[str, Any]:
    """As `score` of local.py, for Parquet and with Spark.

    Args:
        handle: a Model or a Fit.
        source, target: folders, or addresses that Spark can read and write.
        plan: see local.py.
        master: the URL of Spark's master.
        on_event: as in bridge.py.

    Returns:
        A dict: `rows`, the number of rows that were scored now.

    Raises:
        BertrError: java, spark, source, column, text, folder, file, no_tensorflow.
    """
    columns = Columns(handle, plan["what"], plan["columns"], plan["options"], plain=True)
    spark = _session(master, plan["rows"])
    try:
        with tempfile.TemporaryDirectory() as above:
            return _Run(spark, source, target, plan, columns, run_of(handle, plan)).go(handle, above, on_event)
    except StreamingQueryException as e:
        raise _failed(str(e)) from None
    finally:
        spark.stop()


def _session(master, rows):
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master).appName("bertr")
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
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except Exception as e:
        code, hint = ("java", "Install a Java runtime of version 17 or later.") if "JAVA" in str(e) else ("spark", "")
        raise BertrError(code, f"Spark could not be started with '{master}': {_first_line(e)}.", hint) from None
    spark.sparkContext.setLogLevel("OFF")
    return spark


class _Run:
    def __init__(self, spark, source, target, plan, columns, run):
        self.spark, self.source, self.target, self.plan = spark, source, target, plan
        try:
            table = spark.read.parquet(source)
        except AnalysisException as e:
            raise BertrError("source", f"'{source}' could not be read: {_first_line(e)}.") from None
        self.schema, self.files, self.all_rows = table.schema, len(table.inputFiles()), table.count()
        names = self.schema.names
        self.keep = names if plan["keep"] is None else plan["keep"]
        self._check(names)
        check_new(columns.schema.names, self.keep, source)
        self.out = StructType([*(self.schema[name] for name in self.keep), *from_arrow_schema(columns.schema)])
        self.run = json.loads(json.dumps({**run, "source": os.path.abspath(source) if "://" not in source else source}))

    def go(self, handle, above, on_event):
        self._begin()
        before = self._rows_done()
        archive = os.path.join(above, "bertr.zip")
        write_archive(handle, archive)
        self.spark.sparkContext.addArchive(archive + "#bertr")
        cloudpickle.register_pickle_by_value(worker)
        wanted = [col(f"`{name}`") for name in dict.fromkeys([*self.plan["text"], *self.keep])]
        query = (
            self.spark.readStream.schema(self.schema)
            .option("maxFilesPerTrigger", max(FILES, 4 * self.spark.sparkContext.defaultParallelism))
            .option("recursiveFileLookup", "true")
            .parquet(self.source)
            .select(*wanted)
            .mapInArrow(worker.on_worker("bertr", json.dumps(self.plan), self.keep), self.out)
            .writeStream.format("parquet")
            .option("path", self.target)
            .option("checkpointLocation", os.path.join(self.target, CHECKPOINT))
            .trigger(availableNow=True)
            .start()
        )
        try:
            self._watch(query, before, throttled(on_event))
        finally:
            query.stop()
        return {"rows": self._rows_done() - before}

    def _check(self, names):
        for name in dict.fromkeys([*self.plan["text"], *self.keep]):
            if name not in names:
                shown = ", ".join(f"'{each}'" for each in names[:10])
                raise BertrError("column", f"'{self.source}' has no column '{name}'.", f"Its columns are {shown}.")
        for name in self.plan["text"]:
            kind = self.schema[name].dataType
            if not isinstance(kind, StringType):
                raise BertrError("text", f"Column '{name}' of '{self.source}' must be text, not {kind.simpleString()}.")

    def _begin(self):
        """Notes which run the folder belongs to; refuses that of another one."""
        path = os.path.join(self.target, RUN)
        try:
            other = json.loads(self.spark.read.text(path).collect()[0][0])
        except AnalysisException:
            if self._exists():
                raise BertrError(
                    "folder", f"'{self.target}' holds other files.", "Choose an empty or new folder."
                ) from None
            self.spark.createDataFrame([(json.dumps(self.run),)], "run string").coalesce(1).write.text(path)
            return
        differs = [name for name in {**self.run, **other} if self.run.get(name) != other.get(name)]
        if differs:
            raise BertrError(
                "folder",
                f"'{self.target}' holds the output of another run: it differs in {', '.join(differs)}.",
                "Choose another folder, or delete this one to start over.",
            )

    def _exists(self):
        return bool(self._listed())

    def _listed(self):
        """The names in the folder."""
        jvm = self.spark.sparkContext._jvm
        path = jvm.org.apache.hadoop.fs.Path(self.target)
        files = path.getFileSystem(self.spark.sparkContext._jsc.hadoopConfiguration())
        return [each.getPath() for each in files.listStatus(path)] if files.exists(path) else []

    def _rows_done(self):
        try:
            return self.spark.read.schema(self.out).parquet(self.target).count()
        except AnalysisException:
            return 0

    def _watch(self, query, before, emit):
        begun, done, last = time.monotonic(), 0, -1
        while not query.awaitTermination(WAIT):
            progress = query.lastProgress
            if progress and progress["batchId"] > last:
                last, done = progress["batchId"], done + progress["numInputRows"]
            rate = done / max(1e-3, time.monotonic() - begun)
            emit("score", {"done": done, "rate": rate, "share": min(1.0, (before + done) / max(1, self.all_rows))})


def _failed(text):
    """The error of a query that ended with this text."""
    marked = re.search(f"{worker.MARK}(.*?){worker.MARK}", text, re.DOTALL)
    if marked:
        hint = (
            "Install TensorFlow, Keras, safetensors and pyarrow there, or set PYSPARK_PYTHON to a Python that has them."
        )
        return BertrError("no_tensorflow", marked[1], hint)
    file = re.search(r"(?:reading|read) file:? (\S+?\.parquet)", text)
    if file:
        return BertrError(
            "file",
            f"'{file[1]}' could not be read.",
            "Repair it, or move it elsewhere; the same call then does the rest.",
        )
    return BertrError("spark", f"Spark ended with an error: {_first_line(text)}.")


def _first_line(text):
    return str(text).strip().partition("\n")[0].rstrip(". ")
