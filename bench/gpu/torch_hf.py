"""transformers on torch with sdpa, for `run.py`: how fast it embeds texts, and rows a second in an epoch of
fine-tuning. On a GPU it embeds with bfloat16 weights and trains with autocast to bfloat16; rows are sorted by length to
embed and bucketed to train, AdamW is fused.

    python bench/gpu/torch_hf.py MODEL TEXTS
"""

import sys
import time

import numpy as np
import torch
from transformers import AutoTokenizer, BertModel

from work import CHECKED, EMBED_TOKENS, FIT_TOKENS, RATE, ROWS, labels_of, read_texts, told

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
HALF = torch.bfloat16 if DEVICE == "cuda" else torch.float32
BUDGET, WINDOW = 32_768, 8  # padded tokens when embedding; batches sorted together


def mean(bert, batch):
    states, mask = bert(**batch).last_hidden_state, batch["attention_mask"][:, :, None]
    return (states.float() * mask).sum(1) / mask.sum(1)


def by_length(tokenizer, texts, max_len):
    ids = tokenizer(texts, truncation=True, max_length=max_len)["input_ids"]
    return ids, np.array([len(x) for x in ids])


def batch_of(tokenizer, ids, rows):
    return tokenizer.pad({"input_ids": [ids[i] for i in rows]}, return_tensors="pt").to(DEVICE)


@torch.inference_mode()
def embed(bert, tokenizer, texts):
    ids, lengths = by_length(tokenizer, texts, EMBED_TOKENS)
    order, out, start = np.argsort(-lengths, kind="stable"), [], 0
    while start < len(order):
        rows = order[start : start + max(1, BUDGET // int(lengths[order[start]]))]
        out.append(mean(bert, batch_of(tokenizer, ids, rows)))
        start += len(rows)
    vectors = np.empty((len(texts), out[0].shape[1]), np.float32)
    vectors[order] = torch.cat(out).cpu().numpy()
    return vectors


class Training:
    def __init__(self, bert):
        self.bert = bert
        self.head = torch.nn.Linear(bert.config.hidden_size, 2).to(DEVICE)
        self.weights = [*bert.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.AdamW(self.weights, lr=RATE, weight_decay=0.01, fused=True)

    def epoch(self, tokenizer, texts):
        y = torch.tensor(labels_of(texts), device=DEVICE)
        ids, lengths = by_length(tokenizer, texts, FIT_TOKENS)
        order = np.random.default_rng(1).permutation(len(ids))
        for start in range(0, len(order), WINDOW * ROWS):
            window = order[start : start + WINDOW * ROWS]
            window = window[np.argsort(lengths[window], kind="stable")]
            for i in range(0, len(window), ROWS):
                self.step(batch_of(tokenizer, ids, window[i : i + ROWS]), y[window[i : i + ROWS]])

    def step(self, batch, y):
        with torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda"):
            loss = torch.nn.functional.cross_entropy(self.head(mean(self.bert, batch)).float(), y)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()


def seconds(call):
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    call()
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main(folder, texts_file):
    texts, tokenizer = read_texts(texts_file), AutoTokenizer.from_pretrained(folder)

    def load(dtype):
        bert = BertModel.from_pretrained(folder, attn_implementation="sdpa", add_pooling_layer=False)
        return bert.to(DEVICE, dtype)

    bert = load(HALF).eval()
    vectors = embed(bert, tokenizer, texts["embed"])[:CHECKED]
    best = min(seconds(lambda: embed(bert, tokenizer, texts["embed"])) for _ in range(2))
    training = Training(load(torch.float32).train())
    training.epoch(tokenizer, texts["fit"])
    epoch = seconds(lambda: training.epoch(tokenizer, texts["fit"]))
    on_gpu = DEVICE == "cuda"
    told(
        "transformers, torch, sdpa, " + ("bfloat16" if on_gpu else "float32"),
        torch.cuda.get_device_name() if on_gpu else "cpu",
        len(texts["embed"]),
        best,
        len(texts["fit"]),
        epoch,
        round(torch.cuda.max_memory_allocated() / 1e9, 2) if on_gpu else 0.0,
        vectors,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
