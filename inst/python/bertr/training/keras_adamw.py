"""BERT's optimizer for Keras' own `compile()`: it takes the same steps as `BertAdamW` (training/adamw.py)."""

import math
from typing import Any

import keras
from keras import ops

from .adamw import BETA_1, BETA_2, EPSILON, NO_DECAY, warmup_linear


@keras.saving.register_keras_serializable(package="bertr")
class WarmupLinear(keras.optimizers.schedules.LearningRateSchedule):
    """`warmup_linear` as a schedule.

    Args:
        peak: the highest rate.
        warmup: number of steps up to it.
        steps: number of all steps.
    """

    def __init__(self, peak: float, warmup: int, steps: int):
        self.peak, self.warmup, self.steps = peak, warmup, steps

    def __call__(self, step):
        return warmup_linear(ops.cast(step, "float32"), self.peak, self.warmup, self.steps)

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "warmup": self.warmup, "steps": self.steps}


@keras.saving.register_keras_serializable(package="bertr")
class BertOptimizer(keras.optimizers.AdamW):
    """Keras' AdamW with two differences: epsilon is added to the bias-corrected root, as in the paper and in torch (see
    `BertAdamW`), and biases and LayerNorm are never decayed, also after loading, which forgets such exclusions."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # on TensorFlow Keras looks at names such as "gamma:0"
        self.exclude_from_weight_decay(var_names=[f"{name}(:[0-9]+)?$" for name in NO_DECAY])

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One step of one variable, called by Keras; `gradient` has the shape of `variable`."""
        rate, gradient = (ops.cast(x, variable.dtype) for x in (learning_rate, gradient))
        t = ops.cast(self.iterations + 1, "float32")
        i = self._get_variable_index(variable)
        m, v = self._momentums[i], self._velocities[i]
        self.assign(m, self.beta_1 * m + (1.0 - self.beta_1) * gradient)
        self.assign(v, self.beta_2 * v + (1.0 - self.beta_2) * ops.square(gradient))
        correct_m, correct_v = (
            ops.cast(-ops.expm1(t * math.log(beta)), variable.dtype) for beta in (self.beta_1, self.beta_2)
        )
        self.assign_sub(variable, rate * (m / correct_m) / (ops.sqrt(v / correct_v) + self.epsilon))


def bert_optimizer(rows: int, batch_size: int, epochs: int, learning_rate: float, warmup: float) -> BertOptimizer:
    """The optimizer and schedule of a fit, with the settings of the BERT paper.

    Args:
        rows: rows to train on.
        batch_size: rows per step.
        epochs: passes over the rows.
        learning_rate: the peak.
        warmup: share of the steps in which the rate rises.

    Returns:
        A BertOptimizer.
    """
    steps = math.ceil(rows / batch_size) * epochs
    return BertOptimizer(
        WarmupLinear(learning_rate, int(warmup * steps), steps),
        weight_decay=0.01,
        beta_1=BETA_1,
        beta_2=BETA_2,
        epsilon=EPSILON,
        global_clipnorm=1.0,
    )
