"""The same as quality_nsp.R with transformers and torch: BertForPreTraining, the same pairs, weights, epochs and rate.

    python bench/quality_nsp_torch.py DATA MODEL     # DATA holds xquad_en and squadshifts_wiki, MODEL the weights
"""

import json
import os
import random
import sys

import torch
import transformers

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
        some = order[at:at + BATCH]
        drawn = [random.random() < 0.5 for _ in some]
        second = [random.choice([j for j in (random.randrange(len(rows)) for _ in range(9)) if j != i]) if d else i
                  for i, d in zip(some, drawn, strict=True)]
        out = tokenizer([rows[i][0] for i in some], [rows[j][1] for j in second], truncation=True, max_length=128)
        batch = collate([{k: out[k][n] for k in out} for n in range(len(some))])
        yield {**batch, "next_sentence_label": torch.tensor(drawn).long()}


def main(data, source):
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    collate = transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    train, valid = pairs(data, "train"), pairs(data, "valid")
    print(len(train), "and", len(valid), "pairs", flush=True)
    for seed in (1, 2, 3):
        torch.manual_seed(seed)
        random.seed(seed)
        model = transformers.BertForPreTraining.from_pretrained(source).train()
        plain = ("bias", "LayerNorm.weight")
        groups = [{"params": [p for n, p in model.named_parameters() if n.endswith(plain) == still],
                   "weight_decay": 0.0 if still else 0.01} for still in (True, False)]
        optimizer = torch.optim.AdamW(groups, lr=RATE, eps=1e-6)
        steps = EPOCHS * -(-len(train) // BATCH)
        schedule = transformers.get_linear_schedule_with_warmup(optimizer, int(0.1 * steps), steps)
        for _ in range(EPOCHS):
            for batch in batches(train, torch.randperm(len(train)).tolist(), tokenizer, collate):
                model(**batch).loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
        told = right = nll = words = follows = 0
        with torch.no_grad():
            for batch in batches(valid, 5 * list(range(len(valid))), tokenizer, collate):
                out, asked = model.eval()(**batch), batch["labels"] >= 0
                labels, logits = batch["labels"][asked], out.prediction_logits[asked]
                nll += torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
                right += (logits.argmax(1) == labels).sum().item()
                words += len(labels)
                follows += (out.seq_relationship_logits.argmax(1) == batch["next_sentence_label"]).sum().item()
                told += len(asked)
        print(f"torch seed {seed}: next sentences {follows / told:.3f}, hidden words {right / words:.3f}, "
              f"loss {nll / words:.3f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
