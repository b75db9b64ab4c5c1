"""From texts and targets to a `Fit`: builds the network, trains it, notes what was done."""

import dataclasses
import gc
import time

from .backbone import build_backbone
from .errors import BertrError
from .head_steps import head_steps
from .infer import Scorer
from .model import Fit
from .network import Network
from .plan import make_plan
from .tasks import find_task
from .train import Training


def fit(model, task_name, a, b, target, validation, options, on_event):
    """Trains a copy of the model's encoder (the encoder itself where only the head is trained) with a task's head."""
    began = time.perf_counter()
    task = find_task(task_name).from_target(target)
    max_len = model.length(options.get("max_len"))
    seed = int(options.get("seed") or 0)
    encodings = model.encode(a, b, max_len)
    targets = task.targets(target, encodings)
    seen = None
    if validation:
        seen_encodings = model.encode(validation["a"], validation["b"], max_len)
        seen = (seen_encodings, task.targets(validation["target"], seen_encodings))
    plan = make_plan(options, len(encodings), model.config.hidden_size)
    check_train(plan.train, model.config.num_layers)
    head_options = {"units": [int(n) for n in options["head"].get("units") or []],
                    "dropout": options["head"].get("dropout"),
                    "pool": model.pool(options["head"].get("pool"))}
    rate = head_dropout(model, head_options, options.get("dropout"))
    network = build_network(model, task, head_options, plan.train, seed, options.get("dropout"))
    on_event("start", {"rows": len(encodings), "epochs": plan.epochs, "batch_size": plan.batch_size,
                       "learning_rate": plan.learning_rate, "max_len": max_len})
    training = Training(network, plan, encodings, targets, seen, seed, on_event,
                        feature_scorer(model, network, plan.train),
                        head_steps(model, task, head_options, rate, plan) if plan.train == "head" else None)
    interrupted = training.run()
    gc.collect()  # graph and optimiser hold each other: gigabytes that would stay until Python looks for such rings
    facts = {
        **dataclasses.asdict(plan), "seed": seed, "max_len": max_len, "pool": head_options["pool"],
        "rows": len(encodings), "valid_rows": len(seen[0]) if seen else 0, "n_truncated": encodings.n_truncated,
        "epochs_done": training.history.rows, "interrupted": interrupted,
        "parameters_trained": training.parameters, "seconds": time.perf_counter() - began,
    }
    return Fit(model, network, head_options, facts, training.history.columns, training.scorer)


def feature_scorer(model, network, train):
    """Scores texts by what the head reads. Where the encoder is the model's own, its graph is there to be shared."""
    if train == "head":
        pool = "none" if network.task.per_token else network.pool
        return model.scorer(pool, (model.config.num_layers,))
    return Scorer(lambda *x: network.features(*x), network.backbone, network.task.per_token)


def build_network(model, task, head_options, train, seed=0, dropout=None):
    """The network of a fit, untrained: also what a saved fit's weights are put into."""
    backbone = model.backbone if train == "head" else build_backbone(model.checkpoint, seed, dropout)
    head = task.head(model.config, head_options["units"], head_dropout(model, head_options, dropout), seed)
    return Network(backbone, head, task, head_options["pool"])


def head_dropout(model, head_options, dropout=None):
    """The head's own rate, else the one asked for the encoder, else the checkpoint's."""
    rate = head_options["dropout"]
    if rate is None:
        rate = model.config.hidden_dropout if dropout is None else dropout
    return rate


def check_train(train, num_layers):
    """"all", "head", or "top:k" with 1 <= k <= num_layers."""
    if train in ("all", "head"):
        return
    number = train.removeprefix("top:")
    if not (train.startswith("top:") and number.isdigit() and 1 <= int(number) <= num_layers):
        raise BertrError("train", f'`train` is "{train}", but this model has {num_layers} layers.',
                         f'Use "all", "head", or "top:k" with k from 1 to {num_layers}.')
