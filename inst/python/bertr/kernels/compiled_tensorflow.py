"""The compiled functions of TensorFlow: graphs, which fits of the same kind share."""

import collections
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .backend import WORD_ROWS
from .dense import final_weights

tf.get_logger().setLevel("ERROR")  # it mistakes the graphs of several fits for repeated retracing

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
    scale = optimizer.loss_scale
    gradients = _gradients(means[0] * scale, variables)
    if adversary:
        with adversary.attack(gradients):
            more = _gradients(tf.reduce_mean(values(targets, *inputs)[0]) * scale, variables)
        gradients = [a + b for a, b in zip(gradients, more, strict=True)]
    optimizer.take(gradients, tf.size(each[0]))
    return tf.stack(means)


def _gradients(value, variables):
    gradients = tf.gradients(value, [v.value for v in variables])  # a tape would not use the custom gradients
    # dense: the norm of sparse slices would count a repeated word separately
    return [tf.convert_to_tensor(g) for g in gradients]
