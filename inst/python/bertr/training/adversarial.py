"""The fast gradient method (Miyato, Dai & Goodfellow 2017): a second pass with the word vectors moved against the
network, so that what it learns holds in a neighbourhood of them.

As there, the loss is that of both passes, so their gradients are added; bert4keras' `adversarial_training` takes those
of the second pass alone. The move is over the whole table's gradient of the batch at hand, as in bert4keras.
"""

import contextlib

from keras import ops


class FastGradientMethod:
    """Moves the word vectors of `embeddings` by `epsilon` along their gradient, delta = epsilon g / (|g| + 1e-8)."""

    def __init__(self, embeddings, place, epsilon):
        """`place`: where among the gradients that of the word vectors is."""
        self.embeddings, self.place, self.epsilon = embeddings, place, epsilon

    @contextlib.contextmanager
    def attack(self, gradients):
        """Whatever is computed within sees the moved vectors."""
        g = gradients[self.place]
        delta = self.epsilon * g / (ops.sqrt(ops.sum(ops.square(g))) + 1e-8)
        self.embeddings.shift = ops.stop_gradient(delta)
        try:
            yield
        finally:
            self.embeddings.shift = None
