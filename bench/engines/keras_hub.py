"""KerasHub on TensorFlow as its guides use it: its own preprocessing to one fixed length, batches of 32, predict(),
compile() and fit()."""

import keras
import keras_hub
import numpy as np

from engines.keras_training import RATE, mean_pool, plain_losses, reset

NO_DECAY = ["bias", "gamma", "beta"]


class WarmupLinear(keras.optimizers.schedules.LearningRateSchedule):
    """Up over a tenth of the steps, then down to 0."""

    def __init__(self, steps):
        self.steps = steps

    def __call__(self, step):
        step, warmup = keras.ops.cast(step, "float32"), max(1.0, 0.1 * self.steps)
        return RATE * keras.ops.minimum((step + 1) / warmup, (self.steps - step) / (self.steps - warmup))


class MeanPool(keras.layers.Layer):
    def call(self, states, mask):
        return mean_pool(states, mask)


class Engine:
    def load(self, folder, google_folder):
        self.tokenizer = keras_hub.models.BertTokenizer.from_preset(folder)
        self.backbone = keras_hub.models.BertBackbone.from_preset(folder)
        self.start = self.backbone.get_weights()
        states = self.backbone.output["sequence_output"]
        self.pooled = MeanPool()(states, self.backbone.input["padding_mask"])
        self.first = states[:, 0]
        self.encoder = keras.Model(self.backbone.input, self.pooled)
        self.encoder.compile(jit_compile=True)  # twice as fast on a CPU; fit() does it of itself
        self.longest = {}

    def packer(self, length):
        return keras_hub.models.BertTextClassifierPreprocessor(self.tokenizer, sequence_length=length)

    def inputs(self, texts, max_len):
        """All texts at once, padded to the longest of them, which its users would know."""
        key = len(texts), max_len
        if key not in self.longest:
            self.longest[key] = min(max_len, max(len(ids) for ids in self.tokenizer(texts)) + 2)
        return self.packer(self.longest[key])(texts)

    def tokeniser(self, max_len, offsets):
        packer = self.packer(max_len)
        return lambda texts, size: [
            packer(texts[i : i + size])["token_ids"].numpy() for i in range(0, len(texts), size)
        ]

    def embed(self, texts, max_len):
        return self.encoder.predict(self.inputs(texts, max_len), batch_size=32, verbose=0)

    def network(self, layers, optimizer, x):
        self.backbone.set_weights(self.start)
        for layer in layers:
            x = layer(x)
        model = keras.Model(self.backbone.input, x)
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    def fitted(self, model, texts, codes, max_len, size, epochs):
        """A function that fits. Its graph is built on two batches of the sizes that come."""
        some = size + len(texts) % size
        start = model.get_weights()
        self.inputs(texts, max_len)
        length = self.longest[len(texts), max_len]
        model.fit(self.packer(length)(texts[:some]), codes[:some], batch_size=size, verbose=0)
        reset(model, start, model.optimizer.variables)
        return lambda: model.fit(self.inputs(texts, max_len), codes, batch_size=size, epochs=epochs, verbose=0)

    def trainer(self, texts, codes, max_len, size, epochs, pool):
        self.backbone.trainable = True
        optimizer = keras.optimizers.AdamW(
            WarmupLinear(epochs * -(-len(texts) // size)), weight_decay=0.01, epsilon=1e-6, global_clipnorm=1.0
        )
        optimizer.exclude_from_weight_decay(var_names=NO_DECAY)
        layers = [keras.layers.Dropout(0.1), keras.layers.Dense(int(codes.max()) + 1)]
        model = self.network(layers, optimizer, self.first if pool == "cls" else self.pooled)
        return self.fitted(model, texts, codes, max_len, size, epochs)

    def head_trainer(self, texts, codes, max_len, epochs):
        """As guides freeze a backbone: it runs for every batch of every epoch."""
        self.backbone.trainable = False
        dense = keras.layers.Dense
        layers = [
            dense(256, "relu"),
            keras.layers.Dropout(0.5),
            dense(256, "relu"),
            keras.layers.Dropout(0.5),
            dense(int(codes.max()) + 1),
        ]
        model = self.network(layers, keras.optimizers.AdamW(1e-3), self.pooled)
        return self.fitted(model, texts, codes, max_len, 32, epochs)

    def losses(self, texts, codes, order, kernel, bias, max_len):
        self.backbone.trainable = True
        self.backbone.set_weights(self.start)
        optimizer = keras.optimizers.AdamW(RATE, weight_decay=0.01)
        optimizer.exclude_from_weight_decay(var_names=NO_DECAY)
        inputs = {k: np.asarray(v) for k, v in self.inputs(texts, max_len).items()}
        steps = [([{k: v[rows] for k, v in inputs.items()}], codes[rows]) for rows in order]
        variables = [v.value for v in self.backbone.trainable_variables if "pooled_dense" not in v.path]
        return plain_losses(lambda x: self.encoder(x, training=False), variables, optimizer, kernel, bias, steps)
