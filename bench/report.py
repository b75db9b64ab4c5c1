"""results.md from what results.json holds."""

import statistics

from jobs import JOBS, REFERENCE
from losses import LARGEST

MODELS = {"minilm": "all-MiniLM-L6-v2", "base": "BERT-base's shape, random weights"}
HEADER = """# bertr and its peers

Every engine at its best settings, on the same texts, weights and machine: `bench/run.py` says how. In each round all
engines of a job take turns, every second round in reverse, after a first round that is not counted. The ratio is
seconds of the peer by seconds of bertr within a round: the median, and in brackets the lowest and the highest; above 1
bertr is the faster one. Useful GFLOP/s count real tokens only: in each layer 24 h^2 a token and 4 h length^2 a text
(h the hidden size), times 3 in training. Memory is the most the process had from the loaded model on.
"""
ENGINES = """## The engines

| | |
| --- | --- |
| bertr | from R, as users call it: `bert_embed()`, `bert_fit()` |
| bertr_python | bertr's Python engine without R, for what R has no function for |
| hf_tutorial | transformers on torch as its tutorials do: batches of 32 in the order given |
| hf_sorted | the same with texts of like length together, AdamW with `foreach` |
| hf_budget | the same with batches of 1,024 tokens, fused AdamW |
| hf_onednn | hf_budget with its dense layers done by oneDNN, as they are in TensorFlow; no training |
| sentence_transformers | `SentenceTransformer.encode()`, its own sorting, batches of 32 |
| onnxruntime, openvino | exported from torch, float32, batches of 1,024 tokens, the fastest of several ways |
| tokenizers_fast | the Rust tokenizers alone, on all cores |
| keras_hub | `BertBackbone` with its preprocessing to one length, `predict()`, `fit()` |
| keras_bert | its tokenizer and generators of batches of 32, its AdamWarmup |
| tf_bert | transformers' `TFBertModel` in one graph, texts of like length together, batches of 1,024 tokens |
"""


def table(header, rows):
    return (
        "\n".join(
            [
                "| " + " | ".join(header) + " |",
                "|" + " --- |" * len(header),
                *("| " + " | ".join(row) + " |" for row in rows),
            ]
        )
        + "\n"
    )


def number(x):
    """Three digits that count."""
    if x >= 100:
        return f"{x:,.0f}"
    return f"{x:.1f}" if x >= 10 else f"{x:.2f}" if x >= 1 else f"{x:.3f}"


def ratio(ours, theirs):
    by_round = [b / a for a, b in zip(ours, theirs, strict=True)]
    return f"{number(statistics.median(by_round))} ({number(min(by_round))} to {number(max(by_round))})"


def job_rows(result, gemm):
    ours = next((name for name in result["seconds"] if name.startswith("bertr")), None)
    for name, seconds in result["seconds"].items():
        middle = statistics.median(seconds)
        speed = result["flop"] / middle / 1e9
        peak = result["peak_mb"].get(name)
        yield [
            name,
            number(middle),
            number(result["texts"] / middle),
            number(result["tokens"] / middle),
            f"{number(speed)} ({speed / gemm:.0%})" if speed else "",
            "" if name == ours or ours is None else ratio(result["seconds"][ours], seconds),
            f"{peak:,.0f}" if peak else "",
        ]


def rounds_of(result):
    loads = ", ".join(f"{x:.1f}" for x in result["loads"])
    return f"rounds: {result['rounds']}; load average before each: {loads}."


def job_part(name, result, gemm):
    job = JOBS[name]
    lengths = result["lengths"]
    parts = [
        f"## {job.title}: {MODELS[job.model]}\n",
        f"`{name}`: {result['texts']:,} texts of {job.file}, {result['tokens']:,} tokens (a text "
        f"{lengths['median']:.0f} in the middle, {lengths['highest']} at most, cut at {job.max_len}); "
        f"{rounds_of(result)}\n",
        table(
            ["engine", "seconds", "texts/s", "tokens/s", "useful GFLOP/s (of the limit)", "times as fast", "peak MB"],
            job_rows(result, gemm),
        ),
    ]
    return "\n".join([*parts, *notes(result)])


def notes(result):
    """What is to be said about single engines."""
    for engine, remark in result.get("remarks", {}).items():
        yield f"{engine} ran as: {remark}.\n"
    for engine, d in result.get("differences", {}).items():
        if engine != REFERENCE:
            yield (
                f"{engine}: embeddings off {REFERENCE}'s by {d['largest']:.1e} at most, {d['typical']:.1e} in the "
                f"middle; {d['equal']:.1%} of the texts within 1e-5.\n"
            )
    if len(set(result.get("counted", {}).values())) > 1:
        yield "Tokens found: " + ", ".join(f"{e} {n:,}" for e, n in result["counted"].items()) + ".\n"
    for engine, message in result["errors"].items():
        yield f"{engine} failed: {message}\n"


