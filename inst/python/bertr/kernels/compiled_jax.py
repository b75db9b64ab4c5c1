"""The compiled functions of JAX, one for each shape."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from .buckets import static_shapes
from .devices import Devices

FILLER = -1  # all targets of samples that only fill up a training batch


def new_variable(value: Any, name: str | None = None, trainable: bool = True) -> Any:
    return keras.Variable(value, name=name, trainable=trainable)


def _with_values(function, variables, values):
    """Runs `function` with these values in its variables; returns its result and the new values."""
    with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))) as scope:
        out = function()
    return out, [scope.get_current_value(v) for v in variables]


class Forward:
    """`call(ids, segments, mask)`, compiled."""

    def __init__(self, call: Callable[..., Any], variables: list[Any], final: bool = False, kind: Any = None):
        self.variables = variables
        self.function = jax.jit(lambda values, *x: _with_values(lambda: call(*x), variables, values)[0])

    def __call__(self, ids, segments, mask):
        out = self.function([v.value for v in self.variables], ids, segments, mask)
        return jax.tree.map(np.asarray, out)


class Slopes:
    """As on TensorFlow."""

    def __init__(self, look_up, score, variables, inputs, kind=None):
        self.variables = variables

        def run(start, end, share, *inputs):
            first = look_up(start)
            step = look_up(end) - first
            here = first + share[:, None, None] * step
            return (jax.grad(score)(here, *inputs) * step).sum(axis=-1)

        self.function = jax.jit(lambda values, *x: _with_values(lambda: run(*x), variables, values)[0])

    def __call__(self, start, end, share, *inputs):
        return np.asarray(self.function([v.value for v in self.variables], start, end, share, *inputs))


def _full_batch(targets, inputs, samples):
    """A batch filled up to a number of samples, and to a bucketed length.

    Args:
        targets: [n, ...].
        inputs: ids, segments and mask, [rows, length] each; if samples may have several rows also `first`, int32
            [n + 1], see `Network.call`.
        samples: the number to fill up to, at least n.

    Returns:
        (targets, inputs). Targets are [samples, ...], FILLER where filled up; the number of rows is a multiple of
        `samples`, with at least one row for each, and `first` is [samples + 1].
    """
    lacking, rows = samples - len(targets), len(inputs[0])
    filler = np.full((lacking, *targets.shape[1:]), FILLER, targets.dtype)
    several = [np.append(first, first[-1] + 1 + np.arange(lacking, dtype=first.dtype)) for first in inputs[3:]]
    inputs = static_shapes(inputs[:3], -(-(rows + lacking) // samples) * samples)
    return np.concatenate([targets, filler]), [*inputs, *several]


class TrainStep:
    """As on TensorFlow; samples that only fill up the batch do not count."""

    def __init__(
        self,
        values,
        variables,
        other_variables,
        optimizer,
        targets,
        inputs,
        adversary=None,
        kind=None,
        devices=None,
        samples=1,
    ):
        self.layers = (variables, other_variables, optimizer.variables)
        self.devices, self.samples = Devices(devices), samples
        self.begin()

        def mean_loss(trained, others, scale, count, targets, *inputs):
            each, now = _with_values(lambda: values(targets, *inputs), variables + other_variables, trained + others)
            real = jnp.arange(len(targets)) < count
            means = [jnp.sum(value, where=real) / count for value in each]
            return means[0] * scale, (jnp.stack(means), now[len(trained) :])

        both = jax.value_and_grad(mean_loss, has_aux=True)

        def optimize(how, trained, state):
            _, now = _with_values(how, variables + optimizer.variables, trained + state)
            return now[: len(trained)], now[len(trained) :]

        def step(trained, others, state, count, targets, *inputs):
            scale = _with_values(lambda: optimizer.loss_scale * 1.0, optimizer.variables, state)[0]
            (_, (means, others)), gradients = both(trained, others, scale, count, targets, *inputs)
            if adversary:
                with adversary.attack(gradients):
                    (_, (_, others)), more = both(trained, others, scale, count, targets, *inputs)
                gradients = [a + b for a, b in zip(gradients, more, strict=True)]
            trained, state = optimize(lambda: optimizer.take(gradients, count), trained, state)
            return means, [trained, others, state]

        def flush(trained, others, state):
            trained, state = optimize(optimizer.flush, trained, state)
            return [trained, others, state]

        self.function, self.last = self.devices.compiled(step), self.devices.compiled(flush)

    def __call__(self, targets, *inputs):
        count, devices = len(targets), self.devices
        targets, inputs = _full_batch(targets, inputs, devices.even(max(count, self.samples)))
        inputs = [devices.share(x) for x in inputs[:3]] + [devices.copy(first) for first in inputs[3:]]
        return self.take(count, devices.share(targets), *inputs)

    def take(self, count: int, targets: Any, *inputs: Any) -> Any:
        """As a call, with a full batch, of which the first `count` samples count."""
        means, values = self.function(*self.values, self.devices.copy(np.int32(count)), targets, *inputs)
        means = np.asarray(means)  # JAX computes later: a step that fails does so here, and changes nothing
        self.values = values
        return means

    def flush(self) -> None:
        self.values = self.last(*self.values)

    def begin(self) -> None:
        """Reads the current values of the variables, with the types that a step returns: a new variable's may be
        weak, for which JAX would compile the first step another time."""
        values = [[jnp.asarray(v.value, v.value.dtype) for v in group] for group in self.layers]
        self.values = self.devices.copy(values)

    def finish(self) -> None:
        """Writes the trained values back into the variables."""
        for group, values in zip(self.layers, self.values, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(self.devices.whole(value))


class FeatureSteps:
    """Many optimizer steps on features in memory."""

    def __init__(self, values, variables, other_variables, optimizer, targets, features):
        self.step = TrainStep(values, variables, other_variables, optimizer, targets, features)
        self.begin(targets, features)

    def begin(self, targets: np.ndarray, features: np.ndarray) -> None:
        self.targets: Any = targets
        self.features: Any = features
        self.step.begin()

    def __call__(self, batches):
        widest = max(len(b) for b in batches)
        return np.array([self._one(b, widest) for b in batches])

    def _one(self, rows, widest):
        count = len(rows)
        rows = np.pad(rows, (0, widest - count), mode="edge")
        return self.step.take(count, self.targets[rows], self.features[rows])

    def finish(self) -> None:
        self.step.finish()

    def end(self) -> None:
        """Releases the data."""
        self.targets = self.features = None
