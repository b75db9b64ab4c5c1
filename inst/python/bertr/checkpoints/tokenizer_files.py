"""What the tokenizer files of all Hugging Face folders have in common: `tokenizer_config.json`, `added_tokens.json`,
`special_tokens_map.json`, `sentence_bert_config.json`, and parts of `tokenizer.json`. wordpiece_files.py,
unigram_files.py and byte_bpe_files.py read the vocabularies.

Source: transformers, `tokenization_utils_base.py` and `tokenization_utils_tokenizers.py`; precedence is the same.
"""

from typing import Any, TypeVar

from ..errors import COPY_AGAIN, BertrError
from ..shapes import FLAG, TEXT, either, fields, list_of, one_of, or_null, table_of, whole
from ..text.wordpiece import SPECIAL
from .files import optional_json
from .vocabulary import check_size

KINDS = tuple(f"{kind}_token" for kind in SPECIAL)
GENERIC = {"PreTrainedTokenizerFast", "TokenizersBackend"}  # these follow tokenizer.json in everything
# The class that transformers takes for a "model_type" if no file names one; only where it is not our default
OF_TYPE = {"camembert": "CamembertTokenizer", "mpnet": "MPNetTokenizer"}
NOT_USED = "<s>NOTUSED"  # CamemBERT's token 0
BYTE_BPE = b'{"model":{"type":"BPE",'  # how the content of a tokenizer.json begins that byte_bpe_files.py wrote

# Arguments of our tokenizers
_FLAGS = dict.fromkeys(("normalized", "single_word", "lstrip", "rstrip", "special"), FLAG)
ADDED = {"content": TEXT, "id": whole(), **_FLAGS, "piece": FLAG}
SETTINGS = {
    "wordpiece": fields(
        {
            "lower_case": FLAG,
            "strip_accents": or_null(FLAG),
            "chinese_chars": FLAG,
            "max_word_chars": whole(1, 10_000),
            "special": fields(dict.fromkeys(SPECIAL, TEXT)),
            "added": list_of(fields(ADDED)),
            "mode": one_of("wordpiece", "characters"),
        },
        {"one_segment": FLAG},  # fits saved before MPNet's tokenizer could be read do not have it
    ),
    "unigram": fields(
        {
            "special": fields(dict.fromkeys(SPECIAL, TEXT)),
            "added": list_of(fields(ADDED)),
            "spaces": FLAG,
            "one_segment": FLAG,
            "mode": one_of("unigram"),
        }
    ),
    "byte_bpe": fields(
        {
            "special": fields(dict.fromkeys(SPECIAL, TEXT)),
            "added": list_of(fields(ADDED)),
            "prefix_space": FLAG,
            "ignore_merges": FLAG,
            "unknown": or_null(TEXT),
            "one_segment": FLAG,
            "mode": one_of("byte_bpe"),
        }
    ),
    "sentencepiece": fields(
        {
            "lower_case": FLAG,
            "keep_accents": FLAG,
            "quotes": FLAG,
            "keep_special": FLAG,
            "mode": one_of("sentencepiece"),
        }
    ),
}

# Shapes of the files
_TOKEN = fields({"content": TEXT}, _FLAGS)
_NAMED = {kind: or_null(either(TEXT, _TOKEN)) for kind in KINDS}
_MORE = {
    name: or_null(either(list_of(either(TEXT, _TOKEN)), table_of(either(TEXT, _TOKEN))))
    for name in ("extra_special_tokens", "additional_special_tokens")
}
_CONFIG = fields(
    optional={
        **_NAMED,
        **_MORE,
        "do_lower_case": or_null(FLAG),
        "strip_accents": or_null(FLAG),
        "tokenize_chinese_chars": or_null(FLAG),
        "keep_accents": or_null(FLAG),
        "add_prefix_space": or_null(FLAG),
        "tokenizer_class": or_null(TEXT),
        "added_tokens_decoder": or_null(table_of(_TOKEN)),
    }
)
_MAP = fields(optional={**_NAMED, **_MORE})
_MODEL_CONFIG = fields(optional={"tokenizer_class": or_null(TEXT), "model_type": or_null(TEXT)})
_SENTENCE = fields(optional={"do_lower_case": or_null(FLAG)})
ADDED_TOKEN = fields({"content": TEXT, "id": whole()}, _FLAGS)
KIND = fields(optional={"model": or_null(fields(optional={"type": or_null(TEXT)}))})
_IDS = table_of(whole())  # added_tokens.json
_STEPS = ("normalizers", "pretokenizers", "processors")  # of a "Sequence"
_STEP = or_null(fields({"type": TEXT}, dict.fromkeys(_STEPS, list_of(fields({"type": TEXT})))))
PIPELINE = {  # of tokenizer.json
    "normalizer": _STEP,
    "pre_tokenizer": _STEP,
    "post_processor": _STEP,
    "added_tokens": or_null(list_of(ADDED_TOKEN)),
}
_SINGLE, _PAIR = ["cls", "A", "sep"], ["cls", "A", "sep", "sep", "B", "sep"]


