"""transformers on torch, at its best settings; how rows are batched is what its three engines differ in."""

import numpy as np
import torch
from transformers import AutoTokenizer, BertModel

from engines.files import THREADS, pad
from engines.training import RATE, parameter_groups, train

torch.set_num_threads(THREADS)


def mean_pool(states, mask):
    """[batch, length, hidden] and [batch, length] -> [batch, hidden]."""
    real = mask[:, :, None].to(states.dtype)
    return (states * real).sum(1) / real.sum(1)


class Classifier(torch.nn.Module):
    """The encoder with a linear layer on the mean of its last states, or on that of the first token."""

    def __init__(self, bert, classes, pool):
        super().__init__()
        self.bert, self.pool = bert, pool
        self.dropout = torch.nn.Dropout(bert.config.hidden_dropout_prob)
        self.head = torch.nn.Linear(bert.config.hidden_size, classes)

    def forward(self, ids, mask):
        states = self.bert(ids, mask).last_hidden_state
        return self.head(self.dropout(states[:, 0] if self.pool == "cls" else mean_pool(states, mask)))


class HuggingFace:
    """`scoring(lengths)` and `training(lengths, size, rng)` give batches of row numbers; `adamw` are options."""

    scoring = training = None
    adamw = {}

    def load(self, folder, google_folder):
        self.folder = folder
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = BertModel.from_pretrained(folder, attn_implementation="sdpa", add_pooling_layer=False).eval()
        self.start = {name: value.clone() for name, value in self.model.state_dict().items()}

    def tokeniser(self, max_len, offsets):
        tokenizer = AutoTokenizer.from_pretrained(self.folder)

        def call(texts, size):
            batches = [
                tokenizer(
                    texts[i : i + size],
                    padding=True,
                    truncation=True,
                    max_length=max_len,
                    return_attention_mask=False,
                    return_token_type_ids=False,
                    return_offsets_mapping=offsets,
                    return_tensors="np",
                )
                for i in range(0, len(texts), size)
            ]
            return [b["input_ids"] for b in batches]

        return call

    def ids(self, texts, max_len):
        """Lists of ids, all texts in one call: the tokenizer then uses all cores."""
        return self.tokenizer(
            texts, truncation=True, max_length=max_len, return_attention_mask=False, return_token_type_ids=False
        )["input_ids"]

    def batches(self, texts, max_len, cut):
        """A function from row numbers to ids and mask as tensors, and what `cut(lengths)` gives."""
        rows = self.ids(texts, max_len)
        lengths = np.array([len(r) for r in rows])
        return lambda some: map(torch.from_numpy, pad([rows[i] for i in some])), cut(lengths)

    @torch.inference_mode()
    def embed(self, texts, max_len):
        inputs, batches = self.batches(texts, max_len, self.scoring)
        out = np.empty((len(texts), self.model.config.hidden_size), np.float32)
        for some in batches:
            ids, mask = inputs(some)
            out[some] = mean_pool(self.model(ids, mask).last_hidden_state, mask).numpy()
        return out

    def classifier(self, codes, pool="mean"):
        """A classifier with the encoder as it was loaded."""
        self.model.load_state_dict(self.start)
        return Classifier(self.model, int(codes.max()) + 1, pool)

    def trainer(self, texts, codes, max_len, size, epochs, pool):
        self._train(self.classifier(codes, pool), texts[: 3 * size], codes, max_len, size, 1)  # memory, kernels
        network = self.classifier(codes, pool)
        return lambda: self._train(network, texts, codes, max_len, size, epochs)

    def _train(self, network, texts, codes, max_len, size, epochs):
        rng, targets = np.random.default_rng(1), torch.from_numpy(codes)
        inputs, epochs = self.batches(
            texts, max_len, lambda lengths: [self.training(lengths, size, rng) for _ in range(epochs)]
        )
        steps = [(*inputs(some), targets[some]) for epoch in epochs for some in epoch]
        return train(network, steps, torch.optim.AdamW(parameter_groups(network), lr=RATE, eps=1e-6, **self.adamw))

    def losses(self, texts, codes, order, kernel, bias, max_len):
        """Training without dropout, at a constant rate and without clipping."""
        network, targets = self.classifier(codes).eval(), torch.from_numpy(codes)
        with torch.no_grad():
            network.head.weight.copy_(torch.from_numpy(kernel.T))
            network.head.bias.copy_(torch.from_numpy(bias))
        inputs, _ = self.batches(texts, max_len, len)
        steps = [(*inputs(some), targets[some]) for some in order]
        optimizer = torch.optim.AdamW(parameter_groups(network), lr=RATE, eps=1e-6, **self.adamw)
        return train(network, steps, optimizer, plain=True)

    def head_trainer(self, texts, codes, max_len, epochs):
        """As tutorials freeze an encoder: it runs for every batch of every epoch, without gradients."""
        self.model.load_state_dict(self.start)
        width, classes = self.model.config.hidden_size, int(codes.max()) + 1
        rng, targets = np.random.default_rng(1), torch.from_numpy(codes)
        layers = [
            torch.nn.Linear(width, 256),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.5),
            torch.nn.Linear(256, 256),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.5),
            torch.nn.Linear(256, classes),
        ]
        head = torch.nn.Sequential(*layers)

        def run():
            inputs, batches = self.batches(
                texts, max_len, lambda lengths: [b for _ in range(epochs) for b in self.training(lengths, 32, rng)]
            )
            optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3, **self.adamw)
            for some in batches:
                ids, mask = inputs(some)
                with torch.no_grad():
                    features = mean_pool(self.model(ids, mask).last_hidden_state, mask)
                torch.nn.functional.cross_entropy(head(features), targets[some]).backward()
                optimizer.step()
                optimizer.zero_grad()

        return run
