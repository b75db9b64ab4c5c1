"""The pre-training heads of BERT: masked words and next-sentence prediction.

Source: Devlin et al. 2019; google-research/bert `run_pretraining.py`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from ...errors import BertrError
from ...kernels.dense import dense
from ...nn.layers import LayerNorm

WORDS_AT_ONCE = 256  # positions whose logits over the vocabulary are in memory


class PretrainingHead(keras.layers.Layer):
    """As a layer it returns the states unchanged: logits over the vocabulary are computed only at masked positions.

    Call `attach` before use: the last layer is the encoder's word table."""

    def __init__(self, config: Any, pairs: bool, seed: int = 0, **kwargs: Any):
        super().__init__(dtype="float32", **kwargs)
        self.config, self.pairs = config, pairs
        self.norm = LayerNorm(config.layer_norm_eps, name="norm", dtype=self.dtype_policy)
        self.initializers = [
            keras.initializers.TruncatedNormal(stddev=config.initializer_range, seed=seed + i) for i in range(3)
        ]

    def build(self, *_: Any) -> None:
        h, width = self.config.hidden_size, self.config.embedding_size  # ALBERT's word vectors are narrower
        self.norm.build((None, width))
        self.output_bias = self.add_weight(shape=(self.config.vocab_size,), initializer="zeros", name="output_bias")
        self._dense("transform", width, self.initializers[0])
        if self.pairs:
            self._dense("pooler", h, self.initializers[1])
            self._dense("nsp", 2, self.initializers[2])
        self.built = True

    def _dense(self, name, n_out, initializer):
        kernel = self.add_weight(shape=(self.config.hidden_size, n_out), initializer=initializer, name=f"{name}_kernel")
        setattr(self, f"{name}_kernel", kernel)
        setattr(self, f"{name}_bias", self.add_weight(shape=(n_out,), initializer="zeros", name=f"{name}_bias"))

    def attach(self, embeddings: Any, tensors: Mapping[str, np.ndarray]) -> None:
        """Ties the last layer to the encoder's word table and assigns the head's weights that are among the canonical
        `tensors`. `pretrained`: whether the masked-word head is among them."""
        # lambdas: as attributes the embeddings' weights would count as the head's
        self.table = lambda: embeddings.word
        self.projection = lambda: (
            embeddings.projection_kernel if embeddings.projected else ops.eye(self.config.hidden_size)
        )
        for name, variable in self._variables().items():
            if name in tensors:
                variable.assign(tensors[name])
        self.pretrained = "mlm/bias" in tensors

    def start(self, counts: np.ndarray) -> None:
        """Initializes a new masked-word head: it compares the states with the word table (in ALBERT projected to the
        hidden size), and the bias is the log-frequency of words, which Adam would need thousands of small steps to
        reach. `counts`: int [vocabulary]."""
        self.transform_kernel.assign(self.transform_kernel + ops.transpose(self.projection()))
        self.output_bias.assign(np.log((counts + 1.0) / (counts + 1.0).sum()))

    def call(self, states: Any, training: bool = False) -> Any:
        return states

    def words(self, states: Any) -> Any:  # [n, hidden] -> logits [n, vocabulary]
        x = self.norm(dense(states, self.transform_kernel, self.transform_bias, then=self.config.mlm_activation))
        # transposed: the table is far larger than inputs and outputs
        return ops.transpose(ops.matmul(self.table(), ops.transpose(x))) + self.output_bias

    def follows(self, first: Any) -> Any:  # states of [CLS] [n, hidden] -> logits [n, 2]: is next, is random
        pooled = ops.tanh(dense(first, self.pooler_kernel, self.pooler_bias))
        return dense(pooled, self.nsp_kernel, self.nsp_bias)

    def each_words(self, states: np.ndarray) -> Iterator[tuple[int, Any]]:
        """`words` of any number of states (numpy) in pieces: (first position, logits)."""
        for start in range(0, len(states), WORDS_AT_ONCE):
            yield start, self.words(states[start : start + WORDS_AT_ONCE])

    def _variables(self):
        """Canonical name -> variable."""
        out = {
            "mlm/bias": self.output_bias,
            "mlm/transform/kernel": self.transform_kernel,
            "mlm/transform/bias": self.transform_bias,
            "mlm/norm/gamma": self.norm.gamma,
            "mlm/norm/beta": self.norm.beta,
        }
        if self.pairs:
            out |= {
                "pooler/kernel": self.pooler_kernel,
                "pooler/bias": self.pooler_bias,
                "nsp/kernel": self.nsp_kernel,
                "nsp/bias": self.nsp_bias,
            }
        return out

    def tensors(self) -> dict[str, np.ndarray]:
        """Canonical name -> weights."""
        return {name: ops.convert_to_numpy(variable.value) for name, variable in self._variables().items()}


def word_head(model: Any) -> PretrainingHead:
    """A model's masked-word head.

    Raises:
        BertrError: no_mlm.
    """
    if "mlm/bias" not in model.checkpoint.tensors:
        raise BertrError(
            "no_mlm",
            "This model has no masked-word head, so it cannot fill masks.",
            "Train one on your texts with bert_fit(model, ~ text, data), or load a checkpoint that has "
            "one, such as bert-base-uncased.",
        )
    return _pretrained(model, pairs=False)


def pair_head(model: Any) -> PretrainingHead:
    """A model's next-sentence head.

    Raises:
        BertrError: no_nsp.
    """
    if not {"nsp/kernel", "pooler/kernel"} <= set(model.checkpoint.tensors):
        raise BertrError(
            "no_nsp",
            "This model has no next-sentence head, so it cannot tell whether one text follows another.",
            "Train one on your texts with bert_fit(model, ~ first + second, data), or load a checkpoint that has "
            "one, such as bert-base-uncased.",
        )
    return _pretrained(model, pairs=True)


def _pretrained(model, pairs):
    head = PretrainingHead(model.config, pairs)
    head.build()
    head.attach(model.backbone.embeddings, model.checkpoint.tensors)
    return head
