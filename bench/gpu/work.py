"""What both engines work on: encoders of two shapes with random weights, and made-up texts. Nothing is downloaded."""

import json
import os

import numpy as np

WORDS = 30_522 - 5
SHAPES = {  # layers, hidden size, heads
    "MiniLM": (6, 384, 12),
    "BERT-base": (12, 768, 12),
}
SIZES = {"embed": 16_384, "fit": 4_096}  # texts
SMALL_SHAPES, SMALL_SIZES = {"tiny": (2, 32, 2)}, {"embed": 96, "fit": 64}
EMBED_TOKENS, FIT_TOKENS, ROWS, RATE = 256, 128, 32, 5e-5
CHECKED = 64  # texts whose vectors are compared


def write_model(folder, layers, hidden, heads):
    """A random BERT in the form of Hugging Face."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=WORDS + 5,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
    )
    transformers.BertModel(config).save_pretrained(folder)
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(_word(i) for i in range(WORDS))]
    with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as f:
        f.write("\n".join(vocab) + "\n")
    with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as f:
        json.dump({"do_lower_case": True, "tokenizer_class": "BertTokenizer"}, f)


def _word(i):
    """Different letters for each number."""
    out = ""
    while i or not out:
        i, letter = divmod(i, 26)
        out += chr(ord("a") + letter)
    return out + "x"


def write_texts(path, sizes):
    """Texts of as many words as English sentences and paragraphs have, mostly frequent words; a label is a word."""
    rng = np.random.default_rng(0)
    texts = []
    for i in range(sizes["embed"] + sizes["fit"]):
        words = rng.zipf(1.2, int(np.clip(rng.lognormal(3.4, 0.7), 2, 198))) % WORDS
        words[0] = i % 2
        texts.append(" ".join(map(_word, words)))
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"embed": texts[: sizes["embed"]], "fit": texts[sizes["embed"] :]}, f)


def read_texts(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def labels_of(texts):
    return [int(text.startswith(_word(1) + " ")) for text in texts]


def told(engine, device, texts, embed, rows, epoch, gigabytes, vectors):
    """An engine's answer, for `run.py`."""
    answer = {
        "engine": engine,
        "device": device,
        "texts_per_second": round(texts / embed, 1),
        "rows_per_second": round(rows / epoch, 1),
        "embed_seconds": round(embed, 3),
        "epoch_seconds": round(epoch, 3),
        "gigabytes": gigabytes,
        "vectors": (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist(),
    }
    print(json.dumps(answer))
