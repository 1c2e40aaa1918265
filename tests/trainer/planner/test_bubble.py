"""Formulas against the orders that torch makes, run through with one unit for each pass."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest
from torch import nn
from torch.distributed.pipelining.schedules import _Action

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.parallel.pipeline.placing import stages_of
from lauter.trainer.parallel.pipeline.schedules import MULTI
from lauter.trainer.planner.bubble import bubble_fraction, in_flight

Schedule = Literal["interleaved", "interleaved-zero-bubble", "zero-bubble-v", "dual-pipe-v"]
WIDTHS = {"FORWARD": 1, "BACKWARD_INPUT": 1, "BACKWARD_WEIGHT": 1, "FULL_BACKWARD": 2}


def order(section: ParallelSection, micro_batches: int) -> dict[int, list[Any]]:
    """Actions of each rank, as torch's schedule lists them; None is a wait."""
    stages = [
        SimpleNamespace(
            group_size=section.pipeline,
            group_rank=0,
            num_stages=section.pipeline * section.stages_per_rank,
            stage_index=index,
            stage_index_to_group_rank=None,
            device="cpu",
            has_backward=True,
            is_first=index == 0,
            is_last=False,
            submod=nn.Identity(),
        )
        for index in stages_of(section, 0)
    ]
    made = MULTI[section.schedule](cast(Any, stages), micro_batches, loss_fn=lambda loss, _: loss)
    return made.pipeline_order


def one_f_one_b(ranks: int, micro_batches: int, warm_up: Callable[[int], int]) -> dict[int, list[tuple[int, str, int]]]:
    found = {}
    for rank in range(ranks):
        first = min(warm_up(rank), micro_batches)
        forward = [(rank, "FORWARD", m) for m in range(micro_batches)]
        backward = [(rank, "FULL_BACKWARD", m) for m in range(micro_batches)]
        steady = [one for pair in zip(forward[first:], backward, strict=False) for one in pair]
        found[rank] = forward[:first] + steady + backward[micro_batches - first :]
    return found


def run(orders: dict[int, list[tuple[int, str, int]]], last: int) -> tuple[float, dict[int, int]]:
    """Idle share of the time of all ranks together, and stages x micro-batches that each holds at most."""
    done: dict[tuple[int, str, int], float] = {}
    at = dict.fromkeys(orders, 0.0)
    left = {rank: list(actions) for rank, actions in orders.items()}
    held, most = dict.fromkeys(orders, 0), dict.fromkeys(orders, 0)
    busy = 0.0
    while any(left.values()):
        moved = False
        for rank, actions in left.items():
            while actions:
                stage, kind, number = actions[0]
                needs = before(stage, kind, number, last)
                if any(one not in done for one in needs):
                    break
                start = max([at[rank], *(done[one] for one in needs)])
                at[rank] = start + WIDTHS[kind]
                busy += WIDTHS[kind]
                done[stage, kind if kind != "FULL_BACKWARD" else "BACKWARD_INPUT", number] = at[rank]
                held[rank] += {"FORWARD": 1, "FULL_BACKWARD": -1, "BACKWARD_WEIGHT": -1, "BACKWARD_INPUT": 0}[kind]
                most[rank] = max(most[rank], held[rank])
                actions.pop(0)
                moved = True
        assert moved, "the order waits for itself"
    end = max(at.values())
    return 1 - busy / (end * len(orders)), most


def before(stage: int, kind: str, number: int, last: int) -> list[tuple[int, str, int]]:
    if kind == "FORWARD":
        return [] if stage == 0 else [(stage - 1, "FORWARD", number)]
    if kind == "BACKWARD_WEIGHT":
        return [(stage, "BACKWARD_INPUT", number)]
    own = [(stage, "FORWARD", number)]
    return own if stage == last else [*own, (stage + 1, "BACKWARD_INPUT", number)]


@pytest.mark.parametrize(("pipeline", "micro_batches"), [(2, 4), (4, 8), (4, 16)])
def test_single_stages_are_idle_and_full_as_the_formulas_say(pipeline: int, micro_batches: int) -> None:
    for schedule in ("gpipe", "1f1b"):
        section = ParallelSection(pipeline=pipeline, schedule=schedule)
        warm_up = (lambda _: micro_batches) if schedule == "gpipe" else (lambda rank: pipeline - rank - 1)
        idle, most = run(one_f_one_b(pipeline, micro_batches, warm_up), pipeline - 1)
        assert bubble_fraction(section, micro_batches) == pytest.approx(idle)
        assert {rank: in_flight(section, micro_batches, rank) for rank in most} == most


@pytest.mark.parametrize(
    ("schedule", "pipeline", "stages", "micro_batches"),
    [
        ("interleaved", 2, 2, 4),
        ("interleaved", 4, 3, 8),
        ("interleaved", 8, 5, 32),
        ("interleaved-zero-bubble", 4, 2, 8),
        ("zero-bubble-v", 4, 2, 8),
        ("interleaved-zero-bubble", 8, 3, 32),
        ("zero-bubble-v", 4, 2, 16),
        ("zero-bubble-v", 8, 2, 16),
        ("dual-pipe-v", 4, 2, 8),
        ("dual-pipe-v", 8, 2, 32),
    ],
)
def test_torchs_orders_are_idle_and_full_as_the_formulas_say(
    schedule: Schedule, pipeline: int, stages: int, micro_batches: int
) -> None:
    section = ParallelSection(pipeline=pipeline, stages_per_rank=stages, schedule=schedule)
    orders = {}
    for rank, actions in order(section, micro_batches).items():
        orders[rank] = [act for one in actions if one is not None for act in plain(one)]
    idle, most = run(orders, pipeline * stages - 1)
    assert bubble_fraction(section, micro_batches) == pytest.approx(idle)
    assert {rank: in_flight(section, micro_batches, rank) * stages for rank in most} == pytest.approx(most)


def plain(action: _Action) -> list[tuple[int, str, int]]:
    """DualPipe's overlapped pairs one after the other."""
    if action.sub_actions:
        return [one for sub in action.sub_actions for one in plain(sub)]
    assert action.microbatch_index is not None
    return [(action.stage_index, action.computation_type.name, action.microbatch_index)]
