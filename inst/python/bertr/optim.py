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
NO_DECAY = ("bias", "gamma", "beta")


class WarmupLinear(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to `peak` over `warmup` steps, then falls linearly; no step is taken at rate zero.

    Step t (from 0) has rate peak (t + 1) / warmup, then peak (total - t) / (total - warmup).
    """

    def __init__(self, peak, warmup, total):
        self.peak, self.warmup, self.total = peak, warmup, total

    def __call__(self, step):
        t = ops.cast(step, "float32")
        rise = (t + 1.0) / max(1, self.warmup)
        fall = (self.total - t) / max(1, self.total - self.warmup)
        return self.peak * ops.maximum(0.0, ops.where(t < self.warmup, rise, fall))

    def get_config(self):
        return {"peak": self.peak, "warmup": self.warmup, "total": self.total}


class BertAdamW(keras.optimizers.AdamW):
    """AdamW with epsilon beside the bias-corrected root, as in the paper's algorithm and in torch. Keras adds it to
    the uncorrected one, which damps the first steps of the many weights with small gradients."""

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        t = ops.cast(self.iterations + 1, "float32")
        # 1 - beta ^ t, which in float32 would lose half of its digits at the first steps
        correct_m = -ops.expm1(t * math.log(self.beta_1))
        correct_v = ops.sqrt(-ops.expm1(t * math.log(self.beta_2)))
        rate, epsilon = learning_rate * correct_v / correct_m, self.epsilon * correct_v
        if keras.backend.backend() == "tensorflow":
            _fused_step(variable, m.value, v.value, gradient, rate, epsilon, self.beta_1, self.beta_2)
            return
        self.assign_add(m, (gradient - m) * (1.0 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1.0 - self.beta_2))
        self.assign_sub(variable, m * rate / (ops.sqrt(v) + epsilon))


def _fused_step(variable, m, v, gradient, rate, epsilon, beta_1, beta_2):
    """The same in TensorFlow's one kernel, which passes over memory once instead of ten times: for BERT's 30,000
    word vectors that is what the step costs. Its own bias correction is switched off by powers of zero."""
    import tensorflow as tf

    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle, m=m.handle, v=v.handle, grad=tf.convert_to_tensor(gradient), beta1_power=0.0,
        beta2_power=0.0, lr=rate, beta1=beta_1, beta2=beta_2, epsilon=epsilon)


def bert_adamw(variables, learning_rate, steps, warmup, weight_decay, clip):
    """AdamW over `variables`, ready to apply. `warmup` is a share of `steps`, `clip` the largest global norm."""
    schedule = WarmupLinear(learning_rate, int(warmup * steps), steps)
    optimizer = BertAdamW(schedule, beta_1=BETA_1, beta_2=BETA_2, weight_decay=weight_decay, epsilon=1e-6,
                          global_clipnorm=clip)
    optimizer.exclude_from_weight_decay(var_list=[v for v in variables if v.name.endswith(NO_DECAY)])
    optimizer.build(variables)
    return optimizer
