"""A limit on the length of a batch that may be known only when the batch is computed."""

from typing import Any

from .backend import BACKEND


def check_length(x: Any, most: int) -> Any:
    """`x` [batch, length]. If the length is above `most`, computing it fails.

    Raises:
        ValueError: if the length is known to be above `most`.
    """
    hint = f"this model has only {most} positions. Tokenize with max_len = {most} or less."
    length = x.shape[1]
    if length is None:
        return _check_later(x, most, f"The texts are too long: {hint}")
    if length > most:
        raise ValueError(f"The texts are {length} tokens wide, but {hint}")
    return x


if BACKEND == "tensorflow":
    import tensorflow as tf

    def _check_later(x, most, message):
        with tf.control_dependencies([tf.debugging.assert_less_equal(tf.shape(x)[1], most, message)]):
            return tf.identity(x)

else:

    def _check_later(x, most, message):  # what is computed has a known shape
        return x
