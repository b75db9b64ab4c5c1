"""How much memory a call takes."""

import tensorflow as tf


def most_during(call):
    """Bytes that TensorFlow has in use during a call at the most, beyond those before it."""
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    tf.config.experimental.reset_memory_stats("CPU:0")
    call()
    return tf.config.experimental.get_memory_info("CPU:0")["peak"] - before
