"""Small random models of every family that differs from BERT in little, as folders with a few words.

RoBERTa, XLM-RoBERTa, CamemBERT and MPNet have tokenizers of their own kinds and one segment; the others have BERT's."""

import io
import json

import sentencepiece
import torch
import transformers
from conftest import WORDS
from small import perturb
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

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
PIECES = 64  # of SentencePiece: XLM-RoBERTa has two more ids, CamemBERT five
LIKE_ROBERTA = {**SIZES, "type_vocab_size": 1, "layer_norm_eps": 1e-5}

# name -> (class of transformers' configuration, its settings)
FAMILIES = {
    "roberta": ("Roberta", {**LIKE_ROBERTA, "vocab_size": 300}),
    "xlm-roberta": ("XLMRoberta", {**LIKE_ROBERTA, "vocab_size": PIECES + 2}),
    "camembert": ("Camembert", {**LIKE_ROBERTA, "vocab_size": PIECES + 5, "hidden_act": "relu"}),
    "distilbert": ("DistilBert", OF_DISTILBERT),
    "electra": ("Electra", {**SIZES, "embedding_size": 12}),
    "electra of one width": ("Electra", {**SIZES, "embedding_size": 32, "hidden_act": "relu"}),
    "mpnet": ("MPNet", {**SIZES, "max_position_embeddings": 302}),
}


def make_family(folder, family, task="MaskedLM", **more):
    """Writes a task model and a tokenizer; `more` are settings of its config. Gives the torch model."""
    name, settings = FAMILIES[family]
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**settings, **more)
    model = perturb(getattr(transformers, f"{name}For{task}")(config))
    model.save_pretrained(folder)
    write = {"roberta": write_pieces, "xlm-roberta": write_unigram, "camembert": write_unigram}
    {**write, "mpnet": write_words_of_mpnet}.get(family, write_words)(folder)
    return model.eval()


def write_words(folder, special=("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")):
    (folder / "vocab.txt").write_text("\n".join([*special, *WORDS, "##s", "##er"]))


def write_words_of_mpnet(folder):
    write_words(folder, ("<s>", "<pad>", "</s>", "[UNK]", "<mask>"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "MPNetTokenizer"}')


def write_pieces(folder):
    rust, special = Tokenizer(BPE()), ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    rust.train_from_iterator([" ".join(WORDS)] * 9, trainer)
    rust.model.save(str(folder))
    mask = {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "rstrip": False, "normalized": False}
    mask["single_word"] = False
    config = {"tokenizer_class": "RobertaTokenizer", "mask_token": mask}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def write_unigram(folder):
    out = io.BytesIO()
    lines = [f"{a} {b}{c}s" for a in WORDS for b in WORDS for c in WORDS[:9]]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=out,
        vocab_size=PIECES,
        normalization_rule_name="nmt_nfkc",
        num_threads=1,
        minloglevel=2,
    )
    (folder / "sentencepiece.bpe.model").write_bytes(out.getvalue())
