"""transformers on torch with sdpa, bfloat16 on a GPU: seconds of embedding texts and of one epoch of fine-tuning, as a
line of JSON. Rows are sorted by length to score and bucketed to train, AdamW is fused.

    python bench/gpu/torch_hf.py MODEL TEXTS ROWS
"""

import json
import sys
import time

import numpy as np
import torch
from transformers import AutoTokenizer, BertModel

from files import read_rows, read_texts, told

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BUDGET, ROWS, WINDOW = 32_768, 32, 8  # padded tokens when scoring; rows a training step; batches sorted together


def mean(bert, batch):
    states, mask = bert(**batch).last_hidden_state, batch["attention_mask"][:, :, None]
    return (states * mask).sum(1) / mask.sum(1)


def by_length(tokenizer, texts, max_len):
    ids = tokenizer(texts, truncation=True, max_length=max_len)["input_ids"]
    return ids, np.array([len(x) for x in ids])


def batch_of(tokenizer, ids, rows):
    return tokenizer.pad({"input_ids": [ids[i] for i in rows]}, return_tensors="pt").to(DEVICE)


def embed(bert, tokenizer, texts):
    ids, lengths = by_length(tokenizer, texts, 256)
    order, out, start = np.argsort(-lengths, kind="stable"), [], 0
    with torch.inference_mode(), torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda"):
        while start < len(order):
            rows = order[start : start + max(1, BUDGET // int(lengths[order[start]]))]
            out.append(mean(bert, batch_of(tokenizer, ids, rows)).float().cpu().numpy())
            start += len(rows)
    vectors = np.empty((len(texts), out[0].shape[1]), np.float32)
    vectors[order] = np.concatenate(out)
    return vectors


def epoch(bert, tokenizer, texts, labels):
    levels = sorted(set(labels))
    y = torch.tensor([levels.index(x) for x in labels], device=DEVICE)
    head = torch.nn.Linear(bert.config.hidden_size, len(levels)).to(DEVICE)
    weights = [*bert.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=1e-4, weight_decay=0.01, fused=True)
    ids, lengths = by_length(tokenizer, texts, 128)
    order = np.random.default_rng(1).permutation(len(ids))
    for start in range(0, len(order), WINDOW * ROWS):
        window = order[start : start + WINDOW * ROWS]
        window = window[np.argsort(lengths[window], kind="stable")]
        for i in range(0, len(window), ROWS):
            rows = window[i : i + ROWS]
            with torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda"):
                loss = torch.nn.functional.cross_entropy(head(mean(bert, batch_of(tokenizer, ids, rows))), y[rows])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()


def seconds(call):
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    call()
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main(folder, texts_file, rows_file):
    texts, (labels, rows) = read_texts(texts_file), read_rows(rows_file)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    bert = BertModel.from_pretrained(folder, attn_implementation="sdpa", add_pooling_layer=False).to(DEVICE).eval()
    embed(bert, tokenizer, texts)
    scoring = min(seconds(lambda: embed(bert, tokenizer, texts)) for _ in range(3))
    bert.train()
    epoch(bert, tokenizer, rows, labels)
    training = seconds(lambda: epoch(bert, tokenizer, rows, labels))
    devices = [torch.cuda.get_device_name()] if DEVICE == "cuda" else []
    print(
        json.dumps(
            told(
                "transformers + torch, sdpa, bfloat16" if devices else "transformers + torch, sdpa",
                scoring,
                len(texts),
                training,
                len(rows),
                devices,
            )
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
