"""Our tokenizers against Hugging Face's in Rust on texts of which none occurs twice: tokens that differ, and seconds of
each, in turns. Every round starts with empty caches. Ours use one thread, Rust's first all cores, then one.

    PYTHONPATH=inst/python .venv/bin/python bench/tokenizer_speed.py TEXTS FOLDER ... [--rounds 7]

TEXTS is a text file, one text per line. A FOLDER holds config.json and tokenizer.json; it needs no weights.
"""

import argparse
import os
import statistics
import time
from types import SimpleNamespace

import numpy as np
import tokenizers

from bertr.checkpoints import huggingface
from bertr.families import make_tokenizer
from bertr.families.base import read_tokenizer

CORES = len(os.sched_getaffinity(0))


def ours(folder, rows):
    config = SimpleNamespace(vocab_size=rows)
    vocab, settings, file = read_tokenizer(huggingface, folder, config)
    return make_tokenizer(SimpleNamespace(vocab=vocab, tokenizer=settings, spiece=file))


def timed(call, *args):
    started = time.perf_counter()
    out = call(*args)
    return time.perf_counter() - started, out


def rust_tokenizer(path):
    out = tokenizers.Tokenizer.from_file(path)
    out.no_truncation()
    out.no_padding()
    return out


def of_rust(rust, texts, parallel):
    os.environ["TOKENIZERS_PARALLELISM"] = str(parallel).lower()
    return rust.encode_batch_fast(texts)


def measure(folder, texts, rounds):
    path = os.path.join(folder, "tokenizer.json")
    rows = tokenizers.Tokenizer.from_file(path).get_vocab_size()
    seconds, other = [], 0
    for _ in range(rounds):
        mine = ours(folder, rows)
        a, encoded = timed(mine.encode, texts, None, 10**6)
        b, theirs = timed(of_rust, rust_tokenizer(path), texts, True)
        c, _ = timed(of_rust, rust_tokenizer(path), texts, False)
        seconds.append((a, b, c))
        splits = encoded.row_splits
        other = sum(
            not np.array_equal(encoded.ids[i:j], row.ids) for i, j, row in zip(splits, splits[1:], theirs, strict=False)
        )
    return len(mine.vocab), len(encoded.ids), other, np.array(seconds)


def spread(times):
    return f"{statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("file")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as f:
        texts = list(dict.fromkeys(f.read().splitlines()))
    print(f"{len(texts)} texts, {CORES} cores")
    titles = ["tokenizer", "pieces", "tokens", "texts with other tokens", "ours, s"]
    titles += [f"times as fast as Rust on {CORES} cores", "on one core"]
    print(f"| {' | '.join(titles)} |\n|{' --- |' * len(titles)}")
    for folder in options.folders:
        pieces, tokens, other, seconds = measure(folder, texts, options.rounds)
        mine, all_cores, one = seconds.T
        print(
            f"| {os.path.basename(folder)} | {pieces} | {tokens} | {other} | {statistics.median(mine):.2f} | "
            f"{spread(all_cores / mine)} | {spread(one / mine)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
