"""Real models in real layouts that save and load each other's checkpoints; run by test_layouts.py on four processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor

from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.store import Checkpoints
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.sections import OptimizerSection, RunSection
from lauter.trainer.loop.enter import Wanted
from lauter.trainer.loop.run import train_on
from lauter.trainer.loop.state import begin, load, tensors
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.optimizer.optimizer import Optimizer
from lauter.trainer.optimizer.part import local
from lauter.trainer.parallel.axes import axes
from lauter.trainer.parallel.plan import held_dtype, lay_out
from lauter.trainer.parallel.ranks import Ranks
from tests.trainer.checkpoint.state import meta, section
from tests.trainer.loop.language import quiet, told
from tests.trainer.loop.language import section as run_section

SHAPE = ModelShape(2, 30, 90, 4, 2, 8, 322, 64, init_std=0.05)
"""Two ranks of a tensor group have 45 features and 161 ids each, which two others can't share evenly."""

LAYOUTS = {
    "tensor-fsdp": ParallelSection(tensor=2),
    "pipeline-fsdp": ParallelSection(pipeline=2),
    "hsdp": ParallelSection(replicate=2),
    "context-tensor": ParallelSection(context=2, tensor=2, vocabulary=False),
}
"""Each loads what the others saved."""
PIPELINE_TENSOR = ParallelSection(pipeline=2, tensor=2, sequence=False)
LEGS = (LAYOUTS["tensor-fsdp"], LAYOUTS["pipeline-fsdp"])
"""A run changes its layout after every second step."""
ALL_LEGS = (
    *LAYOUTS.values(),
    ParallelSection(pipeline=2, schedule="interleaved", stages_per_rank=2),
    PIPELINE_TENSOR,
)
"""The same at length, of a model with four layers."""


@dataclass
class State:
    """Model and moments of one rank, and the checkpoints of a folder."""

    model: Apertus
    optimizer: Optimizer
    checkpoints: Checkpoints
    said: list[str]

    def tensors(self) -> dict[str, Tensor]:
        return tensors(self.model, self.optimizer)

    def save(self, step: int) -> None:
        told = {"shape": asdict(SHAPE), "tokenizer": {}, "config": None, "data": None}
        self.checkpoints.save(self.tensors(), meta(step) | told, {})
        self.checkpoints.finish()

    def load(self) -> None:
        latest = self.checkpoints.latest()
        assert latest is not None
        load(self.checkpoints, latest, self.model, self.optimizer)


def made(ranks: Ranks, layout: ParallelSection) -> tuple[Apertus, Optimizer]:
    """As a run makes them, without values."""
    grid = axes(ranks, layout)
    model = Apertus(SHAPE, device="meta", dtype=held_dtype("fp32", grid))
    lay_out(model, layout, grid, "fp32", tell=print)
    model.to_empty(device="cpu")
    return model, Optimizer(model.named_parameters(), OptimizerSection(name="ademamix"))


def weights(model: Apertus, optimizer: Optimizer) -> dict[str, Tensor]:
    return {name: one for name, one in tensors(model, optimizer).items() if name.startswith("weight.")}


def at(folder: Path, ranks: Ranks, made: tuple[Apertus, Optimizer]) -> State:
    said: list[str] = []
    checkpoints = Checkpoints(
        folder / "checkpoints", section(asynchronous=True), rank=ranks.rank, ranks=ranks.count, warn=said.append
    )
    return State(*made, checkpoints, said)


def whole(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: one.full_tensor() if isinstance(one, DTensor) else one.clone() for key, one in found.items()}


@cache
def noise(name: str, size: torch.Size) -> Tensor:
    """What a tensor holds in these tests: no two rows are alike."""
    generator = torch.Generator().manual_seed(sum(name.encode()) * 7919 + len(name))
    return torch.randn(size, generator=generator)


def holds_noise(found: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(one, noise(name, one.shape)) for name, one in whole(found).items())


