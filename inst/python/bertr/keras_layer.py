"""The encoder as a layer of the user's own Keras model, for `bert_keras()` and `bert_from_keras()`."""

import dataclasses
from typing import Any

import keras
from keras import ops

from .checkpoints.sentence_modules import Sentence
from .errors import BertrError
from .families import FAMILIES, new_backbone, with_dropout
from .kernels.backend import COMPILES_SHAPES
from .kernels.custom_gradient import plain_gradients
from .kernels.length import check_length
from .model import Model
from .nn.backbone import OF_FIRST

INPUTS = ("token_ids", "segment_ids", "mask")


@keras.saving.register_keras_serializable(package="bertr")
class BertEncoder(keras.layers.Layer):
    """int32 token_ids, segment_ids and mask, [batch, length] each, to {"sequence": float32 [batch, length, hidden],
    "pooled": float32 [batch, width]}. Both are zero where there is no token.

    Args:
        family: a key of FAMILIES.
        config: the family's config, as a dict.
        pool: kind of pooling, see nn/backbone.py.
        train: "all", "head" (nothing of the encoder) or "top:k".
        seed: int, for dropout.
        kwargs: name, trainable and dtype, as of any Keras layer.
    """

    def __init__(
        self, family: str, config: dict[str, Any], pool: str, train: str = "all", seed: int = 0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.family, self.config = family, FAMILIES[family].config.from_fields(config)
        self.pool, self.train, self.seed = pool, train, seed
        self.supports_jit = COMPILES_SHAPES  # on TensorFlow shapes depend on the mask, which XLA cannot compile
        # no pooler that nothing reads: Keras would warn about weights without gradients
        self.backbone = new_backbone(self.config, pool == "pooler", seed, self.dtype_policy)
        self.backbone.train_only(train)

    def build(self, *_: Any, **__: Any) -> None:
        self.built = True

    @property
    def trainable(self) -> bool:
        return keras.layers.Layer.trainable.fget(self)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        """Never thaws what `train` has frozen; Keras sets this to True for all layers of a model that it loads."""
        keras.layers.Layer.trainable.fset(self, value)
        if value:
            self.backbone.train_only(self.train)

    def call(self, token_ids: Any, segment_ids: Any, mask: Any, training: bool | None = False) -> dict[str, Any]:
        self._check(token_ids, segment_ids, mask)
        token_ids = check_length(token_ids, self.config.max_positions)  # later positions would be those of the last
        ids, segments, mask = (ops.cast(x, "int32") for x in (token_ids, segment_ids, mask))
        mask = ops.where(ids < 0, 0, mask)  # R's NA is the smallest integer: a row without tokens
        ids, segments = ops.maximum(ids, 0), ops.maximum(segments, 0)
        training = bool(training) and self.trainable and self.train != "head"  # no dropout in a frozen encoder
        with plain_gradients():
            states = self.backbone(ids, segments, mask, training=training)
            pooled = self.backbone.pool(states[:, 0] if self.pool in OF_FIRST else states, mask, self.pool)
        some = ops.any(mask > 0, axis=1, keepdims=True)
        return {"sequence": states, "pooled": ops.where(some, ops.cast(pooled, "float32"), 0.0)}

    def compute_output_spec(
        self, token_ids: Any, segment_ids: Any, mask: Any, training: bool | None = False
    ) -> dict[str, Any]:
        self._check(token_ids, segment_ids, mask)
        hidden, width = self.config.hidden_size, self.config.hidden_size * (self.pool.count("+") + 1)
        return {
            "sequence": keras.KerasTensor((*token_ids.shape, hidden), "float32", name="sequence"),
            "pooled": keras.KerasTensor((token_ids.shape[0], width), "float32", name="pooled"),
        }

    def _check(self, *inputs):
        """Keras would convert floats to its precision, and float16 cannot hold large ids."""
        for name, x in zip(INPUTS, inputs, strict=True):
            dtype = getattr(x.dtype, "name", x.dtype)
            if len(x.shape) != 2 or not dtype.startswith(("int", "uint")):
                shape = ", ".join("any" if n is None else str(n) for n in x.shape)
                raise ValueError(  # Keras adds where it was, which only errors of one argument survive
                    f"The input '{name}' of a BertEncoder must be int32 [batch, length], not {dtype} [{shape}]. "
                    "Give the matrices of bert_tokenize() in the order token_ids, segment_ids, mask."
                )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "family": self.family,
            "config": dataclasses.asdict(self.config),
            "pool": self.pool,
            "train": self.train,
            "seed": self.seed,
        }


def _check_keras():
    """Before Keras 3.7 a model mixes up inputs that are given by name, without an error."""
    if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 7):
        raise BertrError(
            "keras",
            f"`bert_keras()` needs Keras 3.7 or later, but Keras {keras.__version__} is installed.",
            'Update it with `reticulate::py_install("keras>=3.7", pip = TRUE)` and restart R.',
        )


def keras_model(
    model: Model, pool: str | None, train: str, max_len: int | None, dropout: float | None, precision: str
) -> keras.Model:
    """A functional Keras model of one BertEncoder with the weights of a model.

    Args:
        model: a Model.
        pool: kind of pooling; None: the model's.
        train: see BertEncoder.
        max_len: length of the inputs; None: any.
        dropout: overrides both rates; None: the model's.
        precision: a Keras dtype policy.

    Returns:
        keras.Model: a list of three inputs (see INPUTS) to the outputs of BertEncoder.

    Raises:
        BertrError: keras (too old), no_pooler, max_len.
    """
    _check_keras()
    config = with_dropout(model.config, dropout)
    layer = BertEncoder(
        config.model_type, dataclasses.asdict(config), model.pool(pool), train, name="bert", dtype=precision
    )
    layer.backbone.set_tensors(model.checkpoint.tensors)
    model.release()
    length = None if max_len is None else model.length(max_len)
    inputs = [keras.Input((length,), dtype="int32", name=name) for name in INPUTS]
    return keras.Model(inputs, layer(*inputs), name="bert_model")


def from_keras(trained: Any, model: Model) -> Model:
    """The encoder of a Keras model as a Model, with the tokenizer of the model it was made from.

    Args:
        trained: a Keras model or layer with one BertEncoder.
        model: the Model that `keras_model` was called with.

    Returns:
        A Model. Its pooling is the layer's; pre-training heads and modules after pooling are left out.

    Raises:
        BertrError: no_layer, other_model.
    """
    layer = _only_encoder(trained)
    base, config = model.checkpoint, with_dropout(layer.config, model.config.hidden_dropout)
    if dataclasses.replace(config, attention_dropout=model.config.attention_dropout) != model.config:
        raise BertrError(
            "other_model",
            "The layer and `model` are different models: their sizes or settings differ.",
            "Give the model that bert_keras() was called with.",
        )
    tensors = {name: base.tensors[name] for name in base.tensors if name.startswith("pooler/")}
    checkpoint = dataclasses.replace(
        base,
        tensors={**tensors, **layer.backbone.tensors()},
        pooling=layer.pool,
        max_len=model.max_len,
        sentence=Sentence(),
        format="keras",
    )
    return Model(checkpoint, model.source, stored=False, origin=model.origin)


def _only_encoder(trained):
    found = []
    if isinstance(trained, keras.layers.Layer):
        found = [layer for layer in trained._flatten_layers() if isinstance(layer, BertEncoder)]
    if len(found) != 1:
        raise BertrError(
            "no_layer",
            f"`keras_model` must be a Keras model with one layer of bert_keras(), but it has {len(found) or 'none'}.",
            "Build the model on the inputs and outputs of bert_keras().",
        )
    return found[0]
