"""Training: the head is started from the frozen encoder's features, then everything chosen is trained."""

import time

import numpy as np
from keras import ops

from .batches import training_batches
from .engine import TrainStep, static_shapes
from .errors import BertrError
from .infer import NetworkScorer
from .optim import BertAdamW
from .word_rows import WordRows

CALL_SECONDS = 0.2  # of a head's epochs, so many are run in one call, and an interrupt waits for


class History:
    """One row an epoch, as columns; what an interrupted epoch lacks is NaN."""

    def __init__(self):
        self.columns = {}
        self.rows = 0

    def add(self, row):
        for name in {**self.columns, **row}:
            self.columns.setdefault(name, [float("nan")] * self.rows).append(row.get(name, float("nan")))
        self.rows += 1


class Training:
    """One run: network, samples and plan. After `run()` the network is trained and `history` filled."""

    def __init__(self, network, plan, samples, validation, seed, on_event, features_scorer, head_steps):
        """`features_scorer` gives pooled vectors (states) of encoded rows, the encoder being as before training;
        `head_steps` trains a head alone."""
        self.network, self.plan, self.task = network, plan, network.task
        self.samples = samples
        self.validation = validation  # Samples or None
        self.emit = on_event
        self.features_scorer, self.head_steps = features_scorer, head_steps
        self.scorer = NetworkScorer(network)
        self.history = History()
        self.steps_done = 0
        self.parameters = 0  # how many numbers were trained
        self.rng = np.random.default_rng(seed)

    def run(self):
        """Trains by the plan. True if an interrupt ended it, at a whole step; before the first step nothing is
        learnt, and the interrupt goes on."""
        try:
            if self.head_steps:
                self._fit_head()
            else:
                self._start_head()
                self._fine_tune()
        except KeyboardInterrupt:
            if not self.steps_done:
                raise
            return True
        return False

    def _score(self, scorer, encodings):
        total = len(encodings)
        return scorer.encodings(encodings, lambda done: self.emit("encode", {"done": done, "total": total}))

    def _features(self, encodings):
        return self.network.joined(self._score(self.features_scorer, encodings), encodings.owner)

    def _schedule(self):
        """Peak rate, steps in all, share of warmup."""
        plan = self.plan
        return plan.learning_rate, plan.epochs * -(-len(self.samples) // plan.batch_size), plan.warmup

    def _count(self, variables):
        self.parameters = sum(int(np.prod(v.shape)) for v in variables)

    # ------------------------------------------------------------ the head on features

    def _start_head(self):
        head, targets = self.network.head, self.samples.targets
        rows = self.task.start_rows(head, targets, self.rng)
        if rows is not None:
            self.task.start_head(head, self._features(self.samples.take(rows)), targets[rows])

    def _fit_head(self):
        """Every text is encoded once, whatever the number of epochs."""
        plan, head, targets = self.plan, self.network.head, self.samples.targets
        features = self._features(self.samples.encodings)
        rows = self.task.start_rows(head, targets, self.rng)
        if rows is not None:
            self.task.start_head(head, features[rows], targets[rows])
        seen = self.validation and self._features(self.validation.encodings)
        self._count(head.trainable_variables)
        self.head_steps.begin(head, targets, features, *self._schedule())
        epoch, at_once = 0, 1
        while epoch < plan.epochs:
            began = time.perf_counter()
            epochs = [self._shuffled() for _ in range(min(at_once, plan.epochs - epoch))]
            losses = self.head_steps([b for e in epochs for b in e])
            self.steps_done += len(losses)
            seconds = (time.perf_counter() - began) / len(epochs)
            of_epochs = zip(np.split(losses, len(epochs)), epochs, strict=True)
            rows = [self._row(epoch + i, seconds, *of_epoch) for i, of_epoch in enumerate(of_epochs)]
            if seen is not None:
                rows[-1] |= self._judge(ops.convert_to_numpy(head(seen)))
            for row in rows:
                self.history.add(row)
            for row in rows:  # only now: telling may end in an interrupt
                self.emit("epoch", {**row, "epochs": plan.epochs})
            epoch += len(epochs)
            at_once = 1 if seen is not None else max(1, int(CALL_SECONDS / max(seconds, 1e-6)))
        self._check_weights(head.trainable_variables)

    def _shuffled(self):
        order, size = self.rng.permutation(len(self.samples)), self.plan.batch_size
        return [order[i:i + size] for i in range(0, len(order), size)]

    # ------------------------------------------------------------ everything

    def _fine_tune(self):
        network, task, plan = self.network, self.task, self.plan
        network.train_only(plan.train)
        embeddings, variables = network.backbone.embeddings, network.trainable_variables
        self._count(variables)
        if embeddings.trainable and not task.whole_vocabulary:
            encodings = self.samples.encodings
            embeddings.word_rows = WordRows(embeddings.word, np.append(encodings.ids, encodings.pad_id))
            variables = [embeddings.word_rows.rows if v is embeddings.word else v for v in variables]
        self.optimizer = BertAdamW(variables, plan.weight_decay, plan.clip)
        self.optimizer.begin(*self._schedule())
        targets, *inputs = self._batch(self.samples, [0])
        step = TrainStep(lambda y, *x: task.loss(y, network(*x, training=True), network.head), variables,
                         network.non_trainable_variables, self.optimizer, targets, inputs)
        try:
            for epoch in range(plan.epochs):
                self._one_epoch(epoch, step)
        finally:
            self._update(step)
            embeddings.word_rows = self.optimizer = None
        self._check_weights(variables)

    def _batch(self, samples, chosen):
        targets, inputs = samples.batch(chosen, self.rng)
        ids, *others = static_shapes(inputs, self.plan.batch_size)
        word_rows = self.network.backbone.embeddings.word_rows
        if word_rows:
            ids = word_rows.row_of[ids]
        return targets, ids, *others

    def _update(self, step):
        """Brings the network up to date with the steps done."""
        step.finish()
        word_rows = self.network.backbone.embeddings.word_rows
        if word_rows:
            word_rows.write_back(self.optimizer.decay(self.steps_done))

    def _one_epoch(self, epoch, step):
        began, plan = time.perf_counter(), self.plan
        samples = self.task.draw(self.samples, self.rng)
        batches = training_batches(samples.lengths, plan.batch_size, self.rng)
        losses, total, seen = [], 0.0, 0
        for i, rows in enumerate(batches):
            losses.append(step(*self._batch(samples, rows)))
            self.steps_done += 1
            if not np.isfinite(losses[-1]):
                self._diverged(epoch)
            total, seen = total + losses[-1] * len(rows), seen + len(rows)
            self.emit("step", {"epoch": epoch + 1, "epochs": plan.epochs, "step": i + 1, "steps": len(batches),
                               "loss": total / seen})
        self._update(step)
        row = self._row(epoch, time.perf_counter() - began, losses, batches)
        try:
            if self.validation:
                row |= _of_validation(self.task.validate(
                    self.validation, lambda encodings: self._score(self.scorer, encodings), self.network.head))
        finally:
            self.history.add(row)
        self.emit("epoch", {**row, "epochs": plan.epochs})

    # ------------------------------------------------------------ telling

    def _row(self, epoch, seconds, losses, batches):
        loss = float(np.average(losses, weights=[len(b) for b in batches]))
        if not np.isfinite(loss):
            self._diverged(epoch)
        return {"epoch": epoch + 1, "loss": loss, "seconds": seconds}

    def _judge(self, outputs):
        seen = self.validation
        return _of_validation(self.task.judge(seen.targets, outputs, seen.encodings, self.network.head))

    def _check_weights(self, variables):
        """The last step's loss was taken before its update."""
        if not all(np.isfinite(float(ops.sum(v))) for v in variables):
            self._diverged(self.plan.epochs - 1)

    def _diverged(self, epoch):
        raise BertrError("diverged", f"The loss is no longer a number in epoch {epoch + 1}.",
                         f"The learning rate of {self.plan.learning_rate:g} is too high for this model and data.")


def _of_validation(measures):
    return {f"val_{name}": value for name, value in measures.items()}