def tokenizer_kind(spiece: bytes | None) -> str:
    """The kind of tokenizer, a name in SETTINGS, by the bytes that it needs beside its vocabulary: none, the content of
    a tokenizer.json, or a SentencePiece model."""
    if not spiece:
        return "wordpiece"
    if spiece.startswith(BYTE_BPE):
        return "byte_bpe"
    return "unigram" if spiece[:1] == b"{" else "sentencepiece"


def filler(i: int) -> str:
    """The name of an embedding row without a token, in the files that we write."""
    return f"[unused_row_{i}]"


class Files:
    """The tokenizer files of a folder, read once. A subclass says whose kind of tokenizer it is (`owner`, `way`), which
    classes of transformers split texts alike (`same`), and reads tokenizer.json and the words."""

    owner: str
    way: str
    same: set[str]

    def __init__(self, folder: str):
        self.folder = folder
        self.config = optional_json(self.folder, "tokenizer_config.json", _CONFIG)
        self.kind = self._class()
        decides = "added_tokens_decoder" in self.config
        self.map = {} if decides else optional_json(folder, "special_tokens_map.json", _MAP)
        self.json = self.read_json()
        self.words = self.read_words()
        self.named, more = self._named()
        self.added = self._added(more)

    @property
    def special(self) -> dict[str, str]:
        """The names of the special tokens, if no file gives others."""
        raise NotImplementedError

    @property
    def wide_mask(self) -> bool:
        """Whether the mask includes the white space before it, if no file says so."""
        return False

    def read_json(self) -> dict[str, Any]:
        """The content of tokenizer.json, checked."""
        raise NotImplementedError

    def read_words(self) -> dict[int, str]:
        """The vocabulary without added tokens, {id: token}."""
        raise NotImplementedError

    def _class(self):
        """The tokenizer's class in transformers; "" if that does not matter."""
        model = optional_json(self.folder, "config.json", _MODEL_CONFIG)
        names = [config.get("tokenizer_class") for config in (self.config, model)]
        for name in names:
            if name and name not in self.same:
                raise BertrError(
                    "not_bert",
                    f"The folder '{self.folder}' asks for the tokenizer {name}, which splits "
                    f"texts differently from {self.owner}'s {self.way}.",
                    f"Only models with {self.owner}'s own tokenizer can be read.",
                )
        return next(filter(None, names), OF_TYPE.get(model.get("model_type") or "", ""))

    @property
    def is_generic(self) -> bool:
        """Whether tokenizer.json alone determines the tokenizer."""
        return bool(self.json) and self.config.get("tokenizer_class") in GENERIC

    @property
    def lowered(self) -> bool:
        """Whether the sentence model lower-cases texts. It does not affect accents."""
        return bool(optional_json(self.folder, "sentence_bert_config.json", _SENTENCE).get("do_lower_case"))

    def _named(self):
        """({kind: name} of the special tokens, list of all special tokens as text or dict)."""
        given: dict[str, Any] = dict(zip(KINDS, self.special.values(), strict=True))
        for source in (self.config, self.map):  # "bos_token" and the like are tokens too
            given |= {
                key: token
                for key, token in source.items()
                if key.endswith("_token") and token and (isinstance(token, str) or _TOKEN(token, "") is None)
            }
        if self.wide_mask and isinstance(given["mask_token"], str):
            given["mask_token"] = {"content": given["mask_token"], "lstrip": True}
        more = [*self._more(self.config), *self._more(self.map)]
        return {kind: _content(given[f"{kind}_token"]) for kind in SPECIAL}, [*given.values(), *more]

    def _more(self, source):
        """The additional special tokens in a file."""
        lists = [source.get(name) or [] for name in _MORE]
        return [token for tokens in lists for token in (tokens.values() if isinstance(tokens, dict) else tokens)]

    def _added(self, special):
        """All tokens that are matched before words are split, {content: dict}; those without an id are last."""
        out = {}
        if self.config.get("added_tokens_decoder") is not None:
            for key, token in self.config["added_tokens_decoder"].items():
                out[token["content"]] = _added(token, _whole(key, self.folder))
        else:
            names = {
                *self.named.values(),
                *map(_content, self._more(self.config)),
                *map(_content, self._more({**self.map, "additional_special_tokens": None})),
            }
            for content, i in optional_json(self.folder, "added_tokens.json", _IDS).items():
                out[content] = _added({"content": content, "special": content in names}, i)
            for token in self.json.get("added_tokens") or []:
                out[token["content"]] = _added(token, token["id"])
        out = dict(sorted(out.items(), key=lambda item: item[1]["id"]))
        for token in special:
            content = _content(token)
            if content not in out:
                out[content] = _added(
                    {**(token if isinstance(token, dict) else {}), "content": content, "special": True}, None
                )
            out[content]["special"] |= content in self.named.values()
        return out


