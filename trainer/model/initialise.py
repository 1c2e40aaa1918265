"""First values of a model's parameters: the same for every way of sharing them between ranks."""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.model.xielu import BETA

XIELU_START = 0.8
"""Both coefficients of xIELU at the start (arXiv 2411.13010, section 4)."""


@torch.no_grad()
def initialise(model: Apertus, seed: int) -> None:
    """Fill every parameter; its values follow from `seed`, its name and its full shape only.

    Matrices N(0, init_std), those that write to the residual stream (o_proj, down_proj) N(0, init_std / sqrt(2
    layers)) (arXiv 2509.14233, section 2.3); norms 1; xIELU's coefficients 0.8; of low-rank parts A uniform, B 0.
    Drawn in fp32 on the CPU whatever the dtype and device. A DTensor's full tensor is drawn on every rank, one at a
    time, and the local part is kept.
    """
    for name, parameter in model.named_parameters():
        full = first_values(name, parameter.shape, model.shape, seed)
        if isinstance(parameter, DTensor):
            full = distribute_tensor(
                full.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None
            )
        parameter.copy_(full)


def first_values(name: str, size: torch.Size, shape: ModelShape, seed: int) -> Tensor:
    """Full first value of one parameter: fp32, on the CPU."""
    kind = name.removesuffix(".weight").rpartition(".")[2]
    if kind.endswith("norm"):
        return torch.ones(size)
    if kind == "alpha_p":
        return torch.full(size, _inverse_softplus(XIELU_START))
    if kind == "alpha_n":
        return torch.full(size, _inverse_softplus(XIELU_START - BETA))
    if kind == "lora_b":
        return torch.zeros(size)  # The low-rank part starts as nothing (Hu et al., arXiv 2106.09685, section 4.1).
    residual = kind in ("o_proj", "down_proj")
    std = shape.init_std / math.sqrt(2 * shape.layers) if residual else shape.init_std
    key = hashlib.sha256(f"{seed}\n{name}\n{tuple(size)}".encode()).digest()
    generator = torch.Generator("cpu").manual_seed(int.from_bytes(key[:8], "little", signed=True))
    if kind == "lora_a":
        # Uniform within 1 / sqrt(inputs), as microsoft/LoRA and peft draw it; the paper has a normal distribution.
        return torch.empty(size, device="cpu").uniform_(-1, 1, generator=generator).div_(math.sqrt(size[1]))
    return torch.randn(size, generator=generator, device="cpu").mul_(std)


def _inverse_softplus(value: float) -> float:
    return math.log(math.expm1(value))
