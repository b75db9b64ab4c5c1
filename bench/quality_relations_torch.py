"""GPLinker in plain transformers and torch, the same rows, epochs, rate and batch as `quality_relations.R`:

    python bench/quality_relations_torch.py FEWREL MODEL [EPOCHS RATE SEEDS]

MODEL is a folder in Hugging Face's format. Every score is built, as the description has it: no sparse sums.
"""

import json
import pathlib
import random
import sys
import time

import numpy as np
import torch
import transformers

BATCH, SIZE, WARMUP = 16, 64, 0.1


class GlobalPointer(torch.nn.Module):
    """The efficient form: [batch, length, hidden] -> [batch, kinds, length, length]."""

    def __init__(self, hidden, kinds, rotary):
        super().__init__()
        self.rotary = rotary
        self.dense = torch.nn.Linear(hidden, 2 * SIZE)
        self.bias = torch.nn.Linear(2 * SIZE, 2 * kinds)
        for layer in (self.dense, self.bias):
            torch.nn.init.xavier_uniform_(layer.weight)
            torch.nn.init.zeros_(layer.bias)

    def forward(self, x):
        x = self.dense(x)
        q, k = x[..., 0::2], x[..., 1::2]
        if self.rotary:
            place = torch.arange(x.shape[1])[:, None]
            angle = place / 10000 ** (torch.arange(0, SIZE, 2) / SIZE)
            sin, cos = angle.sin().repeat_interleave(2, 1), angle.cos().repeat_interleave(2, 1)
            q, k = (t * cos + torch.stack([-t[..., 1::2], t[..., 0::2]], -1).flatten(2) * sin for t in (q, k))
        scores = q @ k.transpose(1, 2) / SIZE**0.5
        bias = self.bias(x).transpose(1, 2) / 2
        return scores[:, None] + bias[:, 0::2, :, None] + bias[:, 1::2, None, :]


class GPLinker(torch.nn.Module):
    def __init__(self, folder, relations):
        super().__init__()
        self.bert = transformers.AutoModel.from_pretrained(folder)
        hidden = self.bert.config.hidden_size
        self.pointers = torch.nn.ModuleList(
            [
                GlobalPointer(hidden, 2, True),
                GlobalPointer(hidden, relations, False),
                GlobalPointer(hidden, relations, False),
            ]
        )

    def forward(self, ids, mask):
        states = self.bert(ids, attention_mask=mask).last_hidden_state
        out = []
        for i, pointer in enumerate(self.pointers):
            allowed = (mask[:, :, None] * mask[:, None, :])[:, None].bool()
            if i == 0:
                allowed = allowed & torch.ones(allowed.shape[-2:]).triu().bool()
            out.append(pointer(states).masked_fill(~allowed, -1e9))
        return out


def multilabel_loss(scores, labels):
    """Su's multilabel cross-entropy, of every kind over all pairs."""
    scores, labels = scores.flatten(2), labels.flatten(2)
    zero = torch.zeros_like(scores[..., :1])
    wrong = torch.cat([scores.masked_fill(labels > 0, -1e9), zero], -1).logsumexp(-1)
    right = torch.cat([(-scores).masked_fill(labels == 0, -1e9), zero], -1).logsumexp(-1)
    return (wrong + right).sum(1).mean()


def read_rows(path, tokenizer, codes):
    """(ids, triple of token places) of each row."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        coded = tokenizer(row["tokens"], is_split_into_words=True)
        words = coded.word_ids()

        def pieces(start, end, words=words):
            inside = [i for i, w in enumerate(words) if w is not None and start <= w < end]
            return inside[0], inside[-1]

        head, tail = pieces(row["head_start"], row["head_end"]), pieces(row["tail_start"], row["tail_end"])
        rows.append((coded["input_ids"], (*head, codes.setdefault(row["relation"], len(codes)), *tail)))
    return rows


def batch(rows):
    length = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([x + [0] * (length - len(x)) for x, _ in rows])
    return ids, torch.tensor([[1] * len(x) + [0] * (length - len(x)) for x, _ in rows])


def labels(rows, scores):
    out = [torch.zeros_like(s) for s in scores]
    for r, (_, (hs, he, k, ts, te)) in enumerate(rows):
        out[0][r, 0, hs, he] = out[0][r, 1, ts, te] = out[1][r, k, hs, ts] = out[2][r, k, he, te] = 1
    return out


def found(entity, starts, ends):
    spans = [np.argwhere(entity[kind] > 0) for kind in (0, 1)]
    out = set()
    for hs, he in spans[0]:
        for ts, te in spans[1]:
            for k in np.flatnonzero((starts[:, hs, ts] > 0) & (ends[:, he, te] > 0)):
                out.add((hs, he, k, ts, te))
    return out


def evaluate(model, rows):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for i in range(0, len(rows), 32):
            scores = [s.numpy() for s in model(*batch(rows[i : i + 32]))]
            for r, (_, triple) in enumerate(rows[i : i + 32]):
                triples = found(*(s[r] for s in scores))
                right, total = right + (triple in triples), total + len(triples)
    return 2 * right / (total + len(rows)), right / max(total, 1), right / len(rows)


def train(model, rows, epochs, rate):
    decay = [p for n, p in model.named_parameters() if p.ndim > 1]
    others = [p for n, p in model.named_parameters() if p.ndim < 2]
    groups = [{"params": decay, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, eps=1e-6)
    steps = epochs * -(-len(rows) // BATCH)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, int(WARMUP * steps), steps)
    for _ in range(epochs):
        model.train()
        random.shuffle(rows)
        for i in range(0, len(rows), BATCH):
            some = rows[i : i + BATCH]
            scores = model(*batch(some))
            loss = sum(multilabel_loss(s, y) for s, y in zip(scores, labels(some, scores), strict=True))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()


def main(data, folder, epochs=20, rate=1e-4, seeds=1):
    tokenizer, codes = transformers.AutoTokenizer.from_pretrained(folder), {}
    rows = read_rows(pathlib.Path(data) / "train.jsonl", tokenizer, codes)
    valid = read_rows(pathlib.Path(data) / "valid.jsonl", tokenizer, codes)
    for seed in range(1, int(seeds) + 1):
        began = time.perf_counter()
        random.seed(seed)
        torch.manual_seed(seed)
        model = GPLinker(folder, len(codes))
        train(model, rows, int(epochs), float(rate))
        metrics = evaluate(model, valid)
        print(
            "seed {}: F1 {:.4f}, precision {:.4f}, recall {:.4f}, {:.0f} s".format(
                seed, *metrics, time.perf_counter() - began
            ),
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
