"""As hf_budget, with oneDNN doing the dense layers, as torch's compiler has it and TensorFlow too: torch itself gives
them to MKL, which on some CPUs is less than half as fast. Only without gradients."""

import torch

from engines import hf_budget


class Dense(torch.nn.Module):
    """A linear layer, its weights in the order that oneDNN wants."""

    def __init__(self, linear):
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self.bias = linear.bias.detach()

    def forward(self, x):
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")


def replace(module):
    for name, child in module.named_children():
        if isinstance(child, torch.nn.Linear):
            setattr(module, name, Dense(child))
        else:
            replace(child)


class Engine(hf_budget.Engine):
    def load(self, folder, google_folder):
        super().load(folder, google_folder)
        replace(self.model)
