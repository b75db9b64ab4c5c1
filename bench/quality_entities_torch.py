"""Entities and parts of speech with plain transformers and torch: BertForTokenClassification on the words as they are
given, the first piece of each labelled, AdamW with linear decay after 10 % warmup. Prints F1 by seqeval.

    python bench/quality_entities_torch.py DATA MODEL [SET EPOCHS RATE SEEDS]

DATA holds the folders wnut17, ncbi_disease and ewt_pos, MODEL is a folder of Hugging Face form.
"""

import json
import os
import sys

import torch
from seqeval.metrics import f1_score
from transformers import AutoModelForTokenClassification, AutoTokenizer

import plain_torch

BATCH = 16


def read(path):
    with open(path, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    # a part of speech is a word by itself
    return [(r["tokens"], [t if t == "O" or t[1:2] == "-" else "B-" + t for t in r["tags"]]) for r in rows]


def batch_of(rows, tokenizer, codes):
    out = tokenizer(
        [t for t, _ in rows],
        is_split_into_words=True,
        truncation=True,
        max_length=256,
        padding=True,
        return_tensors="pt",
    )
    labels = torch.full(out["input_ids"].shape, -100)
    for i, (_, tags) in enumerate(rows):
        seen = None
        for j, word in enumerate(out.word_ids(i)):
            if word is not None and word != seen:
                labels[i, j] = codes.get(tags[word], -100)
            seen = word
    return out, labels


def run(train, valid, folder, epochs, rate, seed):
    torch.manual_seed(seed)
    names = sorted({tag for _, tags in train for tag in tags})
    codes = {name: i for i, name in enumerate(names)}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=len(names))

    def shuffled():
        order = torch.randperm(len(train)).tolist()
        for at in range(0, len(order), BATCH):
            inputs, labels = batch_of([train[i] for i in order[at : at + BATCH]], tokenizer, codes)
            yield {**inputs, "labels": labels}

    plain_torch.train(model, epochs, -(-len(train) // BATCH), rate, shuffled)
    found = []
    with torch.no_grad():
        for row in valid:
            inputs, labels = batch_of([row], tokenizer, {t: 0 for t in row[1]})
            best = model(**inputs).logits[0].argmax(-1)[labels[0] == 0]
            found.append([names[k] for k in best] + ["O"] * (len(row[1]) - len(best)))
    return f1_score([tags for _, tags in valid], found)


def main(data, folder, only=None, epochs=8, rate=2e-4, seeds=3):
    for name in [only] if only else ["wnut17", "ncbi_disease", "ewt_pos"]:
        train, valid = (read(os.path.join(data, name, part + ".jsonl")) for part in ("train", "valid"))
        for seed in range(1, int(seeds) + 1):
            print(
                f"{name} seed {seed}: F1 {100 * run(train, valid, folder, int(epochs), float(rate), seed):.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
