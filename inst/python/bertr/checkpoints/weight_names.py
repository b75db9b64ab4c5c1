"""How the same variable is called in Google's TF1 and TF2 checkpoints and in Hugging Face's: tables, no reading.

Canonical names are ours; a canonical kernel is (in, out), as in Google's files.
"""

import re

# Tensors with a name of their own. Columns: ours, Google TF1 (without "bert/"), Google TF2 (without the prefixes in
# TF2_PREFIXES and the ending), Hugging Face (without "bert."). TF2's official code saves no next-sentence output.
TENSORS = (
    ("embeddings/word", "embeddings/word_embeddings", "layer_with_weights-0/embeddings",
     "embeddings.word_embeddings.weight"),
    ("embeddings/position", "embeddings/position_embeddings", "layer_with_weights-1/embeddings",
     "embeddings.position_embeddings.weight"),
    ("embeddings/segment", "embeddings/token_type_embeddings", "layer_with_weights-2/embeddings",
     "embeddings.token_type_embeddings.weight"),
    ("mlm/bias", "cls/predictions/output_bias", "masked_lm/output_bias.Sbias", "cls.predictions.bias"),
    ("nsp/kernel", "cls/seq_relationship/output_weights", None, "cls.seq_relationship.weight"),
    ("nsp/bias", "cls/seq_relationship/output_bias", None, "cls.seq_relationship.bias"),
)

# Layers with a kernel and a bias. {i} is the block, {tf2} = i + 4, {top} = number of blocks + 4.
DENSE = (
    ("block_{i}/attention/query", "encoder/layer_{i}/attention/self/query",
     "layer_with_weights-{tf2}/_attention_layer/_query_dense", "encoder.layer.{i}.attention.self.query"),
    ("block_{i}/attention/key", "encoder/layer_{i}/attention/self/key",
     "layer_with_weights-{tf2}/_attention_layer/_key_dense", "encoder.layer.{i}.attention.self.key"),
    ("block_{i}/attention/value", "encoder/layer_{i}/attention/self/value",
     "layer_with_weights-{tf2}/_attention_layer/_value_dense", "encoder.layer.{i}.attention.self.value"),
    ("block_{i}/attention/output", "encoder/layer_{i}/attention/output/dense",
     "layer_with_weights-{tf2}/_attention_output_dense", "encoder.layer.{i}.attention.output.dense"),
    ("block_{i}/feed_forward/inner", "encoder/layer_{i}/intermediate/dense",
     "layer_with_weights-{tf2}/_intermediate_dense", "encoder.layer.{i}.intermediate.dense"),
    ("block_{i}/feed_forward/outer", "encoder/layer_{i}/output/dense",
     "layer_with_weights-{tf2}/_output_dense", "encoder.layer.{i}.output.dense"),
    ("pooler", "pooler/dense", "layer_with_weights-{top}", "pooler.dense"),
    ("mlm/transform", "cls/predictions/transform/dense", "masked_lm/dense", "cls.predictions.transform.dense"),
)

# Layer normalisations, with a gamma and a beta.
NORMS = (
    ("embeddings/norm", "embeddings/LayerNorm", "layer_with_weights-3", "embeddings.LayerNorm"),
    ("block_{i}/attention/norm", "encoder/layer_{i}/attention/output/LayerNorm",
     "layer_with_weights-{tf2}/_attention_layer_norm", "encoder.layer.{i}.attention.output.LayerNorm"),
    ("block_{i}/feed_forward/norm", "encoder/layer_{i}/output/LayerNorm",
     "layer_with_weights-{tf2}/_output_layer_norm", "encoder.layer.{i}.output.LayerNorm"),
    ("mlm/norm", "cls/predictions/transform/LayerNorm", "masked_lm/layer_norm", "cls.predictions.transform.LayerNorm"),
)

# The same of ALBERT, where {i} is the group of layers that share the block's weights; no official TF2 code saves it.
_GROUP, _HF_GROUP = "encoder/transformer/group_{i}/inner_group_0/", "encoder.albert_layer_groups.{i}.albert_layers.0."

ALBERT_TENSORS = (
    *TENSORS[:3],
    ("mlm/bias", "cls/predictions/output_bias", None, "predictions.bias"),
    ("nsp/kernel", "cls/seq_relationship/output_weights", None, "sop_classifier.classifier.weight"),
    ("nsp/bias", "cls/seq_relationship/output_bias", None, "sop_classifier.classifier.bias"),
)

