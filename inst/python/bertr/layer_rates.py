"""Layer-wise rate decay: the lower a layer, the more general what it knows, and the slower it learns.

Sources: Howard & Ruder 2018 (discriminative fine-tuning), Clark et al. 2020 (ELECTRA's form, a power of one factor).
"""


def rate_scales(backbone, variables, decay):
    """What the learning rate of each variable is multiplied by: decay^(layers - i) in block i from 0,
    decay^(layers + 1) in the embeddings, 1 above the encoder."""
    layers, embeddings = len(backbone.blocks), backbone.embeddings
    lowest = [*embeddings.weights, *([embeddings.word_rows.rows] if embeddings.word_rows else [])]
    depth = {id(v): layers + 1 for v in lowest}
    for i, block in enumerate(backbone.blocks):
        depth |= {id(v): layers - i for v in block.weights}
    return [decay ** depth.get(id(v), 0) for v in variables]
