"""Scoring with Spark, on this machine: killed workers and drivers, damaged files, a Python without TensorFlow.

Needs pyspark and Java, else it is skipped."""

import collections
import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

pyspark = pytest.importorskip("pyspark")
import pyarrow.parquet as pq  # noqa: E402
from pyspark import SparkContext  # noqa: E402
from scoring import TEXTS, plan, quick_fit, write  # noqa: E402

from bertr import bridge  # noqa: E402
from bertr.errors import BertrError  # noqa: E402

if not shutil.which("java") and "JAVA_HOME" not in os.environ:
    pytest.skip("Java is missing", allow_module_level=True)

from bertr.scoring import spark, spark_errors  # noqa: E402

FIXTURE = os.path.join(os.path.dirname(__file__), "..", "fixtures", "google_tiny")


@pytest.fixture(scope="module")
def fitted():
    return quick_fit(FIXTURE)


@pytest.fixture(autouse=True)
def paths(monkeypatch):
    """Workers find the packages that this process finds; micro-batches are as small as can be."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if "site-packages" not in path))
    monkeypatch.setattr(spark, "FILES", 1)


def write_tables(folder, files):
    """Each row of all files has an `id` of its own; gives {id: text}."""
    texts = {}
    for number in range(files):
        each = [text and f"{text} {TEXTS[number % 8] or ''}" for text in TEXTS]
        ids = range(8 * number, 8 * number + 8)
        write(folder / f"a{number:02}.parquet", each, number=ids)
        texts |= dict(zip(ids, each, strict=True))
    return texts


def check_output(fitted, folder, texts):
    """All rows are there once, with the predictions of `bridge.predict`. Reads without Spark's own list of files."""
    files = [name for name in os.listdir(folder) if name.startswith("part-")]
    rows = [row for name in files for row in pq.read_table(folder / name).to_pylist()]
    assert collections.Counter(row["number"] for row in rows) == collections.Counter(list(texts))
    assert {row["number"]: row["text"] for row in rows} == texts
    rows.sort(key=lambda row: row["number"])
    complete = [row for row in rows if row["text"] is not None]
    wanted = bridge.predict(fitted, [row["text"] for row in complete], None, {}, None)
    got = [[row[".pred_cat"], row[".pred_dog"]] for row in complete]
    np.testing.assert_allclose(got, wanted["prob"], atol=1e-6)
    assert [row[".pred_class"] for row in complete] == [["cat", "dog"][k] for k in wanted["chosen"]]
    assert all(row[".pred_class"] is row[".pred_cat"] is None for row in rows if row["text"] is None)


SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


@pytest.fixture
def server(paths):
    """The address of Spark Connect on this machine, with a worker."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
    }
    more = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    submit = os.path.join(os.path.dirname(pyspark.__file__), "bin", "spark-submit")
    command = [submit, "--class", SERVER, "--master", "local-cluster[1,1,1024]", *more]
    with subprocess.Popen(
        command, env={**os.environ, "PYSPARK_PYTHON": sys.executable}, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield f"sc://127.0.0.1:{port}"
        os.killpg(process.pid, signal.SIGTERM)  # it deletes its temporary files
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_spark_connect(fitted, tmp_path, server):
    source, target = tmp_path / "in", tmp_path / "out"
    texts = write_tables(source, 2)
    args = (fitted, str(source), str(target), plan(), server, None)
    assert bridge.score(*args) == {"rows": 16}
    done = [name for name in os.listdir(target) if name.startswith("part-")]
    shutil.copy(target / done[0], target / "part-99999-unconfirmed.snappy.parquet")
    texts |= write_tables(source, 4)
    bad = source / "a02.parquet"
    good = bad.read_bytes()
    bad.write_bytes(good[:4] + b"\xff" * 40 + good[44:])
    with pytest.raises(BertrError, match="All files are done except .*a02.parquet'"):
        bridge.score(*args)
    bad.rename(source / "repaired.parquet").write_bytes(good)
    assert bridge.score(*args) == {"rows": 8}
    check_output(fitted, target, texts)
    with pytest.raises(BertrError, match="holds the output of another run: it differs in keep"):
        bridge.score(fitted, str(source), str(target), plan(keep=["number"]), server, None)


# The tests below show that the same process can have applications of its own after this one.


def executors_at_work():
    """The process ids of Spark's executors below this process that have Python workers."""
    lines = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True).stdout.splitlines()
    above = {int(line.split()[0]): int(line.split()[1]) for line in lines}
    below = {os.getpid()}
    for _ in range(10):
        below |= {child for child, parent in above.items() if parent in below}
    return sorted({above[pid] for line in lines if "pyspark.daemon" in line and (pid := int(line.split()[0])) in below})


