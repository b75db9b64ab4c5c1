"""The names of variables in Google's TF1 and TF2 checkpoints and in Hugging Face's.

Canonical names are ours; a canonical kernel has the shape (in, out), as in Google's files.
"""

import dataclasses
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import BertConfig

# Single tensors. Columns: ours, Google TF1 (without "bert/"), Google TF2 (without the prefixes in
# TF2_PREFIXES and the ending), Hugging Face (without "bert."). TF2's official code saves no next-sentence output.
TENSORS = (
    (
        "embeddings/word",
        "embeddings/word_embeddings",
        "layer_with_weights-0/embeddings",
        "embeddings.word_embeddings.weight",
    ),
    (
        "embeddings/position",
        "embeddings/position_embeddings",
        "layer_with_weights-1/embeddings",
        "embeddings.position_embeddings.weight",
    ),
    (
        "embeddings/segment",
        "embeddings/token_type_embeddings",
        "layer_with_weights-2/embeddings",
        "embeddings.token_type_embeddings.weight",
    ),
    ("mlm/bias", "cls/predictions/output_bias", "masked_lm/output_bias.Sbias", "cls.predictions.bias"),
    ("nsp/kernel", "cls/seq_relationship/output_weights", None, "cls.seq_relationship.weight"),
    ("nsp/bias", "cls/seq_relationship/output_bias", None, "cls.seq_relationship.bias"),
)

# Layers with a kernel and a bias. {i} is the block, {tf2} = i + 4, {top} = number of blocks + 4.
DENSE = (
    (
        "block_{i}/attention/query",
        "encoder/layer_{i}/attention/self/query",
        "layer_with_weights-{tf2}/_attention_layer/_query_dense",
        "encoder.layer.{i}.attention.self.query",
    ),
    (
        "block_{i}/attention/key",
        "encoder/layer_{i}/attention/self/key",
        "layer_with_weights-{tf2}/_attention_layer/_key_dense",
        "encoder.layer.{i}.attention.self.key",
    ),
    (
        "block_{i}/attention/value",
        "encoder/layer_{i}/attention/self/value",
        "layer_with_weights-{tf2}/_attention_layer/_value_dense",
        "encoder.layer.{i}.attention.self.value",
    ),
    (
        "block_{i}/attention/output",
        "encoder/layer_{i}/attention/output/dense",
        "layer_with_weights-{tf2}/_attention_output_dense",
        "encoder.layer.{i}.attention.output.dense",
    ),
    (
        "block_{i}/feed_forward/inner",
        "encoder/layer_{i}/intermediate/dense",
        "layer_with_weights-{tf2}/_intermediate_dense",
        "encoder.layer.{i}.intermediate.dense",
    ),
    (
        "block_{i}/feed_forward/outer",
        "encoder/layer_{i}/output/dense",
        "layer_with_weights-{tf2}/_output_dense",
        "encoder.layer.{i}.output.dense",
    ),
    ("pooler", "pooler/dense", "layer_with_weights-{top}", "pooler.dense"),
    ("mlm/transform", "cls/predictions/transform/dense", "masked_lm/dense", "cls.predictions.transform.dense"),
)

# Layer normalisations, with a gamma and a beta.
NORMS = (
    ("embeddings/norm", "embeddings/LayerNorm", "layer_with_weights-3", "embeddings.LayerNorm"),
    (
        "block_{i}/attention/norm",
        "encoder/layer_{i}/attention/output/LayerNorm",
        "layer_with_weights-{tf2}/_attention_layer_norm",
        "encoder.layer.{i}.attention.output.LayerNorm",
    ),
    (
        "block_{i}/feed_forward/norm",
        "encoder/layer_{i}/output/LayerNorm",
        "layer_with_weights-{tf2}/_output_layer_norm",
        "encoder.layer.{i}.output.LayerNorm",
    ),
    ("mlm/norm", "cls/predictions/transform/LayerNorm", "masked_lm/layer_norm", "cls.predictions.transform.LayerNorm"),
)

COLUMN = {"google": 1, "google2": 2, "huggingface": 3}


