"""ALBERT's tokens and their places: against the sentencepiece package used as transformers 4's AlbertTokenizer uses
it, and against transformers 5's AlbertTokenizer, which is written anew in Rust."""

import json
import random
import re
import sys
import unicodedata

import numpy as np
import pytest
import sentencepiece
import transformers
from sentencepiece import sentencepiece_model_pb2

from bertr.errors import BertrError
from bertr.text.sentencepiece import SentencePieceTokenizer


@pytest.fixture(scope="module")
def tokenizer(spiece):
    return SentencePieceTokenizer(spiece)


@pytest.fixture(scope="module")
def rust(spiece):
    """Built from the pieces: built from the file, it would first split off "(", "-" and the like."""
    model = sentencepiece_model_pb2.ModelProto.FromString(spiece)
    return transformers.AlbertTokenizer(
        vocab=[(p.piece, p.score) for p in model.pieces],
        _spm_precompiled_charsmap=model.normalizer_spec.precompiled_charsmap,
    )


@pytest.fixture(scope="module")
def strange(fixtures):
    """Other languages, torture strings, and random mixtures of both."""
    lines = (fixtures / "texts" / "languages.tsv").read_text(encoding="utf-8").splitlines()
    texts = [line.split("\t")[1] for line in lines]
    lines = (fixtures / "texts" / "torture.jsonl").read_text(encoding="utf-8").split("\n")
    texts += [json.loads(line)["text"] for line in lines if line]
    rng = random.Random(3)
    parts = [w for t in texts for w in re.findall(r"\S+\s*", t)[:20]] + [
        "1,000,000 ",
        "9,",
        "(2000,",
        "``quoted''",
        "don\u00b4t ",
        "\u2460,",
        "\u00b9,",
        "\u00a8",
        " \u3000",
        "\u0130",
    ]
    return texts + ["".join(rng.choices(parts, k=rng.randint(1, 9))) for _ in range(3000)]


def reference(spiece, lower=True, accents=False, quotes=True):
    """Ids of one text: white space, quotes, accents, case, SentencePiece, numbers cut before their comma."""
    model = sentencepiece.SentencePieceProcessor(model_proto=spiece)

    def ids(text):
        text = " ".join(text.split())
        for double in ("``", "''") if quotes else ():
            text = text.replace(double, '"')
        if not accents:
            text = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.combining(c) == 0)
        if lower:
            text = "".join(c.lower() for c in text)
        out = []
        for piece in model.encode(re.sub("[\ud800-\udfff]", "\ufffd", text), out_type=str):
            if not (piece[-1] == "," and piece[-2:-1].isdigit()):
                out.append(piece)
                continue
            number = model.encode(piece[:-1].replace("\u2581", ""), out_type=str)
            if piece[0] != "\u2581":
                number[0] = number[0].removeprefix("\u2581")
            out += [p for p in number if p] + [","]
        return [model.piece_to_id(p) for p in out]

    return ids


def rows(encodings):
    return [r.tolist() for r in np.split(encodings.ids, encodings.row_splits[1:-1])]


@pytest.mark.parametrize("settings", [{}, {"lower": False}, {"accents": True}, {"quotes": False}])
def test_ids_are_those_of_the_package(spiece, english, strange, settings):
    ours = SentencePieceTokenizer(
        spiece,
        settings.get("lower", True),
        settings.get("accents", False),
        settings.get("quotes", True),
        keep_special=False,
    )
    theirs, texts = reference(spiece, **settings), english + strange
    got = ours.encode(texts, max_len=10**6)
    for text, row in zip(texts, rows(got), strict=True):
        assert row == [2, *theirs(text), 3], ascii(text)
    assert ours.count(texts).tolist() == got.lengths.tolist()
    assert ours._numbers and not np.isin(list(ours._numbers), got.ids).any()


def test_ids_and_places_are_those_of_transformers_5(tokenizer, rust, english):
    """Except for a comma after a number, which it does not split off."""
    texts = [t for t in english if not re.search(r"\d,", t)]
    assert len(texts) > 500
    got = tokenizer.encode(texts, max_len=10**6, offsets=True)
    theirs = rust(texts, return_offsets_mapping=True)
    places = list(zip(got.start.tolist(), got.end.tolist(), strict=True))
    for r, row in enumerate(rows(got)):
        assert row == theirs["input_ids"][r], ascii(texts[r])
        assert places[got.row_splits[r] : got.row_splits[r + 1]] == theirs["offset_mapping"][r], ascii(texts[r])


def test_pairs_are_those_of_transformers_5(tokenizer, rust):
    got = tokenizer.encode(["the first text", "a"], ["the other one", ""], offsets=True)
    theirs = rust(
        ["the first text", "a"], ["the other one", ""], return_offsets_mapping=True, return_token_type_ids=True
    )
    assert rows(got) == theirs["input_ids"]
    assert got.segments.tolist() == [i for row in theirs["token_type_ids"] for i in row]
    assert list(zip(got.start, got.end, strict=True)) == [p for row in theirs["offset_mapping"] for p in row]


