"""The fast gradient method (Miyato, Dai & Goodfellow 2017): a second pass with adversarially perturbed word vectors,
which makes the network robust in their neighbourhood.

As in the paper, the loss is the sum of both passes, so their gradients are added; bert4keras' `adversarial_training`
uses only the second pass. The perturbation is normalized over the gradient of the whole word table, as in bert4keras.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from keras import ops


class FastGradientMethod:
    """Moves the word vectors of `embeddings` by `epsilon` along their gradient, delta = epsilon g / (|g| + 1e-8)."""

    def __init__(self, embeddings: Any, place: int, epsilon: float):
        """`place`: index of the word vectors' gradient among the gradients."""
        self.embeddings, self.place, self.epsilon = embeddings, place, epsilon

    @contextlib.contextmanager
    def attack(self, gradients: list[Any]) -> Iterator[None]:
        """Context in which the network sees the perturbed vectors."""
        g = gradients[self.place]
        delta = self.epsilon * g / (ops.sqrt(ops.sum(ops.square(g))) + 1e-8)
        self.embeddings.shift = ops.stop_gradient(delta)
        try:
            yield
        finally:
            self.embeddings.shift = None
