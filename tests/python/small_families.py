"""Small random models of every family that differs from BERT in little, as folders with a few words."""

import torch
import transformers
from conftest import WORDS
from small import perturb

SIZES = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 66,
    "initializer_range": 0.2,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
OF_DISTILBERT = {
    "vocab_size": 60,
    "dim": 32,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 64,
    "max_position_embeddings": 66,
    "initializer_range": 0.2,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
LIKE_ROBERTA = {**SIZES, "type_vocab_size": 1, "layer_norm_eps": 1e-5}

# name -> (class of transformers' configuration, its settings)
FAMILIES = {
    "roberta": ("Roberta", LIKE_ROBERTA),
    "xlm-roberta": ("XLMRoberta", LIKE_ROBERTA),
    "camembert": ("Camembert", {**LIKE_ROBERTA, "hidden_act": "relu"}),
    "distilbert": ("DistilBert", OF_DISTILBERT),
    "electra": ("Electra", {**SIZES, "embedding_size": 12}),
    "electra of one width": ("Electra", {**SIZES, "embedding_size": 32, "hidden_act": "relu"}),
    "mpnet": ("MPNet", {**SIZES, "max_position_embeddings": 302}),
}


def make_family(folder, family):
    """Writes the model with its masked-word head, and a vocabulary; gives the torch model."""
    name, settings = FAMILIES[family]
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**settings)
    model = perturb(getattr(transformers, f"{name}ForMaskedLM")(config))
    model.save_pretrained(folder)
    write_words(folder)
    return model.eval()


def write_words(folder):
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##s", "##er"]))
