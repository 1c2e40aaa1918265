"""Low-rank parts beside the weights of a model, LoRA (Hu et al., arXiv 2106.09685): y = x W^T + scale (x A^T) B^T.

W gets no gradient, no master and no moments. Of a product with N weights in bf16 that leaves 2 bytes a weight, where
full training with AdEMAMix has 18: bf16 weight, fp32 master and three moments; gradients come on top.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lauter.trainer.config.lora import LoraSection
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.linear import Linear

A, B = "lora_a", "lora_b"
"""Last parts of the parameters' names; they stand beside `weight`."""


def add_low_rank(model: Apertus, section: LoraSection, *, dtype: torch.dtype) -> None:
    """Freeze all parameters and give each target of each layer its two, in place; nothing has wrapped the model yet.

    Args:
        model: May be on device "meta"; the new parameters are where the weights are.
        section: Rank, scale and targets.
        dtype: Of the new parameters.
    """
    model.requires_grad_(requires_grad=False)
    for layer in model.model.layers:
        for name, module in layer.named_modules():
            if isinstance(module, Linear) and name.rpartition(".")[2] in section.targets:
                device = module.weight.device
                module.lora_a = nn.Parameter(torch.zeros(section.rank, module.in_features, device=device, dtype=dtype))
                module.lora_b = nn.Parameter(torch.zeros(module.out_features, section.rank, device=device, dtype=dtype))
                module.scale = section.scale


def is_low_rank(name: str) -> bool:
    """Whether a parameter's name is that of a low-rank part.

    >>> is_low_rank("model.layers.0.mlp.up_proj.lora_a"), is_low_rank("model.layers.0.mlp.up_proj.weight")
    (True, False)
    """
    return name.rpartition(".")[2] in (A, B)


def product(a: Tensor, b: Tensor, scale: float) -> Tensor:
    """What a low-rank part adds to its weight: scale B A, shape (outputs, inputs), in fp32 or fp64."""
    dtype = torch.promote_types(a.dtype, torch.float32)
    return (b.to(dtype) @ a.to(dtype)).mul_(scale)
