"""Two ranks that train a sharded model with our optimizer; run by test_sharded.py.

They write, as JSON, how far norms and parameters are from those of one process, from the same data.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Placement, Replicate, Shard, distribute_tensor

from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.optimizer.optimizer import Optimizer
from lauter.trainer.parallel.ranks import Ranks

RANKS, STEPS, MICROS = 2, 5, 2
SECTION = OptimizerSection(warmup_steps=4, learning_rate=1e-2, clip=0.1)


class Net(nn.Module):
    """Matrices that do not divide by two, a norm, and a scalar: one rank holds none of it."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)

        def weight(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64) * 0.3)

        self.up, self.norm, self.alpha_p, self.down = weight(7, 5), weight(7), weight(1), weight(3, 7)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x @ self.up.T * self.norm) * self.alpha_p @ self.down.T


def inputs(step: int, micro: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(100 * step + micro)
    x = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    return x, torch.randn(4, 3, generator=generator, dtype=torch.float64)


def train(model: nn.Module, rank: int, ranks: int) -> tuple[list[float], list[float]]:
    """Our norms and torch's, of every step; each rank takes its rows."""
    optimizer = Optimizer(model.named_parameters(), SECTION)
    ours, torchs = [], []
    for step in range(STEPS):
        for micro in range(MICROS):
            x, y = (one.chunk(ranks)[rank] for one in inputs(step, micro))
            (model(x) - y).square().mean().backward()
            optimizer.accumulate()
        gradients = [one.grad for one in model.parameters() if one.grad is not None]
        total = nn.utils.get_total_norm(gradients)
        torchs.append(float(total.full_tensor() if isinstance(total, DTensor) else total))
        ours.append(optimizer.gradient_norm())
        optimizer.step(SECTION.learning_rate, ours[-1])
        optimizer.zero_grad()
    return ours, torchs


def whole(tensor: Tensor) -> Tensor:
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach()


def differences(rank: int, shape: tuple[int, ...]) -> dict[str, float]:
    """Of training over a mesh from training in one process: largest absolute difference of parameters and norms."""
    alone, model = Net(), Net()
    names = ("replicate", "shard")[-len(shape) :]
    fully_shard(model, mesh=init_device_mesh("cpu", shape, mesh_dim_names=names))
    expected, _ = train(alone, 0, 1)
    ours, torchs = train(model, rank, RANKS)
    pairs = zip(model.parameters(), alone.parameters(), strict=True)
    return {
        "parameters": max(float((whole(one) - other).abs().max()) for one, other in pairs),
        "norms": max(abs(one - other) for one, other in zip(ours, expected, strict=True)),
        "torch": max(abs(one - other) for one, other in zip(ours, torchs, strict=True)),
    }


def mixed_norm() -> float:
    """Of sharded, replicated and plain parameters together, each counted once: difference from the whole gradient's."""
    mesh = init_device_mesh("cpu", (RANKS,))
    torch.manual_seed(1)
    gradients = [torch.randn(6, 4, dtype=torch.float64) for _ in range(4)]
    placements: list[list[Placement]] = [[Shard(0)], [Replicate()], [Shard(1)]]
    parameters = [
        nn.Parameter(distribute_tensor(one, mesh, at)) for one, at in zip(gradients, placements, strict=False)
    ]
    for parameter, gradient, at in zip(parameters, gradients, placements, strict=False):
        parameter.grad = distribute_tensor(gradient * 2, mesh, at)
    plain = nn.Parameter(gradients[3])
    plain.grad = gradients[3] * 2
    norm = Optimizer([(f"w{i}", one) for i, one in enumerate([*parameters, plain])], SECTION).gradient_norm()
    return abs(norm - 2 * float(torch.cat(gradients).norm()))


def narrow() -> dict[str, str]:
    """How FSDP2's shards look under bfloat16 computing: their dtype and their gradients'."""
    model = Net().float()
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    fully_shard(model, mesh=init_device_mesh("cpu", (RANKS,)), mp_policy=policy)
    optimizer = Optimizer(model.named_parameters(), SECTION)
    model(inputs(0, 0)[0].float()).square().mean().backward()
    optimizer.accumulate()
    optimizer.step(1e-3, optimizer.gradient_norm())
    gradient = next(model.parameters()).grad
    slots = {name.partition(".")[0] for name in optimizer.state()}
    return {"gradient": str(None if gradient is None else gradient.dtype), "slots": " ".join(sorted(slots))}


def two(ranks: Ranks, folder: Path) -> None:
    result = {
        "fsdp": differences(ranks.rank, (2,)),
        "replicated": differences(ranks.rank, (2, 1)),
        "mixed": mixed_norm(),
        "narrow": narrow(),
    }
    (folder / f"{ranks.rank}.json").write_text(json.dumps(result))
