"""Labelled spans of a text that do not overlap: one IOB2 code at the first piece of every word, scored independently
or, with `crf`, in a linear chain."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from ...kernels.buckets import bucketed
from ...shapes import FILLED, FLAG, TEXT, both, fields, list_of, one_of
from ...text.ragged import ROOM, positions, row_numbers, sort_keys
from ...text.windows import windows
from .. import metrics
from ..base import Items, Picks, Task, count_rows, log_odds, same_levels
from ..inputs import OVERLAP
from .crf import Chains, negative_log_likelihood
from .heads import CrfHead, TokenHead
from .iob import allowed_pairs, label_ids_of, spans, tags_of
from .tags import codes_of, levels_of, outputs_with, well_formed
from .word_accuracy import word_accuracy
from .words import at_spaces, at_words, word_places

if TYPE_CHECKING:
    from ...text.encodings import Encodings

UNSCORED = -1  # special tokens, and pieces that continue a word


class Entities(Task):
    """Target: `row` and `start` (from 0), `end` (exclusive) and label `code` of every entity, int [entities], ordered
    by row and start; `levels`, the names of the labels.

    `spec`: `levels`; `crf` and `words`, see `bert_head()`; `tags`, what the outputs of a head from elsewhere mean, see
    tags.py. Such a head is not trained: a fit that starts from it has the outputs of iob.py."""

    name = "entities"
    shape = staticmethod(
        both(
            fields(
                {"levels": list_of(TEXT, least=1, distinct=True), "crf": FLAG, "words": one_of("punctuation", "space")},
                {"tags": list_of(FILLED, least=1, distinct=True)},
            ),
            lambda value, name: (
                (f"{name}.levels", value["levels"], "the labels of its tags")
                if "tags" in value and levels_of(value["tags"]) != value["levels"]
                else None
            ),
        )
    )
    per_token = True
    needs_offsets = True
    explains = True
    item = {"start": "integer", "end": "integer", "label": "character", "text": "character", "score": "double"}

    @classmethod
    def from_target(cls, target: dict[str, Any], head_options: dict[str, Any]) -> "Entities":
        return cls({"levels": list(target["levels"]), "crf": head_options["crf"], "words": head_options["words"]})

    @property
    def levels(self) -> list[str]:
        return self.spec["levels"]

    def plan(self, rows: int, hidden_size: int) -> dict[str, float]:
        return {"learning_rate": 2e-4 * 384 / hidden_size}

    def encode(self, model: Any, a: list[str], b: list[str] | None, max_len: int) -> "Encodings":
        """Windows of texts; the first piece of each word has the `start` and `end` of the whole word."""
        whole = model.encode_whole(a, b, offsets=True)
        spaced = self.spec["words"] == "space"
        start, end = at_spaces(whole, a) if spaced else at_words(whole, model.tokenizer.inside_words(whole, a), a)
        return windows(dataclasses.replace(whole, start=start, end=end), max_len, int(OVERLAP * max_len))

    def pieces(self, model: Any, a: list[str], b: list[str] | None, max_len: int) -> "Encodings":
        return windows(model.encode_whole(a, b, offsets=True), max_len, int(OVERLAP * max_len))

    def targets(self, target: dict[str, Any], encodings: "Encodings") -> tuple[np.ndarray, list[str]]:
        """Codes of words, [tokens], as in `iob.py`. A word belongs to the first entity that covers part of it."""
        row, start, end, label = (np.asarray(target[name], np.int64) for name in ("row", "start", "end", "code"))
        out = np.full(len(encodings.ids), UNSCORED, np.int32)
        words = np.flatnonzero(encodings.end > 0)
        out[words] = 0
        if not len(row):
            return out, []
        text, begin, stop = encodings.text[words], encodings.start[words], encodings.end[words]
        entity = np.searchsorted(sort_keys(row, end), sort_keys(text, begin), side="right")
        entity = np.minimum(entity, len(row) - 1)
        within = (row[entity] == text) & (start[entity] < stop) & (end[entity] > begin)
        words, begin, entity = words[within], begin[within], entity[within]
        first, last = np.full(len(row), ROOM), np.zeros(len(row), np.int64)
        np.minimum.at(first, entity, begin)
        np.maximum.at(last, entity, stop[within])
        out[words] = label_ids_of(begin == first[entity], label[entity])
        return out, _notes(int(((first < start) | (last > end)).sum()), int((first == ROOM).sum()))

    def batch(self, targets, encodings, rows, ids, rng):
        """Label ids of words and their positions in the row, int32 [batch, words, 2], padded with (UNSCORED, 0)."""
        lengths = encodings.lengths[rows]
        row, place, label_ids = row_numbers(lengths), positions(lengths), targets[encodings.places(rows)]
        row, place, label_ids = (x[label_ids != UNSCORED] for x in (row, place, label_ids))
        words = np.bincount(row, minlength=len(rows))
        out = np.zeros((len(rows), int(bucketed(max(1, words.max()))), 2), np.int32)
        out[:, :, 0] = UNSCORED
        out[np.arange(out.shape[1]) < words[:, None]] = np.stack([label_ids, place], axis=1)
        return out, ids

    def head(self, config: Any, head_options: dict[str, Any], dropout: float, seed: int) -> TokenHead:
        kind = CrfHead if self.spec["crf"] else TokenHead
        units, activation = head_options["units"], head_options["activation"]
        outputs = len(self.spec.get("tags", ())) or 1 + 2 * len(self.levels)
        return kind(outputs, units, dropout, seed, activation, name="head")

    def outputs_of(self, other: Task) -> tuple[list[int], Any, Any] | None:
        """A code without a tag of its own starts as the other tag of its label, such as "I-PER"."""
        numbers = same_levels(self.levels, other.spec["levels"])
        if numbers is None:
            return None
        codes = outputs_with(other.spec.get("tags") or tags_of(other.spec["levels"]))
        index = [codes.get(0), *(codes[1 + 2 * number + goes_on] for number in numbers for goes_on in (0, 1))]
        return None if index[0] is None else (index, 1.0, 0.0)

    def loss(self, targets: Any, outputs: Any, head: Any) -> Any:
        """Negative log-likelihood; all words of the batch count equally."""
        real = ops.cast(targets[:, :, 0] != UNSCORED, "float32")  # [batch, words]
        label_ids, places = ops.maximum(targets[:, :, 0], 0), ops.maximum(targets[:, :, 1], 0)
        rows = ops.shape(outputs)[1] * ops.arange(ops.shape(targets)[0])[:, None]
        scores = ops.take(ops.reshape(outputs, (-1, outputs.shape[-1])), rows + places, axis=0)
        transitions = head.transitions
        if transitions is None:
            picked = ops.take_along_axis(scores, label_ids[..., None], axis=-1)[..., 0]
            each = ops.sum((ops.logsumexp(scores, axis=-1) - picked) * real, axis=1)
        else:
            each = negative_log_likelihood(label_ids, scores, transitions, real)
        return each * count_rows(targets[:, 0, 1]) / ops.maximum(ops.sum(real), 1.0)

    def evaluate(self, targets: np.ndarray, outputs: np.ndarray, encodings: "Encodings", head: Any) -> dict[str, float]:
        places, splits = word_places(encodings)
        scores, label_ids = outputs[places], targets[places]
        free = np.ones((scores.shape[1],) * 2, bool)
        loss = Chains(scores, splits, self._transitions(head), free, free[0]).negative_log_likelihood(label_ids)
        truth, found = (np.column_stack(spans(x)) for x in (label_ids, self._chains(scores, splits, head).best()))
        total = metrics.count_items(truth, found, 2, len(self.levels)).total()
        return {"loss": loss / max(1, len(places)), "f_meas": metrics.or_zero(total.f_meas())}

    def decode(self, outputs, encodings, a, b, head):
        """Columns with one entry per entity: row, start (from 1), end (inclusive), label code, text, and score: the
        probability of the labels of its words."""
        places, splits = word_places(encodings)
        chains, path, label_ids = self._best(outputs[places], splits, head)
        first, last, label = spans(label_ids)
        row = np.searchsorted(splits, first, side="right") - 1
        start, end = encodings.start[places[first]], encodings.end[places[last]]
        text = [a[r][s:e] for r, s, e in zip(row.tolist(), start.tolist(), end.tolist(), strict=True)]
        score = np.exp(np.minimum(chains.log_probability(path, first, last), 0.0))
        return {
            "row": (row + 1).astype(np.int32),
            "start": start + 1,
            "end": end,
            "code": label.astype(np.int32),
            "text": text,
            "score": score,
        }

    def table(self, columns, kinds):
        label = [self.levels[code] for code in columns["code"]]
        return [Items(columns["row"] - 1, {**columns, "label": label})]

    def predictions(self, encodings, score, a, b, head, seed):
        """`found`, int64 [entities, 4]: text, start (from 0), end (exclusive) and label."""
        columns = self.decode(score(encodings), encodings, a, b, head)
        row, start, end, label = (columns[name].astype(np.int64) for name in ("row", "start", "end", "code"))
        return {"found": np.column_stack([row - 1, start - 1, end, label])}

    def metric_table(self, truth: dict[str, Any], predictions: dict[str, Any], event: int | None) -> dict[str, Any]:
        """An entity is correct if its text, start, end and label all match, as in conlleval and seqeval. If every word
        has a label (`truth["words"]`), words are also counted one by one."""
        columns = [np.asarray(truth[name], np.int64) for name in ("row", "start", "end", "code")]
        true, found = np.column_stack(columns), predictions["found"]
        out = metrics.found_table(metrics.count_items(true, found, 3, len(truth["levels"])))
        if not truth["words"]:
            return out
        out["metric"].append("accuracy")
        out["estimator"].append("multiclass")
        return {
            **out,
            "estimate": np.append(out["estimate"], word_accuracy(true, found)),
            "level": np.append(out["level"], np.int32(0)),
        }

    def picks(self, outputs, encodings, a, b, head, classes):
        """The logits of the labels of an entity's words: of the most probable entity, or the most probable one of a
        class. Without such an entity: of the word that is most likely to begin one."""
        places, splits = word_places(encodings)
        scores = outputs[places]
        chains, path, label_ids = self._best(scores, splits, head)
        first, last, label = spans(label_ids)
        text, score = np.searchsorted(splits, first, side="right") - 1, chains.log_probability(path, first, last)
        out = [], [], [], [], []
        for i, wanted in enumerate(classes):
            found = np.flatnonzero((text == i) & ((label == wanted) | (wanted < 0)))
            if len(found):
                best = found[score[found].argmax()]
                word = np.arange(first[best], last[best] + 1)
                code = path[word]
            else:
                word, code = _likeliest(scores, splits[i], splits[i + 1], self._starts(wanted))
            at = places[word]
            words = a[i][encodings.start[at[0]] : encodings.end[at[-1]]]
            found = np.full(len(word), i), at, code, self.levels[(self._codes[code[0]] - 1) // 2], words
            for column, value in zip(out, found, strict=True):
                column.append(value)
        text, place, code = map(np.concatenate, out[:3])
        return Picks(text, place, code, np.ones(len(text)), np.zeros(len(classes)), *out[3:])

    def explained(self, outputs: Any, codes: Any) -> Any:
        return log_odds(outputs, codes)

    @property
    def _codes(self):
        """The code of every output, int [outputs]."""
        return codes_of(self.spec["tags"]) if "tags" in self.spec else np.arange(1 + 2 * len(self.levels))

    def _starts(self, wanted):
        """The outputs of words that may begin an entity of a class, -1 for any."""
        codes = self._codes
        label = (codes - 1) // 2  # -1: outside
        begins = (codes % 2 == 1) | ("tags" in self.spec)
        return np.flatnonzero(begins & ((label == wanted) if wanted >= 0 else (label >= 0)))

    def _best(self, scores, splits, head):
        """(Chains, the outputs of words on their best path, their codes), int [words] each."""
        if "tags" not in self.spec:
            chains = self._chains(scores, splits, head)
            path = chains.best()
            return chains, path, path
        free = np.ones((scores.shape[1],) * 2, bool)
        chains = Chains(scores, splits, 0.0, free, free[0])
        path = chains.best()
        return chains, path, well_formed(self._codes[path], splits)

    def _chains(self, scores, splits, head):
        return Chains(scores, splits, self._transitions(head), *allowed_pairs(len(self.levels)))

    def _transitions(self, head):
        given = head.transitions
        return 0.0 if given is None else ops.convert_to_numpy(given)


def _likeliest(scores, start, stop, begin):
    """([word], [output]) of the word in [start, stop) for which one of the outputs `begin` is most probable."""
    z = scores[start:stop]
    z = (z - np.logaddexp.reduce(z, axis=1, keepdims=True))[:, begin]
    word, label = np.unravel_index(z.argmax(), z.shape)
    return np.array([start + word]), begin[[label]]


def _notes(wider, lost):
    out = []
    if wider:
        out.append(f"{_entities(wider, 'begins or ends', 'begin or end')} inside a word: learned as whole words.")
    if lost:
        out.append(f"{_entities(lost, 'has', 'have')} no word outside other entities: not learned.")
    return out


def _entities(n, one, many):
    return f"1 entity {one}" if n == 1 else f"{n} entities {many}"
