"""Compiled functions, implemented once for TensorFlow and once for JAX.

Only kernels/ and nn/packing.py know which backend runs; `backend.COMPILES_SHAPES` tells the rest whether each shape is
compiled separately. TensorFlow: graphs with dynamic shapes, so a new length needs no new trace. JAX: compiled per
shape, so lengths are rounded to few sizes (`buckets.py`), and batches filled up to few numbers of rows.
"""

from .backend import BACKEND

if BACKEND == "tensorflow":
    from .compiled_tensorflow import FeatureSteps, Forward, Slopes, TrainStep, new_variable
else:
    from .compiled_jax import FeatureSteps, Forward, Slopes, TrainStep, new_variable

__all__ = ["FeatureSteps", "Forward", "Slopes", "TrainStep", "new_variable"]
