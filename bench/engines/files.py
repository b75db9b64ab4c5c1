"""What every Python worker needs: reading texts, padding ids, how much memory and how many cores there are."""

import os
import resource

import numpy as np

THREADS = len(os.sched_getaffinity(0))


def read_texts(path):
    """One text a line."""
    with open(path, encoding="utf-8", newline="\n") as f:
        return f.read().removesuffix("\n").split("\n")


def read_rows(path):
    """Texts, and their classes as numbers from 0 in the order of the sorted labels."""
    labels, texts = zip(*(line.split("\t", 1) for line in read_texts(path)), strict=True)
    levels = {label: i for i, label in enumerate(sorted(set(labels)))}
    return list(texts), np.array([levels[label] for label in labels], np.int64)


def pad(rows):
    """Ids and mask, int64 [len(rows), longest], of lists of ids."""
    lengths = np.array([len(r) for r in rows])
    filled = np.arange(lengths.max()) < lengths[:, None]
    ids = np.zeros(filled.shape, np.int64)
    ids[filled] = np.concatenate([np.asarray(r, np.int64) for r in rows])
    return ids, filled.astype(np.int64)


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
