"""BERT's optimizer: AdamW without decay of biases and LayerNorm, and learning-rate schedules.

Sources: Loshchilov & Hutter 2019 (AdamW); google-research/bert `optimization.py` (warmup, exclusions, clip 1.0);
bias correction as in Hugging Face and keras-bert (Google's code has none); CyberZHG/keras-bert `AdamWarmup`; averaged
weights: Polyak & Juditsky 1992, with a bias correction like that of Adam's moments (Kingma & Ba 2015).
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from ..kernels.adam import BETA_1, BETA_2, adam, decay, sum_of_squares
from ..kernels.compiled import new_variable
from .loss_scale import LossScale

EPSILON, KERAS_EPSILON = 1e-6, 1e-7
NO_DECAY = ("bias", "gamma", "beta")


def warmup_linear(step: Any, peak: Any, warmup: Any, total: Any) -> Any:
    """peak (step + 1) / warmup, then peak (total - step) / (total - warmup): never zero.

    Args:
        step: the step, from 0; a scalar, or float [steps].
        peak: the highest rate.
        warmup: number of steps up to it.
        total: number of all steps.

    Returns:
        The rate, a tensor of the shape of `step`.
    """
    rise = (step + 1.0) / ops.maximum(1.0, warmup)
    fall = (total - step) / ops.maximum(1.0, total - warmup)
    return peak * ops.maximum(0.0, ops.where(step < warmup, rise, fall))


def warmup_constant(step: Any, peak: Any, warmup: Any, total: Any) -> Any:
    """The same warmup, then the peak until the end. Arguments as in `warmup_linear`."""
    return peak * ops.minimum(1.0, (step + 1.0) / ops.maximum(1.0, warmup))


def warmup_keras_bert(step: Any, peak: Any, warmup: Any, total: Any) -> Any:
    """With t = step + 1: peak t / warmup, then peak (1 - t / total). The rate drops at the end of the warmup, and the
    last step has rate zero. Arguments as in `warmup_linear`."""
    t = step + 1.0
    return peak * ops.where(t <= warmup, t / ops.maximum(1.0, warmup), 1.0 - ops.minimum(t, total) / total)


SCHEDULES = {"linear": warmup_linear, "constant": warmup_constant, "keras_bert": warmup_keras_bert}


class BertAdamW:
    """AdamW as in the paper and in torch: epsilon is added to the bias-corrected root. Keras' AdamW adds it to the
    uncorrected one, which damps the first steps of the many weights with small gradients. It also recomputes rate and
    corrections per variable, which for a small head costs more than the update.

    Options, free of cost when unused:
    `schedule`: a name of SCHEDULES; "keras_bert" also uses keras-bert's epsilon, 1e-7 added to the uncorrected root.
    `scales`: a factor for the rate of each variable, and so for its decay.
    `accumulate`: gradients arrive in parts (`take`); `flush` takes the step.
    `ema`: d of the averaged weights a_t = (1 - d) sum_i d^(t - i) w_i / (1 - d^t) over the weights w_1 .. w_t after
    each step; the weights before training are not included."""

    def __init__(
        self,
        trained: list[Any],
        weight_decay: float,
        clip: float | None,
        schedule: str = "linear",
        scales: list[float] | None = None,
        accumulate: bool = False,
        ema: float | None = None,
        scaled: bool = False,
    ):
        """`clip`: maximal global norm of the gradients, or None. Call `begin` before the first step."""
        self.trained = trained
        self.weight_decay, self.clip = weight_decay, clip
        self.rate, self.keras_epsilon = SCHEDULES[schedule], schedule == "keras_bert"
        self.scales = scales or [1.0] * len(trained)
        self.ema = ema
        self.step = keras.Variable(0.0, trainable=False, name="step")
        self.schedule = keras.Variable(ops.zeros(3), trainable=False, name="schedule")  # peak, warmup steps, all steps
        self.rows = keras.Variable(0.0, trainable=False, name="rows")  # number of rows accumulated since the last step
        self.first, self.second = ([_zeros_like(v) for v in trained] for _ in range(2))
        self.sums = [_zeros_like(v) for v in trained] if accumulate else []
        self.averages = [_zeros_like(v) for v in trained] if ema else []
        self.scaling = LossScale() if scaled else None
        self.begun = False

    @property
    def variables(self) -> list[Any]:
        """Its state."""
        moments = [*self.first, *self.second, *self.sums, *self.averages]
        return [self.step, self.schedule, self.rows, *moments, *(self.scaling.variables if self.scaling else [])]

    def accumulate(self) -> None:
        """From now on `take` accumulates; what it has accumulated is dropped."""
        if not self.sums:
            self.sums = [_zeros_like(v) for v in self.trained]
        self._clear()

    @property
    def kind(self) -> list[Any]:
        """Everything its steps depend on except variables."""
        return [
            self.weight_decay,
            self.clip,
            self.rate.__name__,
            self.scales,
            bool(self.sums),
            self.ema,
            bool(self.scaling),
        ]

    @property
    def loss_scale(self) -> Any:
        """What the loss is multiplied by before `take` gets its gradients."""
        return self.scaling.scale if self.scaling else 1.0

    def begin(self, learning_rate: float, steps: int, warmup: float) -> None:
        """Starts a new run of `steps` steps; `warmup` is a share of them."""
        if self.begun:
            for variable in self.variables:
                variable.assign(ops.zeros_like(variable))
        self.begun = True
        self.schedule.assign([learning_rate, int(warmup * steps), steps])

    @property
    def steps(self) -> int:
        """Steps taken in this run, without those that loss scaling has left out."""
        return int(self.step.value)

    def decay(self, steps: int, variable: Any) -> float:
        """The factor by which weight decay shrinks an entry of this variable that never has a gradient, after this
        number of steps; with `ema` the factor of its average."""
        if not steps:
            return 1.0
        scale = next(s for s, v in zip(self.scales, self.trained, strict=True) if v is variable)
        rates = self.rate(np.arange(steps, dtype=np.float32), *np.asarray(self.schedule.value))
        left = np.cumprod(1.0 - np.asarray(rates, np.float64) * scale * self.weight_decay)
        if not self.ema:
            return float(left[-1])
        return float(np.average(left, weights=self.ema ** np.arange(steps - 1, -1, -1.0)))

    def swap(self) -> None:
        """Exchanges weights and averages, if there are averages."""
        for variable, average in zip(self.trained, self.averages, strict=bool(self.averages)):
            value = np.array(variable.value)
            variable.assign(average)
            average.assign(value)

    def take(self, gradients: list[Any], rows: Any) -> None:
        """Takes a step with the gradients of the mean loss of `rows` rows, times `loss_scale`, or accumulates them for
        `flush`."""
        if self.scaling:
            gradients = [gradient / self.scaling.scale for gradient in gradients]
        if not self.sums:
            self.apply(gradients)
            return
        rows = ops.cast(rows, "float32")
        self.rows.assign(self.rows + rows)
        for total, gradient in zip(self.sums, gradients, strict=True):
            total.assign(total + gradient * rows)

    def flush(self) -> None:
        """Takes a step with the mean over all accumulated rows."""
        self.apply([total / self.rows for total in self.sums])
        self._clear()

    def _clear(self):
        for variable in (self.rows, *self.sums):  # current size: a shared graph serves tables of any size
            variable.assign(ops.zeros_like(ops.convert_to_tensor(variable.value)))

    def apply(self, gradients: list[Any]) -> None:
        """Takes one step, unless with loss scaling a gradient is infinite or NaN. The gradients are in the order of the
        trained variables."""
        norm = None
        if self.clip is not None or self.scaling:
            # not `sum`: TensorFlow was seen to add up a long chain of numbers in an order that differs between runs
            norm = ops.sqrt(ops.sum(ops.stack([sum_of_squares(g) for g in gradients])))
        if self.scaling:
            self.scaling.guard(norm, lambda: self._update(gradients, norm), [*self.trained, *self.variables])
        else:
            self._update(gradients, norm)

    def _update(self, gradients, norm):
        rate, t = self.rate(self.step, *ops.unstack(ops.convert_to_tensor(self.schedule))), self.step + 1.0
        # 1 - beta ^ t without the cancellation in float32 at the first steps
        correct_m = -ops.expm1(t * math.log(BETA_1))
        correct_v = ops.sqrt(-ops.expm1(t * math.log(BETA_2)))
        epsilon = KERAS_EPSILON if self.keras_epsilon else EPSILON * correct_v
        factors = {}  # scale -> (Adam's rate, factor of weight decay)
        for scale in dict.fromkeys(self.scales):
            scaled_rate = rate if scale == 1.0 else rate * scale
            factors[scale] = scaled_rate * correct_v / correct_m, 1.0 - scaled_rate * self.weight_decay
        shrink = 1.0 if self.clip is None else ops.minimum(1.0, self.clip / (norm + 1e-6))
        parts = zip(self.trained, self.scales, self.first, self.second, gradients, strict=True)
        done = gradients[0]  # orders the next decay, see `decay`
        for variable, scale, m, v, gradient in parts:
            adam_rate, factor = factors[scale]
            if self.weight_decay and not variable.name.endswith(NO_DECAY):
                decay(variable, factor, done)
            done = adam(variable, m, v, gradient * shrink, adam_rate, epsilon)
        if self.ema:
            share = (1.0 - self.ema) / -ops.expm1(t * math.log(self.ema))
            for variable, average in zip(self.trained, self.averages, strict=True):
                average.assign(average + share * (variable - average))
        self.step.assign(t)


def _zeros_like(variable):
    return new_variable(ops.zeros(variable.shape, variable.dtype), variable.name, trainable=False)
