"""Reads the tokenizer files of WordPiece tokenizers and of ALBERT: `vocab.txt` or `tokenizer.json`, `spiece.model`.

Source: transformers, `tokenization_utils_base.py` and `tokenization_utils_tokenizers.py`; precedence is the same.
"""

import os
from typing import Any

from ..errors import COPY_AGAIN, BertrError
from ..shapes import FLAG, TEXT, check, fields, list_of, one_of, or_null, table_of, whole
from ..text.basic import WHITE_SPACE
from ..text.wordpiece import SPECIAL
from .files import optional_json
from .tokenizer_files import GENERIC, KIND, PIPELINE, Files, frame, read_vocabulary
from .vocabulary import guess_lower_case, read_vocab_txt

# Tokenizers that split texts like BERT's
SAME = (
    {
        f"{name}Tokenizer{fast}"
        for fast in ("", "Fast")
        for name in (
            "Bert",
            "ConvBert",
            "DistilBert",
            "DPRContextEncoder",
            "DPRQuestionEncoder",
            "Electra",
            "LayoutLM",
            "MobileBert",
            "MPNet",
            "RetriBert",
            "SqueezeBert",
        )
    }
    | GENERIC
    | {"PreTrainedTokenizer"}
)

# MPNet's names of the special tokens
MPNET = {"pad": "<pad>", "unk": "[UNK]", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}

# Our additions to tokenizer_config.json
OURS = {
    "wordpiece": fields(
        {"max_word_chars": whole(1, 10_000), "keep_special": FLAG, "mode": one_of("wordpiece", "characters")}
    ),
    "sentencepiece": fields({"quotes": FLAG, "keep_special": FLAG, "mode": one_of("sentencepiece")}),
}

# Shape of tokenizer.json
_STEP = {
    "type": TEXT,
    **{name: or_null(FLAG) for name in ("lowercase", "strip_accents", "handle_chinese_chars", "clean_text")},
}
_JSON = fields(
    optional={  # tokenizer.json
        "model": or_null(
            fields(
                optional={
                    "type": or_null(TEXT),
                    "vocab": table_of(whole()),
                    "continuing_subword_prefix": or_null(TEXT),
                    "max_input_chars_per_word": or_null(whole(1, 10_000)),
                }
            )
        ),
        "normalizer": or_null(fields(optional={**_STEP, "normalizers": or_null(list_of(fields(optional=_STEP)))})),
        **{part: PIPELINE[part] for part in ("pre_tokenizer", "post_processor", "added_tokens")},
    }
)
_VOCAB = fields({"model": fields({"vocab": table_of(whole())})})


class WordPieceFiles(Files):
    """Those of a WordPiece tokenizer."""

    owner, way = "BERT", "WordPiece"
    same = SAME

    @property
    def is_mpnet(self) -> bool:
        """Whether special tokens are those of RoBERTa, as in MPNet."""
        return self.kind.startswith("MPNet")

    @property
    def special(self) -> dict[str, str]:
        return MPNET if self.is_mpnet else SPECIAL

    @property
    def wide_mask(self) -> bool:
        return self.is_mpnet

    def read_json(self) -> dict[str, Any]:
        out = optional_json(self.folder, "tokenizer.json", KIND)
        kind = (out.get("model") or {}).get("type") or "WordPiece"
        path = os.path.join(self.folder, "tokenizer.json")
        if kind != "WordPiece":
            if os.path.exists(os.path.join(self.folder, "spiece.model")):
                return {}
            raise BertrError(
                "vocabulary",
                f"'{path}' holds a {kind} tokenizer, but BERT needs a WordPiece vocabulary.",
                "Only models with BERT's own tokenizer can be read.",
            )
        check(out, _JSON, f"'{path}'", COPY_AGAIN, "vocabulary")
        found = [step["type"] for step in self._normalizers(out) if step.get("type")]
        found += [out["pre_tokenizer"]["type"]] if out.get("pre_tokenizer") else []
        odd = [name for name in found if name not in ("BertNormalizer", "BertPreTokenizer")]
        if out and self.config.get("tokenizer_class") in GENERIC:
            odd += [f"no {part}" for part in ("normalizer", "pre_tokenizer", "post_processor") if not out.get(part)]
        odd += ["no text cleaning"] * any(step.get("clean_text") is False for step in self._normalizers(out))
        prefix = (out.get("model") or {}).get("continuing_subword_prefix") or "##"
        if prefix != "##":
            odd.append(f"pieces that begin with '{prefix}'")
        if odd:
            raise BertrError(
                "not_bert",
                f"The tokenizer in '{path}' has {' and '.join(odd)}, unlike BERT's.",
                "Only models with BERT's own tokenizer can be read.",
            )
        return out

    def _normalizers(self, content):
        steps = content.get("normalizer") or {}
        return steps["normalizers"] if steps.get("normalizers") is not None else [steps]

    @property
    def normalizer(self) -> dict[str, Any]:
        """Settings of the (first) normalizer in tokenizer.json."""
        return next(iter(self._normalizers(self.json)), {})

    def read_words(self) -> dict[int, str]:
        """The WordPiece vocabulary, {id: token}; {} with a `spiece.model`."""
        path = os.path.join(self.folder, "vocab.txt")
        if os.path.exists(path):
            words = dict(enumerate(read_vocab_txt(path)))
            self._check_same(words)
        elif os.path.exists(os.path.join(self.folder, "spiece.model")):
            return {}
        else:
            path = os.path.join(self.folder, "tokenizer.json")
            check(self.json, _VOCAB, f"'{path}'", COPY_AGAIN, "vocabulary")
            words = {i: token for token, i in self.json["model"]["vocab"].items()}
        pieces = sum(token.startswith("\u2581") for token in words.values())
        if pieces > sum(token.startswith("##") for token in words.values()):
            raise BertrError(
                "vocabulary",
                f"{pieces} of the {len(words)} tokens in '{self.folder}' begin with \u2581, "
                "as SentencePiece's do, but BERT needs WordPiece tokens such as ##ing.",
                "Only models with BERT's own tokenizer can be read.",
            )
        return words

    def _check_same(self, words):
        """Checks that tokenizer.json and vocab.txt agree on ids."""
        model = self.json.get("model") or {}
        for token, i in (model.get("vocab") or {}).items():
            if words.get(i, token) not in (token, token.rstrip(WHITE_SPACE)):
                raise BertrError(
                    "vocabulary",
                    f"'{self.folder}' has two vocabularies: token {i} is '{words[i]}' in "
                    f"vocab.txt and '{token}' in tokenizer.json.",
                    "Remove the one that does not belong to the model.",
                )


