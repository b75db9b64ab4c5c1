"""Zero-shot classification by natural language inference (Yin, Hay and Roth 2019): a label fits a text if a sentence
with the label follows from the text.

The probabilities are those of Hugging Face transformers, `pipelines/zero_shot_classification.py`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .tasks.inputs import encode


def zero_shot(
    fit: Any,
    texts: list[str],
    hypotheses: list[str],
    entails: int,
    against: Sequence[int],
    several: bool,
    max_len: int,
    tell: Callable[..., Any],
) -> tuple[np.ndarray, Any]:
    """How well each hypothesis follows from each text.

    Args:
        fit: a Fit of pairs whose task is classification.
        texts: the premises.
        hypotheses: one sentence per label.
        entails: the class of "follows".
        against: the classes that count against it if `several`.
        several: whether each label has a probability of its own.
        max_len: tokens of a pair.
        tell: called with the number of rows done.

    Returns:
        (probabilities, float64 [texts, hypotheses]; the Encodings of all pairs).
    """
    a = [text for text in texts for _ in hypotheses]
    encodings = encode(fit.base, fit.task, fit.head_options, a, hypotheses * len(texts), max_len)
    logits = fit.task.logits(fit.scorer.encodings(encodings, tell))  # [texts * hypotheses, classes]
    follows = logits[:, entails]
    if several:
        opposed = logits[:, list(against)]
        total = np.logaddexp.reduce(np.concatenate([follows[:, None], opposed], axis=1), axis=1)
        return np.exp(follows - total).reshape(-1, len(hypotheses)), encodings
    follows = follows.reshape(-1, len(hypotheses))
    return np.exp(follows - np.logaddexp.reduce(follows, axis=1, keepdims=True)), encodings
