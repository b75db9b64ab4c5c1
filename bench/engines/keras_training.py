"""What the two Keras peers share: BERT's schedule, and training on given batches as every engine can do it.

`keras` is Keras 3 for one and Keras 2 for the other; both come with TensorFlow.
"""

import numpy as np
import tensorflow as tf

RATE = 1e-4


def mean_pool(states, mask):
    """[batch, length, hidden] and [batch, length] -> [batch, hidden]."""
    real = tf.cast(mask, states.dtype)[:, :, None]
    return tf.reduce_sum(states * real, 1) / tf.reduce_sum(real, 1)


def reset(model, weights, state):
    """A compiled model as it was before any training, its optimiser's `state` too; its graph is kept."""
    model.set_weights(weights)
    for variable in state:
        if "learning_rate" not in variable.name:
            variable.assign(tf.zeros_like(variable))


def plain_losses(call, variables, optimizer, kernel, bias, steps):
    """The loss before each step. `call(*inputs)` gives pooled states; steps are (inputs, classes).

    Keras adds epsilon to the root that is not bias-corrected: it is scaled here to mean what the paper means.
    """
    head = [tf.Variable(kernel, name="head_kernel"), tf.Variable(bias, name="head_bias")]
    variables, losses = [*variables, *head], []
    for t, (inputs, codes) in enumerate(steps, 1):
        optimizer.epsilon = 1e-6 * float(np.sqrt(1 - 0.999**t))
        with tf.GradientTape() as tape:
            z = call(*inputs) @ head[0] + head[1]
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(codes, z))
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients([(tf.convert_to_tensor(g), v) for g, v in zip(gradients, variables, strict=True)])
        losses.append(float(loss))
    return losses
