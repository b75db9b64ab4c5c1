"""Every family against transformers + torch on random models of MiniLM's shape: how far the states are apart, and how
many texts a second each embeds. The two take turns; the ratio of a round is of neighbours in time. The limit is what
TensorFlow's matrix product reaches between the rounds (gemm.py), in float32 on all cores.

    .venv/bin/python bench/families.py TEXTS [--texts 400] [--rounds 5]

TEXTS is a text file with one text per line. The words are numbers of a made-up vocabulary, so that all families read
the same rows: only the encoders are compared.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time

import numpy as np

import gemm

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "inst", "python"))

import torch  # noqa: E402
import transformers  # noqa: E402

import bertr  # noqa: E402, F401 (it sets what TensorFlow must find before it is imported)
from bertr import bridge  # noqa: E402
from bertr.text.encodings import Encodings  # noqa: E402
from bertr.text.ragged import splits  # noqa: E402

SIZES = {"vocab_size": 30_000, "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12}
SIZES |= {"intermediate_size": 1536, "max_position_embeddings": 514, "initializer_range": 0.05}
OF_DISTILBERT = {"vocab_size": 30_000, "dim": 384, "n_layers": 6, "n_heads": 12, "hidden_dim": 1536}
CONFIGS = {
    "BERT": ("Bert", SIZES),
    "ALBERT": ("Albert", {**SIZES, "embedding_size": 128, "hidden_act": "gelu"}),
    "RoBERTa": ("Roberta", {**SIZES, "type_vocab_size": 1}),
    "XLM-RoBERTa": ("XLMRoberta", {**SIZES, "type_vocab_size": 1}),
    "CamemBERT": ("Camembert", {**SIZES, "type_vocab_size": 1}),
    "DistilBERT": ("DistilBert", {**OF_DISTILBERT, "initializer_range": 0.05}),
    "ELECTRA": ("Electra", {**SIZES, "embedding_size": 128}),
    "MPNet": ("MPNet", SIZES),
}
OF_MPNET = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]  # its special tokens
BATCH = 32
PRODUCTS = 5  # matrix products timed between two rounds


def rows_of(texts):
    """Encodings of made-up ids, one per word, framed by two more."""
    lengths = np.minimum([len(text.split()) + 2 for text in texts], 256)
    total = int(lengths.sum())
    ids = np.random.default_rng(1).integers(5, SIZES["vocab_size"], total).astype(np.int32)
    return Encodings(ids, np.zeros(total, np.int8), splits(lengths), 0, lengths.astype(np.int32), pad_id=1)


def their_states(model, encodings, with_segments):
    """Means of the last states as a user of transformers computes them, sorted by length: float32 [rows, hidden]."""
    order = np.argsort(encodings.lengths, kind="stable")
    out = np.empty((len(order), SIZES["hidden_size"]), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            ids, segments, mask = map(torch.from_numpy, encodings.pad(rows))
            more = {"token_type_ids": segments.long()} if with_segments else {}
            states = model(ids.long(), attention_mask=mask, **more).last_hidden_state
            real = mask[:, :, None].float()
            out[rows] = ((states * real).sum(1) / real.sum(1)).numpy()
    return out


def flop(lengths):
    """Of the layers' products and attention, for real tokens only, as in report.py."""
    tokens, squares, hidden = lengths.sum(dtype=float), (lengths.astype(float) ** 2).sum(), SIZES["hidden_size"]
    return SIZES["num_hidden_layers"] * (24 * hidden**2 * tokens + 4 * hidden * squares)


def make(name, folder):
    cls, settings = CONFIGS[name]
    torch.manual_seed(0)
    config = getattr(transformers, f"{cls}Config")(**settings)
    model = getattr(transformers, f"{cls}Model")(config).eval()
    model.save_pretrained(folder)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] if name != "MPNet" else OF_MPNET
    words = [*special, *(f"w{i}" for i in range(5, SIZES["vocab_size"]))]
    with open(os.path.join(folder, "vocab.txt"), "w") as f:
        f.write("\n".join(words))
    return model, bridge.load(folder, {})


def measure(name, encodings, rounds):
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = make(name, folder)
        score = ours.scorer("mean", (ours.config.num_layers,)).encodings
        segments = ours.config.num_segments > 0
        apart = np.abs(score(encodings) - their_states(theirs, encodings, segments)).max()
        product, seconds, limits = gemm.product("tensorflow"), [], []
        for _ in range(rounds):
            limits.append(gemm.median_speed(product, PRODUCTS))
            started = time.perf_counter()
            score(encodings)
            middle = time.perf_counter()
            their_states(theirs, encodings, segments)
            seconds.append((middle - started, time.perf_counter() - middle))
    return apart, seconds, statistics.median(limits)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("file")
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as f:
        encodings = rows_of(f.read().splitlines()[: options.texts])
    titles = ["family", "states apart", "bertr, texts/s", "transformers, texts/s", "ratio (least to most)"]
    titles += ["of our BERT", "useful GFLOP/s", "of the limit"]
    print(f"| {' | '.join(titles)} |\n|{' --- |' * len(titles)}")
    bert, work = None, flop(encodings.lengths) / len(encodings) / 1e9
    for name in CONFIGS:
        apart, seconds, limit = measure(name, encodings, options.rounds)
        ours, theirs = (len(encodings) / statistics.median(times) for times in zip(*seconds, strict=True))
        bert = bert or ours
        ratios = sorted(b / a for a, b in seconds)
        print(
            f"| {name} | {apart:.1e} | {ours:.0f} | {theirs:.0f} | {statistics.median(ratios):.2f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f}) | {ours / bert:.2f} | {work * ours:.0f} | "
            f"{100 * work * ours / limit:.0f} % of {limit:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
