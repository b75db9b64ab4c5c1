"""Predicts the words at [MASK]."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from ...errors import BertrError
from ...text.basic import WHITE_SPACE
from ...text.ragged import positions, splits
from .head import word_head
from .masking import Words

if TYPE_CHECKING:
    from ...text.encodings import Encodings

MASK = "[MASK]"
ROWS_AT_ONCE = 512  # rows whose states are in memory


def fill(
    model: Any,
    texts: list[str],
    top: int,
    targets: list[str] | None,
    max_len: int,
    progress: Callable[[int], Any] | None = None,
) -> "tuple[dict[str, list[Any]], Encodings]":
    """The most probable tokens at every [MASK].

    Args:
        model: a Model with a masked-word head.
        texts: list of str.
        top: number of tokens per [MASK].
        targets: None, or list of str, the only candidates; `top` is then ignored.
        max_len: tokens to cut texts at; masks that are cut off have no entries.
        progress: None, or a function of the number of rows done.

    Returns:
        ({row, mask and rank from 0, token, probability, and text with this mask filled: list}, the Encodings).

    Raises:
        BertrError: no_mlm, targets.
    """
    head = word_head(model)
    texts = [text.replace(model.tokenizer.mask_name, MASK) for text in texts]
    named = np.flatnonzero(np.array(model.tokenizer.vocab) != "")  # rows with a token
    among = named if targets is None else target_ids(model.tokenizer, targets)
    top = min(top, len(named)) if targets is None else len(among)
    encodings, masks = encode_masked(model, texts, max_len)
    scorer = model.scorer("none", (model.config.num_layers,))
    out = {"row": [], "mask": [], "rank": [], "token": [], "probability": [], "text": []}
    masked_rows = np.flatnonzero(np.add.reduceat(masks, encodings.row_splits[:-1]) > 0)
    for start in range(0, len(masked_rows), ROWS_AT_ONCE):
        rows = masked_rows[start : start + ROWS_AT_ONCE]
        part, is_mask = encodings.take(rows), dataclasses.replace(encodings, ids=masks).take(rows).ids > 0
        states = scorer.encodings(part)[is_mask]
        row = np.repeat(rows, part.lengths)[is_mask]
        mask = np.arange(len(row)) - np.searchsorted(row, row)
        best, probability = _best(head, states, top, among)
        vocab = model.tokenizer.vocab
        for r, m, ids, p in zip(row.tolist(), mask.tolist(), best.tolist(), probability.tolist(), strict=True):
            tokens = [vocab[i] for i in ids]
            out["row"] += [r] * len(ids)
            out["mask"] += [m] * len(ids)
            out["rank"] += range(len(ids))
            out["token"] += tokens
            out["probability"] += p
            out["text"] += filled(model.tokenizer, texts[r], m, tokens)
        if progress:
            progress(start + len(rows))
    return out, encodings


def encode_masked(model: Any, texts: list[str], max_len: int) -> "tuple[Encodings, np.ndarray]":
    """Encodes texts with masks. The parts between masks are tokenized separately, because Google's tokenizer and the
    character mode would split [MASK] too.

    Args:
        model: a Model.
        texts: list of str with [MASK].
        max_len: tokens to cut texts at.

    Returns:
        (an Encodings, int32 [tokens] that is 1 at every [MASK]).
    """
    mask_id = Words(model.tokenizer).mask_id
    parts = [text.split(MASK) for text in texts]
    if model.tokenizer.mask_takes_space:
        parts = [[*(part.rstrip(WHITE_SPACE) for part in text[:-1]), text[-1]] for text in parts]
    e = model.encode_whole([part for text in parts for part in text], None)  # [CLS] part [SEP], each
    of_text = np.cumsum([len(text) for text in parts])  # after each text's last part
    last = np.zeros(len(e), bool)
    last[of_text - 1] = True
    masks = np.zeros(len(e.ids), np.int32)
    masks[e.row_splits[1:][~last] - 1] = 1  # [SEP] [CLS] between two parts of a text marks the mask
    keep = np.ones(len(e.ids), bool)
    keep[e.row_splits[1:-1][~last[:-1]]] = False
    begins = splits(keep)[e.row_splits[np.concatenate([[0], of_text])]]
    ids, masks = np.where(masks > 0, mask_id, e.ids)[keep].astype(np.int32), masks[keep]
    lengths = np.diff(begins)
    place = positions(lengths)
    inside = (place < max_len - 1) | (place == np.repeat(lengths - 1, lengths))  # the last [SEP] stays
    cut = np.minimum(lengths, max_len)
    return dataclasses.replace(
        e,
        ids=ids[inside],
        segments=e.segments[keep][inside],
        row_splits=splits(cut),
        n_truncated=int((cut < lengths).sum()),
        full_lengths=lengths.astype(np.int32),
    ), masks[inside]


def _best(head, states, k, among):
    """(ids, probabilities) of the k most probable tokens in `among` for each state, best first. Probabilities are those
    among all rows of the word embedding."""
    ids, probabilities = [], []
    for _, logits in head.each_words(states):
        z = ops.convert_to_numpy(logits).astype(np.float64)
        z = np.exp(z - z.max(axis=1, keepdims=True))
        z /= z.sum(axis=1, keepdims=True)
        z = z[:, among]
        best = np.argpartition(-z, k - 1, axis=1)[:, :k]
        best = np.take_along_axis(best, np.argsort(-np.take_along_axis(z, best, axis=1), axis=1), axis=1)
        ids.append(among[best])
        probabilities.append(np.take_along_axis(z, best, axis=1))
    return (np.concatenate(x) if x else np.zeros((0, 0)) for x in (ids, probabilities))


def target_ids(tokenizer: Any, targets: list[str]) -> np.ndarray:
    """The ids of words that are single tokens.

    Args:
        tokenizer: a TextEncoder.
        targets: list of str; a token may be given as in the vocabulary, such as ##ing.

    Returns:
        int [distinct tokens], ascending.

    Raises:
        BertrError: targets.
    """
    out, wrong = [], []
    for word in targets:
        ids = tokenizer.encode([word]).ids[1:-1].tolist()
        if len(ids) == 1 and ids[0] != tokenizer.unk_id:
            out += ids
        elif word in tokenizer.vocab:
            out.append(tokenizer.vocab.index(word))
        else:
            wrong.append(word)
    if wrong:
        raise BertrError(
            "targets",
            f"`targets` must be single tokens of the vocabulary; '{wrong[0]}'"
            + (f" and {len(wrong) - 1} more are" if len(wrong) > 1 else " is")
            + " not.",
            "bert_tokenize() shows how a word is split.",
        )
    return np.unique(out)


def filled(tokenizer: Any, text: str, mask: int, tokens: list[str]) -> list[str]:
    """The text with its `mask`-th [MASK] (from 0) replaced by each token; a piece such as ##ing is joined to the text
    before it."""
    parts = text.split(MASK)
    before, after = MASK.join(parts[: mask + 1]), MASK.join(parts[mask + 1 :])
    pieces = map(tokenizer.surface, tokens)
    return [(before.rstrip() if continues else before) + piece + after for piece, continues in pieces]
