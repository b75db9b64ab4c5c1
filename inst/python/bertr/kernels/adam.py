"""Adam's update of one weight, and what goes with it."""

import numpy as np
from keras import ops

from .backend import BACKEND

# as the float32 arithmetic has them: 1 - 0.999 would be off by 1e-5 of itself, and so would the bias correction
BETA_1, BETA_2 = float(np.float32(0.9)), float(np.float32(0.999))

if BACKEND == "tensorflow":
    import tensorflow as tf

    def sum_of_squares(gradient):
        return 2.0 * tf.nn.l2_loss(gradient)  # one kernel, and no array of squares

    def decay(variable, kept, done):
        """Not before `done`. Decay makes a new copy of a weight; nothing else would keep TensorFlow from making those
        of all weights at once, or among a step's activations, where they would leave gaps."""
        with tf.control_dependencies([done]):
            kept = tf.identity(kept)
        variable.assign(variable * kept)

    def adam(variable, m, v, gradient, rate, epsilon):
        """TensorFlow's one kernel, which passes over memory once instead of ten times: for BERT's 30,000 word vectors
        that is what the step costs. Its own bias correction is switched off by powers of zero."""
        return tf.raw_ops.ResourceApplyAdam(
            var=variable.value.handle, m=m.value.handle, v=v.value.handle, grad=gradient, beta1_power=0.0,
            beta2_power=0.0, lr=rate, beta1=BETA_1, beta2=BETA_2, epsilon=epsilon)

else:

    def sum_of_squares(gradient):
        return ops.sum(ops.square(gradient))

    def decay(variable, kept, done):
        variable.assign(variable * kept)

    def adam(variable, m, v, gradient, rate, epsilon):
        m.assign(BETA_1 * m + (1.0 - BETA_1) * gradient)
        v.assign(BETA_2 * v + (1.0 - BETA_2) * ops.square(gradient))
        variable.assign(variable - rate * m / (ops.sqrt(v) + epsilon))
