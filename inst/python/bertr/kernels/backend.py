"""Which backend Keras runs on. Only the modules of this folder and nn/packing.py depend on its name."""

import keras

from ..errors import BertrError

BACKEND = keras.backend.backend()

if BACKEND not in ("tensorflow", "jax"):
    raise BertrError(
        "backend",
        f"Keras uses the backend '{BACKEND}', but bertr needs TensorFlow or JAX.",
        "Unset KERAS_BACKEND, or set it to 'tensorflow', and restart R.",
    )

COMPILES_SHAPES = BACKEND != "tensorflow"  # each batch shape is compiled separately, so there should be few

if BACKEND == "tensorflow":
    import tensorflow as tf

    def gpus() -> list[str]:
        """The names of the GPUs in use."""
        return [device.name for device in tf.config.list_physical_devices("GPU")]

else:
    import jax

    def gpus() -> list[str]:
        """The names of the GPUs in use."""
        return [str(device) for device in jax.devices() if device.platform != "cpu"]
