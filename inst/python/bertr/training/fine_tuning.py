"""Fine-tuning: initializes the head from the frozen encoder's features, then trains what the plan says."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from .. import notes
from ..kernels.backend import is_out_of_memory, too_little_memory
from ..kernels.compiled import TrainStep
from .adamw import BertAdamW
from .adversarial import FastGradientMethod
from .batches import training_batches
from .layer_rates import rate_scales
from .run import of_validation, overall
from .word_rows import WordRows

if TYPE_CHECKING:
    from ..text.encodings import Encodings
    from .run import Run


def fine_tune(run: "Run", features_of: "Callable[[Encodings], Any]") -> None:
    """Carries out a run.

    Args:
        run: a Run.
        features_of: a function from an Encodings to the head's input by the encoder before training, [samples, width].

    Raises:
        BertrError: diverged, checkpoint, damaged.
    """
    start_head(run, features_of)
    tuning = FineTuning(run)
    try:
        while not run.is_over():
            tuning.one_epoch(run.history.rows)
    finally:
        tuning.end()
    run.check_weights()


def start_head(run: "Run", features_of: "Callable[[Encodings], Any]") -> None:
    """Initializes the head from features, if the task wants that; arguments as in `fine_tune`."""
    head, targets = run.network.head, run.samples.targets
    rows = None if run.network.started else run.task.start_rows(head, targets, run.rng)
    if rows is not None:
        run.task.start_head(head, features_of(run.samples.take(rows)), targets[rows])


class FineTuning:
    """The compiled step of a run and its optimizer. Between epochs the network holds the weights to evaluate (with
    `ema` the averages), during an epoch the weights of the last step."""

    def __init__(self, run: "Run"):
        self.run = run
        network, plan = run.network, run.plan
        network.train_only(plan.train)
        run.learned = network.trainable_variables
        self.embeddings = network.backbone.embeddings
        variables = self._with_word_rows()
        scales = rate_scales(network.backbone, variables, plan.layer_decay) if plan.layer_decay != 1 else None
        self.optimizer = BertAdamW(
            variables,
            plan.weight_decay,
            plan.clip,
            plan.schedule,
            scales,
            plan.accumulate > 1,
            plan.ema,
            plan.precision == "float16",
        )
        self.optimizer.begin(*run.schedule())
        self.at_once = plan.batch_size  # samples whose gradients are computed together
        self.example = self._batch(run.samples, [0])
        rows = [self.embeddings.word_rows.rows] if self.embeddings.word_rows else []
        self.evaluable = run.resume([*self._unfrozen(), *rows, *self.optimizer.variables])
        self._prepare_step()
        self.step = self._new_step()

    def _new_step(self):
        network, task, plan = self.run.network, self.run.task, self.run.plan
        kind = (network.kind, plan.train, plan.adversarial, plan.precision, repr(self.optimizer.kind))
        targets, *inputs = self.example

        def values(targets, *inputs):
            with network.backbone.computing_in(plan.precision):
                return task.training_values(targets, network(*inputs, training=True), network.head)

        return TrainStep(
            values,
            self.optimizer.trained,
            network.non_trainable_variables,
            self.optimizer,
            targets,
            inputs,
            self._adversary(self.optimizer.trained),
            network.kind and kind,
            plan.devices,
            self.at_once,
        )

    def one_epoch(self, epoch: int) -> None:
        """Trains and evaluates an epoch; `epoch` counts from 0."""
        run, plan = self.run, self.run.plan
        began = time.perf_counter()
        samples = run.task.draw(run.samples, run.rng)
        batches = training_batches(samples.lengths, run.rows_a_step, run.rng)
        means, total, rows_done = [], 0.0, 0
        self._prepare_step()
        for i, rows in enumerate(batches):
            means.append(self._one_step(samples, rows))
            run.steps_done += 1
            loss = float(means[-1][0])
            run.check_loss(loss, epoch)
            total, rows_done = total + loss * len(rows), rows_done + len(rows)
            run.emit(
                "step",
                {
                    "epoch": epoch + 1,
                    "epochs": plan.epochs,
                    "step": i + 1,
                    "steps": len(batches),
                    "loss": total / rows_done,
                },
            )
        self._prepare_evaluation()
        run.check_scale(float(ops.convert_to_numpy(self.optimizer.loss_scale)), epoch)
        row = run.row(epoch, time.perf_counter() - began, means, batches)
        try:
            if run.validation:
                row |= of_validation(
                    run.task.validate(
                        run.validation, lambda encodings: run.score(run.scorer, encodings), run.network.head
                    )
                )
        finally:
            run.history.add(row)
        run.close([row])

    def end(self) -> None:
        """Leaves the network with the weights to evaluate, also after an interrupt."""
        size = self.run.plan.batch_size
        if self.at_once < size:
            notes.leave(f"The device ran out of memory, so batches of {size} were computed {self.at_once} at a time.")
        self._prepare_evaluation()
        self.embeddings.word_rows = None

    def _one_step(self, samples, rows):
        """The means of `Task.training_values` over these rows, [values]. Out of memory halves what is computed
        together, in this and all later steps."""
        drawn = self.run.rng.bit_generator.state
        while True:
            try:
                return self._in_parts(samples, rows)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if min(self.at_once, len(rows)) == 1:
                    raise too_little_memory("to train on even one text at a time") from error
            self.run.rng.bit_generator.state = drawn
            self._halve(len(rows))

    def _halve(self, rows):
        self.at_once = -(-min(self.at_once, rows) // 2)
        self.step.finish()
        self.optimizer.accumulate()
        self.step = self._new_step()

    def _in_parts(self, samples, rows):
        size = self.at_once
        if not self.optimizer.sums:
            return self.step(*self._batch(samples, rows))
        parts = [rows[i : i + size] for i in range(0, len(rows), size)]
        means = [self.step(*self._batch(samples, part)) for part in parts]
        self.step.flush()
        return overall(means, parts)

    def _batch(self, samples, chosen):
        targets, (ids, *others) = samples.batch(chosen, self.run.rng)
        if self.embeddings.word_rows:
            ids = self.embeddings.word_rows.row_of[ids]
        return targets, ids, *others

    def _with_word_rows(self):
        """The trained variables, with the table of words in use in place of the whole word table."""
        variables, embeddings = self.run.learned, self.embeddings
        if embeddings.trainable and not self.run.task.whole_vocabulary:
            encodings = self.run.samples.encodings
            embeddings.word_rows = WordRows(embeddings.word, np.append(encodings.ids, encodings.pad_id))
            variables = [embeddings.word_rows.rows if v is embeddings.word else v for v in variables]
        return variables

    def _adversary(self, variables):
        if not self.run.plan.adversarial:
            return None
        words = self.embeddings.word_rows.rows if self.embeddings.word_rows else self.embeddings.word
        place = next(i for i, v in enumerate(variables) if v is words)
        return FastGradientMethod(self.embeddings, place, self.run.plan.adversarial)

    def _unfrozen(self):
        """All variables of the network, including random states, except the encoder's frozen weights."""
        network = self.run.network
        frozen = {id(v) for v in network.backbone.weights} - {id(v) for v in network.trainable_variables}
        return [v for v in network.variables if id(v) not in frozen]

    def _prepare_evaluation(self):
        """Brings the network up to date: the weights after the last step, or their averages."""
        if self.evaluable or not self.run.steps_done:
            return
        self.step.finish()
        self.optimizer.swap()
        word_rows = self.embeddings.word_rows
        if word_rows:
            word_rows.write_back(self.optimizer.decay(self.optimizer.steps, word_rows.rows))
        self.evaluable = True

    def _prepare_step(self):
        if self.evaluable:
            self.optimizer.swap()
            self.evaluable = False
