"""Four processes that save and load together, in worlds of 1, 2 and 4; run by test_several.py."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Placement, Replicate, Shard, distribute_tensor

from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.read import open_checkpoint, read_weights
from lauter.trainer.checkpoint.store import Checkpoints
from tests.trainer.checkpoint.state import TOKENIZER, meta, section

SIZES = {"embed": (10, 6), "uneven": (5, 3), "column": (4, 9), "norm": (6,), "alpha": (1,)}
"""5 rows over 2 or 4 ranks are uneven, and of 1 element some ranks hold nothing."""


def full_state(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        f"{slot}.{name}": torch.randn(size, generator=generator, dtype=torch.float32)
        for slot in ("weight", "fast")
        for name, size in SIZES.items()
    }


def laid_out(seed: int, mesh: DeviceMesh, placements: list[Placement]) -> dict[str, Tensor]:
    """The state over a mesh; norms are plain tensors on every rank."""
    return {
        key: tensor if "norm" in key else distribute_tensor(tensor, mesh, placements)
        for key, tensor in full_state(seed).items()
    }


def equals(tensors: Mapping[str, Tensor], seed: int) -> bool:
    """Every full tensor, to the bit, on every rank."""
    expected = full_state(seed)
    whole = {key: one.full_tensor() if isinstance(one, DTensor) else one for key, one in tensors.items()}
    return whole.keys() == expected.keys() and all(torch.equal(whole[key], expected[key]) for key in expected)


@contextmanager
def world(folder: Path, name: str, rank: int, ranks: int) -> Iterator[None]:
    """A process group of the first `ranks` processes."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/{name}", rank=rank, world_size=ranks)
    yield
    dist.barrier()
    dist.destroy_process_group()


def opened(folder: Path, rank: int, ranks: int, said: list[str], *, asynchronous: bool = False) -> Checkpoints:
    return Checkpoints(
        folder / "checkpoints", section(asynchronous=asynchronous), rank=rank, ranks=ranks, warn=said.append
    )


def loads(folder: Path, rank: int, ranks: int, mesh: DeviceMesh, placements: list[Placement], seed: int) -> bool:
    checkpoints = opened(folder, rank, ranks, [])
    latest = checkpoints.latest()
    assert latest is not None
    tensors = laid_out(0, mesh, placements)
    assert not equals(tensors, seed)
    checkpoints.load(latest, tensors)
    return equals(tensors, seed)


def refusal(checkpoints: Checkpoints, tensors: Mapping[str, Tensor], step: int) -> str:
    try:
        checkpoints.save(tensors, meta(step), TOKENIZER)
        checkpoints.finish()
    except CheckpointError as error:
        return str(error)
    return ""


def two_save(folder: Path, rank: int, found: dict[str, Any]) -> None:
    mesh = init_device_mesh("cpu", (2,))
    checkpoints = opened(folder / "two", rank, 2, [], asynchronous=True)
    live = laid_out(1, mesh, [Shard(0)])
    for step in (1, 2):
        for key, tensor in laid_out(step, mesh, [Shard(0)]).items():
            live[key].copy_(tensor)
        checkpoints.save(live, meta(step), TOKENIZER)
        for tensor in live.values():
            tensor.fill_(7.0)
    checkpoints.finish()
    found["files"] = sorted(path.name for path in (folder / "two/checkpoints/step-0000000002").iterdir())


