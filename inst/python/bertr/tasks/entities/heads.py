"""Heads that score labels of tokens: each by itself, or in a chain."""

from ...kernels.dropout import dropout
from ...nn.heads import DenseHead

TRANSITION_RATE = 50.0  # the rate of an encoder is too small for numbers that start at zero and count by themselves


class TokenHead(DenseHead):
    """Dropout, then a linear output or dense layers: [..., hidden] -> [..., labels]."""

    transitions = None  # what a label scores after another, [from, to]; None: labels do not depend on each other

    def call(self, x, training=False):
        return super().call(dropout(x, self.rate, self.generator, training), training=training)


class CrfHead(TokenHead):
    """The same with learned scores for pairs of neighbouring labels: a linear-chain conditional random field."""

    def build(self, shape):
        super().build(shape)
        labels = self.stack[-1].units
        # a bias by its name: weight decay would pull towards no dependence
        self.pairs = self.add_weight(shape=(labels, labels), initializer="zeros", name="transition_bias")

    @property
    def transitions(self):
        return TRANSITION_RATE * self.pairs
