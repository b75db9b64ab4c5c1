"""bertr on JAX against transformers on torch, whole processes in turns: prints each one's line and the ratios by round.
Not run on a GPU yet.

    python bench/gpu/run.py MODEL TEXTS ROWS [ROUNDS]  # a model's folder; bench/.work/texts/embed.txt and fit.tsv
"""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def line_of(script, files):
    command = [sys.executable, os.path.join(HERE, script), *files]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(out.stdout.strip().rpartition("\n")[2])


def main(model, texts, rows, rounds="3"):
    for i in range(int(rounds)):
        scripts = ["bertr_jax.py", "torch_hf.py"]
        answers = {s: line_of(s, (model, texts, rows)) for s in (scripts if i % 2 == 0 else scripts[::-1])}
        ours, theirs = (answers[s] for s in scripts)
        print(json.dumps(ours), json.dumps(theirs), sep="\n")
        print(
            f"round {i + 1}: bertr is {theirs['embed_seconds'] / ours['embed_seconds']:.2f} times as fast embedding, "
            f"{theirs['epoch_seconds'] / ours['epoch_seconds']:.2f} times as fast training",
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