def test_two_workers_one_of_which_is_killed(fitted, tmp_path):
    texts = write_tables(tmp_path / "in", 24)
    killed = []

    def on_event(kind, values):
        executors = executors_at_work() if not killed else []
        if len(executors) >= 2:
            killed.append(executors[0])
            os.kill(executors[0], signal.SIGKILL)

    args = (fitted, str(tmp_path / "in"), str(tmp_path / "out"))
    out = bridge.score(*args, plan(), "local-cluster[2,1,1024]", on_event)
    assert out == {"rows": len(texts)}
    assert killed
    check_output(fitted, tmp_path / "out", texts)


DRIVER = """
import json, os, signal, sys
import bertr
from bertr import bridge
from bertr.scoring import spark
sys.path.insert(0, sys.argv[1])
from scoring import plan, quick_fit
spark.FILES = 1

def on_event(kind, values):
    if values["done"] > 0:
        os.kill(os.getpid(), signal.SIGKILL)

bridge.score(quick_fit(sys.argv[2]), sys.argv[3], sys.argv[4], plan(), "local[1]", on_event)
"""


def test_a_killed_driver_goes_on(fitted, tmp_path):
    texts = write_tables(tmp_path / "in", 12)
    source, target = str(tmp_path / "in"), tmp_path / "out"
    command = [sys.executable, "-c", DRIVER, os.path.dirname(__file__), FIXTURE, source, str(target)]
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == -signal.SIGKILL
    done = [name for name in os.listdir(target) if name.startswith("part-")]
    assert done
    shutil.copy(target / done[0], target / "part-99999-unconfirmed.snappy.parquet")  # as of a task when it was killed
    with pytest.raises(BertrError, match="holds the output of another run: it differs in keep"):
        bridge.score(fitted, source, str(target), plan(keep=["number"]), "local[1]", None)
    out = bridge.score(fitted, source, str(target), plan(), "local[1]", None)
    assert 0 < out["rows"] < len(texts)
    check_output(fitted, target, texts)