def _content(token):
    return token if isinstance(token, str) else token["content"]


def _whole(key, folder):
    if not key.isdecimal():
        raise BertrError(
            "vocabulary",
            f"The \"added_tokens_decoder\" in '{folder}/tokenizer_config.json' has the key "
            f"'{key}', which is not a token id.",
            COPY_AGAIN,
        )
    return int(key)


def _added(token, i):
    """An added token with all fields. Special ones are matched in the text before normalising, unless they say
    otherwise."""
    special = bool(token.get("special"))
    normalized = token.get("normalized")
    return {
        "content": token["content"],
        "id": i,
        "normalized": not special if normalized is None else normalized,
        **{name: bool(token.get(name)) for name in ("single_word", "lstrip", "rstrip")},
        "special": special,
    }


F = TypeVar("F", bound=Files)


def read_vocabulary(files: F, rows: int) -> tuple[list[str], list[dict[str, Any]], F]:
    """(tokens in the order of ids, including added ones; added tokens as `AddedTokens` takes them; the files)."""
    folder = files.folder
    ids = {token: i for i, token in files.words.items()}  # the last of duplicates, as in Rust
    tokens = dict(files.words)
    added = []
    for content, token in files.added.items():
        i = ids.get(content)
        if i is None and token["id"] is None and content in files.named.values():
            continue  # `Tokenizer` reports missing tokens that it needs
        if i is None:
            i = token["id"] if token["id"] is not None else max(tokens, default=-1) + 1
            if tokens.get(i, filler(i)) != filler(i):
                raise BertrError(
                    "vocabulary",
                    f"The added token '{content}' in '{folder}' has the id {i}, which belongs to '{tokens[i]}'.",
                    "Give it an id after those of the vocabulary.",
                )
            tokens[i] = content
        added.append({**token, "id": i, "piece": content in ids})
    n = max(tokens, default=-1) + 1
    check_size(n, rows, folder)
    added = sorted(added, key=lambda token: token["id"])
    return [tokens.get(i, "") for i in range(n)], added, files  # a duplicate token leaves a gap


