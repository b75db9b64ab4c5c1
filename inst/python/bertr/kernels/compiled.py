"""Compiled functions, implemented once for TensorFlow and once for JAX.

Only kernels/ and nn/packing.py know which backend runs; `backend.COMPILES_SHAPES` tells the rest whether each shape is
compiled separately. TensorFlow: graphs with dynamic shapes, so a new length needs no new trace. JAX: compiled per
shape, so lengths and row counts are rounded to few sizes (`static_shapes`, `_full_batch`).
"""

import collections
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from .backend import BACKEND
from .dense import final_weights

BUCKET = 32  # where each shape is compiled, lengths are rounded up to a multiple of it
FILLER = -1  # all targets of samples that only fill up a training batch, where each shape is compiled
WORD_ROWS = "word_rows"  # name of variables with one row per vocabulary entry in use


def bucketed(lengths: Any) -> Any:
    """Lengths after padding to a bucket.

    Args:
        lengths: an int, or int [rows].

    Returns:
        The same, rounded up to a multiple of BUCKET if the backend compiles each shape.
    """
    return lengths if BACKEND == "tensorflow" else -(-lengths // BUCKET) * BUCKET


def static_shapes(arrays: Sequence[np.ndarray], rows: int) -> Sequence[np.ndarray]:
    """Arrays padded to a bucketed length and to `rows` rows if the backend compiles each shape.

    Args:
        arrays: ids, segments and mask, [batch, length] each.
        rows: the least number of rows of the result.

    Returns:
        The arrays, padded with zeros: [at least `rows`, bucketed length] each.
    """
    if BACKEND == "tensorflow":
        return arrays
    length = bucketed(arrays[0].shape[1])
    out = []
    for a in arrays:
        padded = np.zeros((max(rows, len(a)), length), a.dtype)
        padded[: a.shape[0], : a.shape[1]] = a
        out.append(padded)
    return tuple(out)


if BACKEND == "tensorflow":
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it mistakes the graphs of several fits for repeated retracing

    for gpu in tf.config.list_physical_devices("GPU"):  # allocate as needed instead of all memory
        tf.config.experimental.set_memory_growth(gpu, True)

    IDS = tf.TensorSpec([None, None], tf.int32)  # [batch, length]

    def _open(array):
        return tf.TensorSpec([None] * array.ndim, tf.as_dtype(array.dtype))

    def new_variable(value: Any, name: str | None = None, trainable: bool = True) -> Any:
        """A Keras variable. WORD_ROWS tables differ in size from fit to fit, so their row count is dynamic: otherwise a
        shared graph would be specialized for the first size and fail with others."""
        out = keras.Variable(value, name=name, trainable=trainable)
        if name == WORD_ROWS:
            out._value = tf.Variable(value, shape=(None, *value.shape[1:]), trainable=trainable)
        return out

    KINDS = 12  # graphs cached for reuse by later fits of the same kind
    _kept = collections.OrderedDict()

    def _graph(kind, function, variables, signature):
        """`function(*inputs)` as a graph whose first input is the list of tf.Variables it uses. Graphs are cached by
        `kind`, which must determine everything `function` depends on except inputs and variables; None disables the
        cache."""
        specs = [tf.type_spec_from_value(v.value) for v in variables]
        key = kind and (kind, repr(specs), repr(signature))
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
        graph = _trace(function, variables, specs, signature)
        if key:
            _kept[key] = graph
            if len(_kept) > KINDS:
                _kept.popitem(last=False)
        return graph

    def _trace(function, variables, specs, signature):
        def run(values, *inputs):
            with _standing_for(variables, values):
                return function(*inputs)

        # no autograph: no control flow depends on a tensor, and rewriting the Python takes time
        graph = tf.function(run, autograph=False).get_concrete_function(specs, *signature)
        if graph.captured_inputs:  # it would use the first fit's values forever
            raise AssertionError(f"A graph holds {len(graph.captured_inputs)} tensors besides its inputs.")
        return graph

    def _bound(graph, variables):
        """`graph` bound to these variables. Flattening hundreds of inputs costs TensorFlow milliseconds per call; a
        private method avoids that, with the public call as a fallback."""
        values = [v.value for v in variables]  # also keeps them alive
        call = getattr(getattr(graph, "_inference_function", None), "call_preflattened", None)
        if call is None:
            return lambda *inputs: graph(values, *map(tf.constant, inputs))
        handles = [value.handle for value in values]
        return lambda *inputs, values=values: call([*handles, *map(tf.constant, inputs)])

    @contextlib.contextmanager
    def _standing_for(variables, values):
        """Context in which each Keras variable is backed by one of these tf.Variables. Keras has no public way to do
        this: its StatelessScope provides tensors, which optimizer kernels cannot update in place."""
        before = [v._value for v in variables]
        try:
            for variable, value in zip(variables, values, strict=True):
                variable._value = value
            yield
        finally:
            for variable, value in zip(variables, before, strict=True):
                variable._value = value

    class Forward:
        """`call(ids, segments, mask)` as a graph. `final`: the variables no longer change; such a graph holds weights,
        so it is never shared."""

        def __init__(self, call: Callable[..., Any], variables: list[Any], final: bool = False, kind: Any = None):
            self.call, self.variables, self.final, self.kind = call, variables, final, kind
            self.graph = None

        def __call__(self, ids, segments, mask):
            if self.graph is None:
                self.graph = _graph(None if self.final else self.kind, self._run, self.variables, [IDS, IDS, IDS])
                self.bound = _bound(self.graph, self.variables)
            return tf.nest.map_structure(lambda t: t.numpy(), self.bound(ids, segments, mask))

        def _run(self, ids, segments, mask):
            with final_weights(self.final):
                return self.call(ids, segments, mask)

    class Slopes:
        """How a sum of scores changes along straight lines of word vectors, one for each token.

        Args:
            look_up: a function from ids [batch, length] to word vectors [batch, length, width].
            score: a function from word vectors and the `inputs` to a scalar.
            variables: the Keras variables that both use.
            inputs: example arrays, for their dtypes and ranks.
            kind: as for `Forward`.
        """

        def __init__(
            self,
            look_up: Callable[..., Any],
            score: Callable[..., Any],
            variables: list[Any],
            inputs: Sequence[np.ndarray],
            kind: Any = None,
        ):
            def run(start, end, share, *inputs):
                first = look_up(start)
                step = look_up(end) - first
                here = first + share[:, None, None] * step
                return tf.reduce_sum(tf.gradients(score(here, *inputs), here)[0] * step, axis=-1)

            signature = [IDS, IDS, tf.TensorSpec([None], tf.float32), *map(_open, inputs)]
            self.bound = _bound(_graph(kind, run, variables, signature), variables)

        def __call__(self, start, end, share, *inputs):
            """The derivative for each token, float32 [batch, length], at `share` [batch] of the way from the word
            vectors of the ids `start` to those of `end`, both [batch, length]."""
            return self.bound(start, end, share, *inputs).numpy()

    class TrainStep:
        """Passes the gradients of a batch to the optimizer, which takes a step, or waits for `flush` if it accumulates.
        `values(targets, *inputs)` returns a list, the loss of each row and any number of metrics of each row, [batch]
        each; an `adversary` adds the gradients of a second pass (see training/adversarial.py). Steps of the same `kind`
        (see `_graph`) share their graphs. `devices`: over how many a batch is split, see `devices.py`. `samples`: how
        many a full batch has."""

        def __init__(
            self,
            values: Callable[..., list[Any]],
            variables: list[Any],
            other_variables: list[Any],
            optimizer: Any,
            targets: np.ndarray,
            inputs: Any,
            adversary: Any = None,
            kind: Any = None,
            devices: int | None = None,
            samples: int = 1,
        ):
            def step(targets, *inputs):
                return _apply(values, variables, optimizer, adversary, targets, *inputs)

            self.optimizer, self.kind = optimizer, kind
            every = [*variables, *other_variables, *optimizer.variables]
            self.bound = _bound(_graph(kind, step, every, [_open(targets), *map(_open, inputs)]), every)
            self.flushed = None

        def __call__(self, targets, *inputs):
            """The means over the batch, float32 [values]."""
            return self.bound(targets, *inputs).numpy()

        def flush(self) -> None:
            if self.flushed is None:
                state = [*self.optimizer.trained, *self.optimizer.variables]
                kind = self.kind and (self.kind, "flush")
                self.flushed = _bound(_graph(kind, self.optimizer.flush, state, []), state)
            self.flushed()

        def finish(self) -> None:
            """The variables are always up to date here."""

    class FeatureSteps:
        """Many optimizer steps on features in memory, in one graph: a step of a small head takes less time than a call
        from Python. The graph works for any features and targets of these dtypes and ranks."""

        def __init__(
            self,
            values: Callable[..., list[Any]],
            variables: list[Any],
            other_variables: list[Any],
            optimizer: Any,
            targets: np.ndarray,
            features: np.ndarray,
        ):
            order = tf.TensorSpec([None], tf.int32)

            def run(order, splits, targets, features):  # rows of all batches, concatenated; offsets of the batches
                batches = tf.size(splits) - 1

                def step(i, means):
                    rows = order[splits[i] : splits[i + 1]]
                    batch = tf.gather(targets, rows), tf.gather(features, rows)
                    return i + 1, means.write(i, _apply(values, variables, optimizer, None, *batch))

                means = tf.TensorArray(tf.float32, size=batches)
                return tf.while_loop(lambda i, _: i < batches, step, (0, means))[1].stack()

            # no autograph: it leaves generated code in the temporary folder
            signature = [order, order, _open(targets), _open(features)]
            self.function = tf.function(run, input_signature=signature, autograph=False)
            self.begin(targets, features)

        def begin(self, targets: np.ndarray, features: np.ndarray) -> None:
            """Sets the data for the next calls; the variables may have changed."""
            self.data: Any = tf.constant(targets), tf.constant(features)

        def __call__(self, batches):
            """The means over each batch, float32 [batches, values]."""
            splits = np.cumsum([0] + [len(b) for b in batches]).astype(np.int32)
            return self.function(np.concatenate(batches).astype(np.int32), splits, *self.data).numpy()

        def finish(self) -> None:
            """The variables are always up to date here."""

        def end(self) -> None:
            """Releases the data."""
            self.data = None

        def traces(self) -> int:
            """How often the function was traced."""
            return self.function.experimental_get_tracing_count()

    def _apply(values, variables, optimizer, adversary, targets, *inputs):
        each = values(targets, *inputs)
        means = [tf.reduce_mean(value) for value in each]
        gradients = _gradients(means[0], variables)
        if adversary:
            with adversary.attack(gradients):
                more = _gradients(tf.reduce_mean(values(targets, *inputs)[0]), variables)
            gradients = [a + b for a, b in zip(gradients, more, strict=True)]
        optimizer.take(gradients, tf.size(each[0]))
        return tf.stack(means)

    def _gradients(value, variables):
        gradients = tf.gradients(value, [v.value for v in variables])  # a tape would not use the custom gradients
        # dense: the norm of sparse slices would count a repeated word separately
        return [tf.convert_to_tensor(g) for g in gradients]

else:
    import jax
    import jax.numpy as jnp

    from .devices import Devices

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

            def mean_loss(trained, others, count, targets, *inputs):
                each, now = _with_values(
                    lambda: values(targets, *inputs), variables + other_variables, trained + others
                )
                real = jnp.arange(len(targets)) < count
                means = [jnp.sum(value, where=real) / count for value in each]
                return means[0], (jnp.stack(means), now[len(trained) :])

            both = jax.value_and_grad(mean_loss, has_aux=True)

            def optimize(how, trained, state):
                _, now = _with_values(how, variables + optimizer.variables, trained + state)
                return now[: len(trained)], now[len(trained) :]

            def step(trained, others, state, count, targets, *inputs):
                (_, (means, others)), gradients = both(trained, others, count, targets, *inputs)
                if adversary:
                    with adversary.attack(gradients):
                        (_, (_, others)), more = both(trained, others, count, targets, *inputs)
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
            means, self.values = self.function(*self.values, self.devices.copy(np.int32(count)), targets, *inputs)
            return np.asarray(means)

        def flush(self) -> None:
            self.values = self.last(*self.values)

        def begin(self) -> None:
            """Reads the current values of the variables."""
            self.values = self.devices.copy([[v.value for v in group] for group in self.layers])

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
