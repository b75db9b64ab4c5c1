"""Scores Parquet files on a Spark cluster. Structured streaming does the bookkeeping: its checkpoint knows which files
are done, so the same call goes on after the driver was killed, and Spark runs the tasks of lost workers again.

Workers need a Python with bertr's packages, but no R and no bertr: bertr and the fit travel in an archive.
"""

import contextlib
import json
import os
import re
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from py4j.protocol import Py4JError
from pyspark import cloudpickle
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StringType, StructType

from ..errors import BertrError
from ..events import throttled
from . import worker
from .archive import write_archive
from .columns import Columns
from .folder import REPAIR, check_apart, check_run, find_files
from .local import SHOWN, open_tables, run_of
from .tables import check_new

# in the output; readers skip names with an underscore
RUN, DAMAGED, CHECKPOINT = "_bertr_run", "_bertr_damaged", "_bertr_checkpoint"
FILE = "_metadata.file_path"  # a column that Spark gives every table of files
FILES = 16  # of a micro-batch, at least: a killed driver loses at most one
ERRORS = (PySparkException, Py4JError)
TIMEOUT = 10  # seconds to reach a server
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
            archive = os.path.join(above, f"bertr-{uuid.uuid4().hex}.zip")  # a server keeps those of all calls
            write_archive(handle, archive)
            run = {**run_of(handle, plan), "source": source}
            return _Run(spark, source, target, plan, columns, run).score(archive, throttled(on_event))
    except ERRORS as e:
        raise _failed(str(e)) from None
    finally:
        spark.stop()


def _session(master, rows):
    """A new session, in an application of its own or, with Spark Connect, on a server."""
    begin = _connect if master.startswith("sc:") else _application
    try:
        with _quiet():
            spark = begin(master)
    except Exception as e:
        hint = ""
        if "JAVA" in str(e):
            hint = "It needs Java 17 or later, in the folder JAVA_HOME or on the path."
        elif isinstance(e, ImportError):
            hint = "Run `bert_install(spark = TRUE)`."
        raise BertrError("spark", f"Spark could not be started with '{master}': {_first_line(e)}.", hint) from None
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(rows))
    return spark


def _application(master):
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master).appName("bertr")
    builder = builder.config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
    if master.startswith("local"):
        builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    return builder.getOrCreate()


def _connect(address):
    from pyspark.sql.connect.client import DefaultChannelBuilder  # needs packages that only Spark Connect needs
    from pyspark.sql.connect.session import SparkSession

    host, port = DefaultChannelBuilder(address).endpoint.rsplit(":", 1)
    socket.create_connection((host.strip("[]"), int(port)), TIMEOUT).close()  # Spark itself tries for ten minutes
    spark = SparkSession.builder.remote(address).create()
    if "PYSPARK_PYTHON" in os.environ:
        spark.conf.set("spark.sql.execution.pyspark.python", os.environ["PYSPARK_PYTHON"])
    return spark


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
        # a damaged file is found when it is scored
        table = self._reader(spark.read.option("ignoreCorruptFiles", "true")).parquet(source)
        self.schema, self.files, self.all_rows = table.schema, set(table.inputFiles()), table.count()
        self.keep = self.schema.names if plan["keep"] is None else plan["keep"]
        self._check(self.schema.names)
        check_new(columns.schema.names, self.keep, source)
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
        self._tidy()
        if damaged:
            raise _unread(damaged)
        return {"rows": self._rows_done() - before}

    def _stream(self, archive, damaged, progress):
        """Scores all files that wait, except damaged ones. Gives a file that could not be read, if it ended at one."""
        wanted = dict.fromkeys([*self.plan["text"], *self.keep])
        settings = {name: os.environ[name] for name in TO_WORKERS if name in os.environ} | {"BERTR_THREADS": "1"}
        reader = self.spark.readStream.schema(self.schema).option("maxFilesPerTrigger", self._files_at_once())
        table = self._reader(reader).parquet(self.source)
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
        except ERRORS as e:
            found = _damaged_file(str(e))
            if found not in self.files or found in damaged:
                raise
            return found
        finally:
            query.stop()

    def _reader(self, reader):
        return reader.option("recursiveFileLookup", "true").option("pathGlobFilter", "*.parquet")

    def _files_at_once(self):
        parts = self.spark.range(10_000).selectExpr("spark_partition_id() AS part")  # as many as the cluster has cores
        return max(FILES, 4 * parts.distinct().count())

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
        noted = self._noted(RUN)
        if noted:
            check_run(self.target, run, json.loads(noted[0]))
        elif self._listed("*"):
            raise BertrError("folder", f"'{self.target}' holds other files.", "Choose an empty or new folder.")
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
            table = self.spark.read.format("binaryFile").load(self._inside(names))
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
        """Deletes the files of tasks that a killed driver had not confirmed: others than Spark would read them, too."""
        confirmed = {os.path.basename(path) for path in self._done().inputFiles()}
        for path in self._listed("part-*"):
            if os.path.basename(path) not in confirmed:
                self._delete(path)

    def _delete(self, path):
        if "://" not in self.target:
            os.remove(os.path.join(self.target, os.path.basename(path)))
        elif hasattr(self.spark, "_jvm"):
            file = self.spark._jvm.org.apache.hadoop.fs.Path(path)
            file.getFileSystem(self.spark._jsc.hadoopConfiguration()).delete(file, False)
        else:  # Spark Connect has no access to files
            raise BertrError(
                "folder",
                f"'{path}' was left by a run that was killed. Programs other than Spark would read its rows twice.",
                "Delete it, and call again.",
            )


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


def _failed(text):
    """The error of Spark with this text."""
    marked = re.search(f"{worker.MARK}(.*?){worker.MARK}", text, re.DOTALL)
    if marked:
        hint = "Install TensorFlow, Keras, safetensors and pyarrow there, or set PYSPARK_PYTHON to a Python with them."
        return BertrError("no_tensorflow", marked[1], hint)
    file = _damaged_file(text)
    if file:
        return BertrError("file", f"'{_shown(file)}' could not be read.", REPAIR)
    return BertrError("spark", f"Spark ended with an error: {_first_line(text)}.")


def _damaged_file(text):
    """The file that an error of Spark is about, if it is about one."""
    found = re.search(r"(?:file|path):? ?(\S+?\.parquet)", text)
    return found and found[1]


def _unread(damaged):
    """Their batch is done without them, so Spark would not look at files of these names again."""
    names = ", ".join(f"'{_shown(name)}'" for name in damaged[:SHOWN]) + (", ..." if len(damaged) > SHOWN else "")
    what = names if len(damaged) == 1 else f"{len(damaged)} files: {names}"
    hint = "Repair and rename what is damaged, or move it elsewhere, and call again."
    return BertrError("file", f"All files are done except what could not be read, {what}.", hint)


def _shown(address):
    """The path of a file on this machine, as users write it."""
    return unquote(address.removeprefix("file://")) if address.startswith("file:") else address


def _first_line(text):
    return str(text).strip().partition("\n")[0].rstrip(". ")
