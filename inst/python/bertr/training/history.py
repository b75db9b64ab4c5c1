"""The history of a run: losses and metrics of its epochs."""

from typing import Any


class History:
    """Columns with one entry per epoch; values that an interrupted epoch lacks are NaN."""

    def __init__(self):
        self.columns = {}
        self.rows = 0

    def add(self, row: dict[str, Any]) -> None:
        """Adds an epoch; `row` is {column: number}."""
        for name in {**self.columns, **row}:
            self.columns.setdefault(name, [float("nan")] * self.rows).append(row.get(name, float("nan")))
        self.rows += 1
