"""IOB2 codes, one per word: 0 is outside, 1 + 2k begins an entity of label k, 2 + 2k continues one."""

import numpy as np


def label_ids_of(begins: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Codes of words inside entities; `begins`: whether each word is the first of its entity."""
    return np.where(begins, 1, 2) + 2 * np.asarray(label)


def allowed_pairs(labels: int) -> tuple[np.ndarray, np.ndarray]:
    """(which label id may follow which, bool [from, to]; which may come first, bool [ids]). A code that continues an
    entity must follow a code of the same label."""
    code = np.arange(1 + 2 * labels)
    goes_on = (code > 0) & (code % 2 == 0)
    same = (code[:, None] + 1) // 2 == code // 2
    return ~goes_on | same, ~goes_on


def spans(label_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(first, last, label) of the entities in valid label_ids of words."""
    goes_on = (label_ids > 0) & (label_ids % 2 == 0)
    first = np.flatnonzero(label_ids % 2 == 1)
    stops = np.append(np.flatnonzero(~goes_on), len(label_ids))  # an entity ends before the next stop
    return first, stops[np.searchsorted(stops, first, side="right")] - 1, label_ids[first] // 2
