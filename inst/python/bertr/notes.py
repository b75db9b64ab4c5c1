"""Notes for the user from a call, next to its value; R shows them as warnings."""

_left = []


def leave(sentence: str) -> None:
    _left.append(sentence)


def take() -> list[str]:
    """The notes since the last call, without duplicates."""
    out = list(dict.fromkeys(_left))
    _left.clear()
    return out