def four(folder: Path, rank: int, found: dict[str, Any]) -> None:
    flat, grid = init_device_mesh("cpu", (4,)), init_device_mesh("cpu", (2, 2), mesh_dim_names=("copies", "shards"))
    hybrid: list[Placement] = [Replicate(), Shard(0)]
    found["2 to 4"] = loads(folder / "two", rank, 4, flat, [Shard(0)], 2)
    found["2 to 2x2"] = loads(folder / "two", rank, 4, grid, hybrid, 2)
    found["2 to 4 by columns"] = loads(folder / "two", rank, 4, flat, [Replicate()], 2)
    checkpoints = opened(folder / "four", rank, 4, [], asynchronous=True)
    checkpoints.save(laid_out(3, grid, hybrid), meta(3), TOKENIZER)
    checkpoints.finish()
    found["2x2 to 4"] = loads(folder / "four", rank, 4, flat, [Shard(0)], 3)

    tensors = laid_out(4, grid, hybrid)
    if rank == 3:
        local = tensors["weight.embed"]
        assert isinstance(local, DTensor)
        local.to_local()[0, 0] += 1e-7
    found["diverged shard"] = refusal(checkpoints, tensors, 4)
    tensors = laid_out(4, grid, hybrid)
    if rank == 1:
        tensors["fast.norm"][5] += 1.0
    found["diverged plain"] = refusal(checkpoints, tensors, 4)
    # Of different names on both pairs, but for one.
    mixed = {"weight.shared": torch.zeros(3), f"weight.of{rank // 2}": torch.full((2,), float(rank // 2))}
    found["equal, of other names"] = refusal(opened(folder / "mixed", rank, 4, []), mixed, 4)
    mixed["weight.shared"][2] = float(rank == 3)
    found["diverged, of other names"] = refusal(checkpoints, mixed, 4)
    partial = DTensor.from_local(torch.ones(3), flat, [Partial()])
    found["partial"] = refusal(checkpoints, {"weight.sum": partial}, 4)

    tensors = laid_out(4, flat, [Shard(0)])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if rank == 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    found["rank 2 cannot write"] = refusal(checkpoints, tensors, 4)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    dist.barrier()
    poor = Checkpoints(
        folder / "four/checkpoints", section(), rank=rank, ranks=4, free=lambda _: 0 if rank == 0 else 1 << 40
    )
    found["rank 0 sees no room"] = refusal(poor, tensors, 4)
    found["left"] = sorted(path.name for path in (folder / "four/checkpoints").iterdir())
    dist.barrier()
    found["then"] = refusal(checkpoints, tensors, 4)

    dist.barrier()
    if rank == 0:
        file = folder / "four/checkpoints/step-0000000004/__3_0.distcp"
        file.write_bytes(file.read_bytes()[:-1] + b"\x99")
    dist.barrier()
    said: list[str] = []
    checkpoints = opened(folder / "four", rank, 4, said)
    latest = checkpoints.latest()
    found["opened"] = checkpoints.open(folder / "two").path.name
    found["fallback"] = latest.path.name if latest is not None else None
    found["warned"] = said


class Small(nn.Module):
    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Linear(6, 5)
        self.alpha = nn.Parameter(torch.full((1,), float(seed)))


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    return {f"weight.{name}": parameter for name, parameter in model.named_parameters()}


def sharded_model(folder: Path, rank: int, found: dict[str, Any]) -> None:
    """What training on several ranks saves: parameters of FSDP2, of which some ranks hold none."""
    model = Small(5)
    fully_shard(model, mesh=init_device_mesh("cpu", (4,)))
    checkpoints = opened(folder / "model", rank, 4, [], asynchronous=True)
    checkpoints.save(weights_of(model), meta(5), TOKENIZER)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    checkpoints.finish()
    latest = checkpoints.latest()
    assert latest is not None
    checkpoints.load(latest, weights_of(model))
    whole = {key: one.full_tensor() if isinstance(one, DTensor) else one for key, one in weights_of(model).items()}
    found["model"] = all(torch.equal(whole[key], tensor) for key, tensor in weights_of(Small(5)).items())


def alone(folder: Path, found: dict[str, Any]) -> None:
    for name, seed in (("two", 2), ("four", 3)):
        checkpoints = opened(folder / name, 0, 1, [])
        latest = checkpoints.latest()
        assert latest is not None
        tensors = full_state(0)
        checkpoints.load(latest, tensors)
        found[f"{name} to 1"] = equals(tensors, seed)
    read = {f"weight.{name}": tensor for name, tensor in read_weights(open_checkpoint(folder / "two"))}
    expected = full_state(2)
    found["read without a group"] = len(read) == len(SIZES) and all(
        torch.equal(read[key], expected[key]) for key in read
    )
    with torch.no_grad():
        found["model alone"] = all(
            torch.equal(tensor, weights_of(Small(5))[f"weight.{name}"])
            for name, tensor in read_weights(open_checkpoint(folder / "model"))
        )
    opened(folder / "one", 0, 1, []).save(full_state(6), meta(6), TOKENIZER)


def process(rank: int, folder: Path) -> None:
    """What one of the four does."""
    found: dict[str, Any] = {}
    torch.set_num_threads(1)
    if rank < 2:
        with world(folder, "first", rank, 2):
            two_save(folder, rank, found)
    with world(folder, "second", rank, 4):
        four(folder, rank, found)
        sharded_model(folder, rank, found)
    if rank == 0:
        alone(folder, found)
    if rank < 2:
        with world(folder, "third", rank, 2):
            found["2x2 to 2"] = loads(folder / "four", rank, 2, init_device_mesh("cpu", (2,)), [Shard(0)], 3)
            dist.barrier()
            found["1 to 2"] = loads(folder / "one", rank, 2, init_device_mesh("cpu", (2,)), [Shard(0)], 6)
    (folder / f"found{rank}.json").write_text(json.dumps(found))