def test_a_python_without_tensorflow_is_named(fitted, tmp_path, monkeypatch):
    write_tables(tmp_path / "in", 1)
    without = tmp_path / "python"
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "tensorflow.py").write_text("raise ModuleNotFoundError(\"No module named 'tensorflow'\")")
    without.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}/hidden:$PYTHONPATH" exec "{sys.executable}" "$@"\n')
    without.chmod(without.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PYSPARK_PYTHON", str(without))
    with pytest.raises(BertrError, match="The Python of a Spark worker, .*: No module named 'tensorflow'") as e:
        bridge.score(fitted, str(tmp_path / "in"), str(tmp_path / "out"), plan(), "local[1]", None)
    assert e.value.code == "no_tensorflow"


def test_damaged_files_are_named_and_the_rest_is_done(fitted, tmp_path, monkeypatch):
    """Also the first file, which tells Spark the columns."""
    monkeypatch.setattr(spark, "FILES", 2)
    source, target = tmp_path / "in.parquet", tmp_path / "out"
    texts = write_tables(source, 6)
    (source / "a03.parquet").rename(source / "A03.PARQUET")
    (source / "a02.parquet").rename(source / "a[2].parquet")
    args = (fitted, str(source), str(target), plan(), "local[1]", None)
    for name, new, damage in (
        ("a01", "with a space é.parquet", lambda good: good[:4] + b"\xff" * 40 + good[44:]),  # the footer is whole
        ("a00", "a00.parquet", lambda good: good[:-20]),
    ):
        good = (source / f"{name}.parquet").read_bytes()
        (source / f"{name}.parquet").unlink()
        (tmp_path / f"{name}.good").write_bytes(good)
        (source / new).write_bytes(damage(good))
    missing = range(16)
    for _ in range(2):  # a second call says so, too
        with pytest.raises(BertrError, match="All files are done except .* 2 files: .*a00.parquet") as e:
            bridge.score(*args)
        assert e.value.code == "file" and "with a space é.parquet'" in e.value.message
        check_output(fitted, target, {row: text for row, text in texts.items() if row not in missing})
    for bad in ("with a space é.parquet", "a00.parquet"):
        (source / bad).unlink()
    for name in ("a01", "a00"):
        shutil.copy(tmp_path / f"{name}.good", source / f"{name}-repaired.parquet")
        os.utime(source / f"{name}-repaired.parquet", (10**9, 10**9))  # an old copy
    assert bridge.score(*args) == {"rows": 16}
    check_output(fitted, target, texts)


def test_files_that_no_longer_can_be_read_at_all_are_not_damaged(fitted, tmp_path, monkeypatch):
    """As when a network is down: the same call does them later, under their names."""
    texts = write_tables(tmp_path / "in", 3)
    args = (fitted, str(tmp_path / "in"), str(tmp_path / "out"), plan(), "local[1]", None)
    good = {path: path.read_bytes() for path in (tmp_path / "in").iterdir()}

    def begin(*args):
        for path, content in good.items():
            path.write_bytes(content[:4] + b"\xff" * 40 + content[44:])
        return noted(*args)

    noted = spark._Run._begin
    with monkeypatch.context() as patch:
        patch.setattr(spark._Run, "_begin", begin)
        with pytest.raises(BertrError, match="a0.*parquet' could not be read") as e:
            bridge.score(*args)
        assert e.value.code == "file"
    for path, content in good.items():
        path.write_bytes(content)
    assert bridge.score(*args) == {"rows": 24}
    check_output(fitted, tmp_path / "out", texts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[STREAM_FAILED] Query failed: Traceback (most recent call last):\n  File 'a'\n    x\nValueError: no.\n more",
         "Spark ended with an error: ValueError: no."),
        ("An error occurred while calling o1.parquet.\n: java.io.IOException: No FileSystem for scheme\n\tat x",
         "Spark ended with an error: java.io.IOException: No FileSystem for scheme."),
        ("Job aborted.\n\tat x\nCaused by: A: b\n\tat y\nCaused by: No space left on device\n\tat z",
         "Spark ended with an error: No space left on device."),
        ("Out of memory\n=== Streaming Query ===\nreading file file:/x/reviews.parquet",
         "Spark ended with an error: Out of memory."),
        ("[X] Encountered error while reading file file:///a%20b/c.parquet.  SQLSTATE: KD001",
         "'/a b/c.parquet' could not be read."),
        ("Could not read footer for file: hdfs://n/a.PARQUET.", "'hdfs://n/a.PARQUET' could not be read."),
    ],
)  # fmt: skip
def test_an_error_of_spark_is_one_sentence(text, message):
    assert spark_errors.failed(text).message == message


def test_what_is_refused_before_spark_starts(fitted, tmp_path):
    write(tmp_path / "in" / "a.parquet")
    args = (fitted, str(tmp_path / "in"), str(tmp_path / "out"))
    for more, master, code in (
        ({}, "sc://", "spark"),
        ({}, "sc://127.0.0.1:1", "spark"),  # nothing answers there
        ({"keep": ["no"]}, "local[1]", "column"),
        ({"text": ["id"]}, "local[1]", "text"),
    ):
        with pytest.raises(BertrError) as e:
            bridge.score(*args, plan(**more), master, None)
        assert e.value.code == code
    with pytest.raises(BertrError, match="one is in the other"):
        bridge.score(fitted, str(tmp_path), str(tmp_path / "out"), plan(), "local[1]", None)
    for inside in (f"file://{tmp_path}/in/out", "s3a://bucket/data/out"):
        with pytest.raises(BertrError, match="one is in the other"):
            source = str(tmp_path / "in") if inside.startswith("file") else "s3a://bucket/data/"
            bridge.score(fitted, source, inside, plan(), "local[1]", None)
    with pytest.raises(BertrError, match="has one of the characters"):
        bridge.score(fitted, str(tmp_path / "in"), str(tmp_path / "out[1]"), plan(), "local[1]", None)


def test_without_java_one_sentence_says_so(fitted, tmp_path, monkeypatch):
    write(tmp_path / "in" / "a.parquet")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    for name in ("_gateway", "_jvm"):  # a Java that already runs
        monkeypatch.setattr(SparkContext, name, None)
    with pytest.raises(BertrError, match="Spark could not be started with 'local") as e:
        bridge.score(fitted, str(tmp_path / "in"), str(tmp_path / "out"), plan(), "local[1]", None)
    assert "Java 17" in e.value.hint
