"""What an epoch came to."""


class History:
    """One row an epoch, as columns; what an interrupted epoch lacks is NaN."""

    def __init__(self):
        self.columns = {}
        self.rows = 0

    def add(self, row):
        for name in {**self.columns, **row}:
            self.columns.setdefault(name, [float("nan")] * self.rows).append(row.get(name, float("nan")))
        self.rows += 1
