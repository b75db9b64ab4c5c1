"""IOB2 codes, one per word: 0 is outside, 1 + 2k begins an entity of label k, 2 + 2k continues one."""

import numpy as np


def label_ids_of(begins: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Codes of words inside entities.

    Args:
        begins: bool [words], whether a word is the first of its entity.
        label: int [words], the entity's label, from 0.

    Returns:
        int [words].
    """
    return np.where(begins, 1, 2) + 2 * np.asarray(label)


def allowed_pairs(labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Which codes may follow which: a code that continues an entity must follow a code of the same label.

    Args:
        labels: number of labels.

    Returns:
        (which code may follow which, bool [from, to]; which may come first, bool [codes]).
    """
    code = np.arange(1 + 2 * labels)
    goes_on = (code > 0) & (code % 2 == 0)
    same = (code[:, None] + 1) // 2 == code // 2
    return ~goes_on | same, ~goes_on


def spans(label_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The entities in valid codes of words.

    Args:
        label_ids: int [words].

    Returns:
        (first word, last word, label from 0) of each entity, int [entities] each.
    """
    goes_on = (label_ids > 0) & (label_ids % 2 == 0)
    first = np.flatnonzero(label_ids % 2 == 1)
    stops = np.append(np.flatnonzero(~goes_on), len(label_ids))  # an entity ends before the next stop
    return first, stops[np.searchsorted(stops, first, side="right")] - 1, label_ids[first] // 2


def tags_of(levels: list[str]) -> list[str]:
    """The usual names of the codes, as "O", "B-PER", "I-PER"."""
    return ["O", *(f"{prefix}-{label}" for label in levels for prefix in "BI")]
