"""kill -9 at random moments: a fit started again is the fit that was not killed, a saved folder is always whole, and
files scored again are those of an unbroken run.

    python tests/torture/kills.py [TRIALS] [SEED]

TRIALS fits with a checkpoint folder, each killed and started again until it is over, as many killed saves over a
folder that another process loads all the time, and as many killed scorings of tables. Each runs in a fork, which need
not import TensorFlow again.
"""

import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "inst" / "python"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
from arguments import trials_and_seed  # noqa: E402

from bertr import bridge  # noqa: E402

TINY = str(ROOT / "tests" / "fixtures" / "google_tiny")
WORDS = "all work and no play makes jack a dull boy".split()
MOST_KILLS = 3  # of one fit

CLASSES, ENTITIES = ("classification", {"levels": ["play", "work"]}), ("entities", {"levels": ["WHO", "HOW"]})
KINDS = {  # task and options
    "all": (CLASSES, {}),
    "top": (CLASSES, {"train": "top:1", "early_stopping": 2, "validated": True}),
    "head": (CLASSES, {"train": "head", "head": {"units": [8], "dropout": 0.3}, "epochs": 400, "validated": True}),
    "ema": (CLASSES, {"ema": 0.9, "accumulate": 2, "batch_size": 8}),
    "adversarial": (CLASSES, {"adversarial": 0.3, "layer_decay": 0.8}),
    "words": (("mlm", {"pairs": False}), {}),
    "entities": (ENTITIES, {"head": {"crf": True}}),
}


def data(task):
    """Texts, and the task's target."""
    rng = random.Random(5)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(3, 10))) for _ in range(60)]
    if task == "classification":
        return texts, {"label_ids": np.array([rng.randrange(2) for _ in texts], np.int32)}
    if task == "mlm":
        return texts, {}
    spans = [
        (row, text.index(word), text.index(word) + len(word), code)
        for row, text in enumerate(texts)
        for code, word in enumerate(("jack", "dull"))
        if word in text
    ]
    return texts, dict(zip(("row", "start", "end", "code"), map(list, zip(*spans, strict=True)), strict=True))


def fit(kind, folder):
    """The checksum of all that was learnt."""
    (task, fixed), options = KINDS[kind]
    options = {"head": {}, "seed": 3, "learning_rate": 1e-3, "epochs": 40, "checkpoint": folder, **options}
    texts, target = data(task)
    target |= fixed
    seen = {"a": texts, "b": None, "target": target} if options.pop("validated", False) else None
    fitted = bridge.fit(bridge.load(TINY, {}), task, texts, None, target, seen, options, None)
    history = {name: values for name, values in fitted.history.items() if name != "seconds"}
    out = hashlib.sha256(json.dumps(history).encode())
    for weights in fitted.network.weights:
        out.update(np.array(weights.value).tobytes())
    return out.hexdigest()


# ---------------------------------------------------------------- processes


class Child:
    """A function of a file object in a fork, which it may write lines to."""

    def __init__(self, function, *args):
        self.out, end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(self.out)
                with os.fdopen(end, "w", buffering=1) as said:
                    function(said, *args)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(end)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def end(self):
        """(what it said, how it ended)."""
        with os.fdopen(self.out) as said:
            text = said.read()
        return text.split(), os.waitpid(self.pid, 0)[1]


# ---------------------------------------------------------------- fits


def say_fit(said, kind, folder):
    said.write(fit(kind, folder) + "\n")


def kill_fits(trials, rng, above):
    whole, failed, kills, kinds = {}, 0, 0, rng.sample(list(KINDS), len(KINDS))
    for trial in range(trials):
        kind = kinds[trial % len(kinds)]
        if kind not in whole:
            began = time.monotonic()
            (bits, *_), _ = Child(say_fit, kind, None).end()
            whole[kind] = bits, time.monotonic() - began
        bits, seconds = whole[kind]
        folder, moments = os.path.join(above, f"run-{trial}"), []
        for _ in range(MOST_KILLS):
            child = Child(say_fit, kind, folder)
            moments.append(round(rng.uniform(0, seconds), 3))
            time.sleep(moments[-1])
            child.kill()
            if child.end()[0]:
                break  # it was over before
        said, status = Child(say_fit, kind, folder).end()
        kills += len(moments)
        if status != 0 or said != [bits] or "lock" in os.listdir(folder):
            failed += 1
            print(f"failed: {kind}, killed after {moments} s: status {status}, {said} instead of {bits}", flush=True)
        shutil.rmtree(folder)
    print(f"{trials} fits, killed {kills} times", flush=True)
    return failed


# ---------------------------------------------------------------- saves


def who(thing):
    return f"{bridge.fingerprint(thing)}/{thing.facts['seed']}"


