"""The layers of BERT's encoder (Devlin et al. 2019; google-research/bert `modeling.py`), on packed tokens.

Dense layers see only real tokens, `[tokens, hidden]`; only attention needs rows, `[batch, heads, length, size]`.
`packing.py` converts between the two.

Axis names in the shape comments of this package:
    batch   rows of a batch: texts, pairs or windows
    length  tokens of the longest row of the batch, padding included
    tokens  real tokens of the batch (batch * length where rows stay padded)
    hidden  width of the hidden states, heads * size
    heads   attention heads
    size    width of one head
    inner   width of the feed-forward layer
    layers  transformer layers
"""

import math
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from ..kernels.attention_dropout import attend_dropped
from ..kernels.dense import dense
from ..kernels.dropout import dropout
from ..kernels.layer_norm import layer_norm

if TYPE_CHECKING:
    from .packing import PaddedPacking


class LayerNorm(keras.layers.Layer):
    """Normalises the last axis, then scales and shifts it."""

    def __init__(self, eps: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.eps = eps

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.gamma = self.add_weight(shape=(shape[-1],), initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=(shape[-1],), initializer="zeros", name="beta")
        self.built = True

    def call(self, x: Any, training: bool = True) -> Any:  # [..., hidden] -> the same
        return layer_norm(x, self.gamma, self.beta, self.eps, training)


class Embeddings(keras.layers.Layer):
    """Word + segment + position embeddings, LayerNorm, dropout. ALBERT's and ELECTRA's may be narrower than the layers
    and are projected to the hidden size; some families have no segments."""

    def __init__(self, config: Any, seed: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.config = config
        self.norm = LayerNorm(config.layer_norm_eps, name="norm", dtype=self.dtype_policy)
        self.generator = keras.random.SeedGenerator(seed)
        self.projected = config.projects_embeddings
        self.word_rows = None  # a WordRows during training; `ids` then index its rows
        self.shift = None  # perturbation a FastGradientMethod adds to the word table, same shape

    def build(self, *_: Any) -> None:
        c, width = self.config, self.config.embedding_size
        # zeros: a checkpoint's weights replace them, and random initialization takes longer than reading those
        self.word = self.add_weight(shape=(c.vocab_size, width), initializer="zeros", name="word")
        self.position = self.add_weight(shape=(c.position_rows, width), initializer="zeros", name="position")
        if c.num_segments:
            self.segment = self.add_weight(shape=(c.num_segments, width), initializer="zeros", name="segment")
        self.norm.build((None, width))
        if self.projected:
            self.projection_kernel = self.add_weight(
                shape=(width, c.hidden_size), initializer="zeros", name="projection_kernel"
            )
            self.projection_bias = self.add_weight(shape=(c.hidden_size,), initializer="zeros", name="projection_bias")
        self.built = True

    def look_up(self, ids: Any, training: bool = False) -> Any:
        """The word vectors of these ids, [..., width]."""
        return ops.take(self.word_rows.rows if training and self.word_rows else self.word, ids, axis=0)

    def call(self, ids: Any, segments: Any, positions: Any, training: bool = False) -> Any:
        """Each [tokens] or [batch, length]; instead of `ids` also word vectors, [..., width]."""
        c = self.config
        # padding may exceed the last position
        positions = ops.minimum(positions + c.first_position, c.position_rows - 1)
        words = ids if "float" in str(ids.dtype) else self.look_up(ids, training)
        x = words + ops.take(self.position, positions, axis=0)
        if self.shift is not None:
            x = x + ops.take(self.shift, ids, axis=0)
        if c.num_segments:
            # segments as a matrix product: its gradient is a product too, not a contended scatter
            x = x + ops.matmul(ops.one_hot(segments, c.num_segments, dtype=self.compute_dtype), self.segment)
        x = self.norm(x, training=training)
        x = dropout(x, c.hidden_dropout, self.generator, training)
        return dense(x, self.projection_kernel, self.projection_bias) if self.projected else x

    def more_variables(self) -> dict[str, Any]:
        """Canonical name -> variable, of variables that only this family has."""
        return {}

    def score_bias(self, length: Any) -> Any:
        """What is added to the attention scores of all layers, [1, heads, length, length]; None: nothing."""
        return None


class Block(keras.layers.Layer):
    """One post-LN transformer block: self-attention and feed-forward, each added to its input and normalised."""

    def __init__(self, config: Any, seed: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.config = config
        self.attention_norm = LayerNorm(config.layer_norm_eps, name="attention_norm", dtype=self.dtype_policy)
        self.output_norm = LayerNorm(config.layer_norm_eps, name="output_norm", dtype=self.dtype_policy)
        self.generator = keras.random.SeedGenerator(seed)

    def build(self, *_: Any) -> None:
        h, inner = self.config.hidden_size, self.config.intermediate_size
        # query, key and value fused: one product instead of three
        self._dense("qkv", h, 3 * h)
        self._dense("output", h, h)
        self._dense("inner", h, inner)
        self._dense("outer", inner, h)
        self.attention_norm.build((None, h))
        self.output_norm.build((None, h))
        self.built = True

    def _dense(self, name, n_in, n_out):
        kernel = self.add_weight(shape=(n_in, n_out), initializer="zeros", name=f"{name}_kernel")
        bias = self.add_weight(shape=(n_out,), initializer="zeros", name=f"{name}_bias")
        setattr(self, f"{name}_kernel", kernel)
        setattr(self, f"{name}_bias", bias)

    def call(self, x: Any, packing: "PaddedPacking", training: bool = False, of_first: bool = False) -> Any:
        """[tokens, hidden] -> the same; with `of_first` [batch, hidden], only the first token of each row, which
        attends to all tokens."""
        c = self.config
        attended = self._attention(x, packing, training, of_first)
        x = packing.first(x) if of_first else x
        x = self.attention_norm(
            self._added(x, attended, self.output_kernel, self.output_bias, training), training=training
        )
        inner = dense(x, self.inner_kernel, self.inner_bias, then=c.activation)
        return self.output_norm(self._added(x, inner, self.outer_kernel, self.outer_bias, training), training=training)

    def _added(self, x, inner, kernel, bias, training):
        """`x` + dropout(dense(`inner`))."""
        rate = self.config.hidden_dropout
        if not training or rate == 0:
            return dense(inner, kernel, bias, plus=x)
        return x + dropout(dense(inner, kernel, bias), rate, self.generator, training)

    def _attention(self, x, packing, training, of_first):  # [tokens, hidden] -> the same, or [batch, hidden]
        scores, value = self._scores(x, packing, of_first)
        rate = self.config.attention_dropout
        if training and rate > 0:
            context = attend_dropped(scores, value, rate, self.generator.next()) * (1.0 / (1.0 - rate))
        else:
            probs = ops.cast(ops.softmax(scores, axis=-1), value.dtype)
            context = ops.matmul(probs, value)  # [batch, heads, length, size]
        if of_first:
            return ops.reshape(context, (packing.batch, self.config.hidden_size))
        return packing.merge(context)

    def attention_probs(self, x: Any, packing: "PaddedPacking") -> Any:
        """Softmax of the scores, [batch, heads, length, length]."""
        return ops.softmax(self._scores(x, packing)[0], axis=-1)

    def _scores(self, x, packing, of_first=False):
        """Scaled attention scores, float32 [batch, heads, length, length], MASKED at padding, and values [batch, heads,
        length, size]. With `of_first` only the first token is a query: scores [batch, heads, 1, length]."""
        c = self.config
        qkv = dense(x, self.qkv_kernel, self.qkv_bias)  # [tokens, 3 * hidden]
        query, key, value = ops.unstack(packing.split(qkv), 3)  # [batch, heads, length, size]
        query = query[:, :, :1] if of_first else query
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))  # [batch, heads, length, length]
        scores = ops.cast(scores, "float32") * (1.0 / math.sqrt(c.head_size)) + packing.key_bias
        if packing.score_bias is not None:
            scores = scores + (packing.score_bias[:, :, :1] if of_first else packing.score_bias)
        return scores, value
