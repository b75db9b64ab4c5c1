"""The arguments of a torture script: [TRIALS] [SEED]."""

import random
import sys


def trials_and_seed(trials):
    """(number of trials, seed); the seed is random unless given."""
    values = [int(value) for value in sys.argv[1:]]
    return (values + [trials])[0], values[1] if len(values) > 1 else random.randrange(10**6)
