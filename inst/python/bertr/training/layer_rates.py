"""Layer-wise learning-rate decay: lower layers are more general and get smaller rates.

Sources: Howard & Ruder 2018 (discriminative fine-tuning), Clark et al. 2020 (ELECTRA's form, a power of one factor).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..nn.backbone import Backbone


def rate_scales(backbone: "Backbone", variables: list[Any], decay: float) -> list[float]:
    """The learning-rate factor of each variable: decay^(layers - i) for layer i (from 0), decay^(layers + 1) for the
    embeddings, 1 above the encoder. Shared weights get the factor of the uppermost layer that uses them.

    Args:
        backbone: a Backbone.
        variables: the trained Keras variables.
        decay: the factor from one layer to the next lower one.

    Returns:
        A list of float, one for each variable.
    """
    config, embeddings = backbone.config, backbone.embeddings
    lowest = [*embeddings.weights, *([embeddings.word_rows.rows] if embeddings.word_rows else [])]
    power = {id(v): config.num_layers + 1 for v in lowest}
    for i in range(config.num_layers):
        power |= {id(v): config.num_layers - i for v in backbone.blocks[config.block_of(i)].weights}
    return [decay ** power.get(id(v), 0) for v in variables]
