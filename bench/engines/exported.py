"""The encoder with mean pooling as an ONNX file, exported from torch, for the engines that run such files."""

import os
import time

import numpy as np
import torch
from transformers import AutoTokenizer, BertModel

from engines.files import THREADS, pad
from engines.hf import mean_pool
from engines.order import in_tokens

INPUTS = ["ids", "mask"]


class Pooled(torch.nn.Module):
    """ids and mask, [batch, length], to vectors, [batch, hidden]."""

    def __init__(self, folder, attention):
        super().__init__()
        self.bert = BertModel.from_pretrained(folder, attn_implementation=attention, add_pooling_layer=False)

    def forward(self, ids, mask):
        return mean_pool(self.bert(ids, mask).last_hidden_state, mask)


def example():
    """Ids and mask to trace with; some of it is padding, else the mask would be traced away."""
    mask = torch.ones(2, 8, dtype=torch.int64)
    mask[0, 5:] = 0
    return torch.full((2, 8), 1000), mask


def onnx_file(folder, attention="sdpa"):
    """Exported once and kept beside the weights. By tracing: the newer exporter's graph is one in which ONNX Runtime
    does not find BERT's attention."""
    path = os.path.join(folder, f"model_{attention}.onnx")
    if not os.path.exists(path):
        axes = {0: "batch", 1: "length"}
        torch.onnx.export(
            Pooled(folder, attention).eval(),
            example(),
            path,
            input_names=INPUTS,
            output_names=["vectors"],
            dynamo=False,
            opset_version=17,
            dynamic_axes={"ids": axes, "mask": axes, "vectors": {0: "batch"}},
        )
    return path


def fastest(candidates, run):
    """The name of the candidate whose best time is the least, for batches of three lengths."""
    best = dict.fromkeys(candidates, float("inf"))
    for _ in range(3):
        for name, candidate in candidates.items():
            began = time.perf_counter()
            for rows, length in ((64, 16), (16, 64), (4, 256)):
                x = np.ones((rows, length), np.int64)
                run(candidate, [(x, x)])
            best[name] = min(best[name], time.perf_counter() - began)
    return min(best, key=best.get)


class Exported:
    """`self.run(self.network, [(ids, mask), ...])` gives a list of vectors; batches are those of bertr."""

    threads = THREADS

    def load(self, folder, google_folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        candidates = self.candidates(folder)
        chosen = fastest(candidates, self.run)
        self.network = candidates[chosen]
        return chosen

    def embed(self, texts, max_len):
        rows = self.tokenizer(
            texts, truncation=True, max_length=max_len, return_attention_mask=False, return_token_type_ids=False
        )["input_ids"]
        batches = in_tokens(np.array([len(r) for r in rows]))
        vectors = self.run(self.network, (pad([rows[i] for i in some]) for some in batches))
        out = np.empty((len(texts), vectors[0].shape[1]), np.float32)
        for some, values in zip(batches, vectors, strict=True):
            out[some] = values
        return out
