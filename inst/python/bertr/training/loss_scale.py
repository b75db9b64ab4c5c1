"""Dynamic loss scaling (Micikevicius et al. 2018, Mixed Precision Training, section 3.2): in float16 small gradients
become zero, so the loss is multiplied by a large number, and its gradients are divided by it in float32.

A step whose gradients overflow is left out, and the number is halved; after many steps without overflow it is doubled.
The paper does not give the numbers; these are those of NVIDIA's and torch's automatic mixed precision, which start at
2^16 and double after 2,000 steps.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from ..kernels.only_if import only_if

FIRST, MOST = 2.0**16, 2.0**24
STEPS = 2000  # without overflow, until the scale is doubled


class LossScale:
    def __init__(self):
        self.scale = keras.Variable(FIRST, trainable=False, name="loss_scale")
        self.steps = keras.Variable(0.0, trainable=False, name="loss_scale_steps")  # since it was changed
        self.variables = [self.scale, self.steps]

    def guard(self, norm: Any, step: Callable[[], Any], variables: Sequence[Any]) -> None:
        """Does `step()`, which assigns to these variables, unless the gradients' norm is infinite or NaN, and adapts
        the scale."""
        finite = ops.isfinite(norm)
        only_if(finite, step, variables)
        scale, steps = ops.convert_to_tensor(self.scale), self.steps + 1.0
        enough = steps >= STEPS
        larger = ops.where(enough, ops.minimum(2.0 * scale, MOST), scale)
        self.scale.assign(ops.where(finite, larger, 0.5 * scale))
        self.steps.assign(ops.where(ops.logical_and(finite, ops.logical_not(enough)), steps, 0.0))