def first_part(result):
    rows = [
        [name, number(statistics.median(x)), "" if name == "bertr" else ratio(result["seconds"]["bertr"], x)]
        for name, x in result["seconds"].items()
    ]
    return "\n".join(
        [
            "## The first prediction of a new process\n",
            "Loading a saved fit and predicting one text, from R; peers load the model and encode one text; "
            f"{rounds_of(result)}\n",
            table(["", "seconds", "times as fast"], rows),
        ]
    )


def losses_part(result):
    rows = [[e, f"{x:.1e}", "yes" if x <= LARGEST else "no"] for e, x in result["largest"].items()]
    failed = [f"{e} failed: {m}\n" for e, m in result["errors"].items()]
    return "\n".join(
        [
            "## The same training\n",
            "The first 20 losses of plain training on given batches of 16, without dropout (see `bench/losses.py`): "
            f"how far from {REFERENCE}'s.\n",
            table(["engine", "largest difference", f"within {LARGEST:g}"], rows),
            *failed,
        ]
    )


def machine_part(results):
    m, texts = results["machine"], results["texts"]
    versions = [[name, ", ".join(f"{k} {v}" for k, v in found.items())] for name, found in results["versions"].items()]
    missing = "".join(f"The environment {e} could not be made: {why}\n" for e, why in results["missing"].items())
    speeds = ", ".join(f"{x:.0f} in {library}" for library, x in results["gemm"].items())
    return "\n".join(
        [
            "## The machine\n",
            f"{m['cpu']}; {m['cores']} cores; {m['memory_gb']} GB; {', '.join(m['flags'])}, but no "
            f"{', '.join(m['missing_flags']) or 'other'}; {m['system']}.\n",
            "A float32 matrix product of 2048 x 2048 on all cores reaches, in GFLOP/s (median, in the best run of this "
            f"script): {speeds}; the highest is the limit above. Where torch's (MKL) is far below TensorFlow's "
            "(oneDNN), that much of bertr's lead on the hf engines comes from the library: hf_onednn shows what is "
            "left without it.\n",
            table(["Python of", "versions"], versions),
            missing,
            f"Texts: short.txt has {texts['short']['texts']:,} lines of {texts['short']['different']:,} different "
            f"texts; embed.txt {texts['embed']['different']:,} and long.txt {texts['long']['different']} different "
            f"ones; fit.tsv {texts['fit']['texts']:,} rows of {texts['fit']['of']}, {texts['fit']['classes']} classes; "
            "fit_long.tsv long documents, of two classes in turns; frozen.tsv "
            f"{texts['frozen']['texts']} rows of {texts['frozen']['of']}, {texts['frozen']['classes']} classes.\n",
        ]
    )


COMMANDS = """## Commands

```sh
python bench/run.py --data DATA                    # everything; makes bench/.env and bench/.work first
python bench/run.py --data DATA --only embed,fit   # some jobs; the others' results stay
python bench/run.py --data DATA --few --rounds 1   # does it run? (figures mean nothing)
```
"""


def remarks_on(results):
    """How some jobs are to be read."""
    out = []
    if {"tokenise", "offsets"} & set(results["jobs"]):
        out.append(
            "short.txt holds each text several times, and bertr looks up what it has cut before: the 50,000 flatter "
            "it. `tokenise_slow` has different texts only.\n"
        )
    if {"embed_slow", "embed_base_slow"} & set(results["jobs"]):
        out.append(
            "keras_hub and keras_bert know GELU only in its approximation by tanh and cut a few words otherwise, so "
            "their embeddings are not the same to 1e-5.\n"
        )
    if {"fit", "fit_first", "fit_base", "fit_base_slow"} & set(results["jobs"]):
        out.append(
            "Classes are read from the mean of a text's states, as sentence models do, or from the state of its first "
            "token, as BERT's own classifier does; bertr does not compute the last layer for the other tokens then, "
            "and its useful GFLOP/s, which count it, are higher than what it does.\n"
        )
        out.append(
            "bertr's seconds are those that `bert_fit()` tells of the second of two epochs, in which, as with the "
            "peers, no graph is built. Peers' seconds contain the tokenising (bertr takes some 8 microseconds a text "
            "for it); bertr's whole call has it, the graph, the start of the head and packing the weights.\n"
        )
    if "frozen" in results["jobs"]:
        out.append(
            "With a frozen encoder peers, as their tutorials do, run it for every batch: 2 epochs are measured and "
            "taken times 100. bertr's figure is its whole call, all 200 epochs.\n"
        )
    return out


def text(results):
    parts = [HEADER]
    if results.get("few"):
        parts.append("**Tried with a few texts: the figures mean nothing.**\n")
    limit = max(results["gemm"].values())
    parts += [job_part(name, results["jobs"][name], limit) for name in JOBS if name in results["jobs"]]
    parts += remarks_on(results)
    for name, part in (("first", first_part), ("losses", losses_part)):
        if name in results["jobs"]:
            parts.append(part(results["jobs"][name]))
    return "\n".join([*parts, ENGINES, machine_part(results), COMMANDS])
