"""A plain transformers + torch fine-tune of goemotions (labels) or emobank (numbers): see quality_sentence.R.

    python bench/quality_sentence_torch.py DATA MODEL goemotions|emobank [SEEDS] [EPOCHS] [RATE]

Prints one line a seed: macro and micro F1 at 0.5, or Pearson's and Spearman's correlation (means of the outcomes).
"""

import csv
import random
import sys

import numpy as np
import scipy.stats
import sklearn.metrics
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

BATCH = 16


def read(data, name, part):
    with open(f"{data}/{name}/{part}.csv", encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    columns = list(rows[0])[2:] if name == "goemotions" else ["valence", "arousal", "dominance"]
    return [r["text"] for r in rows], np.array([[float(r[c]) for c in columns] for r in rows], np.float32)


def batches(tokenizer, texts, order):
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        yield (
            rows,
            tokenizer([texts[i] for i in rows], padding=True, truncation=True, max_length=256, return_tensors="pt"),
        )


def train(folder, name, texts, y, seed, epochs, rate):
    torch.manual_seed(seed)
    random.seed(seed)
    kind = "multi_label_classification" if name == "goemotions" else "regression"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=y.shape[1], problem_type=kind)
    decayed = [p for n, p in model.named_parameters() if not n.endswith("bias") and "LayerNorm" not in n]
    others = [p for n, p in model.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}], lr=rate, eps=1e-6
    )
    steps = epochs * -(-len(texts) // BATCH)
    warmup = int(0.1 * steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda t: (t + 1) / max(1, warmup) if t < warmup else (steps - t) / (steps - warmup)
    )
    model.train()
    for _ in range(epochs):
        order = list(range(len(texts)))
        random.shuffle(order)
        for rows, inputs in batches(tokenizer, texts, order):
            loss = model(**inputs, labels=torch.tensor(y[rows])).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    return tokenizer, model.eval()


def main(data, folder, name, seeds=3, epochs=4, rate=1e-4):
    texts, y = read(data, name, "train")
    seen, truth = read(data, name, "valid")
    mean, sd = (y.mean(0), y.std(0)) if name == "emobank" else (0.0, 1.0)
    for seed in range(1, int(seeds) + 1):
        tokenizer, model = train(folder, name, texts, (y - mean) / sd, seed, int(epochs), float(rate))
        with torch.no_grad():
            out = np.concatenate(
                [model(**x).logits.numpy() for _, x in batches(tokenizer, seen, list(range(len(seen))))]
            )
        if name == "goemotions":
            chosen = out > 0
            values = [sklearn.metrics.f1_score(truth, chosen, average=a, zero_division=0) for a in ("macro", "micro")]
        else:
            pairs = list(zip(truth.T, out.T, strict=True))
            values = [np.mean([c(t, o)[0] for t, o in pairs]) for c in (scipy.stats.pearsonr, scipy.stats.spearmanr)]
        print(f"{name} torch seed {seed}: " + " ".join(f"{v:.4f}" for v in values), flush=True)


main(*sys.argv[1:])
