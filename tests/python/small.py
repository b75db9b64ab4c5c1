"""Small random models in torch, for tests."""

import torch
import transformers


def small_config(vocab_size, **settings):
    """A configuration of BERT with 2 layers of width 32; `settings` are its other fields."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    return transformers.BertConfig(vocab_size=vocab_size, **{**sizes, **settings})


def perturb(model):
    """Moves the biases and the scales of the layer norms: zeros and ones would hide a tensor that is lost."""
    for name, p in model.named_parameters():
        if name.endswith("bias") or "norm" in name.lower():
            p.data += 0.1 * torch.randn_like(p)
    return model
