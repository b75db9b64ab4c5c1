"""The encoder: padded ids in, padded hidden states out, no padding in between."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from .packing import packing_for

OF_FIRST = ("cls", "pooler")  # kinds of pooling that read only the first token


class Backbone(keras.layers.Layer):
    """Embeddings and blocks, and the pooler if the checkpoint has one. Layers may share blocks, as in ALBERT."""

    def __init__(
        self,
        config: Any,
        embeddings: Callable[..., Any],
        block: Callable[..., Any],
        has_pooler: bool = True,
        seed: int = 0,
        dtype: Any = "float32",
        **kwargs: Any,
    ):
        super().__init__(dtype=dtype, **kwargs)  # explicit: a global dtype policy must not change results
        self.config = config
        policy = self.dtype_policy
        self.embeddings = embeddings(config, seed, name="embeddings", dtype=policy)
        self.blocks = [block(config, seed + 1 + i, name=f"block_{i}", dtype=policy) for i in range(config.num_blocks)]
        self.pooler: Any = None
        if has_pooler:
            self.pooler = keras.layers.Dense(
                config.hidden_size, "tanh", kernel_initializer="zeros", name="pooler", dtype=policy
            )
        self.live_from = 0  # layers below run in inference mode: no dropout in frozen layers

    def build(self, *_: Any) -> None:
        self.embeddings.build()
        for block in self.blocks:
            block.build()
        if self.pooler:
            self.pooler.build((None, self.config.hidden_size))
        self.built = True

    def call(self, ids: Any, segments: Any, mask: Any, training: bool = False) -> Any:
        """Hidden states, float32 [batch, length, hidden], zero at padding. ids, segments and mask are int [batch,
        length]; instead of `ids` also word vectors, float [batch, length, width]."""
        return self.states_for("none", ids, segments, mask, (self.config.num_layers,), training)[0]

    def _packing(self, mask):
        packing = packing_for(mask, self.blocks[0].compute_dtype, self.config.num_heads)
        packing.score_bias = self.embeddings.score_bias(packing.length)
        return packing

    def _states(self, packing, ids, segments, upto, training=False, of_first=False):
        """Packed states [tokens, hidden] of the embeddings and of each of the lower `upto` layers. With `of_first` the
        last of them has only the first tokens, [batch, hidden]."""
        x = self.embeddings(
            packing.pack(ids),
            packing.pack(segments),
            packing.positions(),
            training=training and self.embeddings.trainable,
        )  # [tokens, hidden]
        states = [x]
        for i in range(upto):
            block = self.blocks[self.config.block_of(i)]
            x = block(
                x, packing=packing, training=training and i >= self.live_from, of_first=of_first and i == upto - 1
            )
            states.append(x)
        return states

    def attention(self, ids: Any, segments: Any, mask: Any, layers: Sequence[int]) -> Any:
        """Attention probabilities of these layers (from 1): [batch, layers, heads, length, length], queries before
        keys."""
        packing = self._packing(mask)
        states = self._states(packing, ids, segments, upto=max(layers) - 1)
        blocks = [self.blocks[self.config.block_of(k - 1)] for k in layers]
        return ops.stack(
            [block.attention_probs(states[k - 1], packing) for block, k in zip(blocks, layers, strict=True)], axis=1
        )

    def states_for(
        self, kind: str, ids: Any, segments: Any, mask: Any, layers: Sequence[int], training: bool = False
    ) -> list[Any]:
        """The states of these layers (0: the embeddings) that pooling of this kind reads; "none" is no pooling.

        A list of float32 [batch, length, hidden], zero at padding. For "cls" and "pooler" of [batch, hidden], the first
        tokens: then the top layer computes only keys and values for the other tokens."""
        packing = self._packing(mask)
        of_first = kind in OF_FIRST
        states = self._states(packing, ids, segments, max(layers), training, of_first)
        if not of_first:
            return [packing.pad(states[i]) for i in layers]
        firsts = [states[i] if i and i == max(layers) else packing.first(states[i]) for i in layers]
        return [ops.cast(first, "float32") for first in firsts]

    def pool(self, states: Any, mask: Any, kind: str) -> Any:
        """One vector per row, [batch, hidden], from the result of `states_for` for this kind. Several kinds joined by
        "+" are concatenated."""
        if "+" in kind:
            return ops.concatenate(
                [self.pool(states[:, 0] if one == "cls" else states, mask, one) for one in kind.split("+")], axis=-1
            )
        if kind == "cls":
            return states
        if kind == "pooler":
            return self.pooler(states)
        real = ops.cast(mask, states.dtype)[:, :, None]  # [batch, length, 1]
        if kind == "max":
            return ops.max(states + (real - 1.0) * 1e9, axis=1)
        if kind == "lasttoken":
            after = ops.pad(real[:, 1:], ((0, 0), (0, 1), (0, 0)))
            return ops.sum(states * (real - after), axis=1)
        if kind == "weightedmean":
            real = real * ops.cumsum(real, axis=1)  # weights: the position of each token, from 1
        total, n = ops.sum(states * real, axis=1), ops.maximum(ops.sum(real, axis=1), 1.0)
        return total / (ops.sqrt(n) if kind == "mean_sqrt_len_tokens" else n)

    @contextlib.contextmanager
    def computing_in(self, precision: str) -> Iterator[None]:
        """Context in which the blocks compute in this float type; their weights stay float32. For tracing a graph."""
        layers = [layer for b in self.blocks for layer in (b, b.attention_norm, b.output_norm)]
        before = [layer.dtype_policy for layer in layers]
        policy = precision if precision == "float32" else f"mixed_{precision}"
        try:
            for layer in layers:
                layer.dtype_policy = policy
            yield
        finally:
            for layer, own in zip(layers, before, strict=True):
                layer.dtype_policy = own

    # ------------------------------------------------------------ which part is trained

    def train_upper(self, k: int | None) -> None:
        """Makes the upper k layers trainable; None: all layers and the embeddings."""
        first = 0 if k is None else self.config.num_layers - k
        self.live_from = first
        self.embeddings.trainable = k is None
        for i, block in enumerate(self.blocks):
            block.trainable = i >= self.config.block_of(first)

    def train_only(self, train: str) -> None:
        """Makes "all", none ("head") or the upper k layers ("top:k") trainable; the pooler unless none."""
        upper = {"all": None, "head": 0}.get(train) if train in ("all", "head") else int(train.removeprefix("top:"))
        self.train_upper(upper)
        if self.pooler:
            self.pooler.trainable = train != "head"

    # ------------------------------------------------------------ tensors by their canonical names

    def _variables(self):
        """Canonical name -> (variable, columns); `columns` is the slice of a fused kernel, or None for all of it."""
        e, h = self.embeddings, self.config.hidden_size
        out = {
            "embeddings/word": e.word,
            "embeddings/position": e.position,
            "embeddings/norm/gamma": e.norm.gamma,
            "embeddings/norm/beta": e.norm.beta,
        }
        if self.config.num_segments:
            out["embeddings/segment"] = e.segment
        if e.projected:
            out["embeddings/projection/kernel"] = e.projection_kernel
            out["embeddings/projection/bias"] = e.projection_bias
        out |= e.more_variables()
        out: dict[str, tuple] = {k: (v, None) for k, v in out.items()}
        for i, b in enumerate(self.blocks):
            at, ff = f"block_{i}/attention", f"block_{i}/feed_forward"
            for k, part in enumerate(("query", "key", "value")):
                columns = slice(k * h, (k + 1) * h)
                out[f"{at}/{part}/kernel"] = (b.qkv_kernel, columns)
                out[f"{at}/{part}/bias"] = (b.qkv_bias, columns)
            for name, layer in ((f"{at}/output", "output"), (f"{ff}/inner", "inner"), (f"{ff}/outer", "outer")):
                out[f"{name}/kernel"] = (getattr(b, f"{layer}_kernel"), None)
                out[f"{name}/bias"] = (getattr(b, f"{layer}_bias"), None)
            for name, norm in ((at, b.attention_norm), (ff, b.output_norm)):
                out[f"{name}/norm/gamma"] = (norm.gamma, None)
                out[f"{name}/norm/beta"] = (norm.beta, None)
        if self.pooler:
            out["pooler/kernel"], out["pooler/bias"] = (self.pooler.kernel, None), (self.pooler.bias, None)
        return out

    def set_tensors(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Assigns the weights from a checkpoint's tensors and ignores the tensors of heads."""
        fused = {}
        for name, (variable, columns) in self._variables().items():
            if columns is None:
                variable.assign(tensors[name])
            else:  # query, key, value come in this order
                fused.setdefault(id(variable), (variable, []))[1].append(tensors[name])
        for variable, parts in fused.values():
            variable.assign(np.concatenate(parts, axis=-1))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of `tensors`, in the same order."""
        return {
            name: tuple(variable.shape) if columns is None else (*variable.shape[:-1], columns.stop - columns.start)
            for name, (variable, columns) in self._variables().items()
        }

    def tensors(self) -> dict[str, np.ndarray]:
        """Canonical name -> float32 array."""
        return dict(self.each_tensor())

    def each_tensor(self) -> Iterator[tuple[str, np.ndarray]]:
        """The same, one (name, array) at a time."""
        for name, (variable, columns) in self._variables().items():
            array = np.asarray(ops.convert_to_numpy(variable.value), dtype=np.float32)
            yield name, array if columns is None else np.ascontiguousarray(array[..., columns])
