"""SetFit's recipe (Tunstall et al. 2022, Efficient Few-Shot Learning Without Prompts) on few rows a class, for the
table of bench/quality.md beside quality_fewshot.R.

As published: for each row and each of 20 iterations a pair of the same class (target 1) and one of another class
(target 0); the squared error of the cosine of the mean-pooled vectors; one epoch of batches of 16 pairs, AdamW with
rate 2e-5, a tenth of the steps warm-up, then linear decay; then logistic regression on the normalised vectors.

    .venv/bin/python bench/quality_fewshot.py DATA MODEL 5 10 20     # DATA holds banking77, MODEL all-MiniLM-L6-v2
"""

import csv
import os
import random
import sys
import time

import numpy as np
import torch
import transformers
from sklearn.linear_model import LogisticRegression

ITERATIONS, BATCH, RATE, SEED, LENGTH = 20, 16, 2e-5, 1, 256


def read(path):
    with open(path, encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    return [row["text"] for row in rows], [row["label"] for row in rows]


def pairs_of(texts, labels, draw):
    same, other = {}, {}
    for label in set(labels):
        same[label] = [text for text, its in zip(texts, labels, strict=True) if its == label]
        other[label] = [text for text, its in zip(texts, labels, strict=True) if its != label]
    out = []
    for _ in range(ITERATIONS):
        for text, label in zip(texts, labels, strict=True):
            out += [(text, draw.choice(same[label]), 1.0), (text, draw.choice(other[label]), 0.0)]
    draw.shuffle(out)
    return out


def vectors(model, tokenizer, texts):  # [texts, hidden]
    """In groups of similar length, as padding would take most of the time."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    parts = [group_vectors(model, tokenizer, [texts[i] for i in order[at : at + 8]]) for at in range(0, len(order), 8)]
    return torch.cat(parts)[np.argsort(order)]


def group_vectors(model, tokenizer, texts):
    inputs = tokenizer(texts, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
    real = inputs["attention_mask"][:, :, None].float()
    states = model(**inputs).last_hidden_state
    return torch.nn.functional.normalize((states * real).sum(1) / real.sum(1), dim=1)


def tune(model, tokenizer, pairs):
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01, fused=True)
    steps = -(-len(pairs) // BATCH)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, steps // 10, steps)
    model.train()
    for start in range(0, len(pairs), BATCH):
        a, b, target = zip(*pairs[start : start + BATCH], strict=True)
        both = vectors(model, tokenizer, [*a, *b])
        cosine = (both[: len(a)] * both[len(a) :]).sum(1)
        torch.nn.functional.mse_loss(cosine, torch.tensor(target)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return model.eval()


@torch.inference_mode()
def embed(model, tokenizer, texts):
    parts = [vectors(model, tokenizer, texts[i : i + 64]) for i in range(0, len(texts), 64)]
    return torch.cat(parts).numpy()


def main(data, folder, *shots):
    test_texts, test_labels = read(os.path.join(data, "banking77", "valid.csv"))
    for shot in shots:
        texts, labels = read(os.path.join(data, "banking77", f"train_{shot}shot.csv"))
        torch.manual_seed(SEED)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model, started = transformers.AutoModel.from_pretrained(folder), time.perf_counter()
        tune(model, tokenizer, pairs_of(texts, labels, random.Random(SEED)))
        head = LogisticRegression(max_iter=1000).fit(embed(model, tokenizer, texts), labels)
        seconds = time.perf_counter() - started
        right = head.predict(embed(model, tokenizer, test_texts)) == np.array(test_labels)
        print(f"{shot} rows a class: {100 * right.mean():.1f} % of {len(right)} rows, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
