"""What an encoder itself makes of texts: vectors and attention."""

import numpy as np
from keras import ops

from .errors import BertrError
from .similarity import unit


def vectors(model, a, b, options, progress=None):
    """Float32 [rows, width], or [tokens, width] for pool "none", and the encodings. `width` is the hidden size, or
    with layers that are concatenated as many times it."""
    last = model.config.num_layers
    layers = _numbers("layer", options.get("layer"), 0, last, [last])
    encodings = model.encode(*_prompted(model, a, b, options.get("prompt")), options.get("max_len"))
    scorer = model.scorer(model.pool(options.get("pool")), layers, options.get("combine") or "mean")
    values = scorer.encodings(encodings, progress)
    if options.get("pool") is None and options.get("layer") is None:  # the folder's own vectors
        values = _through_steps(model.checkpoint.sentence, values, options.get("normalise"))
    return unit(values) if options.get("normalise") else values, encodings


def _through_steps(sentence, values, normalise):
    """The folder's own vectors from pooled ones, [rows, width]; `normalise` False leaves scaling out."""
    for step in sentence.steps:
        if step != "normalize":
            values = step(values)
        elif normalise is not False:
            values = unit(values)
    return values[:, :sentence.truncate_dim]


def _prompted(model, a, b, name):
    """The texts with the model's prompt before them."""
    if b is not None and name is not None:
        raise BertrError("prompt", "A prompt works with single texts, not with pairs.", "Leave `prompt` out.")
    text = model.checkpoint.sentence.prompt(name) if b is None else ""
    return [text + each for each in a] if text else a, b


def attention(model, a, b, options):
    """Attention probabilities of one text or pair, float64 [layers, heads, from, to], with the names of its axes."""
    layers, heads = (_numbers(what, options.get(what), 1, most, range(1, most + 1))
                     for what, most in (("layer", model.config.num_layers), ("head", model.config.num_heads)))
    encodings = model.encode(a, b, options.get("max_len"))
    values = ops.convert_to_numpy(model.backbone.attention(*encodings.pad([0]), layers))[0]
    return {"values": values[:, [k - 1 for k in heads]].astype(np.float64), "layer": list(layers), "head": list(heads),
            "token": [model.tokenizer.vocab[i] for i in encodings.ids], "n_truncated": encodings.n_truncated}


def _numbers(what, given, first, last, default):
    """The layers or heads asked for, each of which must be there."""
    numbers = default if given is None else given if isinstance(given, list) else [given]
    for k in numbers:
        if k not in range(first, last + 1):
            raise BertrError(what, f"`{what}` is {k}, but this model has {what}s {first} to {last}.")
    return tuple(int(k) for k in numbers)
