"""Training steps of a head alone, kept for the next head of the same kind: building their graph takes longer than
some hundred steps."""

import json

from .engine import FeatureSteps
from .optim import BertAdamW


class HeadSteps:
    """Trains a twin of the head, `finish` gives the head its weights."""

    def __init__(self, task, twin, weight_decay, clip):
        self.task, self.twin = task, twin
        self.optimizer = BertAdamW(twin.trainable_variables, weight_decay, clip)
        self.steps = None

    def begin(self, head, targets, features, learning_rate, total, warmup):
        """A new run, from the weights and random seeds of `head`."""
        self.head = head
        _copy(head, self.twin)
        self.optimizer.begin(learning_rate, total, warmup)
        if self.steps:
            self.steps.begin(targets, features)
            return
        twin, task = self.twin, self.task
        self.steps = FeatureSteps(lambda y, x: task.loss(y, twin(x, training=True), twin), twin.trainable_variables,
                                  twin.non_trainable_variables, self.optimizer, targets, features)

    def __call__(self, batches):
        """The mean loss of each batch."""
        losses = self.steps(batches)
        self.steps.finish()
        _copy(self.twin, self.head)
        return losses


def head_steps(model, network, head_options, dropout, plan):
    """The model's last ones where they fit, else new ones."""
    task = network.task
    kind = json.dumps([task.name, task.spec, head_options, dropout, plan.weight_decay, plan.clip])
    if kind not in model.head_steps:
        twin = task.head(model.config, head_options, dropout, seed=0)
        twin.build((None, network.width))
        model.head_steps = {kind: HeadSteps(task, twin, plan.weight_decay, plan.clip)}
    return model.head_steps[kind]


def _copy(from_layer, to_layer):
    for source, goal in zip(from_layer.variables, to_layer.variables, strict=True):
        goal.assign(source)
