"""Files with one wrong field: either they load as without the fault, or the error is one sentence; both take little
time."""

import copy
import json
import shutil
import signal

import numpy as np
import pytest
import safetensors.numpy
from checkpoints import TINY
from conftest import fit_sentences

from bertr import bridge, store
from bertr.errors import BertrError
from bertr.families import read_checkpoint
from bertr.tasks import TASKS
from bertr.tasks.span import squad
from bertr.training.run_folder import RunFolder

WRONG = [None, "x", -1, 0.5, 10**9, 10**400, float("nan"), True, [[1]], {"x": [None]}]
SECONDS = 30  # a case takes some hundredths; without the checks some never ended


@pytest.fixture(autouse=True)
def no_tidying(monkeypatch):
    """It takes longer than what is tested, hundreds of times."""
    monkeypatch.setattr(store, "tidy", lambda: None)


def places(content, path=()):
    """Paths to every field; of lists and large tables the ends."""
    keys = list(content) if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in keys if len(keys) < 40 else (keys[0], keys[-1]):
        yield (*path, key)
        yield from places(content[key], (*path, key))


def wrong_values(found):
    """Without plausible values: another text, another flag, another measured number."""
    for value in WRONG:
        measured = isinstance(found, float) and type(value) in (int, float) and value == value
        if measured or (found is None and value is True):
            continue
        if type(value) is not type(found) or (type(found) is int and value != found):
            yield value


def mutants(content):
    for path in places(content):
        *above, last = path
        there = content
        for key in path:
            there = there[key]
        for value in wrong_values(there):
            out = copy.deepcopy(content)
            inner = out
            for key in above:
                inner = inner[key]
            inner[last] = value
            yield f"{'.'.join(map(str, path))} = {value!r:.40}", out


def assert_told_or_equal(case, load, same):
    def out_of_time(*_):
        raise TimeoutError(case)

    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(SECONDS)
    try:
        loaded = load()
    except BertrError as e:
        assert e.hint and "\n" not in e.message and "Traceback" not in e.message, case
        return True
    except Exception as e:
        raise AssertionError(f"{case}: {type(e).__name__}: {e}") from e
    finally:
        signal.alarm(0)
    assert same(loaded), case
    return False


def assert_all_told(folder, name, load, same):
    path = folder / name
    whole = path.read_text(encoding="utf-8")
    told = 0
    for case, content in mutants(json.loads(whole)):
        path.write_text(json.dumps(content), encoding="utf-8")
        told += assert_told_or_equal(f"{name}: {case}", load, same)
    path.write_text(whole, encoding="utf-8")
    return told


def same_checkpoint(a, b):
    fields = ("config", "vocab", "tokenizer", "pooling", "max_len", "spiece")
    return (
        all(getattr(a, f) == getattr(b, f) for f in fields)
        and set(a.tensors) == set(b.tensors)
        and all(np.array_equal(x, b.tensors[name]) for name, x in a.tensors.items())
    )


def tokenizer_json(folder):
    vocab = (folder / "vocab.txt").read_text().split()
    return {
        "added_tokens": [{"id": 0, "content": "[PAD]", "special": True}],
        "normalizer": {
            "type": "BertNormalizer",
            "lowercase": True,
            "strip_accents": None,
            "handle_chinese_chars": True,
        },
        "model": {"type": "WordPiece", "vocab": {token: i for i, token in enumerate(vocab)}},
    }


@pytest.fixture
def folder(tiny, tmp_path):
    """All files that a Hugging Face folder may hold, the weights in two of them."""
    folder = shutil.copytree(tiny, tmp_path / "model")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(folder)))
    (folder / "added_tokens.json").write_text(json.dumps({"the": 5}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64}))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True, "pooling_mode": "mean"})
    )
    shard(folder)
    return folder


def shard(folder):
    tensors = list(safetensors.numpy.load_file(folder / "model.safetensors").items())
    parts = {f"model-0000{i + 1}-of-00002.safetensors": dict(tensors[i::2]) for i in range(2)}
    for name, part in parts.items():
        safetensors.numpy.save_file(part, folder / name)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": {tensor: name for name, part in parts.items() for tensor in part}})
    )


@pytest.mark.parametrize(
    "name, least",
    [
        ("config.json", 80),
        ("tokenizer_config.json", 5),
        ("tokenizer.json", 40),
        ("added_tokens.json", 5),
        ("sentence_bert_config.json", 5),
        ("1_Pooling/config.json", 15),
        ("model.safetensors.index.json", 20),
    ],
)
def test_a_hugging_face_folder(folder, name, least):
    if name == "tokenizer.json":
        (folder / "vocab.txt").unlink()
    whole = read_checkpoint(folder)
    assert whole.pooling == "mean"
    assert assert_all_told(folder, name, lambda: read_checkpoint(folder), lambda c: same_checkpoint(c, whole)) >= least


