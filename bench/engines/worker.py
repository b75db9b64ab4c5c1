"""A peer as a process: reads commands from stdin, one a line with tabs between, and answers each with one line.

    python bench/engines/worker.py hf_budget

`engines/<name>.py` has a class `Engine` with those of the methods below that the peer can do; all clocks are here.
An answer is "ok" and values, or "error" and a message.
"""

import importlib
import os
import sys
import time

# the folder of this file holds `onnxruntime.py` and others, which must not hide the packages of these names
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(sys.path.pop(0))

import numpy as np  # noqa: E402

from engines.files import peak_mb, read_rows, read_texts  # noqa: E402

TOKENISE_ROWS = 1000  # texts a padded batch


def seconds(call):
    """What a call gives, and how long it took."""
    began = time.perf_counter()
    out = call()
    return out, time.perf_counter() - began


def load(engine, folder, google_folder):
    """May give a remark for the report."""
    return [engine.load(folder, google_folder) or ""]


def tokenise(engine, file, max_len, offsets=False):
    """`engine.tokeniser(max_len, offsets)` gives a fresh function from texts to a list of padded id batches."""
    texts, call = read_texts(file), engine.tokeniser(int(max_len), offsets)
    batches, spent = seconds(lambda: call(texts, TOKENISE_ROWS))
    return [spent, sum(int(np.count_nonzero(b)) for b in batches)]  # [PAD] is token 0


def tokenise_offsets(engine, file, max_len):
    return tokenise(engine, file, max_len, offsets=True)


def embed(engine, file, max_len, out):
    texts = read_texts(file)
    vectors, spent = seconds(lambda: engine.embed(texts, int(max_len)))
    if out != "-":
        np.save(out, vectors)
    return [spent]


def fit(engine, file, max_len, batch, epochs, pool):
    """`engine.trainer(...)` gives a function that trains from the loaded weights, with all graphs built. `pool`: what
    the classes are read from, "mean" of a text's states or "cls", the state of its first token."""
    texts, codes = read_rows(file)
    call = engine.trainer(texts, codes, int(max_len), int(batch), int(epochs), pool)
    _, spent = seconds(call)
    return [spent / int(epochs), peak_mb()]


def losses(engine, file, order, head, max_len):
    texts, codes = read_rows(file)
    weights = np.load(head)
    return engine.losses(texts, codes, np.load(order), weights["kernel"], weights["bias"], int(max_len))


def frozen(engine, file, max_len, epochs):
    texts, codes = read_rows(file)
    call = engine.head_trainer(texts, codes, int(max_len), int(epochs))
    return [seconds(call)[1]]


COMMANDS = {f.__name__: f for f in (load, tokenise, tokenise_offsets, embed, fit, losses, frozen)}


def answer(engine, line):
    name, *fields = line.rstrip("\n").split("\t")
    try:
        values = COMMANDS[name](engine, *fields)
        return "\t".join(["ok", *map(str, values)])
    except Exception as e:  # a peer may fail in any way, and the others go on
        import traceback

        traceback.print_exc()
        return "error\t" + f"{type(e).__name__}: {e}".replace("\t", " ").replace("\n", " ")[:500]


def main(name):
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to stderr
    engine = importlib.import_module("engines." + name).Engine()
    for line in sys.stdin:
        if line.strip() == "quit":
            break
        print(answer(engine, line), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
