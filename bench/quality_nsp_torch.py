"""The same as quality_nsp.R with transformers and torch: BertForPreTraining, the same pairs, weights, epochs and rate.

python bench/quality_nsp_torch.py DATA MODEL [SEEDS]   # DATA holds xquad_en and squadshifts_wiki, MODEL weights
"""

import json
import os
import random
import sys

import torch
import transformers

import plain_torch

EPOCHS, RATE, BATCH = 4, 1e-4, 16


def pairs(data, part):
    out = []
    for name in ("xquad_en", "squadshifts_wiki"):
        with open(os.path.join(data, name, part + ".jsonl"), encoding="utf-8") as f:
            contexts = dict.fromkeys(json.loads(line)["context"] for line in f)
        for context in contexts:
            sentences = [s for s in context.split(". ") if len(s) > 20]
            out += zip(sentences, sentences[1:], strict=False)
    return out


def batches(rows, order, tokenizer, collate):
    """Half of the pairs with the second text of another one, label 1; words hidden anew."""
    for at in range(0, len(order), BATCH):
        some = order[at : at + BATCH]
        drawn = [random.random() < 0.5 for _ in some]
        second = [
            random.choice([j for j in (random.randrange(len(rows)) for _ in range(9)) if j != i]) if d else i
            for i, d in zip(some, drawn, strict=True)
        ]
        out = tokenizer([rows[i][0] for i in some], [rows[j][1] for j in second], truncation=True, max_length=128)
        batch = collate([{k: out[k][n] for k in out} for n in range(len(some))])
        yield {**batch, "next_sentence_label": torch.tensor(drawn).long()}


def main(data, source, seeds=3):
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    collate = transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    train, valid = pairs(data, "train"), pairs(data, "valid")
    print(len(train), "and", len(valid), "pairs", flush=True)
    for seed in range(1, int(seeds) + 1):
        torch.manual_seed(seed)
        random.seed(seed)
        model = transformers.BertForPreTraining.from_pretrained(source)
        plain_torch.train(
            model,
            EPOCHS,
            -(-len(train) // BATCH),
            RATE,
            lambda: batches(train, torch.randperm(len(train)).tolist(), tokenizer, collate),
        )
        told = right = nll = words = follows = 0
        with torch.no_grad():
            for batch in batches(valid, 5 * list(range(len(valid))), tokenizer, collate):
                out, asked = model(**batch), batch["labels"] >= 0
                labels, logits = batch["labels"][asked], out.prediction_logits[asked]
                nll += torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
                right += (logits.argmax(1) == labels).sum().item()
                words += len(labels)
                follows += (out.seq_relationship_logits.argmax(1) == batch["next_sentence_label"]).sum().item()
                told += len(asked)
        print(
            f"torch seed {seed}: next sentences {follows / told:.3f}, hidden words {right / words:.3f}, "
            f"loss {nll / words:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