@pytest.mark.parametrize("kind", ["google", "albert"])
def test_other_folders(kind, albert, tmp_path):
    folder = shutil.copytree(TINY if kind == "google" else albert, tmp_path / "copy")
    whole = read_checkpoint(folder)
    name = "bert_config.json" if kind == "google" else "config.json"
    assert assert_all_told(folder, name, lambda: read_checkpoint(folder), lambda c: same_checkpoint(c, whole)) > 60


def same_fit(a, b):
    return (
        same_checkpoint(a.base.checkpoint, b.base.checkpoint)
        and a.task.name == b.task.name
        and a.task.spec.get("levels") == b.task.spec.get("levels")
        and a.head_options["units"] == b.head_options["units"]
        and all(np.array_equal(x, y) for x, y in zip(a.network.upper_weights, b.network.upper_weights, strict=True))
    )


@pytest.fixture
def fitted(model, sentences):
    return fit_sentences(model, sentences, train="head", epochs=1, seed=1, head={"units": [8]})


def test_the_folder_of_a_fit(fitted, tmp_path):
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    whole = bridge.load(str(tmp_path / "fit"), {})
    for name in ("bertr.json", "tokenizer_config.json"):
        told = assert_all_told(
            tmp_path / "fit", name, lambda: bridge.load(str(tmp_path / "fit"), {}), lambda f: same_fit(f, whole)
        )
        assert told > 30, name