def test_places_give_the_text_of_the_piece(tokenizer, english, strange):
    texts = english[::3] + strange
    got = tokenizer.encode(texts, max_len=10**6, offsets=True)
    exact = 0
    assert [tokenizer._trace(t)[0] for t in texts] == [tokenizer._normalise(t) for t in texts]
    for r, text in enumerate(texts):
        inner = range(got.row_splits[r] + 1, got.row_splits[r + 1] - 1)
        last, plain = 0, text.isascii() and text.isprintable() and "'" not in text and "`" not in text
        for i in inner:
            start, end = int(got.start[i]), int(got.end[i])
            assert 0 <= start < end <= len(text) and start >= last, ascii(text)
            last = start
            piece = tokenizer.vocab[got.ids[i]].lstrip("\u2581")
            if plain and got.ids[i] != tokenizer.unk_id and piece:
                assert text[start:end].lower() == piece, (ascii(text), piece)
                exact += 1
    assert exact > 20000


def test_places_in_texts_that_change_their_length(tokenizer):
    text = "\u200b``\uff21\u00e9\u0301x''  (\ud55c) 12,000 \ufb01t"
    got = tokenizer.encode([text], offsets=True)
    words = [(tokenizer.vocab[i], text[s:e]) for i, s, e in zip(got.ids, got.start, got.end, strict=True)][1:-1]
    assert words[:4] == [("\u2581", "``"), ('"', "``"), ("a", "\uff21"), ("e", "\u00e9")]
    assert [cut for piece, cut in words if piece in ("(", ")", "<unk>")] == ["(", "\ud55c", ")"]
    assert [cut for piece, cut in words if piece == ","] == [","]
    assert words[-2:] == [("\u2581fi", "\ufb01"), ("t", "t")]


def test_truncation_and_windows_keep_whole_pieces(tokenizer):
    long = "the cat sat on the mat " * 20
    whole, cut = (
        tokenizer.encode([long, "a"], max_len=10**6, offsets=True),
        tokenizer.encode([long, "a"], max_len=10, offsets=True),
    )
    assert cut.lengths.tolist() == [10, whole.lengths[1]] and cut.n_truncated == 1
    assert cut.full_lengths.tolist() == whole.lengths.tolist()
    assert cut.ids[1:9].tolist() == whole.ids[1:9].tolist() and cut.start[1:9].tolist() == whole.start[1:9].tolist()


def test_special_tokens_in_a_text(spiece, tokenizer):
    ids = tokenizer.encode(["the [MASK] sat"]).ids.tolist()
    special = (tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id)
    assert special == (0, 1, 2, 3, 4)
    assert ids.count(4) == 1 and tokenizer.decode(ids) == "the [MASK] sat"
    got = tokenizer.encode(["the [MASK] sat"], offsets=True)
    k = ids.index(4)
    assert (got.start[k], got.end[k]) == (4, 10) and got.start[k + 1] == 11
    assert rows(tokenizer.encode(["[MASK]"])) == [[2, 4, 3]]
    split = SentencePieceTokenizer(spiece, keep_special=False)
    assert 4 not in split.encode(["the [MASK] sat", "[MASK]"]).ids


def test_decode(tokenizer, english):
    for text in english[:50]:
        if not re.search(r"[`'\d]", text) and text.isascii():
            assert tokenizer.decode(tokenizer.encode([text]).ids) == " ".join(text.lower().split())
    with pytest.raises(BertrError, match="Token id 2000 is not in the vocabulary"):
        tokenizer.decode([2000])


def test_texts_of_nothing(tokenizer):
    got = tokenizer.encode(["", " \t\u3000", "\u200b", "\u00b4", "a\ud800", "\0"], offsets=True)
    assert got.lengths.tolist()[:4] == [2, 2, 2, 2]
    assert len(tokenizer.encode([])) == 0 and len(tokenizer.encode([], [], offsets=True).ids) == 0


def train(**settings):
    import io

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c a b"] * 20),
        model_writer=out,
        vocab_size=12,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
        **settings,
    )
    return out.getvalue()


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (lambda s: SentencePieceTokenizer(s, mode="characters"), "tokenizer", "only knows the pieces"),
        (lambda s: SentencePieceTokenizer(b""), "vocabulary", "could not be read"),
        (lambda s: SentencePieceTokenizer(s[:1000]), "vocabulary", "could not be read"),
        (lambda s: SentencePieceTokenizer(train()), "vocabulary", r"no <pad> and no \[CLS\] and no \[SEP\]"),
    ],
)
def test_bad_input_is_one_sentence(spiece, make, code, message):
    with pytest.raises(BertrError, match=message) as e:
        make(spiece)
    assert e.value.code == code and e.value.hint and "\n" not in str(e.value)


def test_without_the_package_the_sentence_says_what_to_install(spiece, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(BertrError, match="needs the Python package sentencepiece") as e:
        SentencePieceTokenizer(spiece)
    assert "pip install sentencepiece" in e.value.hint
