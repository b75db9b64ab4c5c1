"""Folders of a small random BERT in the shapes that people have, written for tests."""

import json

import pytest
import torch
import transformers
from conftest import WORDS
from small import small_config

from bertr.errors import BertrError
from bertr.families import read_checkpoint

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "bcdefghijklmnopqrstuvwxyz1"
VOCAB = [*SPECIAL, "[unused0]", *WORDS, *LETTERS, *"<>[]", "##a", *(f"##{c}" for c in LETTERS)]
ADDED = ["[E1]", "<url>", "newword", "New York", "😃", "cat-1"]
TEXTS = [
    "see [E1] at <url> now",
    "The cat-1 sleeps 😃 .",
    "a newword in new york",
    "My newwords xnewword",
    "",
    "[MASK] [PAD]",
    "Über the GREEN tree and the big old moon",
    "a",
    "<s> the </s> <mask> dog <pad>",
    "[unused0] runs",
]


def write_json(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")


def make_folder(out):
    """A small random BERT of 2 layers with rows for the vocabulary and the added tokens; no settings of a tokenizer."""
    torch.manual_seed(3)
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
    config = small_config(len(VOCAB) + len(ADDED), max_position_embeddings=48, initializer_range=0.3, **sizes)
    transformers.BertModel(config).save_pretrained(out)
    (out / "vocab.txt").write_text("\n".join(VOCAB) + "\n", encoding="utf-8")
    write_json(out / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    return out


def edit(path, change):
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8", newline="")


def configure(folder, **settings):
    edit(folder / "tokenizer_config.json", lambda text: json.dumps({**json.loads(text), **settings}))


def flags(content, i=None, **more):
    out = {
        "content": content,
        "lstrip": False,
        "rstrip": False,
        "single_word": False,
        "normalized": True,
        "special": False,
        **more,
    }
    return out if i is None else {**out, "id": i}


IDS = {token: len(VOCAB) + k for k, token in enumerate(ADDED)}


def tokenizer_json(folder, keep_vocab=True):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(ADDED)
    tokenizer.save_pretrained(folder)
    if not keep_vocab:
        (folder / "vocab.txt").unlink()


def use_names(folder):
    names = {"[PAD]": "<pad>", "[UNK]": "<unk>", "[CLS]": "<s>", "[SEP]": "</s>", "[MASK]": "<mask>"}
    edit(folder / "vocab.txt", lambda text: "\n".join(names.get(line, line) for line in text.split("\n")))
    configure(
        folder,
        **{
            f"{kind}_token": names[old] for kind, old in zip(("pad", "unk", "cls", "sep", "mask"), SPECIAL, strict=True)
        },
    )


def assert_refused(folder, make, message):
    """What `make` makes of the folder is refused in one line, with a hint."""
    make(folder)
    with pytest.raises(BertrError, match=message) as caught:
        read_checkpoint(folder)
    assert caught.value.hint and "\n" not in str(caught.value.args[0])
