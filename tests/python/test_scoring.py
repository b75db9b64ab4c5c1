"""Scoring of files: formats, rows and types, going on after an end at any moment, and what is refused."""

import csv
import errno
import itertools
import json
import os
import shutil

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402
from scoring import CLASSES, TEXTS, VECTORS, contents, plan, quick_fit, write  # noqa: E402

from bertr import bridge  # noqa: E402
from bertr.errors import BertrError  # noqa: E402
from bertr.scoring import tables  # noqa: E402
from bertr.scoring.folder import Folder  # noqa: E402
from bertr.scoring.tables import cut  # noqa: E402


@pytest.fixture(scope="module")
def fitted(tiny):
    return quick_fit(tiny)


@pytest.fixture(scope="module")
def wanted(fitted):
    """(classes, probabilities) of TEXTS, None where a text is."""
    complete = [row for row, text in enumerate(TEXTS) if text is not None]
    out = bridge.predict(fitted, [TEXTS[row] for row in complete], None, {}, None)
    chosen, prob = [None] * len(TEXTS), [[None] * 2 for _ in TEXTS]
    for row, code, p in zip(complete, out["chosen"], out["prob"], strict=True):
        chosen[row], prob[row] = ["cat", "dog"][code], p.tolist()
    return chosen, prob


def check_rows(rows, wanted):
    """Rows as dicts have the predictions that are `wanted`."""
    chosen, prob = wanted
    assert [row[".pred_class"] for row in rows] == chosen
    for row, (cat, dog) in zip(rows, prob, strict=True):
        assert row[".pred_cat"] == pytest.approx(cat, abs=1e-6)
        assert row[".pred_dog"] == pytest.approx(dog, abs=1e-6)


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_parquet_keeps_rows_order_and_types(fitted, wanted, tmp_path, rows):
    more = {
        "when": pa.array([1, None] * 4, pa.timestamp("ms")),
        "kind": pa.array(["b", "a", None, "b"] * 2).dictionary_encode(),
        "tags": pa.array([["x", None], [], None, ["y"]] * 2),
    }
    before = write(tmp_path / "in" / "sub" / "a.parquet", **more)
    write(tmp_path / "in" / "b.parquet", [], **{name: column[:0] for name, column in more.items()})
    out = bridge.score(fitted, str(tmp_path / "in"), str(tmp_path / "out"), plan(rows=rows), None, None)
    assert out == {"files": 2, "files_before": 0, "rows": 8, "n_truncated": 0}
    after = pq.read_table(tmp_path / "out" / "sub" / "a.parquet")
    assert after.select(before.schema.names).equals(before)
    assert after.schema.names == [*before.schema.names, ".pred_class", ".pred_cat", ".pred_dog"]
    assert after[".pred_class"].chunk(0).dictionary.to_pylist() == ["cat", "dog"]  # the levels of a factor
    check_rows(after.to_pylist(), wanted)
    empty = pq.read_table(tmp_path / "out" / "b.parquet")
    assert len(empty) == 0 and empty.schema == after.schema


