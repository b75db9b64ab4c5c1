"""keras-bert on the last TensorFlow with Keras 2: its tokenizer a text at a time, batches of 32 in the order given and
padded to their longest, as data generators around it do."""

import importlib
import os

os.environ["TF_KERAS"] = "1"

import numpy as np  # noqa: E402
from tensorflow import keras  # noqa: E402

optimizers = importlib.import_module("tensorflow.keras.optimizers")
optimizers.Optimizer = optimizers.legacy.Optimizer  # the one that its AdamWarmup was written for

import keras_bert  # noqa: E402

from engines.files import pad  # noqa: E402
from engines.keras_training import RATE, mean_pool, plain_losses, reset  # noqa: E402
from engines.order import shuffled  # noqa: E402

NO_DECAY = ["bias", "gamma", "beta", "_b"]


class Batches(keras.utils.Sequence):
    """ids and segments of each batch of rows, with classes or without."""

    def __init__(self, rows, batches, codes=None):
        self.rows, self.batches, self.codes = rows, batches, codes

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, i):
        ids, _ = pad([self.rows[r] for r in self.batches[i]])
        inputs = {"Input-Token": ids, "Input-Segment": np.zeros_like(ids)}
        return (inputs,) if self.codes is None else (inputs, self.codes[self.batches[i]])


class Engine:
    def load(self, folder, google_folder):
        self.folder = google_folder
        self.vocab = keras_bert.load_vocabulary(os.path.join(google_folder, "vocab.txt"))
        self.tokenizer = keras_bert.Tokenizer(self.vocab)
        self.bert = keras_bert.load_trained_model_from_checkpoint(
            *(os.path.join(google_folder, f"bert_{name}") for name in ("config.json", "model.ckpt")),
            trainable=True,
            seq_len=None,
        )
        self.start = self.bert.get_weights()
        self.pooled = keras.layers.Lambda(lambda x: mean_pool(x[0], x[1] > 0))([self.bert.output, self.bert.inputs[0]])
        self.encoder = keras.Model(self.bert.inputs, self.pooled)

    def ids(self, texts, max_len, tokenizer=None):
        encode = (tokenizer or self.tokenizer).encode
        rows = [encode(text)[0] for text in texts]
        return [ids if len(ids) <= max_len else ids[: max_len - 1] + ids[-1:] for ids in rows]

    def tokeniser(self, max_len, offsets):
        tokenizer = keras_bert.Tokenizer(self.vocab)

        def call(texts, size):
            rows = self.ids(texts, max_len, tokenizer)
            return [pad(rows[i : i + size])[0] for i in range(0, len(texts), size)]

        return call

    def embed(self, texts, max_len):
        rows, order = self.ids(texts, max_len), np.arange(len(texts))
        batches = [order[i : i + 32] for i in range(0, len(rows), 32)]
        return self.encoder.predict(Batches(rows, batches), verbose=0)

    def network(self, layers, optimizer, pool):
        self.bert.set_weights(self.start)
        x = keras.layers.Lambda(lambda states: states[:, 0])(self.bert.output) if pool == "cls" else self.pooled
        for layer in layers:
            x = layer(x)
        model = keras.Model(self.bert.inputs, x)
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    def fitted(self, layers, optimizer, texts, codes, max_len, size, epochs, pool="mean"):
        """A function that fits, with its graph built on the first batches."""
        model = self.network(layers, optimizer, pool)

        def run(some, epochs):
            rng, rows = np.random.default_rng(1), self.ids(texts[:some], max_len)
            for _ in range(epochs):
                model.fit(Batches(rows, shuffled(np.arange(some), size, rng), codes), verbose=0)

        start = model.get_weights()
        run(min(3 * size, len(texts)), 1)
        reset(model, start, optimizer.weights)
        return lambda: run(len(texts), epochs)

    def trainer(self, texts, codes, max_len, size, epochs, pool):
        self.bert.trainable = True
        steps = epochs * -(-len(texts) // size)
        optimizer = keras_bert.AdamWarmup(
            steps,
            int(0.1 * steps),
            learning_rate=RATE,
            weight_decay=0.01,
            clipnorm=1.0,
            weight_decay_pattern=["kernel", "embeddings", "_W"],
        )
        layers = [keras.layers.Dropout(0.1), keras.layers.Dense(int(codes.max()) + 1)]
        return self.fitted(layers, optimizer, texts, codes, max_len, size, epochs, pool)

    def head_trainer(self, texts, codes, max_len, epochs):
        """The encoder runs for every batch of every epoch."""
        self.bert.trainable = False
        dense = keras.layers.Dense
        layers = [
            dense(256, "relu"),
            keras.layers.Dropout(0.5),
            dense(256, "relu"),
            keras.layers.Dropout(0.5),
            dense(int(codes.max()) + 1),
        ]
        return self.fitted(layers, optimizers.legacy.Adam(1e-3), texts, codes, max_len, 32, epochs)

    def losses(self, texts, codes, order, kernel, bias, max_len):
        self.bert.trainable = True
        self.bert.set_weights(self.start)
        optimizer = optimizers.AdamW(RATE, weight_decay=0.01, jit_compile=False)
        optimizer.exclude_from_weight_decay(var_names=NO_DECAY)
        rows = self.ids(texts, max_len)
        steps = []
        for some in order:
            ids, _ = pad([rows[i] for i in some])
            steps.append((([ids, np.zeros_like(ids)],), codes[some]))
        return plain_losses(
            lambda x: self.encoder(x, training=False), self.bert.trainable_variables, optimizer, kernel, bias, steps
        )
