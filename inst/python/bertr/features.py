"""Outputs of an encoder without a head: vectors and attention."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from .errors import BertrError
from .nn.unit import unit_rows


def vectors(
    model: Any, a: list[str], b: list[str] | None, options: dict[str, Any], progress: Callable[[int], Any] | None = None
) -> tuple[np.ndarray, Any]:
    """Vectors of texts or pairs.

    Args:
        model: a Model.
        a, b: lists of str; b None: single texts.
        options: dict of pool, layer, combine, prompt, max_len and normalise; None or absent: the default.
        progress: None, or a function of the number of rows done.

    Returns:
        (float32 [rows, width], or [tokens, width] for pool "none"; the Encodings). `width` is the hidden size, times
        the number of layers if they are concatenated and of poolings if there are several.

    Raises:
        BertrError: layer, prompt, no_pooler, max_len, pairs.
    """
    scorer = scorer_of(model, options)
    encodings = model.encode(*_prompted(model, a, b, options.get("prompt")), options.get("max_len"))
    values = scorer.encodings(encodings, progress)
    if options.get("pool") is None and options.get("layer") is None:  # the folder's own vectors
        values = _through_steps(model.checkpoint.sentence, values, options.get("normalise"))
    return unit_rows(values) if options.get("normalise") else values, encodings


def scorer_of(model: Any, options: dict[str, Any]) -> Any:
    """The Scorer that `vectors` uses with these options."""
    last = model.config.num_layers
    layers = _numbers("layer", options.get("layer"), 0, last, [last])
    return model.scorer(model.pool(options.get("pool")), layers, options.get("combine") or "mean")


def _through_steps(sentence, values, normalise):
    """Applies the modules after pooling to [rows, width]; `normalise` False skips scaling to length 1."""
    for step in sentence.steps:
        if step != "normalize":
            values = step(values)
        elif normalise is not False:
            values = unit_rows(values)
    return values[:, : sentence.truncate_dim]


def _prompted(model, a, b, name):
    """(a, b), with the model's prompt in front of single texts."""
    if b is not None and name is not None:
        raise BertrError("prompt", "A prompt works with single texts, not with pairs.", "Leave `prompt` out.")
    text = model.checkpoint.sentence.prompt(name) if b is None else ""
    return [text + each for each in a] if text else a, b


def attention(model: Any, a: list[str], b: list[str] | None, options: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Attention probabilities of one text or pair.

    Args:
        model: a Model.
        a, b: lists of one str; b None: a single text.
        options: dict of layer, head (numbers from 1) and max_len; None or absent: all, and the model's own.

    Returns:
        ({values, float64 [layers, heads, from, to]; layer and head, lists of int; token, list of str}, the Encodings).

    Raises:
        BertrError: layer, head, max_len, pairs.
    """
    layers, heads = (
        _numbers(what, options.get(what), 1, most, range(1, most + 1))
        for what, most in (("layer", model.config.num_layers), ("head", model.config.num_heads))
    )
    encodings = model.encode(a, b, options.get("max_len"))
    values = ops.convert_to_numpy(model.backbone.attention(*encodings.pad([0]), layers))[0]
    return {
        "values": values[:, [k - 1 for k in heads]].astype(np.float64),
        "layer": list(layers),
        "head": list(heads),
        "token": [model.tokenizer.vocab[i] for i in encodings.ids],
    }, encodings


def _numbers(what, given, first, last, default):
    """The given layers or heads, checked, as a tuple of int."""
    numbers = default if given is None else given if isinstance(given, list) else [given]
    for k in numbers:
        if k not in range(first, last + 1):
            raise BertrError(what, f"`{what}` is {k}, but this model has {what}s {first} to {last}.")
    return tuple(int(k) for k in numbers)
