"""BERT's optimiser: AdamW with decay kept off biases and LayerNorm, linear warmup and linear decay.

Sources: Loshchilov & Hutter 2019 (AdamW); google-research/bert `optimization.py` (warmup, exclusions, clip 1.0);
bias correction as in Hugging Face and keras-bert, which Google's own code leaves out.
"""

import math

import keras
import numpy as np
from keras import ops

# as the float32 arithmetic has them: 1 - 0.999 would be off by 1e-5 of itself, and so would the bias correction
BETA_1, BETA_2 = float(np.float32(0.9)), float(np.float32(0.999))
EPSILON = 1e-6
NO_DECAY = ("bias", "gamma", "beta")


def warmup_linear(step, peak, warmup, total):
    """The rate of a step (from 0): peak (step + 1) / warmup, then peak (total - step) / (total - warmup).

    No step is taken at rate zero."""
    rise = (step + 1.0) / ops.maximum(1.0, warmup)
    fall = (total - step) / ops.maximum(1.0, total - warmup)
    return peak * ops.maximum(0.0, ops.where(step < warmup, rise, fall))


class BertAdamW:
    """AdamW as the paper and torch have it, epsilon beside the bias-corrected root. Keras' own adds it to the
    uncorrected one, which damps the first steps of the many weights with small gradients, and works out rate and
    corrections for every variable anew, which for a small head costs more than the update."""

    def __init__(self, trained, weight_decay, clip):
        """`clip` is the largest norm of all gradients together, or None. `begin` comes before the first step."""
        self.trained = trained
        self.weight_decay, self.clip = weight_decay, clip
        self.step = keras.Variable(0.0, trainable=False, name="step")
        self.schedule = keras.Variable(ops.zeros(3), trainable=False, name="schedule")  # peak, warmup steps, all steps
        self.first, self.second = ([_zeros_like(v) for v in trained] for _ in range(2))
        self.variables = [self.step, self.schedule, *self.first, *self.second]

    def begin(self, learning_rate, steps, warmup):
        """A new run of so many steps, `warmup` a share of them."""
        for variable in self.variables:
            variable.assign(ops.zeros_like(variable))
        self.schedule.assign([learning_rate, int(warmup * steps), steps])

    def decay(self, steps):
        """What weight decay leaves, after so many steps, of a number that never has a gradient."""
        rates = warmup_linear(np.arange(steps, dtype=np.float32), *np.asarray(self.schedule.value))
        return float(np.prod(1.0 - np.asarray(rates, np.float64) * self.weight_decay))

    def apply(self, gradients):
        """One step; the gradients come in the order of the trained variables."""
        rate, t = warmup_linear(self.step, *ops.unstack(self.schedule)), self.step + 1.0
        # 1 - beta ^ t, which in float32 would lose half of its digits at the first steps
        correct_m = -ops.expm1(t * math.log(BETA_1))
        correct_v = ops.sqrt(-ops.expm1(t * math.log(BETA_2)))
        adam_rate, epsilon, kept = rate * correct_v / correct_m, EPSILON * correct_v, 1.0 - rate * self.weight_decay
        scale = 1.0
        if self.clip is not None:
            norm = ops.sqrt(sum(_sum_of_squares(g) for g in gradients))
            scale = ops.minimum(1.0, self.clip / (norm + 1e-6))
        for variable, m, v, gradient in zip(self.trained, self.first, self.second, gradients, strict=True):
            if self.weight_decay and not variable.name.endswith(NO_DECAY):
                variable.assign(variable * kept)
            _adam(variable, m, v, gradient * scale, adam_rate, epsilon)
        self.step.assign(t)


def _zeros_like(variable):
    return keras.Variable(ops.zeros(variable.shape, variable.dtype), trainable=False)


if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    def _sum_of_squares(gradient):
        return 2.0 * tf.nn.l2_loss(gradient)  # one kernel, and no array of squares

    def _adam(variable, m, v, gradient, rate, epsilon):
        """TensorFlow's one kernel, which passes over memory once instead of ten times: for BERT's 30,000 word vectors
        that is what the step costs. Its own bias correction is switched off by powers of zero."""
        tf.raw_ops.ResourceApplyAdam(
            var=variable.value.handle, m=m.value.handle, v=v.value.handle, grad=gradient, beta1_power=0.0,
            beta2_power=0.0, lr=rate, beta1=BETA_1, beta2=BETA_2, epsilon=epsilon)

else:

    def _sum_of_squares(gradient):
        return ops.sum(ops.square(gradient))

    def _adam(variable, m, v, gradient, rate, epsilon):
        m.assign(BETA_1 * m + (1.0 - BETA_1) * gradient)
        v.assign(BETA_2 * v + (1.0 - BETA_2) * ops.square(gradient))
        variable.assign(variable - rate * m / (ops.sqrt(v) + epsilon))
