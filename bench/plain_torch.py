"""A plain training loop in torch: AdamW with BERT's exclusions from decay, linear decay after 10 % warmup, clip 1."""

import torch
import transformers

DECAY, WARMUP, CLIP = 0.01, 0.1, 1.0


def train(model, epochs, steps, rate, batches):
    """Trains the model in place. `batches()` gives an epoch's, `steps` of them: keyword arguments of the model, with
    what its loss needs."""
    plain = ("bias", "LayerNorm.weight")
    groups = [
        {
            "params": [p for n, p in model.named_parameters() if n.endswith(plain) == still],
            "weight_decay": 0.0 if still else DECAY,
        }
        for still in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate, eps=1e-6)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, int(WARMUP * epochs * steps), epochs * steps)
    model.train()
    for _ in range(epochs):
        for batch in batches():
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    return model.eval()
