"""Trains a network on texts and targets and returns a `Fit`."""

import contextlib
import copy
import dataclasses
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import store
from ..errors import BertrError
from ..kernels.devices import check_devices
from ..kernels.memory import tidy
from ..kernels.precision import computing_in, resolved
from ..model import Fit, network_scorer
from ..nn.network import build_network, head_dropout, read_head_options
from ..nn.scorer import GraphRunner, Scorer
from ..tasks import find_task
from ..tasks.inputs import encode
from ..tasks.samples import Samples
from .fine_tuning import fine_tune
from .further import NOTE, options_of, start_from
from .head_only import train_head
from .head_steps import head_steps
from .plan import make_plan
from .run import Run
from .run_folder import RunFolder, digest, epoch_folder, share_encoder

if TYPE_CHECKING:
    from ..checkpoints.config import BertConfig
    from ..model import Model
    from ..nn.network import Network
    from ..tasks.base import Task
    from .plan import Plan

CALIBRATION_ROWS = 2000  # training rows used to calibrate if there are no other rows


def fit(
    model: "Model",
    task_name: str,
    a: list[str],
    b: list[str] | None,
    target: dict[str, Any],
    validation: dict[str, Any] | None,
    options: dict[str, Any],
    on_event: Callable[[str, dict[str, Any]], Any],
    start: Fit | None = None,
) -> Fit:
    """Trains a task's head on a copy of the model's encoder; with train = "head" on the frozen encoder itself.

    Args:
        model: a Model.
        task_name: a name in `tasks.TASKS`.
        a, b: lists of str; b None: single texts.
        target: dict of columns, see the task's class.
        validation: None, or a dict of `a`, `b` and `target`.
        options: dict of settings: the fields of `Plan`, head, max_len, seed, dropout, class_weights, label_smoothing,
            checkpoint, keep and spec.
        on_event: a function of a kind of event and a dict.
        start: a Fit whose head is trained further if it predicts the same; then it replaces the head in `options`.

    Returns:
        A Fit; after an interrupt the fit so far.

    Raises:
        BertrError: task, train, early_stopping, adversarial, devices, diverged, checkpoint, damaged, max_len, pairs and
            others of the task.
    """
    precision = resolved(options.get("precision"))
    with computing_in(precision):
        options = {**options, "precision": precision}
        fitted = _fit(model, task_name, a, b, target, validation, options, on_event, start)
    tidy()  # graph and optimizer hold each other
    return fitted


