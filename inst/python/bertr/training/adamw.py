"""BERT's optimiser: AdamW with decay kept off biases and LayerNorm, and the course of its learning rate.

Sources: Loshchilov & Hutter 2019 (AdamW); google-research/bert `optimization.py` (warmup, exclusions, clip 1.0);
bias correction as in Hugging Face and keras-bert, which Google's own code leaves out; CyberZHG/keras-bert
`AdamWarmup`; averaged weights: Polyak & Juditsky 1992, corrected at the start as Adam's moments are (Kingma & Ba 2015).
"""

import math

import keras
import numpy as np
from keras import ops

from ..kernels.adam import BETA_1, BETA_2, adam, decay, sum_of_squares
from ..kernels.compiled import new_variable

EPSILON, KERAS_EPSILON = 1e-6, 1e-7
NO_DECAY = ("bias", "gamma", "beta")


def warmup_linear(step, peak, warmup, total):
    """The rate of a step (from 0): peak (step + 1) / warmup, then peak (total - step) / (total - warmup).

    No step is taken at rate zero."""
    rise = (step + 1.0) / ops.maximum(1.0, warmup)
    fall = (total - step) / ops.maximum(1.0, total - warmup)
    return peak * ops.maximum(0.0, ops.where(step < warmup, rise, fall))


def warmup_constant(step, peak, warmup, total):
    """The same rise, then the peak to the end."""
    return peak * ops.minimum(1.0, (step + 1.0) / ops.maximum(1.0, warmup))


def warmup_keras_bert(step, peak, warmup, total):
    """With t = step + 1: peak t / warmup, then peak (1 - t / total): it jumps down where the rise ends, and the last
    step is taken at rate zero."""
    t = step + 1.0
    return peak * ops.where(t <= warmup, t / ops.maximum(1.0, warmup), 1.0 - ops.minimum(t, total) / total)


SCHEDULES = {"linear": warmup_linear, "constant": warmup_constant, "keras_bert": warmup_keras_bert}