def test_csv_is_kept_as_it_is(fitted, wanted, tmp_path):
    source = tmp_path / "a.csv"
    fields = ['"' + text + '"' if text is not None else ["NA", ""][row > 3] for row, text in enumerate(TEXTS)]
    odd = ["007", "1e3", " x ", '"a ""b"","', '"two\nlines"', '"NA"', "NA", '"é"']
    lines = [f"{a},{b}" for a, b in zip(odd, fields, strict=True)]
    source.write_text("\ufeffid,text\n" + "\r\n".join(lines) + "\n", encoding="utf-8")
    bridge.score(fitted, str(source), str(tmp_path / "out"), plan(), None, None)
    text = (tmp_path / "out" / "a.csv").read_text(encoding="utf-8")
    with open(tmp_path / "out" / "a.csv", encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    assert [row["id"] for row in rows] == ["007", "1e3", " x ", 'a "b",', "two\nlines", "NA", "NA", "é"]
    assert [row["text"] for row in rows] == [text if text is not None else "NA" for text in TEXTS]
    assert '\n"NA",' in text and "\nNA,NA,NA,NA,NA\n" in text  # a text and a missing value
    numbers = {".pred_class": lambda x: x, ".pred_cat": float, ".pred_dog": float}
    check_rows(
        [{name: None if row[name] == "NA" else read(row[name]) for name, read in numbers.items()} for row in rows],
        wanted,
    )


def test_json_lines_keep_all_values(fitted, wanted, tmp_path):
    rows = [{"id": k, "text": text} for k, text in enumerate(TEXTS)]
    rows[0]["id"], rows[3]["id"] = {"a": [1, None]}, 2**70
    rows[6].pop("text")
    rows[7]["later"] = 1.5
    source = tmp_path / "a.jsonl"
    source.write_text("\n\n".join(map(json.dumps, rows)), encoding="utf-8")
    for keep, kept in ((None, rows), (["id"], [{"id": row["id"]} for row in rows])):
        target = tmp_path / str(keep)
        bridge.score(fitted, str(source), str(target), plan(keep=keep), None, None)
        after = [json.loads(line) for line in (target / "a.jsonl").read_text(encoding="utf-8").splitlines()]
        check_rows(after, wanted)
        assert [{k: v for k, v in row.items() if not k.startswith(".pred")} for row in after] == kept


@pytest.mark.parametrize(("ending", "text"), [(".csv", "text,id\n"), (".csv", "text,id"), (".jsonl", "")])
def test_files_without_rows(fitted, tmp_path, ending, text):
    (tmp_path / f"a{ending}").write_text(text)
    bridge.score(fitted, str(tmp_path / f"a{ending}"), str(tmp_path / "out"), plan(), None, None)
    after = (tmp_path / "out" / f"a{ending}").read_text()
    assert after == ('"text","id",".pred_class",".pred_cat",".pred_dog"\n' if text else "")


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_vectors(tiny, tmp_path, ending):
    model = bridge.load(tiny, {})
    source, out = str(tmp_path / f"a{ending}"), tmp_path / "out" / f"a{ending}"
    if ending == ".parquet":
        write(source)
    elif ending == ".csv":
        (tmp_path / "a.csv").write_text("text\n" + "".join("NA\n" if t is None else f'"{t}"\n' for t in TEXTS))
    else:
        (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    bridge.score(model, source, str(tmp_path / "out"), plan(VECTORS, "embed", keep=[], pool="mean"), None, None)
    if ending == ".parquet":
        got = pq.read_table(out)["vector"].to_pylist()
    elif ending == ".csv":
        with open(out, newline="") as f:
            got = [None if row["vector"] == "NA" else json.loads(row["vector"]) for row in csv.DictReader(f)]
    else:
        got = [json.loads(line)["vector"] for line in out.read_text().splitlines()]
    complete = [text for text in TEXTS if text is not None]
    values = bridge.embed(model, complete, None, {"pool": "mean"}, None)["values"]
    assert [vector is None for vector in got] == [text is None for text in TEXTS]
    np.testing.assert_allclose([vector for vector in got if vector], values, atol=1e-6)


def test_tables_are_cut_at_the_same_rows_however_they_are_read():
    rng = np.random.default_rng(3)
    whole = pa.table({"x": np.arange(100)})
    for _ in range(30):
        places = np.sort(rng.integers(0, 101, rng.integers(0, 9)))
        batches = [b for part in np.split(np.arange(100), places) for b in whole.take(part).to_batches()]
        rows = int(rng.integers(1, 120))
        parts = list(cut(batches, rows, whole.schema))
        assert pa.concat_tables(parts).equals(whole)
        assert [len(part) for part in parts] == [min(rows, 100 - k) for k in range(0, 100, rows)]
    assert [len(part) for part in cut([], 5, whole.schema)] == [0]


# ---------------------------------------------------------------- going on


class Killed(BaseException):
    """As the end of the process: nothing is cleaned up by `except Exception`."""


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_an_end_at_any_rename_or_deletion_changes_nothing(fitted, tmp_path, monkeypatch, ending):
    source, whole = tmp_path / "in", tmp_path / "whole"
    for name, texts in (("a", TEXTS), ("b", TEXTS[:3]), ("c", [])):
        write(source / f"{name}.parquet", texts)
        if ending == ".csv":
            rows = pq.read_table(source / f"{name}.parquet").to_pylist()
            os.remove(source / f"{name}.parquet")
            lines = [f"{row['id']}," + ("NA" if row["text"] is None else f'"{row["text"]}"') for row in rows]
            (source / f"{name}.csv").write_text("\n".join(["id,text", *lines]))
    bridge.score(fitted, str(source), str(whole), plan(), None, None)
    steps = {}

    def end_at(k, before):
        count = iter(range(10**6))

        def dying(function):
            def call(*args, **more):
                step = next(count)
                if before and step == k:
                    raise Killed
                out = function(*args, **more)
                if step == k:
                    raise Killed
                return out

            return call

        monkeypatch.setattr(os, "replace", dying(steps.setdefault("replace", os.replace)))
        monkeypatch.setattr(shutil, "rmtree", dying(steps.setdefault("rmtree", shutil.rmtree)))

    ends = 0
    for before in (True, False):
        for k in range(100):
            target = tmp_path / f"out{k}{before}"
            end_at(k, before)
            try:
                bridge.score(fitted, str(source), str(target), plan(), None, None)
                break
            except Killed:
                ends += 1
            partly = contents(target)
            assert partly.items() <= contents(whole).items()  # nothing half written
            monkeypatch.undo()
            out = bridge.score(fitted, str(source), str(target), plan(), None, None)
            assert out["files_before"] == len(partly) and out["files"] == 3 - len(partly)
            assert contents(target) == contents(whole)
            assert os.listdir(target / ".bertr-score") in (["run.json"], ["run.json", "parts"], ["parts", "run.json"])
            assert not [path for path in (target / ".bertr-score").rglob("*") if path.is_file() and path.name.isdigit()]
    assert ends > 20


def test_batches_that_were_scored_are_not_scored_again(fitted, tmp_path, monkeypatch):
    write(tmp_path / "a.parquet")
    read = []
    encodings = fitted.scorer.encodings

    def dying(given, progress):
        read.append(len(given))
        if len(read) == 3:
            raise KeyboardInterrupt
        return encodings(given, progress)

    monkeypatch.setattr(fitted.scorer, "encodings", dying)
    with pytest.raises(KeyboardInterrupt):
        bridge.score(fitted, str(tmp_path / "a.parquet"), str(tmp_path / "out"), plan(), None, None)
    assert read == [2, 3, 1]  # complete texts of three batches, of which the last one was lost
    assert contents(tmp_path / "out") == {}
    assert bridge.score(fitted, str(tmp_path / "a.parquet"), str(tmp_path / "out"), plan(), None, None)["rows"] == 2
    assert read == [2, 3, 1, 1]


def test_new_files_are_scored_by_the_next_call(fitted, tmp_path):
    write(tmp_path / "in" / "b.parquet")
    args = (fitted, str(tmp_path / "in"), str(tmp_path / "out"), plan(), None, None)
    bridge.score(*args)
    write(tmp_path / "in" / "a.parquet", TEXTS[:2])
    assert bridge.score(*args) == {"files": 1, "files_before": 1, "rows": 2, "n_truncated": 0}


def test_numbers_do_not_depend_on_what_was_scored_before(tiny):
    """Many tokens run in another graph, which rounds differently: a run that goes on must not change graphs."""
    from bertr.scoring.columns import Columns

    for what, columns, handle in (("predict", CLASSES, quick_fit(tiny)), ("embed", VECTORS, bridge.load(tiny, {}))):
        scoring = Columns(handle, what, columns, {"max_len": 16}, plain=False)
        scoring.expect_many()
        runner = (handle.scorer.rows if what == "predict" else next(iter(handle.scorers.values()))).runner
        chosen = [runner.for_tokens(tokens, 100) for tokens in (50, 200)]
        runner.for_tokens(10**7, 100)
        assert [runner.for_tokens(tokens, 100) for tokens in (50, 200)] == chosen


def test_progress(fitted, tmp_path):
    write(tmp_path / "in" / "a.parquet", TEXTS * 3)
    write(tmp_path / "in" / "b.parquet")
    events = []

    def on_event(kind, values):
        events.append((kind, values))

    from bertr import events as module

    module_seconds, module.EVENT_SECONDS = module.EVENT_SECONDS, 0.0
    try:
        bridge.score(fitted, str(tmp_path / "in"), str(tmp_path / "out"), plan(rows=4), None, on_event)
    finally:
        module.EVENT_SECONDS = module_seconds
    assert {kind for kind, _ in events} == {"score"}
    done, share = ([values[name] for _, values in events] for name in ("done", "share"))
    assert done == sorted(done) and done[-1] == 32
    assert share == sorted(share) and share[-1] == pytest.approx(1)
    assert all(values["rate"] > 0 for _, values in events)


# ---------------------------------------------------------------- refusals


def refused(code, match, handle, source, target, **more):
    with pytest.raises(BertrError, match=match) as e:
        bridge.score(handle, str(source), str(target), plan(**more), None, None)
    assert e.value.code == code
    assert not os.path.exists(target) or contents(target) == {}


def test_wrong_columns_are_named_with_their_file(fitted, tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    write(source / "a.parquet")
    pq.write_table(pa.table({"id": [1], "txt": ["a"]}), source / "b.parquet")
    refused("column", "b.parquet' has no column 'text'", fitted, source, target)
    pq.write_table(pa.table({"id": [1], "text": [2]}), source / "b.parquet")
    refused("text", "'text' of .*b.parquet' must be text, not int64", fitted, source, target)
    pq.write_table(pa.table({"id": ["1"], "text": ["a"]}), source / "b.parquet")
    refused("schema", "columns of .*b.parquet' are not those of .*a.parquet", fitted, source, target)
    pq.write_table(pa.table({"id": [1], "text": ["a"], "x": [1]}), source / "b.parquet")
    refused("schema", "b.parquet", fitted, source, target)
    refused("column", "a.parquet' has no column 'x'", fitted, source, target, keep=["x"])
    pq.write_table(pa.table([[1], ["a"], ["b"]], ["id", "text", "text"]), source / "b.parquet")
    refused("column", "b.parquet' has more than one column 'text'", fitted, source, target)
    pq.write_table(pa.table({"id": [1], "text": ["a"], ".pred_cat": [1]}), source / "b.parquet")
    refused("column", "b.parquet' already has a column '.pred_cat'", fitted, source / "b.parquet", target)
    out = bridge.score(fitted, str(source), str(target), plan(keep=["id"]), None, None)  # of those that are kept
    assert out["files"] == 2


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("a.parquet", b"PAR1 and so on", "a.parquet' could not be read"),
        ("a.csv", b"", "a.csv' could not be read: it has no header"),
        ("a.csv", b"id,text\n1,a\n1,b,c\n", "a.csv' could not be read"),
        ("a.csv", b"id,text\n1,\xff\n", "a.csv' could not be read"),
        ("a.jsonl", b"[1]\n", "a.jsonl' could not be read: line 1 is not a JSON object"),
        ("a.jsonl", b'{"text": "a"}\n{"text"\n', "a.jsonl' could not be read"),
        ("a.jsonl", b'{"text": "\xff"}\n', "a.jsonl' could not be read"),
        ("a.jsonl", b'{"text": "\\ud800"}\n', "a.jsonl' could not be read"),
    ],
)
def test_damaged_files_are_named(fitted, tmp_path, name, data, match):
    (tmp_path / name).write_bytes(data)
    refused("file", match, fitted, tmp_path / name, tmp_path / "out")


def test_a_json_line_with_another_value_for_the_text(fitted, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": 1}\n')
    refused("text", "'text' of .*a.jsonl' must be text, not 1", fitted, tmp_path / "a.jsonl", tmp_path / "out")
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": "b", ".pred_cat": 1}\n')
    refused("column", "already has a column '.pred_cat'", fitted, tmp_path / "a.jsonl", tmp_path / "out2")


def test_damaged_files_do_not_stop_the_others(fitted, tmp_path):
    """They are named at the end, and after their repair the same call does them from their start."""
    source, target = tmp_path / "in", tmp_path / "out"
    args = (fitted, str(source), str(target), plan(rows=100), None, None)
    tables = [write(source / f"{name}.parquet", TEXTS * 50) for name in "abcd"]
    (source / "e.parquet").symlink_to(source / "nothing")
    good = (source / "b.parquet").read_bytes()
    (source / "b.parquet").write_bytes(good[:4] + b"\xff" * 60 + good[64:])
    (source / "c.parquet").write_bytes(good[:-20])
    with pytest.raises(
        BertrError, match="3 files could not be scored. .*c.parquet' could not be read: .*b.parquet'"
    ) as e:
        bridge.score(*args)
    assert e.value.code == "file" and e.value.hint.endswith("All other files are done.")
    assert set(contents(target)) == {"a.parquet", "d.parquet"}
    (source / "c.parquet").write_bytes(good)
    (source / "e.parquet").unlink()
    with pytest.raises(BertrError, match="^'.*b.parquet' could not be read: ") as e:
        bridge.score(*args)
    assert e.value.hint.endswith("All other files are done.")
    (source / "b.parquet").write_bytes(good)
    assert bridge.score(*args)["files"] == 1
    assert all(pq.read_table(target / f"{name}.parquet")["id"].equals(tables[0]["id"]) for name in "abcd")


def test_a_file_that_is_damaged_in_its_middle_starts_anew_once_repaired(fitted, tmp_path):
    source, target = tmp_path / "a.jsonl", tmp_path / "out"
    rows = [f'{{"text": "the cat {k}"}}\n' for k in range(10)]
    source.write_text("".join([*rows[:7], "{", *rows[8:]]))
    args = (fitted, str(source), str(target), plan(rows=3), None, None)
    with pytest.raises(BertrError, match="a.jsonl' could not be read"):
        bridge.score(*args)
    source.write_text("".join(["", *rows[1:]]))  # its first rows are others, too
    assert bridge.score(*args)["rows"] == 9
    lines = (target / "a.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == [f"the cat {k}" for k in range(1, 10)]


def test_a_file_that_could_not_be_read_for_a_while_keeps_its_parts(fitted, tmp_path, monkeypatch):
    source, target = tmp_path / "a.jsonl", tmp_path / "out"
    source.write_text("".join(f'{{"text": "the cat {k}"}}\n' for k in range(10)))
    args = (fitted, str(source), str(target), plan(rows=3), None, None)
    whole = tables.JsonLines._rows

    def until_it_fails(table, lines):
        yield from itertools.islice(whole(table, lines), 7)
        raise OSError(errno.ESTALE, "Stale")

    with monkeypatch.context() as patch:
        patch.setattr(tables.JsonLines, "_rows", until_it_fails)
        with pytest.raises(BertrError, match="a.jsonl' could not be read: Stale file handle"):
            bridge.score(*args)
    written, add = [], Folder.add_part
    monkeypatch.setattr(Folder, "add_part", lambda *args: (written.append(args[2]), add(*args))[1])
    bridge.score(*args)
    assert written == [2, 3] and len((target / "a.jsonl").read_text().splitlines()) == 10
    source.write_text("")  # done: it must not change any more
    with pytest.raises(BertrError, match="has changed since its scoring began"):
        bridge.score(*args)


def test_inputs_that_are_no_tables(fitted, tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    refused("source", "in' does not exist", fitted, source, target)
    source.mkdir()
    (source / "_SUCCESS").write_text("")
    (source / ".hidden").mkdir()
    write(source / ".hidden" / "a.parquet")
    refused("source", "in' holds no files", fitted, source, target)
    write(source / "a.parquet")
    (source / "b.txt").write_text("")
    refused("source", "b.txt' is not a table", fitted, source, target)
    os.rename(source / "b.txt", source / "b.csv")
    refused("source", "different formats", fitted, source, target)


def test_folders_that_are_not_for_this_run(fitted, tiny, tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    write(source / "a.parquet")
    for inside in (source, source / "out", tmp_path):
        with pytest.raises(BertrError, match="one is in the other"):
            bridge.score(fitted, str(source), str(inside), plan(), None, None)
    write(target / "other.parquet")
    with pytest.raises(BertrError, match="holds other files, such as 'other.parquet'"):
        bridge.score(fitted, str(source), str(target), plan(), None, None)
    with pytest.raises(BertrError, match="is a file, not a folder"):
        bridge.score(fitted, str(source), str(target / "other.parquet"), plan(), None, None)
    shutil.rmtree(target)
    bridge.score(fitted, str(source), str(target), plan(), None, None)
    before = contents(target)
    other = quick_fit(tiny, seed=2)
    for handle, more, differs in (
        (other, {}, "fit"),
        (fitted, {"keep": ["id"]}, "keep"),
        (fitted, {"columns": CLASSES[:1]}, "columns"),
        (fitted, {"max_len": 5}, "options"),
        (bridge.load(tiny, {}), {"what": "embed", "columns": VECTORS}, "model"),
    ):
        with pytest.raises(BertrError, match=f"holds the output of another run: it differs in .*{differs}"):
            bridge.score(handle, str(source), str(target), plan(**more), None, None)
    os.utime(source / "a.parquet", ns=(1, 1))
    with pytest.raises(BertrError, match="a.parquet' has changed since its scoring began"):
        bridge.score(fitted, str(source), str(target), plan(), None, None)
    assert contents(target) == before
    (target / ".bertr-score" / "run.json").write_text("{")
    with pytest.raises(BertrError, match=r"run.json' could not be read"):
        bridge.score(fitted, str(source), str(target), plan(), None, None)
    (target / ".bertr-score" / "run.json").write_text('{"run": 1}')
    with pytest.raises(BertrError, match=r"run.json"):
        bridge.score(fitted, str(source), str(target), plan(), None, None)


def test_two_processes_do_not_share_a_folder(fitted, tmp_path):
    from bertr.replace import drop_lock, take_lock

    write(tmp_path / "a.parquet")
    work = tmp_path / "out" / ".bertr-score"
    work.mkdir(parents=True)
    lock = take_lock(str(work), needed=True)
    with pytest.raises(BertrError, match="Another process is scoring into"):
        bridge.score(fitted, str(tmp_path / "a.parquet"), str(tmp_path / "out"), plan(), None, None)
    drop_lock(str(work), lock)
    assert bridge.score(fitted, str(tmp_path / "a.parquet"), str(tmp_path / "out"), plan(), None, None)["files"] == 1


def test_without_pyarrow_one_sentence_says_so(monkeypatch):
    import sys

    import bertr.scoring.local

    monkeypatch.delattr(bertr.scoring, "local")
    for name in ("local", "columns", "tables"):
        monkeypatch.delitem(sys.modules, f"bertr.scoring.{name}")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BertrError, match="pyarrow, which is not installed") as e:
        bridge.score(None, "a", "b", {}, None, None)
    assert e.value.code == "no_package"
