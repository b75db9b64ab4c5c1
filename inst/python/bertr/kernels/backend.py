"""Which backend Keras runs on. Only the modules of this folder and nn/packing.py depend on its name."""

import re

import keras

from ..errors import BertrError

BACKEND = keras.backend.backend()
WORD_ROWS = "word_rows"  # name of variables with one row per vocabulary entry in use

if BACKEND not in ("tensorflow", "jax"):
    raise BertrError(
        "backend",
        f"Keras uses the backend '{BACKEND}', but bertr needs TensorFlow or JAX.",
        "Unset KERAS_BACKEND, or set it to 'tensorflow', and restart R.",
    )


def _number(capability):
    """8.6 of "8.6"; None of AMD's names, such as "gfx90a"."""
    return float(capability) if re.fullmatch(r"\d+\.\d+", capability or "") else None


def too_little_memory(what: str) -> BertrError:
    """The error for `what` even a single text is too much for, as "to train on one text"."""
    return BertrError(
        "memory",
        f"The device has too little memory {what}.",
        "Use a smaller `max_len` or model, or a device with more memory.",
    )


COMPILES_SHAPES = BACKEND != "tensorflow"  # each batch shape is compiled separately, so there should be few

if BACKEND == "tensorflow":
    import tensorflow as tf

    def gpus() -> list[str]:
        """The names of the GPUs in use."""
        return [device.name for device in tf.config.list_physical_devices("GPU")]

    def first_device() -> tuple[str, float | None]:
        """The kind of the device that computes, "cpu" or "gpu", and NVIDIA's compute capability or None."""
        found = tf.config.get_visible_devices("GPU")
        if not found:
            return "cpu", None
        capability = tf.config.experimental.get_device_details(found[0]).get("compute_capability")
        return "gpu", _number(capability and ".".join(map(str, capability)))

    def is_out_of_memory(error: Exception) -> bool:
        """Whether the device had too little memory."""
        return isinstance(error, tf.errors.ResourceExhaustedError)

else:
    import jax

    def gpus() -> list[str]:
        """The names of the GPUs in use."""
        return [str(device) for device in jax.devices() if device.platform != "cpu"]

    def first_device() -> tuple[str, float | None]:
        """The kind of the device that computes, "cpu", "gpu" or "tpu", and NVIDIA's compute capability or None."""
        device = jax.devices()[0]
        return device.platform, _number(getattr(device, "compute_capability", None))

    def is_out_of_memory(error: Exception) -> bool:
        """Whether the device had too little memory."""
        # older JAX has no public name for its error, a RuntimeError
        return isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
