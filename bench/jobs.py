"""What is measured: which command, on which texts and model, by which engines."""

import dataclasses

FAST_EMBED = ("bertr", "hf_onednn", "hf_budget", "hf_sorted", "tf_bert", "onnxruntime", "openvino")
SLOW = ("keras_hub", "keras_bert")
SLOW_EMBED = ("bertr", "hf_budget", "hf_tutorial", "sentence_transformers", "tf_bert", *SLOW)  # on fewer texts
TORCH_FIT = ("bertr", "hf_budget", "hf_sorted", "hf_tutorial")
ALL_FIT = (*TORCH_FIT, *SLOW)
REFERENCE = "hf_budget"  # whose outputs the others' are compared with
HEAD_EPOCHS, PEER_HEAD_EPOCHS = 200, 2


@dataclasses.dataclass
class Job:
    title: str
    command: str
    engines: tuple
    file: str
    texts: int
    max_len: int
    model: str = "minilm"
    work: int = 0  # 1: one pass through the encoder, 3: a training step, 0: not counted
    options: tuple = ()  # what follows the file and the length in the command

    def few(self):
        return dataclasses.replace(self, texts=min(self.texts, 40 if self.model == "minilm" else 16))


JOBS = {
    "tokenise": Job(
        "Tokenising, a new tokenizer each time",
        "tokenise",
        ("bertr_python", "tokenizers_fast", "hf_tutorial"),
        "short.txt",
        50_000,
        256,
    ),
    # the first 10,000 are all different, while 50,000 repeat texts: words seen before cost bertr next to nothing
    "tokenise_slow": Job(
        "Tokenising a fifth of the texts, all different",
        "tokenise",
        ("bertr_python", "tokenizers_fast", "hf_tutorial", *SLOW),
        "short.txt",
        10_000,
        256,
    ),
    "offsets": Job(
        "Tokenising with character offsets",
        "tokenise_offsets",
        ("bertr_python", "tokenizers_fast", "hf_tutorial"),
        "short.txt",
        50_000,
        256,
    ),
    "embed": Job("Embedding", "embed", FAST_EMBED, "embed.txt", 5_000, 256, work=1),
    "embed_slow": Job("Embedding, a fifth of the texts", "embed", SLOW_EMBED, "embed.txt", 1_000, 256, work=1),
    "embed_base": Job("Embedding", "embed", FAST_EMBED, "embed.txt", 200, 256, "base", work=1),
    "embed_base_slow": Job("Embedding, half of the texts", "embed", SLOW_EMBED, "embed.txt", 100, 256, "base", work=1),
    "embed_long": Job("Embedding long documents", "embed", FAST_EMBED, "long.txt", 60, 512, work=1),
    "fit": Job(
        "One epoch of fine-tuning, mean of the states",
        "fit",
        ALL_FIT,
        "fit.tsv",
        1_000,
        128,
        work=3,
        options=(32, 1, "mean"),
    ),
    "fit_first": Job(
        "One epoch of fine-tuning, first token", "fit", ALL_FIT, "fit.tsv", 1_000, 128, work=3, options=(32, 1, "cls")
    ),
    "fit_long": Job(
        "One epoch of fine-tuning, long documents",
        "fit",
        TORCH_FIT,
        "fit_long.tsv",
        32,
        512,
        work=3,
        options=(16, 1, "cls"),
    ),
    "fit_base": Job(
        "One epoch of fine-tuning, first token",
        "fit",
        TORCH_FIT,
        "fit.tsv",
        96,
        128,
        "base",
        work=3,
        options=(32, 1, "cls"),
    ),
    # apart, because all engines at once do not fit in 24 GB of memory
    "fit_base_slow": Job(
        "The same with other peers", "fit", ("bertr", *SLOW), "fit.tsv", 96, 128, "base", work=3, options=(32, 1, "cls")
    ),
    "frozen": Job(
        f"Frozen encoder, two dense layers of 256, {HEAD_EPOCHS} epochs",
        "frozen",
        ("bertr", "hf_tutorial", REFERENCE, *SLOW),
        "frozen.tsv",
        207,
        128,
    ),
}


def arguments(job, engine):
    """What follows the length in the command, and by how much the seconds are multiplied."""
    if job.command != "frozen":
        return job.options, 1
    if engine == "bertr":
        return (HEAD_EPOCHS,), 1
    return (PEER_HEAD_EPOCHS,), HEAD_EPOCHS // PEER_HEAD_EPOCHS
