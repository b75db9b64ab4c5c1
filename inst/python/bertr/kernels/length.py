"""A limit on the length of a batch that may be known only when it is computed."""

from ..errors import BertrError
from .backend import BACKEND


def check_length(x, most):
    """`x` [batch, length]; computing it fails if the length is above `most`.

    Raises:
        BertrError: max_len, if the length is known already.
    """
    message, hint = f"This model has only {most} positions.", f"Tokenize with max_len = {most} or less."
    if x.shape[1] is None:
        return _check_later(x, most, f"{message} {hint}")
    if x.shape[1] > most:
        raise BertrError(
            "max_len", f"The texts are {x.shape[1]} tokens wide, but this model has only {most} positions.", hint
        )
    return x


if BACKEND == "tensorflow":
    import tensorflow as tf

    def _check_later(x, most, message):
        with tf.control_dependencies([tf.debugging.assert_less_equal(tf.shape(x)[1], most, message)]):
            return tf.identity(x)

else:

    def _check_later(x, most, message):  # shapes are always known where something is computed
        return x
