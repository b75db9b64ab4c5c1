"""From texts and targets to a `Fit`: builds the network, trains it, notes what was done."""

import contextlib
import copy
import dataclasses
import time

import numpy as np

from ..errors import BertrError
from ..kernels.memory import tidy
from ..model import Fit, network_scorer
from ..nn.network import build_network, head_dropout, read_head_options
from ..nn.scorer import Scorer
from ..store import save_folder
from ..tasks import find_task
from ..tasks.inputs import encode
from ..tasks.samples import Samples
from .head_steps import head_steps
from .loop import Training
from .plan import make_plan
from .run_folder import RunFolder, digest, epoch_folder, share_encoder

SETTLE_ROWS = 2000  # training rows that tell thresholds and the like where there are no validation rows


def fit(model, task_name, a, b, target, validation, options, on_event):
    """Trains a copy of the model's encoder (the encoder itself where only the head is trained) with a task's head."""
    began = time.perf_counter()
    head_options = read_head_options(model, options["head"])
    task = find_task(task_name).from_target(target, head_options)
    max_len = model.length(options.get("max_len"))
    seed = int(options.get("seed") or 0)
    samples = make_samples(model, task, head_options, a, b, target, max_len)
    remarks = list(task.remarks)
    seen = validation and make_samples(model, task, head_options, validation["a"], validation["b"],
                                       validation["target"], max_len)
    seen = seen and task.draw(seen, np.random.default_rng(seed))
    task.train_with(options.get("class_weights"), options.get("label_smoothing"), samples.targets)
    every = samples
    samples, held = (every, None) if seen else hold_out(task, every, seed)
    plan = make_plan(options, len(a), model.config.hidden_size, task)
    check_train(plan.train, model.config)
    check_plan(plan, seen)
    dropout = options.get("dropout")
    if plan.train != "head":
        tidy()  # the network of a fit that nobody holds any more makes room for this one
    network = build_network(model, task, head_options, plan.train, seed, dropout)
    on_event("start", {"rows": len(a), "epochs": plan.epochs, "batch_size": plan.batch_size,
                       "learning_rate": plan.learning_rate, "max_len": max_len})
    steps = None
    if plan.train == "head" and keeps_features(network):
        steps = head_steps(model, network, head_options, head_dropout(model, head_options, dropout), plan)
    folder = None
    if options.get("checkpoint"):
        identity = {"data": [_digest(every, target), seen and _digest(seen, validation["target"])],
                    "held_rows": len(held or ()), "model": model.fingerprint, "task": [task.name, task.spec],
                    "head": head_options, "seed": seed, "max_len": max_len, "dropout": dropout,
                    **dataclasses.asdict(plan)}
        folder = RunFolder(options["checkpoint"], identity)
    scorer = network_scorer(model, network, plan.train)
    training = Training(network, plan, samples, seen, seed, on_event, scorer,
                        feature_scorer(model, network, plan.train), steps, folder)
    given = {
        **dataclasses.asdict(plan), "seed": seed, "max_len": max_len,
        "pool": "none" if task.per_token else head_options["pool"],
        "rows": len(a), "valid_rows": len(validation["a"]) if seen else 0, "n_truncated": every.encodings.n_truncated,
        "held_rows": len(held or ()), "remarks": remarks,
    }

    def finished(done, scorer):
        """The fit as it is now."""
        settle(task, training, samples, seen or held, seed)
        facts = {**given, **done, "temperature": task.spec.get("temperature"), "seconds": time.perf_counter() - began}
        return Fit(model, network, head_options, facts, training.history.columns, scorer)

    def keep_epoch():
        epoch, before = training.history.rows, copy.deepcopy(task.spec)
        kept = finished({"epochs_done": epoch, "interrupted": False, "best_epoch": None, "stopped_early": False,
                         "parameters_trained": training.parameters}, None)
        try:
            save_folder(kept, epoch_folder(options["checkpoint"], epoch), options["spec"])
            if plan.train == "head":
                share_encoder(options["checkpoint"], epoch)
        except BertrError as e:  # a full disk: the fit itself is not lost
            training.keep_epoch = None
            remarks.append(f"From epoch {epoch} on, epochs were not kept: {e.message}")
        task.spec = before  # what was settled is not for the next epoch

    if options.get("keep") == "all":
        training.keep_epoch = keep_epoch
    with folder or contextlib.nullcontext():
        interrupted = training.run()
    fitted = finished({**what_was_done(training, interrupted), "checkpoint_lost": folder and folder.lost}, scorer)
    training.keep_epoch = training = None
    tidy()  # graph and optimiser hold each other
    return fitted


