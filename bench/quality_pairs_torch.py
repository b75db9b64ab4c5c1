"""Pairs of questions by transformers and torch, both read as one text: the rows, epochs and rate of quality_pairs.R.

    python bench/quality_pairs_torch.py DATA MODEL     # DATA holds the folder covid_faq, MODEL the weights

Prints, a line a seed, Spearman's correlation of the numbers and the accuracy of the classes.
"""

import csv
import os
import sys

import numpy as np
import scipy.stats
import torch
import transformers

import plain_torch

EPOCHS, RATE, BATCH = 10, 1e-4, 16


def batches(rows, order, tokenizer):
    for at in range(0, len(order), BATCH):
        some = [rows[i] for i in order[at : at + BATCH]]
        yield (
            tokenizer(
                [r["question_1"] for r in some],
                [r["question_2"] for r in some],
                padding=True,
                truncation=True,
                max_length=256,
                return_tensors="pt",
            ),
            torch.tensor([int(r["similar"]) for r in some]),
        )


def outputs(source, train, held, labels, seed):
    """Of the held-out rows, [rows, labels], after training on the others: numbers with one label, else classes."""
    torch.manual_seed(seed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(source, num_labels=labels)
    # the deviation of about as many ones as zeros
    mean, sd = (np.mean([int(r["similar"]) for r in train]), 0.5) if labels == 1 else (0, 1)

    def shuffled():
        for inputs, y in batches(train, torch.randperm(len(train)).tolist(), tokenizer):
            yield {**inputs, "labels": ((y - mean) / sd).float() if labels == 1 else y}

    plain_torch.train(model, EPOCHS, -(-len(train) // BATCH), RATE, shuffled)
    with torch.no_grad():
        return np.concatenate([model(**x).logits.numpy() for x, _ in batches(held, range(len(held)), tokenizer)])


def main(data, source):
    with open(os.path.join(data, "covid_faq", "question_pairs_en.csv"), encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    for seed in (1, 2, 3):
        # the rows that R counts from 1
        held = [r for i, r in enumerate(rows, start=1) if i % 3 == seed - 1]
        train = [r for i, r in enumerate(rows, start=1) if i % 3 != seed - 1]
        truth = np.array([int(r["similar"]) for r in held])
        number = scipy.stats.spearmanr(outputs(source, train, held, 1, seed)[:, 0], truth)[0]
        right = (outputs(source, train, held, 2, seed).argmax(1) == truth).mean()
        print(f"torch seed {seed}: joint {number:.3f}; accuracy {right:.3f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
