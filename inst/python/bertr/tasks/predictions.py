"""Predictions that stay in Python until all texts are predicted, for metrics."""

from typing import Any

import numpy as np


class Predictions:
    """The predictions of texts that came in several parts.

    Each part is a dict of arrays, or lists of str, which are concatenated. `found`, int [items, columns], has the
    number of the text in its first column, counted from 0 in each part, and in the result over all parts."""

    def __init__(self):
        self.parts, self.texts = [], 0

    def add(self, part: dict[str, Any], texts: int) -> None:
        """Adds the predictions of the next `texts` texts."""
        if "found" in part:
            part["found"][:, 0] += self.texts
        self.parts.append(part)
        self.texts += texts

    def joined(self) -> dict[str, Any]:
        """The predictions of all texts, a dict."""
        if len(self.parts) > 1:
            # each column of the parts is freed as soon as it is joined
            self.parts = [{name: _joined([part.pop(name) for part in self.parts]) for name in list(self.parts[0])}]
        return self.parts[0]


def _joined(columns):
    if isinstance(columns[0], list):
        return [value for column in columns for value in column]
    return np.concatenate(columns)
