"""Training steps of only a head, cached for the next head of the same kind, of any model: building the graph takes
longer than some hundred steps, and TensorFlow never frees all the memory of a graph."""

import dataclasses
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..kernels.compiled import FeatureSteps
from .adamw import BertAdamW

if TYPE_CHECKING:
    import numpy as np

    from ..model import Model
    from ..nn.network import Network
    from ..tasks.base import Task
    from .plan import Plan

_kept = {}  # kind -> HeadSteps, the last one only


class HeadSteps:
    """Trains a twin of the head and copies its weights to the head."""

    def __init__(self, task: "Task", twin: Any, plan: "Plan"):
        self.task, self.twin = task, twin
        self.optimizer = BertAdamW(twin.trainable_variables, plan.weight_decay, plan.clip, plan.schedule, ema=plan.ema)
        self.steps: Any = None  # built for the first run
        self.head: Any = None

    def begin(
        self,
        head: Any,
        targets: "np.ndarray",
        features: "np.ndarray",
        schedule: tuple[float, int, float],
        resume: Callable[[list[Any]], bool],
    ) -> None:
        """Starts a run from the weights and random states of `head`, or resumes one if `resume(variables)` restores
        it. `schedule`: peak rate, number of steps, share of warmup."""
        self.head = head
        _copy(head, self.twin)
        self.optimizer.begin(*schedule)
        if resume([*self.twin.variables, *self.optimizer.variables]):
            self._show()
        if self.steps:
            self.steps.begin(targets, features)
            return
        twin, task = self.twin, self.task
        self.steps = FeatureSteps(
            lambda y, x: task.training_values(y, twin(x, training=True), twin),
            twin.trainable_variables,
            twin.non_trainable_variables,
            self.optimizer,
            targets,
            features,
        )

    def __call__(self, batches):
        """The means of `Task.training_values` over each batch, float32 [batches, values]."""
        means = self.steps(batches)
        self.steps.finish()
        self._show()
        return means

    def end(self) -> None:
        """Releases the run; the steps stay cached for the next one."""
        self.head = None
        if self.steps:  # an error may have come before
            self.steps.end()

    def _show(self):
        _copy(self.twin, self.head)
        if self.optimizer.averages:
            _assign(self.head.trainable_variables, self.optimizer.averages)


def head_steps(
    model: "Model", network: "Network", head_options: dict[str, Any], dropout: float, plan: "Plan"
) -> HeadSteps:
    """The cached HeadSteps if they are of the same kind, else new ones."""
    task = network.task
    kind = json.dumps(
        [
            dataclasses.asdict(model.config),
            network.width,
            task.name,
            task.spec,
            head_options,
            dropout,
            plan.weight_decay,
            plan.clip,
            plan.schedule,
            plan.ema,
        ]
    )
    if kind not in _kept:
        twin = task.head(model.config, head_options, dropout, seed=0)
        twin.build((None, network.width))
        _kept.clear()
        _kept[kind] = HeadSteps(task, twin, plan)
    return _kept[kind]


def _copy(from_layer, to_layer):
    _assign(to_layer.variables, from_layer.variables)


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
