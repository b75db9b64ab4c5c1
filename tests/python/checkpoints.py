"""Checkpoints of every format, written for tests."""

import json
import os
import pathlib
import shutil
import types

import numpy as np
import tensorflow as tf

from bertr.checkpoints import weight_names
from bertr.families.albert import NAMES

TINY = pathlib.Path(__file__).parents[1] / "fixtures" / "google_tiny"


def google_names(layers):
    """The variables of a BERT pre-training checkpoint in Google's own words (google-research/bert `modeling.py`)."""
    out = [
        f"bert/embeddings/{n}"
        for n in (
            "word_embeddings",
            "token_type_embeddings",
            "position_embeddings",
            "LayerNorm/beta",
            "LayerNorm/gamma",
        )
    ]
    for i in range(layers):
        block = f"bert/encoder/layer_{i}"
        for dense in (
            "attention/self/query",
            "attention/self/key",
            "attention/self/value",
            "attention/output/dense",
            "intermediate/dense",
            "output/dense",
        ):
            out += [f"{block}/{dense}/kernel", f"{block}/{dense}/bias"]
        for norm in ("attention/output", "output"):
            out += [f"{block}/{norm}/LayerNorm/beta", f"{block}/{norm}/LayerNorm/gamma"]
    out += ["bert/pooler/dense/kernel", "bert/pooler/dense/bias"]
    head = "cls/predictions"
    out += [
        f"{head}/output_bias",
        f"{head}/transform/dense/kernel",
        f"{head}/transform/dense/bias",
        f"{head}/transform/LayerNorm/beta",
        f"{head}/transform/LayerNorm/gamma",
    ]
    return [*out, "cls/seq_relationship/output_weights", "cls/seq_relationship/output_bias"]


def google_tensors_of(model):
    """A torch BertModel's weights under Google's names: the inverse of transformers' TF1 converter."""
    out = {}
    for name, x in model.state_dict().items():
        name = name.replace("encoder.layer.", "encoder.layer_").replace(".", "/")
        if "_embeddings/weight" in name:
            name = name.removesuffix("/weight")
        elif "LayerNorm" in name:
            name = name.replace("/weight", "/gamma").replace("/bias", "/beta")
        elif name.endswith("/weight"):
            name, x = name.removesuffix("weight") + "kernel", x.T
        out["bert/" + name] = x.numpy()
    return out


def save_tensorflow(prefix, tensors):
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(x) for x in tensors.values()],
    )


def write_google_folder(folder, tensors, source):
    """`source` is the Hugging Face folder the config and the vocabulary come from."""
    folder.mkdir(parents=True)
    shutil.copy(os.path.join(source, "config.json"), folder / "bert_config.json")
    shutil.copy(os.path.join(source, "vocab.txt"), folder)
    save_tensorflow(folder / "bert_model.ckpt", tensors)
    return folder


def same_tensors(a, b):
    assert set(a) == set(b)
    for name, x in a.items():
        assert x.dtype == np.float32 and x.flags.c_contiguous
        np.testing.assert_array_equal(x, b[name], err_msg=name)


def google2_tensors_of(google, heads, layout):
    """TF1 variables as TF2's official models save them, heads apart, in the layouts of two of its versions."""
    size = google["bert/pooler/dense/bias"].size // heads
    layers = 1 + max(int(n.split("layer_")[1].split("/")[0]) for n in google if "layer_" in n)
    attended = "_attention_output_dense" if layout == "old" else "_attention_layer/_output_dense"
    inner = {
        "attention/self/query": "_attention_layer/_query_dense",
        "attention/self/key": "_attention_layer/_key_dense",
        "attention/self/value": "_attention_layer/_value_dense",
        "attention/output/dense": attended,
        "attention/output/LayerNorm": "_attention_layer_norm",
        "intermediate/dense": "_intermediate_dense",
        "output/dense": "_output_dense",
        "output/LayerNorm": "_output_layer_norm",
    }
    root = {"old": "model/", "new": "encoder/", "pretraining": "model/layer_with_weights-0/"}[layout]
    out = {}
    for i, name in enumerate(("word", "position", "token_type")):
        out[f"{root}layer_with_weights-{i}/embeddings"] = google[f"bert/embeddings/{name}_embeddings"]
    for leaf in ("gamma", "beta"):
        out[f"{root}layer_with_weights-3/{leaf}"] = google[f"bert/embeddings/LayerNorm/{leaf}"]
    for name, x in google.items():
        if name.startswith("bert/encoder/"):
            i, rest = name.removeprefix("bert/encoder/layer_").split("/", 1)
            module, leaf = rest.rsplit("/", 1)
            if "/self/" in module:
                x = x.reshape(*x.shape[:-1], heads, size)
            elif rest == "attention/output/dense/kernel":
                x = x.reshape(heads, size, -1)
            out[f"{root}layer_with_weights-{int(i) + 4}/{inner[module]}/{leaf}"] = x
    for leaf in ("kernel", "bias"):
        pooler = "next_sentence..pooler_dense" if layout == "new" else f"{root}layer_with_weights-{layers + 4}"
        out[f"{pooler}/{leaf}"] = google[f"bert/pooler/dense/{leaf}"]
    if layout != "old":
        head = {"new": "masked_lm", "pretraining": "model/layer_with_weights-2"}[layout]
        for leaf in ("kernel", "bias"):
            out[f"{head}/dense/{leaf}"] = google[f"cls/predictions/transform/dense/{leaf}"]
        for leaf in ("gamma", "beta"):
            out[f"{head}/layer_norm/{leaf}"] = google[f"cls/predictions/transform/LayerNorm/{leaf}"]
        out[f"{head}/output_bias.Sbias"] = google["cls/predictions/output_bias"]
        out[f"{head}/embedding_table"] = google["bert/embeddings/word_embeddings"]
    out = {f"{name}/.ATTRIBUTES/VARIABLE_VALUE": x for name, x in out.items()}
    out["save_counter/.ATTRIBUTES/VARIABLE_VALUE"] = np.int64(1)
    out["optimizer/iter/.ATTRIBUTES/VARIABLE_VALUE"] = np.int64(1)
    out["_CHECKPOINTABLE_OBJECT_GRAPH"] = np.array(b"graph", object)
    return out


