"""Predicts whether the second text of a pair follows the first.

Source: Devlin et al. 2019. In ALBERT, whose head learned the order of sentences (Lan et al. 2020), whether the two
texts are in the right order.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from .head import pair_head

if TYPE_CHECKING:
    from ...text.encodings import Encodings


def follow(model: Any, encodings: "Encodings", progress: Callable[[int], Any] | None = None) -> np.ndarray:
    """The probability that the second text follows the first.

    Args:
        model: a Model with a next-sentence head.
        encodings: an Encodings of pairs.
        progress: None, or a function of the number of rows done.

    Returns:
        float64 [pairs].

    Raises:
        BertrError: no_nsp.
    """
    head = pair_head(model)
    first = model.scorer("cls", (model.config.num_layers,)).encodings(encodings, progress)  # [pairs, hidden]
    logits = ops.convert_to_numpy(head.follows(first)).astype(np.float64)  # [pairs, 2]: is next, is random
    return 1.0 / (1.0 + np.exp(logits[:, 1] - logits[:, 0]))
