"""The span of a context that answers a question: scores for its first and last token.

Sources: Devlin et al. 2019, google-research/bert `run_squad.py`; Rajpurkar et al. 2018 (questions without an answer).
With a type as the question and one token per character it is the event subject task of bojone/bert_in_keras.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from ...errors import BertrError
from ...nn.heads import DenseHead
from ...shapes import FLAG, fields, number, whole
from ...text.windows import windows
from .. import metrics
from ..base import Items, Picks, Task
from .search import contexts, fullest, locate, search
from .squad import grouped, scores

if TYPE_CHECKING:
    from ...text.encodings import Encodings

LONGEST = 30  # least limit for the tokens of an answer; longer training answers raise it
OVERLAP = 1 / 3  # share of a window that overlaps the next one
NBEST = 5
HIDDEN = -1e9  # the score of tokens outside the context; exp() of it is 0 in float32


@dataclasses.dataclass
class Answers:
    """Right answers of texts, and their positions in rows."""

    places: np.ndarray  # int32 [rows, 4]: first and last token of the answer, first token and end of the context
    contexts: list  # of str [texts]
    golds: list  # of lists of str [texts]: all right answers, [""] for no answer
    none: np.ndarray  # bool [texts]: no answer


class Span(Task):
    """Target: `start`, `end`, int [texts]: characters [start, end) of the last text, -1 and 0 for no answer;
    `contexts`, the last texts; `golds`, all right answers, concatenated; `gold_counts` [texts], their number per text.

    `spec`: `none`, whether there are questions without an answer; `longest`, tokens of an answer; `threshold`: the
    margin by which the score of no answer must exceed that of the best span to be predicted."""

    name = "span"
    not_in_graph = ("none", "longest", "threshold")
    evaluated = ("text",)
    shape = staticmethod(fields({"none": FLAG, "longest": whole(1, 2**15), "threshold": number()}))
    per_token = True
    needs_offsets = True
    explains = True
    item = {"text": "character", "start": "integer", "end": "integer", "score": "double"}

    @classmethod
    def from_target(cls, target: dict[str, Any], head_options: dict[str, Any]) -> "Span":
        if head_options["pair"] == "cosine":
            raise BertrError(
                "pairs",
                "Span prediction reads the context together with its question.",
                'Use bert_head(pair = "joint"), the default.',
            )
        none = bool((np.asarray(target["start"]) < 0).any())
        return cls({"none": none, "longest": None, "threshold": 0.0})

    @property
    def calibrates(self) -> bool:
        return self.spec["none"]

    def encode(self, model: Any, a: list[str], b: list[str] | None, max_len: int) -> "Encodings":
        return windows(model.encode_whole(a, b, offsets=True), max_len, int(OVERLAP * max_len))

    def pieces(self, model: Any, a: list[str], b: list[str] | None, max_len: int) -> "Encodings":
        return self.encode(model, a, b, max_len)

    def targets(self, target: dict[str, Any], encodings: "Encodings") -> tuple[Answers, list[str]]:
        where = contexts(encodings)
        start, end = np.asarray(target["start"]), np.asarray(target["end"])
        answer = locate(where, encodings, start, end)  # [rows, 2]
        limits = np.stack([where.first, where.stop], axis=1) - encodings.row_splits[:-1, None]
        golds = grouped(target["golds"], target["gold_counts"])
        places = np.concatenate([answer, limits], axis=1).astype(np.int32)
        return Answers(places, target["contexts"], golds, start < 0), []

    def train_with(self, class_weights: Any, label_smoothing: float | None, targets: Answers) -> None:
        super().train_with(class_weights, label_smoothing, targets)
        self.spec["longest"] = max(LONGEST, int((targets.places[:, 1] - targets.places[:, 0]).max()) + 1)

    def batch(self, targets, encodings, rows, ids, rng):
        return targets.places[rows], ids

    def head(self, config: Any, head_options: dict[str, Any], dropout: float, seed: int) -> DenseHead:
        return DenseHead(2, head_options["units"], dropout, seed, head_options["activation"], name="head")

    def outputs_of(self, other: Task) -> tuple[list[int], Any, Any] | None:
        return [0, 1], 1.0, 0.0

    def loss(self, targets: Any, outputs: Any, head: Any) -> Any:  # [batch, 4], [batch, length, 2] -> [batch]
        place = ops.arange(ops.shape(outputs)[1], dtype="int32")[None]
        shown = (place == 0) | ((place >= targets[:, 2:3]) & (place < targets[:, 3:4]))  # [CLS] and the context
        z = ops.where(shown[..., None], outputs, HIDDEN)
        picked = ops.take_along_axis(z, targets[:, None, :2], axis=1)[:, 0]  # [batch, 2]
        return ops.mean(ops.logsumexp(z, axis=1) - picked, axis=1)

    def evaluate(self, targets: Answers, outputs: np.ndarray, encodings: "Encodings", head: Any) -> dict[str, float]:
        exact, f1 = scores(self._texts(self._search(outputs, encodings, 1), targets.contexts), targets.golds)
        loss = mean_loss(targets.places, outputs, encodings)
        return {"loss": loss, "exact_match": float(exact.mean()), "f_meas": float(f1.mean())}

    def calibrate(self, targets: Answers, outputs: np.ndarray, encodings: "Encodings", head: Any) -> None:
        """The threshold with the best F1."""
        if targets.none.all() or not targets.none.any():
            return  # needs texts with and without an answer
        found = self._search(outputs, encodings, 1)
        known = [i for i, f in enumerate(found) if f.spans]
        golds = [targets.golds[i] for i in known]
        margin = np.array([found[i].none - found[i].spans[0][0] for i in known])
        answered = scores([cut(targets.contexts[i], found[i].spans[0]) for i in known], golds)[1]
        self.spec["threshold"] = best_threshold(margin, answered, scores([""] * len(known), golds)[1])

    def decode(self, outputs, encodings, a, b, head):
        texts = a if b is None else b
        found = self._search(outputs, encodings, NBEST)
        chosen = [self._choice(f) for f in found]
        best = [(i, text, f, span) for i, (text, f) in enumerate(zip(texts, found, strict=True)) for span in f.spans]
        return {
            "text": self._texts(found, texts),
            "start": np.array([span[1] + 1 if span else 0 for span in chosen], np.int32),  # from 1; 0 for none
            "end": np.array([span[2] if span else 0 for span in chosen], np.int32),
            "score": np.array([self._probability(f, span) for f, span in zip(found, chosen, strict=True)]),
            "nbest_row": np.array([i + 1 for i, _, _, _ in best], np.int32),
            "nbest_text": [cut(text, span) for _, text, _, span in best],
            "nbest_start": np.array([span[1] + 1 for *_, span in best], np.int32),
            "nbest_end": np.array([span[2] for *_, span in best], np.int32),
            "nbest_score": np.array([self._probability(f, span) for *_, f, span in best], np.float64),
        }

    def table(self, columns, kinds):
        if kinds == ["list"]:
            names = ("text", "start", "end", "score")
            return [Items(columns["nbest_row"] - 1, {name: columns[f"nbest_{name}"] for name in names})]
        places = [np.ma.masked_equal(columns[name], 0) for name in ("start", "end")]
        return [columns["text"], *places, columns["score"]]

    def metric_table(self, truth: dict[str, Any], predictions: dict[str, Any], event: int | None) -> dict[str, Any]:
        """SQuAD metrics: over all texts and, if some have no answer, over each kind with the number of its texts."""
        exact, f1 = scores(predictions["text"], grouped(truth["golds"], truth["gold_counts"]))
        none = np.asarray(truth["start"]) < 0
        kinds = {"standard": np.ones(len(none), bool)}
        if none.any():
            kinds |= {"answerable": ~none, "unanswerable": none}
        rows = []
        for kind, chosen in kinds.items():
            if chosen.any():
                rows += [("exact_match", kind, exact[chosen].mean()), ("f_meas", kind, f1[chosen].mean())]
                rows += [("n", kind, chosen.sum())] if none.any() else []
        return metrics.table(rows)

    def picks(self, outputs, encodings, a, b, head, classes):
        """The scores of the first and last token of the predicted answer, in the window from which it is taken; of
        [CLS] if there is no answer."""
        texts, where = a if b is None else b, contexts(encodings)
        chosen = [self._choice(found) for found in self._search(outputs, encodings, 1)]
        start, end = np.array([span[1:] if span else (0, 0) for span in chosen], np.int64).T
        begins = encodings.row_splits[:-1]
        at = begins[:, None] + locate(where, encodings, start, end)  # [rows, 2], tokens
        answered = np.array([span is not None for span in chosen])[encodings.owner]
        none = outputs[begins].sum(axis=1)
        # the window with the answer, or the one in which no answer is least probable
        rank = np.where(answered, fullest(where, encodings)[at[:, 0]] & (at[:, 0] > begins), -none)
        order = np.lexsort((-rank, encodings.owner))
        rows = order[np.searchsorted(encodings.owner[order], np.arange(len(chosen)))]
        n = len(chosen)
        return Picks(
            np.repeat(np.arange(n), 2),
            at[rows].ravel(),
            np.tile([0, 1], n),
            np.ones(2 * n),
            np.zeros(n),
            [""] * n,
            [cut(text, span) if span else "" for text, span in zip(texts, chosen, strict=True)],
        )

    def _search(self, outputs, encodings, most):
        return search(outputs, encodings, self.spec["longest"], most)

    def _choice(self, found):
        """The span predicted, or None."""
        if not found.spans or (self.spec["none"] and found.none - found.spans[0][0] > self.spec["threshold"]):
            return None
        return found.spans[0]

    def _texts(self, found, texts):
        chosen = map(self._choice, found)
        return [cut(text, span) if span else "" for text, span in zip(texts, chosen, strict=True)]

    def _probability(self, found, span):
        """The probability of a span, or of no answer, among all spans of the text (and no answer, if allowed)."""
        if not found.spans:
            return 1.0
        total = np.logaddexp(found.total, found.none) if self.spec["none"] else found.total
        return float(np.exp((span[0] if span else found.none) - total))


def cut(text: str, span: tuple[float, int, int]) -> str:
    """The text of a span (score, start, end)."""
    return text[span[1] : span[2]]


def mean_loss(places: np.ndarray, outputs: np.ndarray, encodings: "Encodings") -> float:
    """The mean of `loss` over encoded rows.

    Args:
        places: int [rows, 4], see Answers.
        outputs: float [tokens, 2].
        encodings: an Encodings with offsets.

    Returns:
        float.
    """
    where, first = contexts(encodings), encodings.row_splits[:-1]
    shown = where.inside.copy()
    shown[first] = True
    z = np.where(shown[:, None], outputs.astype(np.float64), -np.inf)
    top = np.maximum.reduceat(z, first)  # [rows, 2]
    total = top + np.log(np.add.reduceat(np.exp(z - top[where.row]), first))
    return float(np.mean(total - z[first[:, None] + places[:, :2], [0, 1]]))


def best_threshold(margin: np.ndarray, answered: np.ndarray, none: np.ndarray) -> float:
    """The threshold with the highest sum of scores; on ties the one nearest to 0.

    Args:
        margin: float [n], by how much the score of no answer exceeds that of the best span.
        answered: float [n], what a text scores if its margin is up to the threshold.
        none: float [n], what it scores otherwise.

    Returns:
        float.
    """
    order = np.argsort(margin)
    margin, answered, none = margin[order], answered[order], none[order]
    total = np.cumsum(np.append(0.0, answered - none))  # sum if the first i are answered, minus a constant
    thresholds = np.concatenate([[0.0, margin[0] - 1.0], (margin[1:] + margin[:-1]) / 2, [margin[-1] + 1.0]])
    value = total[np.searchsorted(margin, thresholds, side="right")]
    best = thresholds[np.isclose(value, value.max())]
    return float(best[np.argmin(np.abs(best))])