class BertAdamW:
    """AdamW as the paper and torch have it, epsilon beside the bias-corrected root. Keras' own adds it to the
    uncorrected one, which damps the first steps of the many weights with small gradients, and works out rate and
    corrections for every variable anew, which for a small head costs more than the update.

    Options, none of which costs anything where it is off:
    `schedule`: a name of SCHEDULES; "keras_bert" brings keras-bert's epsilon too, 1e-7 beside the uncorrected root.
    `scales`: what the rate of each variable is multiplied by, and with the rate its decay.
    `accumulate`: gradients come in parts (`take`) and `flush` makes the step.
    `ema`: d of the averaged weights a_t = (1 - d) sum_i d^(t - i) w_i / (1 - d^t) over the weights w_1 .. w_t after
    each step; the weights before training have no part in it."""

    def __init__(self, trained, weight_decay, clip, schedule="linear", scales=None, accumulate=False, ema=None):
        """`clip` is the largest norm of all gradients together, or None. `begin` comes before the first step."""
        self.trained = trained
        self.weight_decay, self.clip = weight_decay, clip
        self.rate, self.keras_epsilon = SCHEDULES[schedule], schedule == "keras_bert"
        self.scales = scales or [1.0] * len(trained)
        self.ema = ema
        self.step = keras.Variable(0.0, trainable=False, name="step")
        self.schedule = keras.Variable(ops.zeros(3), trainable=False, name="schedule")  # peak, warmup steps, all steps
        self.rows = keras.Variable(0.0, trainable=False, name="rows")  # whose gradients were taken since the last step
        self.first, self.second = ([_zeros_like(v) for v in trained] for _ in range(2))
        self.sums = [_zeros_like(v) for v in trained] if accumulate else []
        self.averages = [_zeros_like(v) for v in trained] if ema else []
        self.begun = False
        self.variables = [self.step, self.schedule, self.rows, *self.first, *self.second, *self.sums, *self.averages]

    @property
    def kind(self):
        """All that its steps depend on but variables."""
        return [self.weight_decay, self.clip, self.rate.__name__, self.scales, bool(self.sums), self.ema]

    def begin(self, learning_rate, steps, warmup):
        """A new run of so many steps, `warmup` a share of them."""
        if self.begun:
            for variable in self.variables:
                variable.assign(ops.zeros_like(variable))
        self.begun = True
        self.schedule.assign([learning_rate, int(warmup * steps), steps])

    def decay(self, steps, variable):
        """What weight decay leaves, after so many steps, of a number of this variable that never has a gradient; of
        its average with `ema`."""
        if not steps:
            return 1.0
        scale = next(s for s, v in zip(self.scales, self.trained, strict=True) if v is variable)
        rates = self.rate(np.arange(steps, dtype=np.float32), *np.asarray(self.schedule.value))
        left = np.cumprod(1.0 - np.asarray(rates, np.float64) * scale * self.weight_decay)
        if not self.ema:
            return float(left[-1])
        return float(np.average(left, weights=self.ema ** np.arange(steps - 1, -1, -1.0)))

    def swap(self):
        """Exchanges weights and averages, where there are any."""
        for variable, average in zip(self.trained, self.averages, strict=bool(self.averages)):
            value = np.array(variable.value)
            variable.assign(average)
            average.assign(value)

    def take(self, gradients, rows):
        """Gradients of the mean loss of so many rows: a step, or a part of the one that `flush` makes."""
        if not self.sums:
            self.apply(gradients)
            return
        rows = ops.cast(rows, "float32")
        self.rows.assign(self.rows + rows)
        for total, gradient in zip(self.sums, gradients, strict=True):
            total.assign(total + gradient * rows)

    def flush(self):
        """A step by the mean over all rows taken."""
        self.apply([total / self.rows for total in self.sums])
        for variable in (self.rows, *self.sums):  # of their size now: a graph serves tables of other sizes, too
            variable.assign(ops.zeros_like(ops.convert_to_tensor(variable.value)))

    def apply(self, gradients):
        """One step; the gradients come in the order of the trained variables."""
        rate, t = self.rate(self.step, *ops.unstack(ops.convert_to_tensor(self.schedule))), self.step + 1.0
        # 1 - beta ^ t, which in float32 would lose half of its digits at the first steps
        correct_m = -ops.expm1(t * math.log(BETA_1))
        correct_v = ops.sqrt(-ops.expm1(t * math.log(BETA_2)))
        epsilon = KERAS_EPSILON if self.keras_epsilon else EPSILON * correct_v
        factors = {}  # by scale: Adam's own rate, and what decay leaves
        for scale in dict.fromkeys(self.scales):
            own = rate if scale == 1.0 else rate * scale
            factors[scale] = own * correct_v / correct_m, 1.0 - own * self.weight_decay
        shrink = 1.0
        if self.clip is not None:
            # not `sum`: in which order TensorFlow adds a long chain of numbers up was seen to differ from run to run
            norm = ops.sqrt(ops.sum(ops.stack([sum_of_squares(g) for g in gradients])))
            shrink = ops.minimum(1.0, self.clip / (norm + 1e-6))
        parts = zip(self.trained, self.scales, self.first, self.second, gradients, strict=True)
        done = gradients[0]  # what comes before the next decay, see `decay`
        for variable, scale, m, v, gradient in parts:
            adam_rate, kept = factors[scale]
            if self.weight_decay and not variable.name.endswith(NO_DECAY):
                decay(variable, kept, done)
            done = adam(variable, m, v, gradient * shrink, adam_rate, epsilon)
        if self.averages:
            share = (1.0 - self.ema) / -ops.expm1(t * math.log(self.ema))
            for variable, average in zip(self.trained, self.averages, strict=True):
                average.assign(average + share * (variable - average))
        self.step.assign(t)


def _zeros_like(variable):
    return new_variable(ops.zeros(variable.shape, variable.dtype), variable.name, trainable=False)
