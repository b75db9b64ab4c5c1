"""A checkpoint's layers as a table, as Keras' `summary()` shows them."""

import math
from typing import Any

from .weight_names import part


def architecture(checkpoint: Any) -> dict[str, list[Any]]:
    """The layers of a Checkpoint from the inputs up.

    Args:
        checkpoint: a Checkpoint.

    Returns:
        A dict of columns: `layer` and `shape` (of its output), lists of str; `parameters`, list of float; `trained`,
        list of bool: whether fine-tuning of the whole model trains it.
    """
    config = checkpoint.config
    parameters = {}
    for name, shape in checkpoint.tensors.shapes.items():
        parameters[part(name)] = parameters.get(part(name), 0) + math.prod(shape)
    states, heads = f"batch, length, {config.hidden_size}", {"mlm", "nsp"}
    shapes = {
        "pooler": f"batch, {config.hidden_size}",
        "mlm": f"batch, length, {config.vocab_size}",
        "nsp": "batch, 2",
    }
    blocks = [f"block_{i}" for i in range(config.num_blocks)]
    rows = [name for name in ("embeddings", *blocks, *shapes) if name in parameters]
    uses = {block: [] for block in blocks}
    for i in range(config.num_layers):
        uses[f"block_{config.block_of(i)}"].append(i + 1)
    idle = heads if checkpoint.pooling == "pooler" else {*heads, "pooler"}
    return {
        "layer": [_title(uses[name]) if name in uses else name for name in rows],
        "shape": [shapes.get(name, states) for name in rows],
        "parameters": [float(parameters[name]) for name in rows],
        "trained": [name not in idle for name in rows],
    }


def _title(layers):
    """As "layer 3", or "layers 1-12" of layers that share their weights."""
    return f"layer {layers[0]}" if len(layers) == 1 else f"layers {layers[0]}-{layers[-1]}"