def two_fits(said, above):
    """Into the folders "0" and "1"."""
    texts, target = data("classification")
    for seed in (0, 1):
        options = {"head": {"units": [8 + seed]}, "seed": seed, "epochs": 1, "train": "top:1"}
        fitted = bridge.fit(
            bridge.load(TINY, {}), "classification", texts, None, {**target, **CLASSES[1]}, None, options, None
        )
        bridge.save(fitted, os.path.join(above, str(seed)), json.dumps({"task": "classification"}))
        said.write(who(bridge.load(os.path.join(above, str(seed)))) + "\n")


def save(said, above, folder):
    two = [bridge.load(os.path.join(above, str(seed))) for seed in (0, 1)]
    said.write("ready\n")
    turn = random.randrange(2)
    while True:
        bridge.save(two[turn], folder, two[turn].spec)
        turn = 1 - turn


def read(said, folder, until, known):
    """A line a load: who it was, or what went wrong."""
    while not os.path.exists(until):
        try:
            came = who(bridge.load(folder))
            said.write(("right" if came in known else f"mixture:{came}") + "\n")
        except BaseException as e:
            said.write(f"{type(e).__name__}:{e}".replace(" ", "_").replace("\n", "_") + "\n")


def kill_saves(trials, rng, above):
    folder, until = os.path.join(above, "saved"), os.path.join(above, "done")
    known, _ = Child(two_fits, above).end()
    shutil.copytree(os.path.join(above, "0"), folder)
    reader, failed = Child(read, folder, until, known), 0
    for _ in range(trials):
        saver = Child(save, above, folder)
        os.read(saver.out, 6)  # ready
        time.sleep(rng.uniform(0, 0.3))
        saver.kill()
        saver.end()
    pathlib.Path(until).touch()
    said, _ = reader.end()
    wrong = [line for line in said if line != "right"]
    for line in wrong[:5]:
        print("failed:", line, flush=True)
    failed = len(wrong)
    if not said:
        failed += 1
        print("failed: nothing was read", flush=True)
    Child(lambda said: bridge.save(bridge.load(folder), folder, "{}")).end()
    left = [name for name in os.listdir(above) if "saving" in name]
    if left:
        failed += 1
        print("failed: left over", left, flush=True)
    print(f"{trials} killed saves, {len(said)} loads meanwhile", flush=True)
    return failed


# ---------------------------------------------------------------- scores


def tables(folder):
    """Three tables, one of them without rows."""
    rng = random.Random(6)
    os.mkdir(folder)
    for name, rows in (("a.csv", 600), ("b.csv", 0), ("c.csv", 300)):
        texts = [" ".join(rng.choices(WORDS, k=rng.randint(1, 10))) for _ in range(rows)]
        with open(os.path.join(folder, name), "w") as f:
            f.writelines(["text\n", *("NA\n" if len(text) % 7 == 0 else text + "\n" for text in texts)])


def score(said, above, target):
    plan = {"what": "predict", "text": ["text"], "keep": None, "rows": 20, "options": {"max_len": 16}}
    plan["columns"] = [{"name": f".pred_{level}", "kind": "double"} for level in CLASSES[1]["levels"]]
    fitted, began = bridge.load(os.path.join(above, "0"), {}), time.monotonic()
    said.write("ready\n")
    bridge.score(fitted, os.path.join(above, "tables"), target, plan, None, None)
    said.write(f"{time.monotonic() - began}\n")


def scored(folder):
    """{name: bytes} of the output; the hidden folder of the run is left out."""
    names = [name for name in os.listdir(folder) if name != ".bertr-score"] if os.path.isdir(folder) else []
    return {name: pathlib.Path(folder, name).read_bytes() for name in names}


def kill_scores(trials, rng, above):
    tables(os.path.join(above, "tables"))
    (_, seconds), _ = Child(score, above, os.path.join(above, "whole")).end()
    whole, failed, kills, unfinished = scored(os.path.join(above, "whole")), 0, 0, 0
    for trial in range(trials):
        target, moments, partly = os.path.join(above, f"scored-{trial}"), [], True
        for _ in range(rng.randint(1, MOST_KILLS)):
            child = Child(score, above, target)
            os.read(child.out, 6)  # ready
            moments.append(round(rng.uniform(0, float(seconds)), 3))
            time.sleep(moments[-1])
            child.kill()
            child.end()
            partly = partly and scored(target).items() <= whole.items()
        unfinished += len(scored(target)) < len(whole)
        said, status = Child(score, above, target).end()
        kills += len(moments)
        if status != 0 or not partly or scored(target) != whole or os.listdir(target + "/.bertr-score") == []:
            failed += 1
            print(f"failed: scoring, killed after {moments} s: status {status}, {said}, {partly}", flush=True)
        shutil.rmtree(target)
    print(f"{trials} scorings, killed {kills} times, {unfinished} of them unfinished", flush=True)
    return failed


def main(trials, seed):
    print(f"{trials} fits, {trials} saves and {trials} scorings to kill, seed {seed}", flush=True)
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as above:
        failed = kill_fits(trials, rng, above) + kill_saves(trials, rng, above) + kill_scores(trials, rng, above)
    print(f"{max(0, 3 * trials - failed)} passed, {failed} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(*trials_and_seed(70)))