def _fit(model, task_name, a, b, target, validation, options, on_event, start):
    began = time.perf_counter()
    of_start = start and options_of(start, task_name, target, options["head"])
    head_options = read_head_options(model, of_start or options["head"])
    task = find_task(task_name).from_target(target, head_options)
    max_len, seed = model.length(options.get("max_len")), int(options.get("seed") or 0)
    all_samples = make_samples(model, task, head_options, a, b, target, max_len)
    notes = [*all_samples.notes, *([NOTE] if of_start else [])]
    unseen = validation and task.draw(
        make_samples(model, task, head_options, validation["a"], validation["b"], validation["target"], max_len),
        np.random.default_rng(seed),
    )
    task.train_with(options.get("class_weights"), options.get("label_smoothing"), all_samples.targets)
    samples, held = (all_samples, None) if unseen else hold_out(task, all_samples, seed)
    plan = make_plan(options, len(a), model.config.hidden_size, task)
    check_train(plan.train, model.config)
    check_plan(plan, unseen)
    dropout = options.get("dropout")
    if plan.train != "head":
        tidy()  # frees the networks of unused fits
    network = build_network(model, task, head_options, plan.train, seed, dropout)
    if start and of_start:
        start_from(network, start)
    on_event(
        "start",
        {
            "rows": len(a),
            "epochs": plan.epochs,
            "batch_size": plan.batch_size,
            "learning_rate": plan.learning_rate,
            "max_len": max_len,
        },
    )
    if all_samples.encodings.n_truncated:
        on_event("truncated", {"texts": all_samples.encodings.n_truncated, "rows": len(a), "max_len": max_len})
    folder = None
    if options.get("checkpoint"):
        identity = {
            "data": [_digest(all_samples, target), unseen and _digest(unseen, validation["target"])],
            "held_rows": len(held or ()),
            "model": [model.fingerprint, start.fingerprint] if start and of_start else model.fingerprint,
            "task": [task.name, task.spec],
            "head": head_options,
            "seed": seed,
            "max_len": max_len,
            "dropout": dropout,
            **dataclasses.asdict(plan),
        }
        folder = RunFolder(options["checkpoint"], identity)
    scorer = network_scorer(model, network, plan.train)
    run = Run(network, plan, samples, unseen, seed, on_event, scorer, folder)
    given = {
        **dataclasses.asdict(plan),
        "seed": seed,
        "max_len": max_len,
        "pool": "none" if task.per_token else head_options["pool"],
        "rows": len(a),
        "valid_rows": len(validation["a"]) if unseen else 0,
        "n_truncated": all_samples.encodings.n_truncated,
        "held_rows": len(held or ()),
        "notes": notes,
    }

    def finished(done, scorer):
        """The Fit in its current state."""
        calibrate(run, unseen or held, seed)
        facts = {**given, **done, "temperature": task.spec.get("temperature"), "seconds": time.perf_counter() - began}
        return Fit(model, network, head_options, facts, run.history.columns, scorer)

    def keep_epoch():
        epoch, before = run.history.rows, copy.deepcopy(task.spec)
        unbroken = {**what_was_done(run, interrupted=False), "best_epoch": None, "stopped_early": False}
        try:
            save_epoch(finished(unbroken, None), options["checkpoint"], epoch, options["spec"])
        except BertrError as e:  # such as a full disk: training continues
            run.keep_epoch = None
            notes.append(f"From epoch {epoch} on, epochs were not saved: {e.message}")
        task.spec = before  # every epoch is calibrated separately

    if options.get("keep") == "all":
        run.keep_epoch = keep_epoch
    with folder or contextlib.nullcontext():
        interrupted = run.carry_out(loop_of(model, network, head_options, dropout, plan))
    return finished({**what_was_done(run, interrupted), "checkpoint_lost": folder and folder.lost}, scorer)


def save_epoch(fitted: Fit, run_folder: str, epoch: int, spec: str) -> None:
    """Saves the Fit after an epoch in the run's folder."""
    store.save_folder(fitted, epoch_folder(run_folder, epoch), spec)
    if fitted.facts["train"] == "head":
        share_encoder(run_folder, epoch)


def loop_of(
    model: "Model", network: "Network", head_options: dict[str, Any], dropout: float | None, plan: "Plan"
) -> Callable[[Run], None]:
    """The training loop: a function of a Run."""
    scorer = feature_scorer(model, network, plan.train)

    def features_of(run):
        """A function from encodings to the head's input, by the encoder before training."""
        return lambda encodings: network.joined(run.score(scorer, encodings), encodings.owner)

    if plan.train == "head" and keeps_features(network):
        steps = head_steps(model, network, head_options, head_dropout(model, head_options, dropout), plan)
        return lambda run: train_head(run, features_of(run), steps)
    return lambda run: fine_tune(run, features_of(run))


def hold_out(task: "Task", samples: Samples, seed: int) -> tuple[Samples, Samples | None]:
    """Splits Samples into (samples to train on, samples held out for `calibrate` or None)."""
    held = task.hold_out(samples.targets, np.random.default_rng(seed))
    if len(held) == 0:
        return samples, None
    return samples.only(np.delete(np.arange(len(samples)), held)), samples.only(held)


