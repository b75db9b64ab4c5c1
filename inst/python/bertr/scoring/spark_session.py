"""Sessions of Spark."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

from pyspark.sql import SparkSession

from ..errors import BertrError
from .spark_errors import ERRORS, cause_of

TIMEOUT = 10  # seconds to reach a server
SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.files.ignoreCorruptFiles": "false",  # a server may have them on: rows would be lost in silence
    "spark.sql.files.ignoreMissingFiles": "false",
}


@contextlib.contextmanager
def session(master: str, rows: int) -> Iterator[Any]:
    """A new session: an application of its own, or of a server of Spark Connect.

    Args:
        master: the URL of Spark's master, or the address of a server.
        rows: the rows of a batch that a Python worker gets.

    Raises:
        BertrError: spark.
    """
    begin = _connect if master.startswith("sc:") else _application
    spark = None
    try:
        with _quiet():
            spark = begin(master)
        for name, value in {**SETTINGS, "spark.sql.execution.arrow.maxRecordsPerBatch": str(rows)}.items():
            spark.conf.set(name, value)
    except Exception as e:
        _stop(spark)
        hint = ""
        if "JAVA" in str(e):
            hint = "It needs Java 17 or later, in the folder JAVA_HOME or on the path."
        elif isinstance(e, ImportError):
            hint = "Run `bert_install(spark = TRUE)`."
        raise BertrError("spark", f"Spark could not be started with '{master}': {cause_of(e)}.", hint) from None
    try:
        yield spark
    finally:
        _stop(spark)


def _application(master):
    builder = SparkSession.builder.master(master).appName("bertr")
    builder = builder.config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
    if master.startswith("local"):
        builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    given = "PYSPARK_PYTHON" in os.environ
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        return builder.getOrCreate()
    finally:
        if not given:  # a server of a later call has its own
            del os.environ["PYSPARK_PYTHON"]


def _connect(address):
    from pyspark.sql.connect.client import DefaultChannelBuilder  # needs packages that only Spark Connect needs
    from pyspark.sql.connect.session import SparkSession

    host, port = DefaultChannelBuilder(address).endpoint.rsplit(":", 1)
    socket.create_connection((host.strip("[]"), int(port)), TIMEOUT).close()  # Spark itself tries for ten minutes
    spark = SparkSession.builder.remote(address).create()
    if "PYSPARK_PYTHON" in os.environ:
        spark.conf.set("spark.sql.execution.pyspark.python", os.environ["PYSPARK_PYTHON"])
    return spark


def _stop(spark):
    if spark is not None:
        with contextlib.suppress(OSError, *ERRORS):  # it may be gone already
            spark.stop()


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