ALBERT_DENSE = (
    ("embeddings/projection", "encoder/embedding_hidden_mapping_in", None, "encoder.embedding_hidden_mapping_in"),
    ("block_{i}/attention/query", _GROUP + "attention_1/self/query", None, _HF_GROUP + "attention.query"),
    ("block_{i}/attention/key", _GROUP + "attention_1/self/key", None, _HF_GROUP + "attention.key"),
    ("block_{i}/attention/value", _GROUP + "attention_1/self/value", None, _HF_GROUP + "attention.value"),
    ("block_{i}/attention/output", _GROUP + "attention_1/output/dense", None, _HF_GROUP + "attention.dense"),
    ("block_{i}/feed_forward/inner", _GROUP + "ffn_1/intermediate/dense", None, _HF_GROUP + "ffn"),
    ("block_{i}/feed_forward/outer", _GROUP + "ffn_1/intermediate/output/dense", None, _HF_GROUP + "ffn_output"),
    ("pooler", "pooler/dense", None, "pooler"),
    ("mlm/transform", "cls/predictions/transform/dense", None, "predictions.dense"),
)

ALBERT_NORMS = (
    ("embeddings/norm", "embeddings/LayerNorm", None, "embeddings.LayerNorm"),
    ("block_{i}/attention/norm", _GROUP + "LayerNorm", None, _HF_GROUP + "attention.LayerNorm"),
    ("block_{i}/feed_forward/norm", _GROUP + "LayerNorm_1", None, _HF_GROUP + "full_layer_layer_norm"),
    ("mlm/norm", "cls/predictions/transform/LayerNorm", None, "predictions.LayerNorm"),
)

TABLES = {"bert": (TENSORS, DENSE, NORMS), "albert": (ALBERT_TENSORS, ALBERT_DENSE, ALBERT_NORMS)}
COLUMN = {"google": 1, "google2": 2, "huggingface": 3}

# A second name of a tensor: read only when the file has not the first one (a writer that keeps one of two tied names).
ALIASES = {
    "google": {},
    "google2": {
        "masked_lm/embedding_table": "embeddings/word",
        "next_sentence..pooler_dense/kernel": "pooler/kernel",
        "next_sentence..pooler_dense/bias": "pooler/bias",
    },
    "huggingface": {
        "cls.predictions.decoder.weight": "embeddings/word",
        "cls.predictions.decoder.bias": "mlm/bias",
        "predictions.decoder.weight": "embeddings/word",
        "predictions.decoder.bias": "mlm/bias",
    },
}

# What official TF2 code of different years puts around the encoder (model/, encoder/, a pre-training model's layer 0).
TF2_PREFIXES = (
    (r"/\.ATTRIBUTES/VARIABLE_VALUE$", ""),
    (r"^model/layer_with_weights-0/(?=layer_with_weights-)", ""),
    (r"^model/layer_with_weights-2/(?=dense/|layer_norm/|output_bias|embedding_table)", "masked_lm/"),
    (r"^(model|encoder)/(?=layer_with_weights-)", ""),
    (r"/_attention_layer/_output_dense/", "/_attention_output_dense/"),
)

# What tools put before Hugging Face's names: data parallel training, trainers, sentence-transformers, task models.
HF_PREFIXES = r"^((module|model|0|auto_model|bert|albert)\.)+"

PARTS = {
    # what a file may lack, and what is then not to be had
    "pooler": "the file has no pooler, so pool = \"pooler\" would start from random weights",
    "mlm": "the file has no masked-word head, which only masked-word prediction and adaptation need",
    "nsp": "the file has no next-sentence or sentence-order head, which only pre-training on pairs needs",
}

UNREAD = (
    # pattern in a variable's own name -> why it is not read; the first that fits counts
    (r"/(adam_[mv]|Adam(_1)?|lamb_[mv]|LAMB(_1)?|ExponentialMovingAverage)$|OPTIMIZER_SLOT|(^|/)(\w*_)?optimizer/",
     "optimiser state"),
    (r"(^|/)(global_step|save_counter)(/|$)|beta[12]_power", "a counter of the training that made the file"),
    (r"^_CHECKPOINTABLE_OBJECT_GRAPH$", "TensorFlow's own book-keeping"),
    (r"position_ids$", "a constant: the positions 0, 1, 2, ..."),
    (r"crossattention", "attention to an encoder, which only a decoder has"),
    (r"^(encoder/layer_|bert/encoder/layer_|(bert\.)?encoder\.layer\.)\d+|layer_with_weights-\d+/_"
     r"|albert_layer_groups\.\d|/transformer/group_\d",
     "a block above the number of layers in the config file"),
    (r"classifier|qa_outputs|squad|^score\.|^(output_weights|output_bias)$|logits|^cls[./]|crf|next_sentence",
     "a head trained for one task, not part of the encoder"),
)

