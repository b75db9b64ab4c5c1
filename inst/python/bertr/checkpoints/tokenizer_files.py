"""What the tokenizer files of all Hugging Face folders have in common: `tokenizer_config.json`, `added_tokens.json`,
`special_tokens_map.json`, `sentence_bert_config.json`. wordpiece_files.py and unigram_files.py read the vocabularies.

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
        }
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
        "tokenizer_class": or_null(TEXT),
        "added_tokens_decoder": or_null(table_of(_TOKEN)),
    }
)
_MAP = fields(optional={**_NAMED, **_MORE})
_MODEL_CONFIG = fields(optional={"tokenizer_class": or_null(TEXT)})
_SENTENCE = fields(optional={"do_lower_case": or_null(FLAG)})
ADDED_TOKEN = fields({"content": TEXT, "id": whole()}, _FLAGS)
KIND = fields(optional={"model": or_null(fields(optional={"type": or_null(TEXT)}))})
_IDS = table_of(whole())  # added_tokens.json


def tokenizer_kind(spiece: bytes | None) -> str:
    """The kind of tokenizer, a name in SETTINGS, by the bytes that it needs beside its vocabulary: none, the content of
    a tokenizer.json, or a SentencePiece model."""
    if not spiece:
        return "wordpiece"
    return "unigram" if spiece[:1] == b"{" else "sentencepiece"


def filler(i: int) -> str:
    """The name of an embedding row without a token, in the files that we write."""
    return f"[unused_row_{i}]"


class Files:
    """The tokenizer files of a folder, read once. A subclass says which classes of transformers split texts alike
    (`same`), how their special tokens are named by default (`special`), and reads tokenizer.json and the words."""

    same: set[str]
    special: dict[str, str]

    def __init__(self, folder: str):
        self.folder = folder
        self.config = optional_json(self.folder, "tokenizer_config.json", _CONFIG)
        self._check_class()
        decides = "added_tokens_decoder" in self.config
        self.map = {} if decides else optional_json(folder, "special_tokens_map.json", _MAP)
        self.json = self.read_json()
        self.words = self.read_words()
        self.named, more = self._named()
        self.added = self._added(more)

    def read_json(self) -> dict[str, Any]:
        """The content of tokenizer.json, checked."""
        raise NotImplementedError

    def read_words(self) -> dict[int, str]:
        """The vocabulary without added tokens, {id: token}."""
        raise NotImplementedError

    def _check_class(self):
        for config in (self.config, optional_json(self.folder, "config.json", _MODEL_CONFIG)):
            name = config.get("tokenizer_class")
            if name and name not in self.same:
                raise BertrError(
                    "not_bert",
                    f"The folder '{self.folder}' asks for the tokenizer {name}, which splits "
                    "texts differently from BERT's WordPiece.",
                    "Only models with BERT's own tokenizer can be read.",
                )

    @property
    def lowered(self) -> bool:
        """Whether the sentence model lower-cases texts. It does not affect accents."""
        return bool(optional_json(self.folder, "sentence_bert_config.json", _SENTENCE).get("do_lower_case"))

    def _named(self):
        """({kind: name} of the special tokens, list of all special tokens as text or dict)."""
        given = dict(zip(KINDS, self.special.values(), strict=True))
        for source in (self.config, self.map):  # "bos_token" and the like are tokens too
            given |= {
                key: token
                for key, token in source.items()
                if key.endswith("_token") and token and (isinstance(token, str) or _TOKEN(token, "") is None)
            }
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


def tokenizer_config(settings: dict[str, Any], vocab: list[str]) -> tuple[dict[str, Any], list[str]]:
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
    if mode == "unigram":
        names = {f"{kind}_token": name for kind, name in special.items() if name in vocab}
        return {"tokenizer_class": "XLMRobertaTokenizer", **names}, []
    last = {token: i for i, token in enumerate(vocab)}
    not_pieces = {token["id"] for token in added if not token["piece"]}
    names = [token if token and last[token] == i else filler(i) for i, token in enumerate(vocab)]
    pieces = [i for i, name in enumerate(names) if i not in not_pieces and name != filler(i)]
    words = [filler(i) if i in not_pieces else names[i] for i in range(max(pieces, default=-1) + 1)]
    # rows without a token get a name too, because other tools derive ids from the number of tokens
    unused = [
        _added({"content": names[i], "special": True}, i) for i in range(len(words), len(vocab)) if i not in not_pieces
    ]
    decoder = {
        str(token["id"]): {name: token[name] for name in ADDED if name not in ("id", "piece")}
        for token in sorted([*added, *unused], key=lambda token: token["id"])
    }
    return {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": settings["lower_case"],
        "strip_accents": settings["strip_accents"],
        "tokenize_chinese_chars": settings["chinese_chars"],
        **{f"{kind}_token": name for kind, name in special.items() if name in vocab},
        **({"added_tokens_decoder": decoder} if decoder else {}),
        "bertr": {
            "max_word_chars": settings["max_word_chars"],
            "mode": mode,
            "keep_special": special["unk"] in {token["content"] for token in added},
        },
    }, words