def parts_of(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What this rank holds."""
    return {name: local(one).clone() for name, one in found.items()}


def equals(found: Mapping[str, Tensor], parts: Mapping[str, Tensor]) -> bool:
    return found.keys() == parts.keys() and all(torch.equal(local(one), parts[name]) for name, one in found.items())


def clear(state: State) -> None:
    with torch.no_grad():
        for one in state.tensors().values():
            one.fill_(7.0)


def four(ranks: Ranks, folder: Path) -> None:
    found: dict[str, Any] = {}
    made_ones = {name: made(ranks, layout) for name, layout in LAYOUTS.items()}
    expected: dict[str, dict[str, Tensor]] = {}
    for name, one in made_ones.items():
        begin(*one, seed=7)
        found[f"{name} begins"] = digest(whole(weights(*one)))
        state = at(folder / "one", ranks, one)
        state.load()
        # Put together once; whatever is loaded later must be the same parts.
        found[f"one to {name}"] = holds_noise(state.tensors())
        expected[name] = parts_of(state.tensors())
        at(folder / name, ranks, one).save(1)
    for name, one in made_ones.items():
        for other in LAYOUTS:
            if other != name:
                state = at(folder / other, ranks, one)
                clear(state)
                state.load()
                found[f"{other} to {name}"] = equals(state.tensors(), expected[name])
    pipeline_tensor = made(ranks, PIPELINE_TENSOR)
    begin(*pipeline_tensor, seed=7)
    found["refused"] = refusals(ranks, folder, {**made_ones, "pipeline-tensor": pipeline_tensor})
    found["broken"] = broken(ranks, folder, pipeline_tensor)
    found["too few"] = misfit(ranks, folder, made_ones["pipeline-fsdp"])
    found["told"] = chain(ranks, folder, LEGS, SHAPE.layers)
    (folder / f"found{ranks.rank}.json").write_text(json.dumps(found))


def digest(found: Mapping[str, Tensor]) -> dict[str, float]:
    """A number for each tensor that any change of place changes."""
    return {
        name: float((one.double().reshape(-1) * torch.arange(1, one.numel() + 1)).sum()) for name, one in found.items()
    }


def refusals(ranks: Ranks, folder: Path, parts: Mapping[str, tuple[Apertus, Optimizer]]) -> dict[str, str]:
    """One copy is changed by a bit: in each layout that has copies, on the rank that is named."""
    found = {}
    for case, name, changed in (
        ("tensor-fsdp", "weight.model.layers.1.self_attn.q_norm.weight", 3),
        ("hsdp", "slow.model.layers.1.mlp.up_proj.weight", 2),
        ("context-tensor", "weight.lm_head.weight", 1),
        ("pipeline-tensor", "second.model.norm.weight", 3),
        ("pipeline-fsdp", "weight.model.norm.weight", 3),
    ):
        state = at(folder / f"refused-{case}", ranks, parts[case])
        live = state.tensors()
        kept = None
        if ranks.rank == changed:
            part = live[name]
            assert isinstance(part, DTensor)
            kept = part.to_local().detach()
            before = kept.clone()
            kept.view(-1)[0] += 1e-3
        found[case] = ""
        try:
            state.save(2)
        except CheckpointError as error:
            found[case] = str(error)
        if kept is not None:
            kept.copy_(before)
    return found


def broken(ranks: Ranks, folder: Path, one: tuple[Apertus, Optimizer]) -> dict[str, Any]:
    """The newest checkpoint has a file that changed, then one that was cut short: the one before is taken."""
    state = at(folder / "broken", ranks, one)
    state.save(1)
    expected = parts_of(state.tensors())
    clear(state)
    state.save(2)
    file = folder / "broken/checkpoints/step-0000000002/__2_0.distcp"
    content = file.read_bytes()
    found: dict[str, Any] = {}
    for case, change in (("changed", content[:-1] + b"\x99"), ("cut", content[: len(content) // 2])):
        dist.barrier()
        if ranks.first:
            file.write_bytes(change)
        dist.barrier()
        clear(state)
        again = at(folder / "broken", ranks, one)
        again.load()
        found[case] = equals(again.tensors(), expected), again.said
    return found


def misfit(ranks: Ranks, folder: Path, one: tuple[Apertus, Optimizer]) -> str:
    """A checkpoint has a layer that no stage asks for."""
    state = at(folder / "one", ranks, one)
    latest = state.checkpoints.latest()
    assert latest is not None
    asked = {name: live for name, live in state.tensors().items() if ".layers.1." not in name}
    try:
        state.checkpoints.load(latest, asked)
    except CheckpointError as error:
        return str(error)
    return ""


def run(folder: Path, steps: int, layout: ParallelSection, layers: int) -> RunSection:
    """In fp64, saved after each step; a large epsilon, as AdEMAMix makes of rounding errors of zero whole updates."""
    sizes = {"layers": layers, "hidden": 32, "feed_forward": 90, "heads": 4, "kv_heads": 2, "head_dim": 8}
    return run_section(
        folder / "language",
        steps,
        precision="fp64",
        model={"preset": "nano", "init_std": 0.1, **sizes},
        optimizer={"learning_rate": 1e-2, "warmup_steps": 10, "beta3": 0.99, "clip": 1.0, "eps": 1e-3},
        data={"goldfish": {"k": 5, "h": 3}},
        batch={"sequences": 8, "micro": 2},
        checkpoint={"every_steps": 1, "asynchronous": True, "mtbf_hours": 1.0},
        parallel=layout.model_dump(),
    )


def all_legs(ranks: Ranks, folder: Path) -> None:
    said = chain(ranks, folder, ALL_LEGS, 4)
    (folder / f"told{ranks.rank}.json").write_text(json.dumps(said))


def chain(ranks: Ranks, folder: Path, legs: Sequence[ParallelSection], layers: int) -> list[str]:
    """One run in several layouts, one after the other; what it says in each."""
    said = []
    for number, layout in enumerate(legs, 1):
        console = quiet()
        asked = run(folder, 2 * number, layout, layers)
        train_on(ranks, asked, folder / "run", wanted=Wanted(), console=console)
        said.append(told(console))
    return said
