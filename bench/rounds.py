"""One job: starts its workers, looks whether all give the same, and lets them take turns."""

import os
import time

import numpy as np

from jobs import REFERENCE, arguments
from workers import PeerError, Worker

PAUSE = 0.5  # seconds between engines: threads of the last one still spin for a while


class Team:
    """The workers of a job. Those that fail are left out, with what they said in `errors`."""

    def __init__(self, engines, name, bertr_python, work):
        log = os.path.join(work, "log")
        os.makedirs(log, exist_ok=True)
        self.workers = {e: Worker(e, bertr_python, work, os.path.join(log, f"{name}-{e}.log")) for e in engines}
        self.errors = {}

    def ask(self, engine, *fields):
        """The answer, or None from one that fails."""
        try:
            return self.workers[engine].ask(*fields)
        except PeerError as e:
            self.errors[engine] = str(e)
            self.workers.pop(engine).quit()
            return None

    def load(self, folder, google_folder):
        """Each one's remark."""
        remarks = {e: self.ask(e, "load", folder, google_folder) for e in list(self.workers)}
        for worker in self.workers.values():
            worker.forget_peak()
        return {e: r[0] for e, r in remarks.items() if r and r[0]}

    def quit(self):
        for worker in self.workers.values():
            worker.quit()


def measure(job, team, file, rounds, folder):
    """Seconds and load averages by round, after a first round that is not counted; what the first round gave."""
    first = {e: turn(job, team, e, file, os.path.join(folder, e + ".npy")) for e in list(team.workers)}
    seconds, loads, order = {}, [], list(team.workers)
    for i in range(rounds):
        loads.append(os.getloadavg()[0])
        for engine in [e for e in (order if i % 2 == 0 else order[::-1]) if e in team.workers]:
            time.sleep(PAUSE)
            for name, value in times(turn(job, team, engine, file, "-"), engine, job).items():
                seconds.setdefault(name, []).append(value)
    return {k: v for k, v in seconds.items() if len(v) == rounds}, loads, first


def turn(job, team, engine, file, out):
    options = (out,) if job.command == "embed" else arguments(job, engine)[0]
    return team.ask(engine, job.command, file, job.max_len, *options)


def times(answer, engine, job):
    """Name of a row of the table -> seconds."""
    if answer is None:
        return {}
    out = {engine: float(answer[0]) * arguments(job, engine)[1]}
    if job.command == "fit" and len(answer) > 2:
        out[engine + ", whole call"] = float(answer[2])
    return out


def vectors(path, rows):
    """Embeddings, [rows, hidden]: a .npy file, or from R bare float32 numbers."""
    with open(path, "rb") as f:
        is_npy = f.read(6) == b"\x93NUMPY"
    return np.load(path) if is_npy else np.fromfile(path, np.float32).reshape(rows, -1)


def differences(folder, engines, rows):
    """Of each engine's embeddings from the reference's: the largest, and the share of texts within 1e-5."""
    if REFERENCE not in engines:
        return {}
    reference = vectors(os.path.join(folder, REFERENCE + ".npy"), rows)
    out = {}
    for engine in engines:
        by_text = np.abs(vectors(os.path.join(folder, engine + ".npy"), rows) - reference).max(axis=1)
        out[engine] = {
            "largest": float(by_text.max()),
            "typical": float(np.median(by_text)),
            "equal": float((by_text <= 1e-5).mean()),
        }
    return out
