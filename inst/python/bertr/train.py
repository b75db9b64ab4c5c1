"""Training: the head is started from the frozen encoder's features, then everything chosen is trained."""

import time

import numpy as np
from keras import ops

from .batches import training_batches
from .engine import FeatureSteps, TrainStep, static_shapes
from .errors import BertrError
from .infer import Scorer
from .optim import bert_adamw

START_ROWS = 5000  # rows whose features start the head; more would cost time and tell nothing new
CALL_SECONDS = 0.2  # of a head's epochs, so many are run in one call, and an interrupt waits for


class History:
    """One row an epoch, as columns."""

    def __init__(self):
        self.columns = {}

    def add(self, row):
        for name, value in row.items():
            self.columns.setdefault(name, []).append(value)


class Training:
    """One run: network, data and plan. After `run()` the network is trained and `history` filled."""

    def __init__(self, network, plan, encodings, targets, validation, seed, on_event, scorer):
        """`scorer` gives what the head reads from encoded rows, with the encoder as it is before training."""
        self.network, self.plan, self.seed, self.scorer = network, plan, seed, scorer
        self.encodings, self.targets = encodings, targets
        self.validation = validation  # (encodings, targets) or None
        self.emit = on_event
        self.history = History()
        self.interrupted = False
        self.parameters = 0  # how many numbers were trained
        self.rng = np.random.default_rng(seed)

    def run(self):
        """Trains by the plan; an interrupt ends it at the last whole step."""
        try:
            if self.plan.train == "head":
                self._fit_head()
            else:
                self._start_head()
                self._fine_tune()
        except KeyboardInterrupt:
            self.interrupted = True

    # ------------------------------------------------------------ the head on features

    def _score(self, scorer, encodings):
        total = len(encodings)
        return scorer.encodings(encodings, lambda done: self.emit("encode", {"done": done, "total": total}))

    def _features(self, encodings):
        return self._score(self.scorer, encodings)

    def _head_steps(self, epochs, rate, features):
        head, task, plan = self.network.head, self.network.task, self.plan
        self._counted(head.trainable_variables)
        steps = epochs * -(-len(self.targets) // plan.batch_size)
        optimizer = bert_adamw(head.trainable_variables, rate, steps, plan.warmup, plan.weight_decay, plan.clip)
        return FeatureSteps(lambda y, x: task.loss(y, head(x, training=True)), head.trainable_variables,
                            head.non_trainable_variables, optimizer, self.targets, features)

    def _counted(self, variables):
        self.parameters = sum(int(np.prod(v.shape)) for v in variables)
        return variables

    def _shuffled(self):
        order, size = self.rng.permutation(len(self.targets)), self.plan.batch_size
        return [order[i:i + size] for i in range(0, len(order), size)]

    def _start_head(self):
        rows = self.rng.permutation(len(self.targets))[:START_ROWS]
        features = self._features(self.encodings.take(rows))
        self.network.task.start_head(self.network.head, features, self.targets[rows])

    def _fit_head(self):
        plan = self.plan
        features = self._features(self.encodings)
        self.network.task.start_head(self.network.head, features, self.targets)
        seen = self.validation and (self._features(self.validation[0]), self.validation[1])
        steps = self._head_steps(plan.epochs, plan.learning_rate, features)
        epoch, at_once = 0, 1
        while epoch < plan.epochs:
            began = time.time()
            epochs = [self._shuffled() for _ in range(min(at_once, plan.epochs - epoch))]
            losses = np.split(steps([b for e in epochs for b in e]), len(epochs))
            steps.finish()
            seconds = (time.time() - began) / len(epochs)
            for batches, of_epoch in zip(epochs, losses, strict=True):
                self._end_epoch(epoch, seconds, of_epoch, batches, seen and (self._head_outputs(seen[0]), seen[1]))
                epoch += 1
            at_once = 1 if seen else max(1, int(CALL_SECONDS / seconds))

    def _head_outputs(self, features):
        return ops.convert_to_numpy(self.network.head(features))

    # ------------------------------------------------------------ everything

    def _fine_tune(self):
        plan, network = self.plan, self.network
        network.train_only(plan.train)
        total = plan.epochs * -(-len(self.targets) // plan.batch_size)
        variables = self._counted(network.trainable_variables)
        optimizer = bert_adamw(variables, plan.learning_rate, total, plan.warmup, plan.weight_decay, plan.clip)
        step = TrainStep(lambda y, *x: network.task.loss(y, network(*x, training=True)), variables,
                         network.non_trainable_variables, optimizer, self.targets[:1])
        scorer = Scorer(lambda *x: network(*x), network, network.task.per_token)
        try:
            for epoch in range(plan.epochs):
                self._one_epoch(epoch, step, scorer)
        finally:
            step.finish()

    def _one_epoch(self, epoch, step, scorer):
        began, plan = time.time(), self.plan
        batches = training_batches(self.encodings.lengths, plan.batch_size, self.rng)
        losses = []
        for i, rows in enumerate(batches):
            inputs = static_shapes(self.encodings.pad(rows), plan.batch_size)
            losses.append(step(self.targets[rows], *inputs))
            self.emit("step", {"epoch": epoch + 1, "epochs": plan.epochs, "step": i + 1, "steps": len(batches),
                               "loss": float(np.mean(losses))})
        step.finish()
        seen = self.validation
        seconds = time.time() - began
        self._end_epoch(epoch, seconds, losses, batches, seen and (self._score(scorer, seen[0]), seen[1]))

    # ------------------------------------------------------------ telling

    def _end_epoch(self, epoch, seconds, losses, batches, validation):
        row = {"epoch": epoch + 1, "loss": float(np.average(losses, weights=[len(b) for b in batches]))}
        if not np.isfinite(row["loss"]):
            raise BertrError("diverged", f"The loss is no longer a number in epoch {epoch + 1}.",
                             f"The learning rate of {self.plan.learning_rate:g} is too high for this model and data.")
        if validation:
            outputs, targets = validation
            measures = {"loss": float(np.mean(self.network.task.loss(targets, outputs))),
                        **self.network.task.measures(targets, outputs)}
            row |= {f"val_{name}": value for name, value in measures.items()}
        row["seconds"] = seconds
        self.history.add(row)
        self.emit("epoch", {**row, "epochs": self.plan.epochs})