@dataclasses.dataclass(frozen=True)
class Names:
    """The names of a family's weights, as tables like those above."""

    tensors: tuple
    dense: tuple
    norms: tuple
    # format -> {alias: canonical name}: read only if the file lacks the first name (some writers keep only one of two
    # tied names)
    aliases: dict


BERT = Names(
    TENSORS,
    DENSE,
    NORMS,
    {
        "google": {},
        "google2": {
            "masked_lm/embedding_table": "embeddings/word",
            "next_sentence..pooler_dense/kernel": "pooler/kernel",
            "next_sentence..pooler_dense/bias": "pooler/bias",
        },
        "huggingface": {
            "cls.predictions.decoder.weight": "embeddings/word",
            "cls.predictions.decoder.bias": "mlm/bias",
        },
    },
)


def huggingface_names(tensors: tuple, dense: tuple, norms: tuple, aliases: dict[str, str]) -> Names:
    """The names of a family that bertr reads only from Hugging Face's folders.

    Args:
        tensors, dense, norms: as the tables above, but only ours and Hugging Face's columns.
        aliases: alias -> canonical name.

    Returns:
        Names.
    """
    rows = [tuple((ours, None, None, theirs) for ours, theirs in table) for table in (tensors, dense, norms)]
    return Names(rows[0], rows[1], rows[2], {"google": {}, "google2": {}, "huggingface": aliases})


# Prefixes of official TF2 code of different years (model/, encoder/, a pre-training model's layer 0).
TF2_PREFIXES = (
    (r"/\.ATTRIBUTES/VARIABLE_VALUE$", ""),
    (r"^model/layer_with_weights-0/(?=layer_with_weights-)", ""),
    (r"^model/layer_with_weights-2/(?=dense/|layer_norm/|output_bias|embedding_table)", "masked_lm/"),
    (r"^(model|encoder)/(?=layer_with_weights-)", ""),
    (r"/_attention_layer/_output_dense/", "/_attention_output_dense/"),
)

# Prefixes that tools add to Hugging Face's names: data-parallel training, trainers, sentence-transformers, and task
# models.
HF_PREFIXES = r"^((module|model|0|auto_model|{prefix})\.)+"

PARTS = {
    # parts that a file may lack, with the consequences
    "pooler": 'the file has no pooler, so pool = "pooler" would start from random weights',
    "mlm": "the file has no masked-word head, which only masked-word prediction and adaptation need",
    "nsp": "the file has no next-sentence or sentence-order head, which only pre-training on pairs needs",
}

UNREAD = (
    # pattern of a variable's name -> why it is not read; the first match counts
    (
        r"/(adam_[mv]|Adam(_1)?|lamb_[mv]|LAMB(_1)?|ExponentialMovingAverage)$|OPTIMIZER_SLOT|(^|/)(\w*_)?optimizer/",
        "optimizer state",
    ),
    (r"(^|/)(global_step|save_counter)(/|$)|beta[12]_power", "a counter of the training that produced the file"),
    (r"^_CHECKPOINTABLE_OBJECT_GRAPH$", "TensorFlow's bookkeeping"),
    (r"position_ids$", "a constant: the positions 0, 1, 2, ..."),
    (r"crossattention", "cross-attention, which only a decoder has"),
    (
        r"^(bert/)?encoder/layer_\d|^(\w+\.)*(encoder|transformer)\.layer\.\d|layer_with_weights-\d+/_"
        r"|albert_layer_groups\.\d|/transformer/group_\d",
        "a layer above the number of layers in the config file",
    ),
    (
        r"classifier|qa_outputs|squad|discriminator_predictions|^score\.|^(output_weights|output_bias)$|logits|^cls[./]|crf|next_sentence",
        "a head trained for one task, not part of the encoder",
    ),
)

OTHER_MODELS = (
    (r"^(bert/)?encoder/transformer/group_\d", "ALBERT"),
    (r"^(electra|discriminator_predictions|generator)/", "ELECTRA in Google's format"),
)


