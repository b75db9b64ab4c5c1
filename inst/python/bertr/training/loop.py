"""Training: the head is started from the frozen encoder's features, then everything chosen is trained."""

import time

import numpy as np
from keras import ops

from ..errors import BertrError
from ..kernels.compiled import TrainStep, static_shapes
from .adamw import BertAdamW
from .adversarial import Adversary
from .batches import training_batches
from .early_stopping import Best
from .history import History
from .layer_rates import rate_scales
from .run_state import run_state, take_up
from .word_rows import WordRows

CALL_SECONDS = 0.2  # of a head's epochs, so many are run in one call, and an interrupt waits for


class Training:
    """One run: network, samples and plan. After `run()` the network is trained and `history` filled."""

    def __init__(self, network, plan, samples, validation, seed, on_event, scorer, features_scorer, head_steps,
                 folder=None):
        """`scorer` gives the network's outputs of encoded rows, as it is then; `features_scorer` pooled vectors
        (states), the encoder being as before training; `head_steps` trains a head alone; `folder` is the RunFolder to
        keep the run in."""
        self.network, self.plan, self.task = network, plan, network.task
        self.samples = samples
        self.validation = validation  # Samples or None
        self.emit = on_event
        self.scorer, self.features_scorer, self.head_steps = scorer, features_scorer, head_steps
        self.folder = folder
        self.keep_epoch = None  # called after every epoch, where each one's fit is kept
        self.best = Best(plan.early_stopping) if plan.early_stopping else None
        self.history = History()
        self.steps_done = 0
        self.parameters = 0  # how many numbers were trained
        self.rng = np.random.default_rng(seed)
        self.changing = []  # all variables that training changes
        self.seen_features = None  # of the validation rows, where the encoder stays as it is
        self.shown = False  # does the network hold the weights to be judged, not those of the next step?

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
        finally:
            if self.best:
                self.best.put_back(self._learnt)
            if self.head_steps:
                self.head_steps.end()
            self.changing = []  # the optimiser's state is let go
        return False

    @property
    def _learnt(self):
        return (self.network.head if self.head_steps else self.network).trainable_variables

    def _over(self):
        epochs = self.history.rows
        return epochs >= self.plan.epochs or bool(self.best and self.best.waited(epochs))

    def _score(self, scorer, encodings):
        total = len(encodings)
        return scorer.encodings(encodings, lambda done: self.emit("encode", {"done": done, "total": total}))

    def _features(self, encodings):
        return self.network.joined(self._score(self.features_scorer, encodings), encodings.owner)

    def _schedule(self):
        """Peak rate, steps in all, share of warmup."""
        plan = self.plan
        return plan.learning_rate, plan.epochs * -(-len(self.samples) // self._rows_a_step), plan.warmup

    @property
    def _rows_a_step(self):
        return self.plan.batch_size * self.plan.accumulate

    def _count(self, variables):
        self.parameters = sum(int(np.prod(v.shape)) for v in variables)

    def outputs(self, samples):
        """Of the network as it is now."""
        if samples is self.validation and self.seen_features is not None:
            return ops.convert_to_numpy(self.network.head(self.seen_features))
        return self.scorer.encodings(samples.encodings)

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
        seen = self.seen_features = self.validation and self._features(self.validation.encodings)
        self._count(head.trainable_variables)
        self.head_steps.begin(head, targets, features, self._schedule(), self._resume)
        at_once = 1
        while not self._over():
            began, epoch = time.perf_counter(), self.history.rows
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
            self._close(rows)
            at_once = 1 if seen is not None or self.keep_epoch else max(1, int(CALL_SECONDS / max(seconds, 1e-6)))
        self._check_weights(head.trainable_variables)

    def _shuffled(self):
        order, size = self.rng.permutation(len(self.samples)), self._rows_a_step
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
        scales = rate_scales(network.backbone, variables, plan.layer_decay) if plan.layer_decay != 1 else None
        self.optimizer = BertAdamW(variables, plan.weight_decay, plan.clip, plan.schedule, scales,
                                   plan.accumulate > 1, plan.ema)
        self.optimizer.begin(*self._schedule())
        targets, *inputs = self._batch(self.samples, [0])
        rows = [embeddings.word_rows.rows] if embeddings.word_rows else []
        self.shown = self._resume([*self._unfrozen(), *rows, *self.optimizer.variables])
        self._hide()
        kind = (network.kind, plan.train, plan.adversarial, repr(self.optimizer.kind))
        step = TrainStep(lambda y, *x: task.training_loss(y, network(*x, training=True), network.head), variables,
                         network.non_trainable_variables, self.optimizer, targets, inputs, self._adversary(variables),
                         network.kind and kind)
        try:
            while not self._over():
                self._one_epoch(self.history.rows, step)
        finally:
            self._show(step)
            embeddings.word_rows = self.optimizer = None
        self._check_weights(variables)

    def _unfrozen(self):
        """All of the network but the encoder's weights that stay as they are: the state of random numbers too."""
        network = self.network
        frozen = {id(v) for v in network.backbone.weights} - {id(v) for v in network.trainable_variables}
        return [v for v in network.variables if id(v) not in frozen]

    def _adversary(self, variables):
        if not self.plan.adversarial:
            return None
        embeddings = self.network.backbone.embeddings
        words = embeddings.word_rows.rows if embeddings.word_rows else embeddings.word
        place = next(i for i, v in enumerate(variables) if v is words)
        return Adversary(embeddings, place, self.plan.adversarial)

    def _batch(self, samples, chosen):
        targets, inputs = samples.batch(chosen, self.rng)
        ids, *others = static_shapes(inputs, self.plan.batch_size)
        word_rows = self.network.backbone.embeddings.word_rows
        if word_rows:
            ids = word_rows.row_of[ids]
        return targets, ids, *others

    def _show(self, step):
        """Brings the network up to date with the steps done: to their last weights, or the averaged ones."""
        if self.shown or not self.steps_done:
            return
        step.finish()
        self.optimizer.swap()
        word_rows = self.network.backbone.embeddings.word_rows
        if word_rows:
            word_rows.write_back(self.optimizer.decay(self.steps_done, word_rows.rows))
        self.shown = True

    def _hide(self):
        """Back to the weights that the next step starts from."""
        if self.shown:
            self.optimizer.swap()
            self.shown = False

    def _one_epoch(self, epoch, step):
        began, plan = time.perf_counter(), self.plan
        samples = self.task.draw(self.samples, self.rng)
        batches = training_batches(samples.lengths, self._rows_a_step, self.rng)
        losses, total, seen = [], 0.0, 0
        self._hide()
        for i, rows in enumerate(batches):
            losses.append(self._one_step(step, samples, rows))
            self.steps_done += 1
            if not np.isfinite(losses[-1]):
                self._diverged(epoch)
            total, seen = total + losses[-1] * len(rows), seen + len(rows)
            self.emit("step", {"epoch": epoch + 1, "epochs": plan.epochs, "step": i + 1, "steps": len(batches),
                               "loss": total / seen})
        self._show(step)
        row = self._row(epoch, time.perf_counter() - began, losses, batches)
        try:
            if self.validation:
                row |= _of_validation(self.task.validate(
                    self.validation, lambda encodings: self._score(self.scorer, encodings), self.network.head))
        finally:
            self.history.add(row)
        self._close([row])

    def _one_step(self, step, samples, rows):
        """The mean loss of these rows."""
        size = self.plan.batch_size
        if self.plan.accumulate == 1:
            return step(*self._batch(samples, rows))
        parts = [rows[i:i + size] for i in range(0, len(rows), size)]
        losses = [step(*self._batch(samples, part)) for part in parts]
        step.flush()
        return float(np.average(losses, weights=[len(part) for part in parts]))

    # ------------------------------------------------------------ keeping

    def _close(self, rows):
        """After one or more epochs and their `rows` of the history."""
        if self.best:
            self.best.see(rows[-1], self._learnt)
        if self.keep_epoch:
            self.keep_epoch()
        if self.folder:
            self.folder.write(*run_state(self))
        for row in rows:  # only now: telling may end in an interrupt
            self.emit("epoch", {**row, "epochs": self.plan.epochs})

    def _resume(self, variables):
        """Takes up the run in the folder, if there is one; `variables` are all that training changes."""
        self.changing = variables
        kept = self.folder and self.folder.read()
        if not kept:
            return False
        take_up(self, *kept)
        self.emit("resume", {"epoch": self.history.rows, "epochs": self.plan.epochs})
        return True

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
