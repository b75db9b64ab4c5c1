"""bertr's Python engine, for what R has no function for: ids as arrays without R in between, and given batches."""

import numpy as np

from bertr import bridge
from bertr.families import build_backbone
from bertr.kernels.compiled import TrainStep
from bertr.nn.heads import DenseHead
from bertr.nn.network import Network
from bertr.tasks import find_task
from bertr.text.wordpiece import Tokenizer
from bertr.training.adamw import BertAdamW

RATE, STEPS = 1e-4, 10**9  # so many steps that the rate, which falls to 0 over them, stays as it is


class Engine:
    def load(self, folder, google_folder):
        self.model = bridge.load(folder, {})

    def tokeniser(self, max_len, offsets):
        checkpoint = self.model.checkpoint
        tokenizer = Tokenizer(checkpoint.vocab, **checkpoint.tokenizer)

        def call(texts, size):
            encodings = tokenizer.encode(texts, max_len=max_len, offsets=offsets)
            rows = np.arange(len(texts))
            return [encodings.pad(rows[i : i + size])[0] for i in range(0, len(texts), size)]

        return call

    def losses(self, texts, codes, order, kernel, bias, max_len):
        """Training without dropout, at a constant rate and without clipping."""
        network = self.linear_network(kernel, bias)
        variables = network.trainable_variables
        optimizer = BertAdamW(variables, weight_decay=0.01, clip=None)
        optimizer.begin(RATE, STEPS, 0.0)
        targets, encodings = codes.astype(np.int32), self.model.encode(texts, None, max_len)
        step = TrainStep(
            lambda y, *x: [network.task.loss(y, network(*x, training=True), network.head)],
            variables,
            network.non_trainable_variables,
            optimizer,
            targets[:1],
            encodings.pad([0]),
        )
        return [float(step(targets[rows], *encodings.pad(rows))[0]) for rows in order]

    def linear_network(self, kernel, bias):
        """The fine-tuned whole, with a linear head of these weights, without dropout."""
        task = find_task("classification")({"levels": [str(i) for i in range(len(bias))]})
        head = DenseHead(len(bias), [], dropout=0.0, seed=1)
        network = Network(
            build_backbone(self.model.checkpoint, dropout=0.0),
            head,
            task,
            {"pool": "mean", "pair": "joint", "long": "truncate"},
        )
        for variable, value in zip(head.trainable_variables, (kernel, bias), strict=True):
            variable.assign(value)
        network.train_only("all")
        return network