def with_meta(data, change):
    """The bytes of a fit with another description."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"]["bertr"] = json.dumps(change(json.loads(header["__metadata__"]["bertr"])))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


@pytest.mark.parametrize("train", ["head", "top:1"])
def test_the_bytes_of_a_fit(model, fitted, sentences, train):
    if train != "head":
        fitted = fit_sentences(model, sentences, train=train, epochs=1, seed=1)
    data = b"".join(bridge.to_bytes(fitted, "{}"))
    whole, metas = bridge.from_bytes([data], None), []
    with_meta(data, lambda meta: metas.append(meta) or meta)
    told = [
        assert_told_or_equal(
            case,
            lambda meta=meta: bridge.from_bytes([with_meta(data, lambda _: meta)], None),
            lambda f: same_fit(f, whole),
        )
        for case, meta in mutants(metas[0])
    ]
    assert sum(told) > 300


SPECS = {
    "classification": {"levels": ["a", "b"], "class_weights": [1.0, 2.0], "label_smoothing": 0.1},
    "multilabel": {"levels": ["a", "b"], "log_odds": [0.1, -0.1], "fixed": None, "thresholds": [0.5, 0.5]},
    "regression": {"outputs": ["y"], "mean": [0.5], "sd": [1.5]},
    "regression with a link": {"outputs": ["y"], "link": "logit", "log_odds": [0.5]},
    "entities": {"levels": ["LOC"], "crf": False, "words": "space"},
    "span": {"none": True, "longest": 30, "threshold": 0.5},
    "relations": {"levels": ["wrote"], "form": "gplinker"},
    "mlm": {"pairs": False, "whole_words": True},
}


@pytest.mark.parametrize("what", SPECS)
def test_what_a_task_keeps(what):
    shape, spec = TASKS[what.split()[0]].shape, SPECS[what]
    assert shape(spec, "spec") is None
    passed = [case for case, wrong in mutants(spec) if shape(wrong, "spec") is None]
    assert set(passed) <= {"fixed = 0.5"}, passed


def test_a_run_that_was_kept(tiny, sentences, tmp_path):
    fit_sentences(bridge.load(tiny, {}), sentences, epochs=1, seed=1, train="head", checkpoint=str(tmp_path))
    run = json.loads((tmp_path / "run.json").read_text())

    def read():
        return RunFolder(str(tmp_path), run["identity"]).read()

    whole = read()
    assert whole is not None
    assert assert_all_told(tmp_path, "run.json", read, lambda kept: kept[0].keys() == whole[0].keys()) > 100


def test_a_run_of_other_numbers(tiny, sentences, tmp_path):
    options = {"epochs": 1, "seed": 1, "train": "head", "checkpoint": str(tmp_path)}
    fit_sentences(bridge.load(tiny, {}), sentences, **options)
    run, (numbers,) = json.loads((tmp_path / "run.json").read_text()), tmp_path.glob("epoch-*")
    whole = safetensors.numpy.load_file(numbers)
    for wrong in ({}, {**whole, "now/0": np.zeros((1, 2), np.float32)}):
        safetensors.numpy.save_file(wrong, numbers)
        with pytest.raises(BertrError, match="run's 'now/0' is missing"):
            fit_sentences(bridge.load(tiny, {}), sentences, **options)
    safetensors.numpy.save_file(whole, numbers)
    run["facts"]["rng"]["bit_generator"] = "x"
    (tmp_path / "run.json").write_text(json.dumps(run))
    with pytest.raises(BertrError, match="no valid random generator state"):
        fit_sentences(bridge.load(tiny, {}), sentences, **options)


def test_a_squad_file(tmp_path):
    qas = [{"id": "a", "question": "Which?", "answers": [{"text": "Rhine", "answer_start": 4}], "is_impossible": False}]
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"data": [{"title": "Rivers", "paragraphs": [{"context": "The Rhine.", "qas": qas}]}]}))
    assert assert_all_told(tmp_path, "squad.json", lambda: squad.read(str(path)), lambda columns: True) > 60
    qas[0]["answers"][0]["answer_start"] = "4"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "The Rhine.", "qas": qas}]}]}))
    with pytest.raises(BertrError, match=r"not a SQuAD file: 'data\[0\].*answer_start' in it must be a whole .* \"4\""):
        squad.read(str(path))


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    "name", ["../outside.safetensors", "/tmp/outside.safetensors", "a/b.safetensors", "..", "", "a\\b.safetensors"]
)
def test_weights_outside_the_folder_are_refused(folder, name):
    index = folder / "model.safetensors.index.json"
    shutil.copy(folder / "model-00001-of-00002.safetensors", folder.parent / "outside.safetensors")
    index.write_text(index.read_text().replace("model-00001-of-00002.safetensors", json.dumps(name)[1:-1]))
    with pytest.raises(BertrError, match="must be the name of a file in the same folder"):
        read_checkpoint(folder)


def test_a_tensor_in_two_files_is_told(folder):
    shutil.copy(folder / "model-00001-of-00002.safetensors", folder / "model-00002-of-00002.safetensors")
    with pytest.raises(BertrError, match="is both in"):
        read_checkpoint(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_told(tiny, fitted, tmp_path, value):
    folder = shutil.copytree(tiny, tmp_path / "model")
    spoil(folder / "model.safetensors", "encoder.layer.1.output.dense.weight", value)
    with pytest.raises(BertrError, match="'encoder.layer.1.output.dense.weight' .*NaN") as e:
        read_checkpoint(folder)
    assert e.value.code == "damaged"
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    spoil(tmp_path / "fit" / "head.safetensors", "0/kernel", value)
    with pytest.raises(BertrError, match="'kernel' in .*NaN"):
        bridge.load(str(tmp_path / "fit"), {})


def spoil(path, name, value):
    tensors = safetensors.numpy.load_file(path)
    tensors[name][-1, -1] = value
    safetensors.numpy.save_file(tensors, path)


def test_large_numbers_are_no_fault(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "model")
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    tensors["encoder.layer.1.output.dense.weight"][:] = 3e38  # their sum is infinite
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    assert read_checkpoint(folder).tensors["block_1/feed_forward/outer/kernel"].max() == np.float32(3e38)


def test_no_code_is_run_from_a_folder(tiny, tmp_path, monkeypatch):
    """Neither Python files in the folder nor code that its files name."""
    folder = shutil.copytree(tiny, tmp_path / "model")
    for name in ("modeling.py", "__init__.py", "json.py", "conftest.py", "bertr.py"):
        (folder / name).write_text("open('ran', 'w')")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "modeling.Model"}}))
    monkeypatch.chdir(folder)
    bridge.load(str(folder), {})
    bridge.load(".", {})
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "path": "", "type": "modeling.Model"}]))
    with pytest.raises(BertrError, match="module of the type Model"):
        bridge.load(".", {})
    assert not (folder / "ran").exists()


def test_a_vocabulary_of_absurd_ids(folder):
    (folder / "vocab.txt").unlink()
    tokens = tokenizer_json(shutil.copytree(TINY, folder.parent / "tiny"))
    tokens["model"]["vocab"]["[PAD]"] = 10**9
    del tokens["added_tokens"]
    (folder / "added_tokens.json").unlink()
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    with pytest.raises(BertrError, match="has 1000000001 tokens, but the word embedding has only 41 rows"):
        read_checkpoint(folder)


def test_the_heads_layers_must_be_in_the_file(fitted, tmp_path):
    bridge.save(fitted, str(tmp_path / "fit"), "{}")
    path = tmp_path / "fit" / store.META
    meta = json.loads(path.read_text())
    meta["fit"]["head"]["units"] = [10**9]
    path.write_text(json.dumps(meta))
    with pytest.raises(BertrError, match="no weights for a layer of 1000000000 units"):
        bridge.load(str(tmp_path / "fit"), {})
