"""oneDNN operations that TensorFlow reserves for its graph optimizer. Each is a single kernel for what public
operations do in several passes over memory, or only with constant weights.

The functions that tell whether they are available are private to TensorFlow too; without them bertr falls back to
public operations.
"""

from collections.abc import Iterable
from typing import Any

from .backend import BACKEND
from .custom_gradient import are_plain

if BACKEND == "tensorflow":
    import tensorflow as tf

    try:
        from tensorflow.python.eager import record
        from tensorflow.python.framework import kernels, op_def_registry
        from tensorflow.python.util import _pywrap_util_port as port
    except ImportError:
        port = None

    FLOAT = tf.compat.v1.AttrValue(type=tf.float32.as_datatype_enum)

    def is_on() -> bool | None:
        """Whether TensorFlow uses oneDNN (which depends on its build, the processor and `TF_ENABLE_ONEDNN_OPTS`); None
        if unknown."""
        return None if port is None else bool(port.IsMklEnabled())

    def has(name: str, attributes: Iterable[str] = ()) -> bool:
        """Whether the operation exists with these attributes; never without oneDNN or on a GPU."""
        return (
            bool(is_on())
            and not tf.config.get_visible_devices("GPU")
            and len(kernels.get_registered_kernels_for_op(name).kernel) > 0
            and {a.name for a in op_def_registry.get(name).attr}.issuperset(attributes)
        )

    def takes(x: Any) -> bool:
        """Whether `x` can be an input: float32, and only in a graph. Not under a tape, which does not see operations
        that are added to a graph directly: gradients would be zero."""
        if port is None or tf.executing_eagerly() or are_plain() or record.could_possibly_record():
            return False
        return x.dtype == tf.float32

    def operation(name: str, inputs: list[Any], attributes: dict[str, Any], label: str) -> Any:
        """The output of the operation in the current graph.

        Args:
            name: the operation's name in TensorFlow.
            inputs: float32 tensors.
            attributes: dict of AttrValue, except T, which is float32.
            label: the name of the node.

        Returns:
            float32 tensor, the first output.
        """
        graph = tf.compat.v1.get_default_graph()
        inputs = [tf.convert_to_tensor(x) for x in inputs]
        return graph.create_op(name, inputs, [tf.float32], name=label, attrs={"T": FLOAT, **attributes}).outputs[0]

else:

    def is_on() -> bool | None:
        return None
