"""Two fits at the same time in one checkpoint folder: each gives what it gives alone, or says that it cannot.

    python tests/torture/shared_folder.py [TRIALS] [SEED]

Every trial starts two at random moments, of the same run or of two, and in some the first is killed.
"""

import os
import random
import sys
import tempfile
import time

from arguments import trials_and_seed
from kills import KINDS, Child, fit

from bertr.errors import BertrError

TOLD = ("Another fit is using", "holds another run")


def say_fit(said, kind, folder):
    try:
        said.write(fit(kind, folder) + "\n")
    except BertrError as e:
        said.write(f"told: {e}\n" if any(text in str(e) for text in TOLD) else f"odd: {e}\n")


def together(rng, kinds, folder, seconds):
    """The outcomes of two fits that overlap, and how often they were killed."""
    first = Child(say_fit, kinds[0], folder)
    time.sleep(rng.uniform(0, seconds))
    second = Child(say_fit, kinds[1], folder)
    killed = rng.random() < 0.3
    if killed:
        time.sleep(rng.uniform(0, seconds))
        first.kill()
    return [" ".join(child.end()[0]) for child in (first, second)], killed


def main(trials, seed):
    print(f"{trials} pairs of fits in one folder, seed {seed}", flush=True)
    rng, failed, refused, kills = random.Random(seed), 0, 0, 0
    alone, seconds = {}, {}
    with tempfile.TemporaryDirectory() as above:
        for trial in range(trials):
            kinds = rng.choices(list(KINDS), k=2) if rng.random() < 0.5 else [rng.choice(list(KINDS))] * 2
            for kind in set(kinds) - set(alone):
                began = time.monotonic()
                alone[kind] = Child(say_fit, kind, None).end()[0][0]
                seconds[kind] = time.monotonic() - began
            folder = os.path.join(above, str(trial))
            said, killed = together(rng, kinds, folder, seconds[kinds[0]])
            kills += killed
            refused += sum(text.startswith("told") for text in said)
            wrong = [
                text
                for text, kind in zip(said, kinds, strict=True)
                if text != alone[kind] and not text.startswith("told") and not (killed and not text)
            ]
            # whoever is left goes on
            last = [" ".join(Child(say_fit, kind, folder).end()[0]) for kind in kinds]
            right = [text == alone[kind] for text, kind in zip(last, kinds, strict=True)]
            if not any(right) or (len(set(kinds)) == 1 and not all(right)):
                wrong.append(f"afterwards: {last}")
            if wrong:
                failed += 1
                print("failed:", kinds, "killed" if killed else "", *wrong, flush=True)
    print(f"{refused} were told, {kills} killed")
    print(f"{trials - failed} passed, {failed} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(*trials_and_seed(50)))
