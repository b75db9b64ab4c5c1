"""The same as quality_mlm.R with transformers and torch: same weights, rows, epochs, rate, warmup and batch size.

python bench/quality_mlm_torch.py DATA MODEL     # DATA holds the folder banking77, MODEL the weights
"""

import csv
import os
import sys
import time

import torch
import transformers

import plain_torch


def read(path):
    with open(path, encoding="utf-8", newline="") as f:
        return [row["text"] for row in csv.DictReader(f)]


def batches(rows, size, collate):
    return [collate([{"input_ids": r} for r in rows[i : i + size]]) for i in range(0, len(rows), size)]


def main(data, source):
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    train, valid = (
        tokenizer(read(os.path.join(data, "banking77", f"{name}.csv")), truncation=True, max_length=256)["input_ids"]
        for name in ("train_10shot", "valid")
    )
    collate = transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    for seed in (1, 2, 3):
        torch.manual_seed(seed)
        began = time.perf_counter()
        model = transformers.BertForMaskedLM.from_pretrained(source)
        plain_torch.train(
            model,
            3,
            -(-len(train) // 16),
            1e-4,
            lambda: batches([train[i] for i in torch.randperm(len(train)).tolist()], 16, collate),
        )
        seconds = time.perf_counter() - began
        nll = right = words = 0
        with torch.no_grad():
            for batch in batches(5 * valid, 32, collate):
                out, asked = model(**batch), batch["labels"] >= 0
                labels, logits = batch["labels"][asked], out.logits[asked]
                nll += torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
                right += (logits.argmax(1) == labels).sum().item()
                words += len(labels)
        print(f"torch seed {seed}: loss {nll / words:.3f}, accuracy {right / words:.3f}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