class AlbertFiles(WordPieceFiles):
    """Those of ALBERT's tokenizer."""

    same = {"AlbertTokenizer", "AlbertTokenizerFast"}


def read_wordpiece(folder: str, rows: int) -> tuple[list[str], dict[str, Any]]:
    """(vocabulary, settings of `Tokenizer`) for a word embedding with this number of rows."""
    vocab, added, files = read_vocabulary(WordPieceFiles(folder), rows)
    config, normalizer, ours = files.config, files.normalizer, _ours(files, "wordpiece")
    if ours.get("keep_special") is False:
        added = [token for token in added if token["content"] not in files.named.values()]
    one_segment = files.is_mpnet
    if files.is_generic:
        if (one_segment := frame(files)) is None:
            raise BertrError(
                "not_bert",
                f"The tokenizer in '{folder}' has special tokens in another order, unlike BERT's.",
                "Only models with BERT's own tokenizer can be read.",
            )
        config = {
            **config,
            "do_lower_case": normalizer.get("lowercase"),
            "strip_accents": normalizer.get("strip_accents"),
            "tokenize_chinese_chars": normalizer.get("handle_chinese_chars"),
        }
    lower_case = config.get("do_lower_case", normalizer.get("lowercase"))
    lower_case = guess_lower_case(folder, vocab) if lower_case is None else lower_case
    strip_accents = config.get("strip_accents", normalizer.get("strip_accents"))
    if files.lowered and not lower_case:
        lower_case, strip_accents = True, bool(strip_accents)
    chinese_chars = config.get("tokenize_chinese_chars", normalizer.get("handle_chinese_chars"))
    longest = (files.json.get("model") or {}).get("max_input_chars_per_word") or 100
    return vocab, {
        "lower_case": lower_case,
        "strip_accents": strip_accents,
        "chinese_chars": chinese_chars is not False,
        "max_word_chars": ours.get("max_word_chars", longest),
        "special": files.named,
        "added": added,
        "one_segment": one_segment,
        "mode": ours.get("mode", "wordpiece"),
    }


def read_sentencepiece(folder: str, pieces: list[str]) -> dict[str, Any]:
    """The settings of `SentencePieceTokenizer`, as in transformers' `AlbertTokenizer`."""
    files = AlbertFiles(folder)
    strange = [content for content, token in files.added.items() if content not in pieces and token["id"] is not None]
    if strange:
        raise BertrError(
            "vocabulary",
            f"'{folder}' adds the token '{strange[0]}' to an ALBERT, but bertr takes its "
            "tokens only from its SentencePiece model.",
            "Use another checkpoint.",
        )
    ours = _ours(files, "sentencepiece")
    return {
        "lower_case": files.config.get("do_lower_case") is not False or files.lowered,
        "keep_accents": bool(files.config.get("keep_accents")),
        "quotes": ours.get("quotes", True),
        "keep_special": ours.get("keep_special", True),
        "mode": "sentencepiece",
    }


def _ours(files, mode):
    """Our additions to tokenizer_config.json, checked."""
    if "bertr" in files.config:
        check(
            files.config,
            fields({"bertr": OURS[mode]}),
            f"'{os.path.join(files.folder, 'tokenizer_config.json')}'",
            COPY_AGAIN,
            "config",
        )
    return files.config.get("bertr") or {}
