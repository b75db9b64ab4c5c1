"""Further pre-training on new texts: masked words, and for pairs next-sentence prediction.

Source: Devlin et al. 2019; google-research/bert `run_pretraining.py`; for further pre-training Gururangan et al. 2020,
Don't Stop Pretraining.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from ...errors import BertrError
from ...kernels.buckets import bucketed
from ...shapes import FLAG, fields
from ...text.encodings import Encodings
from ...text.windows import windows
from .. import metrics
from ..base import Task, count_rows
from ..samples import Samples
from .head import PretrainingHead
from .masking import Words, draw_seconds, hide, most_hidden, pair_up

if TYPE_CHECKING:
    from ...nn.backbone import Backbone

ROWS_AT_ONCE = 512  # rows whose states are in memory during evaluation


@dataclasses.dataclass
class Unhidden(Encodings):
    """Encodings before masking, with what masking needs from the model."""

    words: Words | None = None
    max_len: int = 0


class MaskedLanguage(Task):
    """The texts are the outcome. Targets [tokens]: the original id of a masked token, else -1. At [CLS] of a pair: 0 if
    its second text follows the first, 1 if it was drawn at random."""

    name = "mlm"
    shape = staticmethod(fields({"pairs": FLAG, "whole_words": FLAG}))
    per_token = True
    whole_vocabulary = True  # the softmax over it gives every word a gradient

    @classmethod
    def from_target(cls, target: dict[str, Any], head_options: dict[str, Any]) -> "MaskedLanguage":
        if head_options["pair"] != "joint":
            raise BertrError(
                "pairs",
                "Next-sentence prediction reads both texts together.",
                'Leave `pair` of bert_head() at "joint".',
            )
        return cls({"pairs": bool(target["pairs"]), "whole_words": head_options["whole_words"]})

    @property
    def pairs(self) -> bool:
        return self.spec["pairs"]

    def encode(self, model: Any, a: list[str], b: list[str] | None, max_len: int) -> Encodings:
        """Splits long texts into several rows, so that all of the text is used. Pairs are not truncated yet, because
        `draw` recombines them."""
        whole = model.encode_whole(a, b)
        if b is None:
            rows = windows(whole, max_len, overlap=0)
        else:
            rows = dataclasses.replace(whole, n_truncated=int((whole.lengths > max_len).sum()))
        return Unhidden(**vars(rows), words=Words(model.tokenizer), max_len=max_len)

    def targets(self, target: dict[str, Any], encodings: Any) -> tuple[np.ndarray, list[str]]:
        """Word counts [vocabulary], which `draw` replaces by targets; special tokens count 0."""
        counts = np.bincount(encodings.ids, minlength=encodings.words.size)
        counts[encodings.words.special] = 0
        return counts, []

    def draw(self, samples: Any, rng: np.random.Generator) -> Samples:
        encodings = samples.encodings
        if self.pairs:
            second, random = draw_seconds(len(samples), rng)
            encodings = pair_up(encodings, second, encodings.max_len)
        masked, targets = hide(encodings, encodings.words, self.spec["whole_words"], rng)
        if self.pairs:
            targets[encodings.row_splits[:-1]] = random
        return Samples(dataclasses.replace(encodings, ids=masked), targets, self, grouped=False)

    def batch(self, targets, encodings, rows, ids, rng):
        """int32 [batch, masked, 2]: positions in a row and their targets, -1 in rows with fewer masked tokens."""
        padded, _, _ = dataclasses.replace(encodings, ids=targets, pad_id=-1).pad(rows)  # [batch, length]
        length = int(bucketed(padded.shape[1]))
        padded = np.pad(padded, [(0, 0), (0, length - padded.shape[1])], constant_values=-1)
        widest = most_hidden(length) + self.pairs  # the same for all batches of this length
        places = np.argsort(padded < 0, axis=1, kind="stable")[:, :widest]
        return np.stack([places, np.take_along_axis(padded, places, axis=1)], axis=2).astype(np.int32), ids

    def head(self, config: Any, head_options: dict[str, Any], dropout: float, seed: int) -> PretrainingHead:
        if self.pairs and not config.predicts_pairs:
            raise BertrError(
                "no_nsp",
                f"This model is {config.title}, which has no next-sentence head, but the formula names two texts.",
                "Train it on single texts: bert_fit(model, ~ text, data).",
            )
        return PretrainingHead(config, self.pairs, seed, name="head")

    def attach(self, head: Any, backbone: "Backbone", tensors: Mapping[str, np.ndarray]) -> None:
        head.attach(backbone.embeddings, tensors)

    def start_rows(self, head: Any, targets: np.ndarray, rng: np.random.Generator) -> None:
        """None: initializing a new head needs no features."""
        if not head.pretrained:
            head.start(targets)

    def loss(self, targets: Any, outputs: Any, head: Any) -> Any:
        """The batch mean is BERT's loss: the mean over all masked words plus the mean over all pairs.

        Args:
            targets: int [batch, masked, 2], see `batch`.
            outputs: float [batch, length, hidden].
            head: the PretrainingHead.

        Returns:
            Tensor [batch].
        """
        places, labels = targets[:, :, 0], targets[:, :, 1]
        batch, length = ops.shape(outputs)[:2]
        flat = ops.reshape(outputs, (-1, outputs.shape[-1]))
        rows = length * ops.arange(batch)[:, None]
        states = ops.take(flat, rows + ops.maximum(places, 0), axis=0)  # [batch, masked, hidden]
        of_pairs = 0.0
        if self.pairs:
            of_pairs = _nll(head.follows(states[:, 0]), labels[:, 0])
            states, labels = states[:, 1:], labels[:, 1:]
        nll = _nll(head.words(ops.reshape(states, (-1, states.shape[-1]))), ops.reshape(labels, (-1,)))
        has_target = ops.cast(labels >= 0, nll.dtype)
        of_words = ops.sum(ops.reshape(nll, ops.shape(labels)) * has_target, axis=1)
        count = ops.cast(count_rows(places[:, 0]), nll.dtype)
        return of_words * count / (ops.sum(has_target) + 1e-5) + of_pairs

    def sums(self, samples: Samples, score: Callable[[Encodings], np.ndarray], head: Any) -> dict[Any, float]:
        """Sums over all masked words and pairs: counts (words, pairs), negative log-likelihoods and correct
        predictions."""
        out = dict.fromkeys(("words", "nll", "right", "pairs", "pair_nll", "pair_right"), 0.0)
        for start in range(0, len(samples), ROWS_AT_ONCE):
            part = samples.encodings.take(np.arange(start, min(start + ROWS_AT_ONCE, len(samples))))
            begin = samples.encodings.row_splits[start]
            targets, states = samples.targets[begin : begin + len(part.ids)], score(part)
            if self.pairs:
                first, targets = part.row_splits[:-1], targets.copy()
                _add(out, "pairs", "pair_nll", "pair_right", head.follows(states[first]), targets[first])
                targets[first] = -1
            masked = np.flatnonzero(targets >= 0)
            for at, logits in head.each_words(states[masked]):
                _add(out, "words", "nll", "right", logits, targets[masked[at : at + len(logits)]])
        return out

    def validate(self, samples: Samples, score: Callable[[Encodings], np.ndarray], head: Any) -> dict[str, float]:
        s = self.sums(samples, score, head)
        loss, found = s["nll"] / (s["words"] + 1e-5), _accuracies(s)
        if self.pairs:
            loss += s["pair_nll"] / s["pairs"]
        return {"loss": loss, **{name: metrics.or_zero(value) for name, value in found.items()}}

    def predictions(self, encodings, score, a, b, head, seed):
        """The sums over words and pairs that are drawn with the seed, float64 [1] each: logits over the vocabulary
        would need too much memory."""
        hidden = self.draw(Samples(encodings, None, self, grouped=False), np.random.default_rng(seed))
        return {name: np.array([value]) for name, value in self.sums(hidden, score, head).items()}

    def metric_table(self, truth: dict[str, Any], predictions: dict[str, Any], event: int | None) -> dict[str, Any]:
        """All words and all pairs count equally."""
        s = {name: values.sum() for name, values in predictions.items()}
        found, nll = _accuracies(s), metrics.ratio(s["nll"], s["words"])
        rows = [
            ("accuracy", "multiclass", found["accuracy"]),
            ("mn_log_loss", "multiclass", nll),
            ("perplexity", "standard", np.exp(nll)),
        ]
        return metrics.table([*rows, ("nsp_accuracy", "binary", found["nsp_accuracy"])] if s["pairs"] else rows)

    def tensors(self, head: Any) -> dict[str, np.ndarray]:
        return head.tensors()


def _accuracies(sums):
    """The shares of correct words and, of pairs, next sentences."""
    out = {"accuracy": metrics.ratio(sums["right"], sums["words"])}
    return {**out, "nsp_accuracy": metrics.ratio(sums["pair_right"], sums["pairs"])} if sums["pairs"] else out


def _nll(logits, labels):  # [n, classes], [n] -> [n]; arbitrary for a label of -1
    return ops.sparse_categorical_crossentropy(ops.maximum(labels, 0), logits, from_logits=True)


def _add(sums, count, nll, right, logits, labels):
    sums[count] += len(labels)
    sums[nll] += float(ops.sum(_nll(logits, labels)))
    sums[right] += int(np.sum(ops.convert_to_numpy(ops.argmax(logits, axis=-1)) == labels))