def listed(added: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Added tokens as tokenizer.json lists them."""
    return [{name: token[name] for name in ADDED if name != "piece"} for token in added]


def steps(part: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    """The steps of a part of tokenizer.json; `name`: how a Sequence calls them."""
    if not part:
        return []
    return part.get(name) or [] if part["type"] == "Sequence" else [part]


def frame(files: Files) -> bool | None:
    """How tokenizer.json frames texts. True: a pair has one segment and two separators (RoBERTa's way), False: BERT's
    way, None: neither."""
    found = [step for step in steps(files.json.get("post_processor"), "processors") if step["type"] != "ByteLevel"]
    if len(found) != 1:
        return None
    if found[0]["type"] in ("RobertaProcessing", "BertProcessing"):
        return found[0]["type"] == "RobertaProcessing"
    names = {files.named["cls"]: "cls", files.named["sep"]: "sep"}
    try:
        single, pair = ([_piece(piece, names) for piece in found[0][kind]] for kind in ("single", "pair"))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    if [name for name, _ in single] != _SINGLE:
        return None
    if [name for name, _ in pair] == _PAIR and not any(segment for _, segment in pair):
        return True
    return False if pair == [*single, ("B", 1), ("sep", 1)] else None


def _piece(piece, names):
    ((kind, value),) = piece.items()
    return names[value["id"]] if kind == "SpecialToken" else value["id"], value["type_id"]


def refuse_odd(odd: list[str], files: Files) -> None:
    """An error if a tokenizer.json has anything `odd`, a list of nouns, or if the sentence model lower-cases texts."""
    if odd:
        raise BertrError(
            "not_bert",
            f"The {files.way} in '{files.folder}' has {' and '.join(odd)}, unlike {files.owner}'s.",
            f"Only models with {files.owner}'s own tokenizer can be read.",
        )
    if files.lowered:
        raise BertrError(
            "not_bert",
            f"The sentence model in '{files.folder}' lower-cases texts before its {files.way}, which bertr does not.",
            "Use another checkpoint.",
        )


def tokenizer_config(settings: dict[str, Any], vocab: list[str], model_type: str) -> tuple[dict[str, Any], list[str]]:
    """(content of `tokenizer_config.json`, tokens of `vocab.txt`) for these settings and tokens."""
    mode = settings["mode"]
    if mode == "sentencepiece":
        return {
            "tokenizer_class": "AlbertTokenizer",
            "do_lower_case": settings["lower_case"],
            "keep_accents": settings["keep_accents"],
            "bertr": {name: settings[name] for name in ("quotes", "keep_special", "mode")},
        }, []
    special, added = settings["special"], settings["added"]
    names = {f"{kind}_token": name for kind, name in special.items() if name in vocab}
    if settings.get("one_segment"):
        names |= {"bos_token": special["cls"], "eos_token": special["sep"]}
    if mode == "unigram":
        if vocab[0] != NOT_USED:
            return {"tokenizer_class": "XLMRobertaTokenizer", **names}, []
        # without these, transformers adds three more
        more = [token["content"] for token in added if token["special"] and token["content"] not in special.values()]
        return {"tokenizer_class": "CamembertTokenizer", **names, "additional_special_tokens": more}, []
    if mode == "byte_bpe":
        is_usual = settings["one_segment"] and not settings["ignore_merges"] and settings["unknown"] is None
        return {
            "tokenizer_class": "RobertaTokenizer" if is_usual else "PreTrainedTokenizerFast",
            "add_prefix_space": settings["prefix_space"],
            **names,
        }, []
    last = {token: i for i, token in enumerate(vocab)}
    not_pieces = {token["id"] for token in added if not token["piece"]}
    tokens = [token if token and last[token] == i else filler(i) for i, token in enumerate(vocab)]
    pieces = [i for i, name in enumerate(tokens) if i not in not_pieces and name != filler(i)]
    words = [filler(i) if i in not_pieces else tokens[i] for i in range(max(pieces, default=-1) + 1)]
    # rows without a token get a name too, because other tools derive ids from the number of tokens
    unused = [
        _added({"content": tokens[i], "special": True}, i) for i in range(len(words), len(vocab)) if i not in not_pieces
    ]
    decoder = {
        str(token["id"]): {name: token[name] for name in ADDED if name not in ("id", "piece")}
        for token in sorted([*added, *unused], key=lambda token: token["id"])
    }
    return {
        "tokenizer_class": _wordpiece_class(settings, model_type),
        "do_lower_case": settings["lower_case"],
        "strip_accents": settings["strip_accents"],
        "tokenize_chinese_chars": settings["chinese_chars"],
        **names,
        **({"added_tokens_decoder": decoder} if decoder else {}),
        "bertr": {
            "max_word_chars": settings["max_word_chars"],
            "mode": mode,
            "keep_special": special["unk"] in {token["content"] for token in added},
        },
    }, words


def _wordpiece_class(settings, model_type):
    if settings.get("one_segment"):
        return "MPNetTokenizer"
    return "DistilBertTokenizer" if model_type == "distilbert" else "BertTokenizer"  # the former gives no segments
