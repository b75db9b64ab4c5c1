"""How much each word of a text contributes to what a fit says about it.

The weights are integrated gradients (Sundararajan, Taly and Yan 2017) from the same text with every piece of every
word replaced by [MASK]: the word vectors move on a straight line from those of [MASK] to the text's own, while
positions, segments and special tokens stay. By completeness the weights of a text add up to the difference between its
score and the masked text's. Or by occlusion (Zeiler and Fergus 2014): how much the score falls if one word is masked.

A score is the sum of the outputs that the task picks (`Task.picks`).
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from .errors import BertrError
from .kernels.compiled import Slopes
from .tasks.entities.words import at_spaces, at_words
from .tasks.inputs import encode
from .text.ragged import row_numbers, runs, sort_keys, splits

if TYPE_CHECKING:
    from .tasks.base import Picks
    from .text.encodings import Encodings, TextEncoder

STEPS, MOST_STEPS = 32, 512  # points on the line: at first, and at most
CLOSE = 0.01  # gap up to which there are no more steps
SURE = 0.01  # share of the sum of absolute weights; a smaller difference counts as this much in the gap
NOTHING, EVERYTHING = -2, -3  # instead of the number of a word to mask
TOKENS, MASKED_TOKENS = 2048, 2**20  # in memory: of a batch of gradients, of texts with one word masked


@dataclasses.dataclass
class Words:
    """The words of texts, ordered by text, side and place."""

    text: np.ndarray  # int [words]
    side: np.ndarray  # int [words]: 1 in the second text of a pair, else 0
    start: np.ndarray  # int [words], in code points
    end: np.ndarray  # int [words], exclusive

    def take(self, chosen: np.ndarray) -> "Words":
        return Words(*(getattr(self, field.name)[chosen] for field in dataclasses.fields(self)))

    def of_tokens(self, pieces: "Encodings", each_alone: bool) -> np.ndarray:
        """The word of each token.

        Args:
            pieces: Encodings with the offsets of pieces.
            each_alone: whether the texts of pairs are separate rows.

        Returns:
            int [tokens], an index in these words; -1 for special tokens and white space before the first word.
        """
        row = pieces.row
        text = row if pieces.owner is None else pieces.owner[row]
        side = row % 2 if each_alone else pieces.segments
        words = sort_keys(2 * self.text + self.side, self.start)
        begin, at = (sort_keys(2 * text + side, places) for places in (np.zeros_like(pieces.start), pieces.start))
        word = np.searchsorted(words, at, side="right") - 1
        return np.where((pieces.end > 0) & (np.append(words, -1)[word] >= begin), word, -1)


def find_words(tokenizer: "TextEncoder", a: list[str], b: list[str] | None, at_spaces_only: bool) -> Words:
    """The words of texts or pairs.

    Args:
        tokenizer: a TextEncoder.
        a, b: lists of str; b None: single texts.
        at_spaces_only: whether words end only at white space, not at punctuation.

    Returns:
        Words.
    """
    sides = []
    for side, texts in enumerate([a] if b is None else [a, b]):
        whole = tokenizer.encode(texts, None, 2**30, offsets=True)
        inside = None if at_spaces_only else tokenizer.inside_words(whole, texts)
        start, end = at_spaces(whole, texts) if at_spaces_only else at_words(whole, inside, texts)
        first = np.flatnonzero(end > 0)
        sides.append(np.stack([whole.row[first], np.full(len(first), side), start[first], end[first]]))
    text, side, start, end = np.concatenate(sides, axis=1)
    return Words(text, side, start, end).take(np.lexsort((start, side, text)))


@dataclasses.dataclass
class Results:
    """What is explained of each text, and how well."""

    text: np.ndarray  # int [texts]
    label: list  # of str [texts]: as in Picks
    words: list  # of str [texts]: as in Picks
    score: np.ndarray  # float [texts]
    masked_score: np.ndarray  # float [texts]: with all words masked
    gap: np.ndarray  # float [texts]: how far the weights are from adding up, a share of the scores' difference
    steps: np.ndarray  # int [texts]


class Inputs:
    """Encoded texts of which any number of copies can be scored.

    Args:
        fit: a Fit.
        encodings: the Encodings of the texts.
        word: int [tokens], the word of each token, -1 for special ones.
        words: the number of words.
        picks: the Picks of the texts.
    """

    def __init__(self, fit: Any, encodings: "Encodings", word: np.ndarray, words: int, picks: "Picks"):
        self.fit, self.words, self.picks = fit, words, picks
        self.per_token = fit.task.per_token
        place = picks.place
        if self.per_token:  # windows without a picked token change nothing
            rows = np.unique(encodings.row[place])
            at = encodings.places(rows)
            encodings, word, place = encodings.take(rows), word[at], np.searchsorted(at, place)
            self.pick_row = encodings.row[place]
            self.pick_position = place - encodings.row_splits[self.pick_row]
        self.encodings, self.word = encodings, word
        self.masked = np.where(word < 0, encodings.ids, _mask_id(fit.base.tokenizer)).astype(np.int32)
        texts = len(picks.shift)
        owner = np.arange(texts) if encodings.owner is None else encodings.owner
        self.rows = np.bincount(owner, minlength=texts)  # rows of each text
        self.first = splits(self.rows)[:-1]
        self.picked = np.bincount(picks.text, minlength=texts)  # picks of each text
        self.text = owner[encodings.row]  # of each token
        self.longest = np.maximum.reduceat(encodings.lengths, self.first)  # tokens of each text's longest row

    def __len__(self):
        return len(self.rows)

    def places(self, copies: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The outputs that are picked.

        Args:
            copies: int [copies], the text of each copy.
            starts: int [rows], the first token of each row among all outputs.

        Returns:
            (copy, place, code, scale), [picks] each: scale float, the others int.
        """
        pick = runs(splits(self.picked)[copies], self.picked[copies])
        copy = row_numbers(self.picked[copies])
        place = copy
        if self.per_token:
            row = splits(self.rows[copies])[copy] + self.pick_row[pick] - self.first[copies[copy]]
            place = starts[row] + self.pick_position[pick]
        return copy, place, self.picks.code[pick], self.picks.scale[pick]

    def rows_of(self, copies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows of copies, int [copies] of text numbers, and the copy of each: int [rows], int32 [rows]."""
        return runs(self.first[copies], self.rows[copies]), row_numbers(self.rows[copies]).astype(np.int32)

    def scores(self, copies: np.ndarray, masked: int | np.ndarray) -> np.ndarray:
        """The scores of copies.

        Args:
            copies: int [copies], the text of each copy.
            masked: int or int [copies], the number of the word to mask in each, or NOTHING or EVERYTHING.

        Returns:
            float64 [copies].
        """
        rows, owner = self.rows_of(copies)
        part, at = self.encodings.take(rows), self.encodings.places(rows)
        masked = np.broadcast_to(masked, len(copies))[owner].repeat(part.lengths)  # [tokens]
        hide = (self.word[at] == masked) | (masked == EVERYTHING)
        part.ids = np.where(hide, self.masked[at], part.ids)
        part.owner = None if self.encodings.owner is None else owner
        copy, place, code, scale = self.places(copies, part.row_splits)
        z = (self.fit.scorer.encodings(part)[place] * scale[:, None]).astype(np.float32)
        value = ops.convert_to_numpy(self.fit.task.explained(z, code)).astype(np.float64)
        return np.bincount(copy, value, minlength=len(copies)) + self.picks.shift[copies]

    def slopes(self) -> Slopes:
        """The graph of the derivatives."""
        network, task = self.fit.network, self.fit.task

        def score(vectors, segments, mask, first, place, code, scale):
            outputs = network(vectors, segments, mask, first)  # [copies, ...] or [rows, length, ...]
            outputs = ops.take(ops.reshape(outputs, (-1, outputs.shape[-1])), place, axis=0)
            return ops.sum(task.explained(outputs * scale[:, None], code))

        matrix, vector = np.zeros((1, 1), np.int32), np.zeros(1, np.int32)
        examples = matrix, matrix, vector, vector, vector, np.zeros(1, np.float32)
        kind = network.kind and ("slopes", network.kind)
        return Slopes(network.backbone.embeddings.look_up, score, network.variables, examples, kind)


def _mask_id(tokenizer):
    return tokenizer.pad_id if tokenizer.mask_id is None else tokenizer.mask_id


def integrated_gradients(
    inputs: Inputs, scores: np.ndarray, tell: Callable[[int], Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(weights of words, gaps, steps), with more steps for the texts whose weights do not add up yet.

    Args:
        inputs: Inputs.
        scores: float [2, texts], of the texts and of the masked texts.
        tell: a function of the number of texts done.

    Returns:
        (float [words], float [texts], int [texts]).
    """
    slopes, n = inputs.slopes(), len(inputs)
    weights, gap, taken = np.zeros(len(inputs.word)), np.zeros(n), np.zeros(n, np.int32)
    steps, left = STEPS, np.arange(n)
    while len(left) and steps <= MOST_STEPS:
        weights[np.isin(inputs.text, left)] = 0.0
        _integrate(inputs, slopes, left, steps, weights, tell)
        total, size = (np.bincount(inputs.text, w, minlength=n)[left] for w in (weights, np.abs(weights)))
        difference = (scores[0] - scores[1])[left]
        least = np.maximum(SURE * size, np.finfo(np.float32).tiny)
        gap[left] = np.abs(total - difference) / np.maximum(np.abs(difference), least)
        taken[left] = steps
        left, steps = left[gap[left] > CLOSE], 2 * steps
    real = inputs.word >= 0
    return np.bincount(inputs.word[real], weights[real], minlength=inputs.words), gap, taken


def _integrate(inputs, slopes, texts, steps, weights, tell):
    """Adds the integrals of some texts to the `weights` of their tokens, by Gauss-Legendre quadrature."""
    points, shares = np.polynomial.legendre.leggauss(steps)  # on [-1, 1]
    encodings, masked = inputs.encodings, dataclasses.replace(inputs.encodings, ids=inputs.masked)
    done = len(inputs) - len(texts)
    for copies, point in _batches(inputs, texts, steps):
        rows, owner = inputs.rows_of(copies)
        ids, segments, mask = encodings.pad(rows)
        _, place, code, scale = inputs.places(copies, np.arange(len(rows)) * ids.shape[1])
        here = ((points[point] + 1.0) / 2.0)[owner].astype(np.float32)
        numbers = place.astype(np.int32), code.astype(np.int32), scale.astype(np.float32)
        first = splits(inputs.rows[copies]).astype(np.int32)
        slope = slopes(masked.pad(rows)[0], ids, here, segments, mask, first, *numbers)
        slope = slope * (shares[point] / 2.0)[owner, None]
        np.add.at(weights, encodings.places(rows), slope[mask > 0])
        done += len(copies) / steps
        tell(int(done))


def _batches(inputs, texts, steps):
    """(copies, points) of batches: a copy of each text for each point, those of the longest texts first."""
    order = texts[np.argsort(-inputs.longest[texts], kind="stable")]
    copies, points = np.repeat(order, steps), np.tile(np.arange(steps), len(order))
    rows = splits(inputs.rows[copies])
    start = 0
    while start < len(copies):
        most = rows[start] + TOKENS // inputs.longest[copies[start]]
        stop = max(start + 1, int(np.searchsorted(rows, most, side="right")) - 1)
        yield copies[start:stop], points[start:stop]
        start = stop


def occlusion(
    inputs: Inputs, scores: np.ndarray, tell: Callable[[int], Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `integrated_gradients`. Nothing says that these weights add up: gaps are NaN and steps 0."""
    word, first = np.unique(inputs.word, return_index=True)
    word, copies = word[word >= 0], inputs.text[first[word >= 0]]
    weights = np.zeros(inputs.words)
    tokens = np.cumsum(np.add.reduceat(inputs.encodings.lengths, inputs.first)[copies])
    for part in np.split(np.arange(len(word)), np.flatnonzero(np.diff(tokens // MASKED_TOKENS)) + 1):
        weights[word[part]] = scores[0][copies[part]] - inputs.scores(copies[part], word[part])
        tell(int(copies[part[-1]]))
    return weights, np.full(len(inputs), np.nan), np.zeros(len(inputs), np.int32)


WAYS = {"integrated_gradients": integrated_gradients, "occlusion": occlusion}


def explain(
    fit: Any,
    a: Any,
    b: list[str] | None,
    max_len: int,
    method: str,
    classes: np.ndarray,
    progress: Callable[[int], Any] | None = None,
) -> tuple[Words, np.ndarray, Results, int]:
    """Weights of words.

    Args:
        fit: a Fit.
        a, b: lists of str; b None: single texts.
        max_len: tokens to cut texts at.
        method: a name in `WAYS`.
        classes: int [texts], the class to explain, from 0; -1: the task chooses.
        progress: None, or a function of the number of texts done.

    Returns:
        (Words that were read, their weights, Results, number of cut texts). Only of texts with words, whose numbers are
        `Results.text`; `Words.text` is an index in it.

    Raises:
        BertrError: no_explanation, max_len, pairs.
    """
    task, model = fit.task, fit.base
    if not task.explains:
        raise BertrError(
            "no_explanation",
            f"The predictions of a fit for task '{task.name}' cannot be explained.",
            "bert_explain() explains classes, labels, numbers, answers and entities.",
        )
    words = find_words(model.tokenizer, a, b, task.spec.get("words") == "space")
    texts = np.unique(words.text)
    if not len(texts):
        none = np.zeros(0)
        return words, none, Results(texts, [], [], none, none, none, none), 0
    a, b = ([side[i] for i in texts] if side else None for side in (a, b))
    words.text = np.searchsorted(texts, words.text)
    encodings, pieces = (encode(model, task, fit.head_options, a, b, max_len, pieces=p) for p in (False, True))
    picks = task.picks(fit.scorer.encodings(encodings), encodings, a, b, fit.network.head, np.asarray(classes)[texts])
    word = words.of_tokens(pieces, fit.head_options["pair"] == "cosine")
    inputs = Inputs(fit, encodings, word, len(words.text), picks)
    score, masked_score = (inputs.scores(np.arange(len(texts)), hide) for hide in (NOTHING, EVERYTHING))
    weights, gap, steps = WAYS[method](inputs, np.array([score, masked_score]), progress or (lambda done: None))
    read = np.unique(word[word >= 0])
    results = Results(texts, picks.label, picks.words, score, masked_score, gap, steps)
    return words.take(read), weights[read], results, encodings.n_truncated
