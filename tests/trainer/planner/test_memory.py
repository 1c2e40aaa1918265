"""The forecast against what processes held: VmHWM less VmRSS before the model was made, of the fullest rank."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.planner.memory import PARTS, Work, memory, memory_at, state_bytes
from tests.trainer.parallel.processes import spawn
from tests.trainer.planner import peaks

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/clear_refs is Linux's")


def work(micro_batches: int, tokens: int = 2 * peaks.LENGTH, *, alone: bool) -> Work:
    return Work(tokens, micro_batches, "bf16", peaks.OPTIMIZER, fused=True, alone=alone)


def forecast(shape: ModelShape, section: ParallelSection, micro_batches: int, ranks: int) -> int:
    others = section.pipeline * section.replicate * section.context * section.tensor
    section = section.model_copy(update={"shard": section.shard or ranks // others})
    tokens = 2 * peaks.LENGTH // section.context
    return memory(shape, section, work(micro_batches, tokens, alone=ranks == 1)).total


def compare(folder: Path, cases: peaks.Cases, shape: ModelShape, ranks: int) -> None:
    shares = {}
    for name, (section, micro_batches) in cases.items():
        measured = max(json.loads((folder / f"{name}-{rank}.json").read_text()) for rank in range(ranks))
        shares[name] = forecast(shape, section, micro_batches, ranks) / measured
    assert all(0.9 < share < 1.1 for share in shares.values()), shares


@on_linux
@pytest.mark.soak
def test_four_layouts_hold_what_is_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # glibc's own choice, without its raising it on the way: then freed tensors are given back.
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", str(128 << 10))
    spawn({2: peaks.two, 1: peaks.alone}, tmp_path)
    compare(tmp_path, peaks.ALONE, peaks.SHAPE, 1)
    compare(tmp_path, peaks.TWO, peaks.SHAPE, 2)


@on_linux
@pytest.mark.soak
def test_more_layouts_and_steps_hold_what_is_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", str(128 << 10))
    spawn({2: peaks.more_two, 1: peaks.more_alone}, tmp_path)
    compare(tmp_path, {**peaks.ALONE, **peaks.MORE_ALONE}, peaks.SHAPE, 1)
    compare(tmp_path, {**peaks.TWO, **peaks.MORE_TWO}, peaks.SHAPE, 2)


@pytest.mark.parametrize(
    ("name", "layout", "gib"),
    [
        # Weights, gradients and moments without what passes by; Megatron's 22 bytes a parameter are what a rank of a
        # pipeline holds here: 2 gathered + 4 of gradients + 16 / shards.
        (
            "apertus-70b",
            ParallelSection(pipeline=8, shard=128, tensor=4, schedule="interleaved", stages_per_rank=5),
            13,
        ),
        # 16 bytes of every parameter, shared by all.
        ("apertus-8b", ParallelSection(shard=8), 15.0 + 0.94 * 4),
    ],
)
def test_apertus_takes_what_is_known_of_its_layouts(name: str, layout: ParallelSection, gib: float) -> None:
    found = memory(PRESETS[name], layout, work(32, 4096, alone=False))
    states = sum(found.parts[part] for part in ("weights", "optimizer", "gradients"))
    if layout.pipeline > 1:
        states += found.parts["gathered"]
    assert set(found.parts) == set(PARTS)
    assert states / 2**30 == pytest.approx(gib, rel=0.1)


def test_every_place_of_a_pipeline_is_looked_at() -> None:
    shape, layout = PRESETS["apertus-8b"], ParallelSection(pipeline=4, shard=2)
    of = [memory_at(shape, layout, work(8, 4096, alone=False), place).total for place in range(4)]
    found = memory(shape, layout, work(8, 4096, alone=False))
    assert found.total == max(of)
    assert found.place == of.index(max(of))


@pytest.mark.parametrize(
    ("precision", "name", "alone", "expected"),
    [
        ("bf16", "ademamix", True, (2, 16)),
        ("bf16", "ademamix", False, (4, 12)),
        ("bf16", "adamw", True, (2, 12)),
        ("fp32", "adamw", False, (4, 8)),
        ("fp64", "ademamix", True, (8, 24)),
    ],
)
def test_bytes_of_a_parameter(precision, name, alone, expected) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    section = OptimizerSection(name=name)
    assert state_bytes(Work(1, 1, precision, section, fused=True, alone=alone)) == expected