def hold_out(task, samples, seed):
    """(samples to train on, samples held out for `settle` or None)."""
    held = task.hold_out(samples.targets, np.random.default_rng(seed))
    if len(held) == 0:
        return samples, None
    return samples.only(np.delete(np.arange(len(samples)), held)), samples.only(held)


def settle(task, training, samples, unseen, seed):
    """Lets the task choose what it chooses after training, by rows it was not trained on if there are any."""
    judged = unseen or (samples.some(SETTLE_ROWS, seed) if task.settles_by_training else None)
    if task.settles and judged:
        task.settle(judged.targets, training.outputs(judged), judged.encodings, training.network.head)


def what_was_done(training, interrupted):
    best, epochs = training.best, training.history.rows
    return {"epochs_done": epochs, "interrupted": interrupted, "best_epoch": best and (best.epoch or None),
            "stopped_early": bool(best) and not interrupted and epochs < training.plan.epochs,
            "parameters_trained": training.parameters}


def make_samples(model, task, head_options, a, b, target, max_len):
    encodings = encode(model, task, head_options, a, b, max_len)
    grouped = encodings.owner is not None and not task.per_token
    return Samples(encodings, task.targets(target, encodings), task, grouped)


def keeps_features(network):
    """Can a head be trained on vectors of texts that are worked out once?"""
    return not network.task.per_token and not (network.join and network.join.trainable_variables)


def feature_scorer(model, network, train):
    """Scores texts by what the head reads. Where the encoder is the model's own, its graph is there to be shared."""
    if train == "head":
        pool = "none" if network.task.per_token else network.pool
        return model.scorer(pool, (model.config.num_layers,))
    return Scorer(lambda *x: network.pooled(*x), network.backbone, model.config, network.task.per_token,
                  ("features", network.kind))


def _digest(samples, target):
    e = samples.encodings
    return digest(e.ids, e.segments, e.row_splits, target)


def check_plan(plan, validated):
    """Are its parts possible together?"""
    if plan.early_stopping and not validated:
        raise BertrError("early_stopping", "Early stopping needs validation rows to judge the epochs by.",
                         "Give `validation`, such as validation = 0.2.")
    if plan.adversarial and plan.train != "all":
        raise BertrError("adversarial", "Adversarial training moves the word vectors, which are trained only with "
                         'train = "all".', 'Use train = "all" or leave `adversarial` out.')


def check_train(train, config):
    """"all", "head", or "top:k" with 1 <= k <= the number of layers, if the layers below have weights of their own."""
    if train in ("all", "head"):
        return
    number, num_layers = train.removeprefix("top:"), config.num_layers
    if not (train.startswith("top:") and number.isdigit() and 1 <= int(number) <= num_layers):
        raise BertrError("train", f'`train` is "{train}", but this model has {num_layers} layers.',
                         f'Use "all", "head", or "top:k" with k from 1 to {num_layers}.')
    first = num_layers - int(number)
    if first > 0 and config.block_of(first) == config.block_of(first - 1):
        raise BertrError("train", f'`train` is "{train}", but this model\'s layers share their weights, so its upper '
                         "ones cannot be trained by themselves.", 'Use "all" or "head".')