OTHER_MODELS = (
    (r"^(bert/)?encoder/transformer/group_\d", "ALBERT"),
    (r"^(electra|discriminator_predictions|generator)/", "ELECTRA"),
)


def file_names(num_blocks, fmt, model_type="bert"):
    """Canonical name -> name in a file of format `fmt` ("google", "google2", "huggingface"), without its prefixes."""
    column = COLUMN[fmt]
    tensors, dense, norms = TABLES[model_type]
    rows = [(row[0], row[column]) for row in tensors if row[column]]
    for layers, leaves in ((dense, ("kernel", "bias")), (norms, ("gamma", "beta"))):
        theirs = (".weight", ".bias") if fmt == "huggingface" else [f"/{leaf}" for leaf in leaves]
        rows += [(f"{row[0]}/{ours}", row[column] + end) for row in layers
                 for ours, end in zip(leaves, theirs, strict=True)]
    out = {}
    for ours, theirs in rows:
        for i in range(num_blocks) if "{i}" in ours else (0,):
            numbers = {"i": i, "tf2": i + 4, "top": num_blocks + 4}
            out[ours.format(**numbers)] = theirs.format(**numbers)
    return out


def plain_name(variable, fmt):
    """A file's variable without the prefixes and spellings that differ between writers."""
    if fmt == "google":
        return re.sub(r"^bert/", "", variable)
    if fmt == "google2":
        for pattern, replacement in TF2_PREFIXES:
            variable = re.sub(pattern, replacement, variable)
        return variable
    variable = re.sub(HF_PREFIXES, "", variable)
    return variable.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def part(canonical):
    """ "embeddings", "block_3", "pooler", "mlm" or "nsp"."""
    return canonical.partition("/")[0]


def reason_unread(variable):
    """Why a variable that is in no table is not read, in words."""
    for pattern, reason in UNREAD:
        if re.search(pattern, variable):
            return reason
    return "no variable of BERT's encoder or its pre-training heads"


def other_model(variables):
    """The name of the model these variables belong to when that is one known not to be BERT, else None."""
    for pattern, model in OTHER_MODELS:
        if any(re.search(pattern, v) for v in variables):
            return model
    return None


def tensor_shapes(config):
    """Canonical name -> shape, for a `BertConfig`."""
    hidden, inner, width = config.hidden_size, config.intermediate_size, config.embedding_size
    special = {
        "embeddings/word": (config.vocab_size, width),
        "embeddings/position": (config.max_positions, width),
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
    }
    by_ending = {
        "feed_forward/inner/kernel": (hidden, inner),
        "feed_forward/inner/bias": (inner,),
        "feed_forward/outer/kernel": (inner, hidden),
    }
    out = {}
    for name in file_names(config.num_blocks, "huggingface", config.model_type):
        ending = name.partition("/")[2]
        default = (hidden, hidden) if name.endswith("kernel") else (hidden,)
        out[name] = special.get(name) or by_ending.get(ending, default)
    return out


def is_transposed(canonical, fmt):
    """Whether a file of this format holds the tensor as (out, in)."""
    return canonical == "nsp/kernel" if fmt == "google" else fmt == "huggingface" and canonical.endswith("/kernel")


def file_shape(canonical, shape, config, fmt):
    """The shape of a canonical tensor in a file of this format."""
    if is_transposed(canonical, fmt):
        return shape[::-1]
    if fmt == "google2" and "/attention/" in canonical and "/norm/" not in canonical:
        # TF2 keeps the heads apart: [hidden, heads, head_size], biases [heads, head_size]
        heads = (config.num_heads, config.head_size)
        if canonical.endswith("output/kernel"):
            return (*heads, shape[1])
        if not canonical.endswith("output/bias"):
            return (*shape[:-1], *heads)
    return shape
