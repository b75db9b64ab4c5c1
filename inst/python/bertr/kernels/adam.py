"""Adam's update of one variable, weight decay and the squared norm."""

from typing import Any

import numpy as np
from keras import ops

from .backend import BACKEND

# rounded to float32: otherwise 1 - 0.999, and with it the bias correction, has a relative error of 1e-5
BETA_1, BETA_2 = float(np.float32(0.9)), float(np.float32(0.999))

if BACKEND == "tensorflow":
    import tensorflow as tf

    def sum_of_squares(gradient: Any) -> Any:
        return 2.0 * tf.nn.l2_loss(gradient)  # one kernel, and no array of squares

    def decay(variable: Any, factor: Any, done: Any) -> None:
        """Multiplies by `factor`, after `done` is computed. Decay makes a copy of a weight; without this ordering
        TensorFlow might make the copies of all weights at once, or amid the activations, fragmenting memory."""
        with tf.control_dependencies([done]):
            factor = tf.identity(factor)
        variable.assign(variable * factor)

    def adam(variable: Any, m: Any, v: Any, gradient: Any, rate: Any, epsilon: Any) -> Any:
        """TensorFlow's fused kernel passes over memory once instead of ten times; memory traffic dominates a step of
        BERT's 30,000 word vectors. Beta powers of zero disable its own bias correction."""
        return tf.raw_ops.ResourceApplyAdam(
            var=variable.value.handle,
            m=m.value.handle,
            v=v.value.handle,
            grad=gradient,
            beta1_power=0.0,
            beta2_power=0.0,
            lr=rate,
            beta1=BETA_1,
            beta2=BETA_2,
            epsilon=epsilon,
        )

else:

    def sum_of_squares(gradient: Any) -> Any:
        return ops.sum(ops.square(gradient))

    def decay(variable: Any, factor: Any, done: Any) -> None:
        variable.assign(variable * factor)

    def adam(variable: Any, m: Any, v: Any, gradient: Any, rate: Any, epsilon: Any) -> Any:
        m.assign(BETA_1 * m + (1.0 - BETA_1) * gradient)
        v.assign(BETA_2 * v + (1.0 - BETA_2) * ops.square(gradient))
        variable.assign(variable - rate * m / (ops.sqrt(v) + epsilon))