def file_names(config: "BertConfig", fmt: str) -> dict[str, str]:
    """Canonical name -> name in a file of format `fmt` ("google", "google2", "huggingface"), without prefixes."""
    column, num_blocks = COLUMN[fmt], config.num_blocks
    rows = [(row[0], row[column]) for row in config.names.tensors if row[column]]
    for layers, leaves in ((config.names.dense, ("kernel", "bias")), (config.names.norms, ("gamma", "beta"))):
        theirs = (".weight", ".bias") if fmt == "huggingface" else [f"/{leaf}" for leaf in leaves]
        rows += [
            (f"{row[0]}/{ours}", row[column] + end) for row in layers for ours, end in zip(leaves, theirs, strict=True)
        ]
    out = {}
    for ours, theirs in rows:
        for i in range(num_blocks) if "{i}" in ours else (0,):
            numbers = {"i": i, "tf2": i + 4, "top": num_blocks + 4}
            out[ours.format(**numbers)] = theirs.format(**numbers)
    return out


def plain_name(variable: str, fmt: str, config: "BertConfig") -> str:
    """A variable's name without the prefixes and spellings that differ between writers."""
    if fmt == "google":
        return re.sub(r"^bert/", "", variable)
    if fmt == "google2":
        for pattern, replacement in TF2_PREFIXES:
            variable = re.sub(pattern, replacement, variable)
        return variable
    variable = re.sub(HF_PREFIXES.format(prefix=config.heads.encoder), "", variable)
    return variable.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def part(canonical: str) -> str:
    """The part of the model: "embeddings", "block_3", "pooler", "mlm" or "nsp"."""
    return canonical.partition("/")[0]


def reason_unread(variable: str) -> str:
    """Why a variable that is in no table is not read."""
    for pattern, reason in UNREAD:
        if re.search(pattern, variable):
            return reason
    return "not a variable of the encoder or its pre-training heads"


def other_model(variables: Iterable[str]) -> str | None:
    """The model these variables belong to if it is known not to be BERT, else None."""
    for pattern, model in OTHER_MODELS:
        if any(re.search(pattern, v) for v in variables):
            return model
    return None


def tensor_shapes(config: "BertConfig") -> dict[str, tuple[int, ...]]:
    """Canonical name -> shape, for a `BertConfig`."""
    hidden, inner, width = config.hidden_size, config.intermediate_size, config.embedding_size
    special = {
        "embeddings/word": (config.vocab_size, width),
        "embeddings/position": (config.position_rows, width),
        "embeddings/segment": (config.num_segments, width),
        "embeddings/norm/gamma": (width,),
        "embeddings/norm/beta": (width,),
        "embeddings/projection/kernel": (width, hidden),
        "mlm/transform/kernel": (hidden, width),
        "mlm/transform/bias": (width,),
        "mlm/norm/gamma": (width,),
        "mlm/norm/beta": (width,),
        "mlm/bias": (config.vocab_size,),
        "nsp/kernel": (hidden, 2),
        "nsp/bias": (2,),
        **config.more_shapes(),
    }
    by_ending = {
        "feed_forward/inner/kernel": (hidden, inner),
        "feed_forward/inner/bias": (inner,),
        "feed_forward/outer/kernel": (inner, hidden),
    }
    out = {}
    for name in file_names(config, "huggingface"):
        ending = name.partition("/")[2]
        default = (hidden, hidden) if name.endswith("kernel") else (hidden,)
        out[name] = special.get(name) or by_ending.get(ending, default)
    return out


def is_transposed(canonical: str, fmt: str) -> bool:
    """Whether a file of this format stores the tensor as (out, in)."""
    return canonical == "nsp/kernel" if fmt == "google" else fmt == "huggingface" and canonical.endswith("/kernel")


def file_shape(canonical: str, shape: tuple[int, ...], config: "BertConfig", fmt: str) -> tuple[int, ...]:
    """The shape of a canonical tensor in a file of this format."""
    if is_transposed(canonical, fmt):
        return shape[::-1]
    if fmt == "google2" and "/attention/" in canonical and "/norm/" not in canonical:
        # TF2 has a heads axis: [hidden, heads, head_size], biases [heads, head_size]
        heads = (config.num_heads, config.head_size)
        if canonical.endswith("output/kernel"):
            return (*heads, shape[1])
        if not canonical.endswith("output/bias"):
            return (*shape[:-1], *heads)
    return shape
