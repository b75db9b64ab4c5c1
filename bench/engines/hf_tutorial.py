"""transformers as its tutorials write it: batches of 32 in the order given, each padded to its longest."""

import numpy as np
import torch

from engines.hf import HuggingFace, mean_pool
from engines.order import shuffled


class Engine(HuggingFace):
    training = staticmethod(shuffled)
    adamw = {"foreach": False}  # torch's default on a CPU: one parameter after the other

    @torch.inference_mode()
    def embed(self, texts, max_len):
        out = []
        for i in range(0, len(texts), 32):
            batch = self.tokenizer(
                texts[i : i + 32], padding=True, truncation=True, max_length=max_len, return_tensors="pt"
            )
            out.append(mean_pool(self.model(**batch).last_hidden_state, batch["attention_mask"]).numpy())
        return np.concatenate(out)