def albert_google_tensors(model):
    """A torch ALBERT's weights under the names of google-research/albert `modeling.py`."""
    dense = {
        "attention.query": "attention_1/self/query",
        "attention.key": "attention_1/self/key",
        "attention.value": "attention_1/self/value",
        "attention.dense": "attention_1/output/dense",
        "ffn": "ffn_1/intermediate/dense",
        "ffn_output": "ffn_1/intermediate/output/dense",
    }
    norms = {"attention.LayerNorm": "LayerNorm", "full_layer_layer_norm": "LayerNorm_1"}
    rest = {
        "albert.encoder.embedding_hidden_mapping_in": "bert/encoder/embedding_hidden_mapping_in",
        "albert.pooler": "bert/pooler/dense",
        "predictions.dense": "cls/predictions/transform/dense",
    }
    state, out = {k: v.numpy() for k, v in model.state_dict().items()}, {}

    def layer(theirs, google, is_norm):
        for end, name in ((".weight", "gamma" if is_norm else "kernel"), (".bias", "beta" if is_norm else "bias")):
            x = state[theirs + end]
            out[f"{google}/{name}"] = x.T if name == "kernel" else x

    for g in range(model.config.num_hidden_groups):
        theirs = f"albert.encoder.albert_layer_groups.{g}.albert_layers.0."
        google = f"bert/encoder/transformer/group_{g}/inner_group_0/"
        for table, is_norm in ((dense, False), (norms, True)):
            for hf, name in table.items():
                layer(theirs + hf, google + name, is_norm)
    for hf, name in rest.items():
        layer(hf, name, False)
    layer("albert.embeddings.LayerNorm", "bert/embeddings/LayerNorm", True)
    layer("predictions.LayerNorm", "cls/predictions/transform/LayerNorm", True)
    for kind in ("word", "position", "token_type"):
        out[f"bert/embeddings/{kind}_embeddings"] = state[f"albert.embeddings.{kind}_embeddings.weight"]
    out["cls/predictions/output_bias"] = state["predictions.bias"]
    out["cls/seq_relationship/output_weights"] = state["sop_classifier.classifier.weight"]
    out["cls/seq_relationship/output_bias"] = state["sop_classifier.classifier.bias"]
    return out


ALBERT_CONFIG = {  # as albert_config.json of the second version
    "attention_probs_dropout_prob": 0,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0,
    "embedding_size": 12,
    "hidden_size": 32,
    "initializer_range": 0.2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "net_structure_type": 0,
    "gap_size": 0,
    "num_memory_blocks": 0,
    "inner_group_num": 1,
    "down_scale_factor": 1,
    "type_vocab_size": 2,
    "vocab_size": 2000,
}


def write_albert_google(folder, model, spiece, prefix="model.ckpt-best"):
    folder.mkdir()
    config = {**ALBERT_CONFIG, "num_hidden_groups": model.config.num_hidden_groups}
    (folder / "albert_config.json").write_text(json.dumps(config))
    (folder / "30k-clean.model").write_bytes(spiece)
    (folder / "30k-clean.vocab").write_text("<pad>\t0\n")
    tensors = {
        **albert_google_tensors(model),
        "global_step": np.int64(1),
        "bert/pooler/dense/bias/adam_m": np.zeros(32, np.float32),
        "bert/pooler/dense/bias/lamb_v": np.zeros(32, np.float32),
    }
    save_tensorflow(folder / prefix, tensors)
    return folder


def edit_json(path, **change):
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


def canonical_tensors(hf_tensors, config=None):
    """Hugging Face's tensors under our names and in our orientation: the way back from `huggingface_tensors`.

    `config` None: a BERT or ALBERT."""
    groups = _count(hf_tensors, "encoder.albert_layer_groups.")
    config = config or types.SimpleNamespace(
        num_blocks=groups or _count(hf_tensors, "encoder.layer."), names=NAMES if groups else weight_names.BERT
    )
    table = weight_names.file_names(config, "huggingface")
    return {
        ours: np.ascontiguousarray(
            hf_tensors[theirs].T if weight_names.is_transposed(ours, "huggingface") else hf_tensors[theirs]
        )
        for ours, theirs in table.items()
        if theirs in hf_tensors
    }


def _count(tensors, prefix):
    """The number of blocks whose names have this prefix."""
    numbers = [name[len(prefix) :].partition(".")[0] for name in tensors if name.startswith(prefix)]
    return max(map(int, numbers), default=-1) + 1