def calibrate(run: Run, unseen: Samples | None, seed: int) -> None:
    """Calibrates the task (thresholds, temperature) on the Samples `unseen`, or without any on training rows if the
    task allows that."""
    task = run.task
    samples = unseen or (run.samples.some(CALIBRATION_ROWS, seed) if task.calibrates_on_training_rows else None)
    if task.calibrates and samples:
        task.calibrate(samples.targets, run.outputs(samples), samples.encodings, run.network.head)


def what_was_done(run: Run, interrupted: bool) -> dict[str, Any]:
    """The facts of a Run that are known only after training, a dict."""
    best, epochs = run.best, run.history.rows
    return {
        "epochs_done": epochs,
        "interrupted": interrupted,
        "best_epoch": best and (best.epoch or None),
        "stopped_early": bool(best) and not interrupted and epochs < run.plan.epochs,
        "parameters_trained": run.parameters,
    }


def make_samples(
    model: "Model",
    task: "Task",
    head_options: dict[str, Any],
    a: list[str],
    b: list[str] | None,
    target: dict[str, Any],
    max_len: int,
) -> Samples:
    """Encodes texts and targets.

    Args:
        model: a Model.
        task: a Task.
        head_options: dict, see `read_head_options`.
        a, b: lists of str; b None: single texts.
        target: dict of columns, see the task's class.
        max_len: tokens to cut texts at.

    Returns:
        Samples.

    Raises:
        BertrError: max_len, pairs and others of the task.
    """
    encodings = encode(model, task, head_options, a, b, max_len)
    grouped = encodings.owner is not None and not task.per_token
    targets, notes = task.targets(target, encodings)
    return Samples(encodings, targets, task, grouped, notes)


def keeps_features(network: "Network") -> bool:
    """Whether a head can be trained on features of texts that are computed once."""
    return not network.task.per_token and not (network.join and network.join.trainable_variables)


def feature_scorer(model: "Model", network: "Network", train: str) -> Scorer:
    """A Scorer of the head's input. With train = "head" it shares the graph of the model's encoder."""
    if train == "head":
        pool = "none" if network.task.per_token else network.pool
        return model.scorer(pool, (model.config.num_layers,))
    runner = GraphRunner(lambda *x: network.pooled(*x), network.backbone, model.config, ("features", network.kind))
    return Scorer(runner, model.config, network.task.per_token)


def _digest(samples, target):
    e = samples.encodings
    return digest(e.ids, e.segments, e.row_splits, target)


def check_plan(plan: "Plan", validated: object) -> None:
    """Checks that the settings of a Plan fit together; `validated` tells whether there are validation rows.

    Raises:
        BertrError: early_stopping, adversarial, devices.
    """
    if plan.early_stopping and not validated:
        raise BertrError(
            "early_stopping",
            "Early stopping needs validation rows to compare epochs by.",
            "Give `validation`, such as validation = 0.2.",
        )
    if plan.adversarial and plan.train != "all":
        raise BertrError(
            "adversarial",
            'Adversarial training perturbs the word vectors, which are trained only with train = "all".',
            'Use train = "all" or leave `adversarial` out.',
        )
    check_devices(plan.devices)


def check_train(train: str, config: "BertConfig") -> None:
    """Checks `train`: "all", "head", or "top:k" with k from 1 to the number of layers; "top:k" must not split
    layers that share weights.

    Raises:
        BertrError: train.
    """
    if train in ("all", "head"):
        return
    number, num_layers = train.removeprefix("top:"), config.num_layers
    if not (train.startswith("top:") and number.isdigit() and 1 <= int(number) <= num_layers):
        raise BertrError(
            "train",
            f'`train` is "{train}", but this model has {num_layers} layers.',
            f'Use "all", "head", or "top:k" with k from 1 to {num_layers}.',
        )
    first = num_layers - int(number)
    if first > 0 and config.block_of(first) == config.block_of(first - 1):
        raise BertrError(
            "train",
            f'`train` is "{train}", but this model\'s layers share their weights, so its upper '
            "layers cannot be trained alone.",
            'Use "all" or "head".',
        )
