"""Sentences that a call leaves for the user beside its value; R shows them as warnings."""

_left = []


def leave(sentence):
    _left.append(sentence)


def take():
    """The sentences left since the last time, each once."""
    out = list(dict.fromkeys(_left))
    _left.clear()
    return out
