"""Triples (head, relation, tail) of a text, in one pass or heads first."""

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from ...nn.scorer import scoring_batches
from ...shapes import TEXT, fields, list_of, one_of
from ...text.windows import windows
from .. import metrics
from ..base import Items, Task
from .gplinker import GPLinker
from .subject_first import SubjectFirst
from .triples import COLUMNS, to_characters, to_triples

if TYPE_CHECKING:
    from ...text.encodings import Encodings
    from .triples import Triples

FORMS = {"gplinker": GPLinker, "subject_first": SubjectFirst}
OVERLAP = 0.5  # share of a window that overlaps the next one: spans less than half a window apart share one
LOSS_TOKENS = 2048  # tokens per batch in evaluation
# (at most this many rows, epochs, batch size). The whole head is new, so it needs some hundred steps. On 800 rows of
# FewRel F1 was best at epoch 12 of 15 (one seed, on its validation rows); the 40 documents of re3d needed 60 epochs in
# batches of 4 to learn anything; the other sizes are guesses
PLANS = ((50, 60, 4), (200, 40, 8), (2_000, 12, 16), (10_000, 8, 16), (float("inf"), 5, 16))
RATE = 2e-4  # for a hidden size of 384


class Relations(Task):
    """Target: `text`, int [triples], the text of each triple; `head_start`, `head_end`, `tail_start`, `tail_end`,
    0-based code points, ends exclusive; `relation`, codes from 0; `levels`, the names of the relations in R's order."""

    name = "relations"
    shape = staticmethod(fields({"levels": list_of(TEXT, least=1, distinct=True), "form": one_of(*FORMS)}))
    per_token = True
    needs_offsets = True
    item = {
        "head": "character",
        "head_start": "integer",
        "head_end": "integer",
        "relation": "character",
        "tail": "character",
        "tail_start": "integer",
        "tail_end": "integer",
        "score": "double",
    }

    def __init__(self, spec: dict[str, Any]):
        super().__init__(spec)
        self.form = FORMS[spec["form"]](len(spec["levels"]))

    @classmethod
    def from_target(cls, target: dict[str, Any], head_options: dict[str, Any]) -> "Relations":
        return cls({"levels": list(target["levels"]), "form": head_options["relations"]})

    def plan(self, rows: int, hidden_size: int) -> dict[str, float]:
        epochs, batch_size = next(plan for most, *plan in PLANS if rows <= most)
        return {"epochs": epochs, "batch_size": batch_size, "learning_rate": RATE * 384 / hidden_size}

    def encode(self, model: Any, a: list[str], b: list[str] | None, max_len: int) -> "Encodings":
        return windows(model.encode_whole(a, None, offsets=True), max_len, int(OVERLAP * max_len))

    def targets(self, target: dict[str, Any], encodings: "Encodings") -> "tuple[Triples, list[str]]":
        columns = np.column_stack([np.asarray(target[name], np.int64) for name in COLUMNS])
        out = to_triples(np.asarray(target["text"], np.int64), columns, encodings)
        return out, _notes(out)

    def batch(self, targets, encodings, rows, ids, rng):
        """[batch, 1 + triples, 5]: first the row's length and the sampled head, then its triples."""
        info = np.zeros((len(rows), 1, 5), np.int32)
        info[:, 0, 0] = encodings.row_splits[np.asarray(rows) + 1] - encodings.row_splits[rows]
        info[:, 0, 1:3] = [self.form.sample(targets.of(row), rng) for row in rows]
        return np.concatenate([info, targets.padded(rows)], axis=1), ids

    def head(self, config: Any, head_options: dict[str, Any], dropout: float, seed: int) -> Any:
        return self.form.head(head_options["units"], dropout, seed, head_options["activation"])

    def loss(self, targets: Any, outputs: Any, head: Any) -> Any:
        return self.form.loss(targets[:, 0, :3], targets[:, 1:], outputs)

    def evaluate(self, targets: "Triples", outputs: np.ndarray, encodings: "Encodings", head: Any) -> dict[str, float]:
        losses, rng = np.zeros(len(encodings)), np.random.default_rng(0)
        for rows in scoring_batches(encodings.lengths, LOSS_TOKENS):
            ids, _, mask = encodings.pad(rows)
            padded = np.zeros((*ids.shape, outputs.shape[1]), np.float32)
            padded[mask > 0] = np.concatenate([_of(outputs, encodings, row) for row in rows])
            given = ops.convert_to_tensor(self.batch(targets, encodings, rows, ids, rng)[0])
            losses[rows] = ops.convert_to_numpy(self.loss(given, ops.convert_to_tensor(padded), head))
        total = self._counts(targets.truth, self._found(outputs, encodings)[0], len(self.spec["levels"])).total()
        values = {"f_meas": total.f_meas(), "precision": total.precision(), "recall": total.recall()}
        return {"loss": float(losses.mean()), **{name: float(value) for name, value in values.items()}}

    def _counts(self, truth, found, labels):
        """A triple is correct if its relation and positions match; int [triples, 6] each: text and COLUMNS."""
        return metrics.count_items(truth, found, 1 + COLUMNS.index("relation"), labels)

    def _found(self, outputs, encodings):
        return to_characters(
            [(row, *self.form.decode(_of(outputs, encodings, row))) for row in range(len(encodings))], encodings
        )

    def decode(self, outputs, encodings, a, b, head):
        """`count`: triples per text; the other columns have one entry per triple, positions from 1 and ends
        inclusive."""
        found, scores = self._found(outputs, encodings)
        text, *places = found.T
        out = {name: x.astype(np.int32) for name, x in zip(COLUMNS, places, strict=True)}
        for side in ("head", "tail"):
            start, end = out[f"{side}_start"], out[f"{side}_end"]
            out[side] = [a[t][s:e] for t, s, e in zip(text, start, end, strict=True)]
            out[f"{side}_start"] = start + 1
        return {**out, "score": scores, "count": np.bincount(text, minlength=len(a)).astype(np.int32)}

    def table(self, columns, kinds):
        relation = [self.spec["levels"][code] for code in columns["relation"]]
        text = np.repeat(np.arange(len(columns["count"])), columns["count"])
        return [Items(text, {**columns, "relation": relation})]

    def predictions(self, encodings, score, a, b, head, seed):
        """`found`, int64 [triples, 6]: text and COLUMNS."""
        return {"found": self._found(score(encodings), encodings)[0]}

    def metric_table(self, truth: dict[str, Any], predictions: dict[str, Any], event: int | None) -> dict[str, Any]:
        true = np.column_stack([np.asarray(truth[name], np.int64) for name in ("text", *COLUMNS)])
        return metrics.found_table(self._counts(true, predictions["found"], len(truth["levels"])))


def _of(outputs, encodings, row):
    return outputs[encodings.row_splits[row] : encodings.row_splits[row + 1]]


def _notes(triples):
    out = []
    if triples.n_snapped:
        out.append(f"Spans that begin or end inside a token, learned as whole tokens: {triples.n_snapped}.")
    if triples.n_lost:
        out.append(
            f"Relations that cannot be learned because head and tail are too far apart to be read together: "
            f"{triples.n_lost} of {len(triples.truth)}."
        )
    return out
