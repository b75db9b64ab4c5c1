"""bertr against its peers: makes their environments, the texts and the models, lets all engines take turns, and
writes bench/results.md and bench/results.json.

    python bench/run.py --data DATA [--rounds 5] [--only embed,fit] [--few] [--bertr-python .venv/bin/python]

DATA holds a folder a data set (see texts.py). Needs numpy, Rscript with bertr installed, and the network once.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import environments
import first
import losses
import machine
import report
import rounds
import texts
from environments import HERE, python_of
from jobs import JOBS
from workers import ENVIRONMENT_OF, environment

WORK = os.path.join(HERE, ".work")
MODELS, TEXTS, RUN = (os.path.join(WORK, name) for name in ("models", "texts", "run"))
EXTRA = ("losses", "first")  # jobs of another kind


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--data", required=True, help="the folder of data sets")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="some of: " + ", ".join([*EXTRA, *JOBS]))
    parser.add_argument("--few", action="store_true", help="a few texts only, to see that all runs")
    parser.add_argument("--bertr-python", default=os.path.join(os.path.dirname(HERE), ".venv", "bin", "python"))
    options = parser.parse_args()
    options.only = options.only.split(",") if options.only else [*EXTRA, *JOBS]
    if unknown := set(options.only) - {*EXTRA, *JOBS}:
        parser.error("no job " + ", ".join(sorted(unknown)))
    options.bertr_python = os.path.abspath(options.bertr_python)  # abspath: a link into an environment must stay one
    return options


def make_environments():
    """Why some could not be made."""
    missing = {}
    for name in environments.NAMES:
        try:
            environments.make(name)
        except subprocess.CalledProcessError as e:
            missing[name] = str(e)
    return missing


def make_models(bertr_python):
    steps = (
        ("minilm", bertr_python, "minilm"),
        ("base", python_of("torch"), "base"),
        ("google", bertr_python, "google/base"),
    )
    for step, python, made in steps:
        if not os.path.isdir(os.path.join(MODELS, made)):
            print(f"Making the models: {step}", flush=True)
            subprocess.run([python, os.path.join(HERE, "models.py"), step, MODELS], check=True)


def part_of(job, name):
    """A file of the first lines, as many as the job wants."""
    with open(os.path.join(TEXTS, job.file), encoding="utf-8", newline="\n") as f:
        lines = f.read().removesuffix("\n").split("\n")[: job.texts]
    path = os.path.join(RUN, name + os.path.splitext(job.file)[1])
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        f.writelines(line + "\n" for line in lines)
    return path


def token_lengths(file, max_len):
    command = [
        python_of("torch"),
        os.path.join(HERE, "token_lengths.py"),
        os.path.join(MODELS, "minilm", "tokenizer.json"),
        str(max_len),
        file,
    ]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def model_folders(name):
    return os.path.join(MODELS, name), os.path.join(MODELS, "google", name)


def config_of(name):
    with open(os.path.join(MODELS, name, "config.json"), encoding="utf-8") as f:
        return json.load(f)


def flop(job, lengths):
    """Of one pass over the texts: products and sums of real tokens."""
    config = config_of(job.model)
    h, tokens = config["hidden_size"], sum(lengths)
    return job.work * config["num_hidden_layers"] * (24 * h * h * tokens + 4 * h * sum(n * n for n in lengths))


def timed(name, job, options, missing):
    file, folder = part_of(job, name), os.path.join(RUN, name)
    os.makedirs(folder, exist_ok=True)
    lengths = token_lengths(file, job.max_len)
    engines = [e for e in job.engines if ENVIRONMENT_OF.get(e) not in missing]
    team = rounds.Team(engines, name, options.bertr_python, WORK)
    remarks = team.load(*model_folders(job.model))
    seconds, loads, began = rounds.measure(job, team, file, options.rounds, folder)
    out = {
        "seconds": seconds,
        "loads": loads,
        "rounds": options.rounds,
        "texts": len(lengths),
        "tokens": sum(lengths),
        "lengths": {"median": statistics.median(lengths), "highest": max(lengths)},
        "flop": flop(job, lengths),
        "peak_mb": {e: w.peak_mb() for e, w in team.workers.items()},
        "remarks": remarks,
        "errors": team.errors,
    }
    if job.command == "embed":
        out["differences"] = rounds.differences(folder, team.workers, len(lengths))
    if job.command.startswith("tokenise"):
        out["counted"] = {e: int(answer[1]) for e, answer in began.items() if answer}
    team.quit()
    return out


def compared_losses(options, missing):
    job = JOBS["fit"]
    file = part_of(job.few() if options.few else job, "losses")
    with open(file, encoding="utf-8", newline="\n") as f:
        classes = len({line.partition("\t")[0] for line in f})
    engines = [e for e in losses.ENGINES if ENVIRONMENT_OF.get(e) not in missing]
    return losses.compare(
        file,
        RUN,
        classes,
        config_of("minilm")["hidden_size"],
        model_folders("minilm"),
        (engines, "losses", options.bertr_python, WORK),
    )


def first_prediction(options):
    file = part_of(JOBS["frozen"], "first")
    seconds, loads = first.measure(file, model_folders("minilm")[0], RUN, options.rounds, options.bertr_python, WORK)
    return {"seconds": seconds, "loads": loads, "rounds": options.rounds}


def run(name, options, missing):
    if name == "losses":
        return compared_losses(options, missing)
    if name == "first":
        return first_prediction(options)
    return timed(name, JOBS[name].few() if options.few else JOBS[name], options, missing)


def gemm(bertr_python, earlier):
    """GFLOP/s of a matrix product in each library, or `earlier` ones that were higher: one limit for all runs.
    Libraries differ: not all of them use all that a CPU has."""
    pythons = {"torch": python_of("torch"), "numpy": python_of("torch"), "tensorflow": bertr_python}
    env = environment(bertr_python, WORK)
    now = {
        library: float(
            subprocess.run(
                [python, os.path.join(HERE, "gemm.py"), library], check=True, env=env, stdout=subprocess.PIPE, text=True
            ).stdout
        )
        for library, python in pythons.items()
    }
    return {library: max(speed, earlier.get(library, 0.0)) for library, speed in now.items()}


def all_versions(options, missing):
    pythons = {"bertr": options.bertr_python, **{n: python_of(n) for n in environments.NAMES if n not in missing}}
    return {name: environments.versions(python) for name, python in pythons.items()}


def before(few):
    """The results there are of this kind, with few texts or with all, and of this machine."""
    path = os.path.join(HERE, "results.json")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as f:
        results = json.load(f)
    return results if results["few"] == few and results["machine"]["cpu"] == machine.facts()["cpu"] else {}


def write(results):
    with open(os.path.join(HERE, "results.json"), "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
    with open(os.path.join(HERE, "results.md"), "w", encoding="utf-8") as f:
        f.write(report.text(results))


def main():
    options = arguments()
    for folder in (MODELS, RUN):
        os.makedirs(folder, exist_ok=True)
    missing = make_environments()
    text_facts = texts.make(options.data, TEXTS)
    make_models(options.bertr_python)
    earlier = before(options.few)
    results = {
        "few": options.few,
        "machine": machine.facts(),
        "versions": all_versions(options, missing),
        "missing": missing,
        "gemm": gemm(options.bertr_python, earlier.get("gemm", {})),
        "texts": text_facts,
        "jobs": earlier.get("jobs", {}),
    }
    for name in options.only:
        began = time.monotonic()
        print(name, end=": ", flush=True)
        results["jobs"][name] = run(name, options, missing)
        print(f"{time.monotonic() - began:.0f} s", *results["jobs"][name].get("errors", {}).items(), flush=True)
        write(results)  # after every job: a long run may be cut off


if __name__ == "__main__":
    sys.exit(main())
