"""Heads that score labels of tokens, independently or in a chain."""

from typing import Any

import numpy as np
from keras import ops

from ...kernels.dropout import dropout
from ...nn.heads import DenseHead

TRANSITION_RATE = 50.0  # scales up the encoder's learning rate, too small for scores that start at zero


class TokenHead(DenseHead):
    """Dropout, then a linear output or dense layers: [..., hidden] -> [..., labels]."""

    transitions = None  # transition scores [from, to]; None: labels are independent

    def call(self, x: Any, training: bool = False) -> Any:
        return super().call(dropout(x, self.rate, self.generator, training), training=training)


class CrfHead(TokenHead):
    """A TokenHead with learned transition scores: a linear-chain conditional random field."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        super().build(shape)
        labels = self.stack[-1].units
        # named as a bias, so that it is not decayed towards independence
        self.pairs = self.add_weight(shape=(labels, labels), initializer="zeros", name="transition_bias")

    @property
    def transitions(self) -> Any:
        return TRANSITION_RATE * self.pairs

    def start_from(self, other: Any, index: list[int], scale: Any, shift: Any) -> None:
        super().start_from(other, index, scale, shift)
        self.pairs.assign(ops.convert_to_numpy(other.pairs)[np.ix_(index, index)])
