from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.planner.communication import Messages, communication
from lauter.trainer.planner.hardware import HARDWARE
from lauter.trainer.planner.holding import holding

SHAPE = PRESETS["apertus-8b"]


def messages(section: ParallelSection, **changes: Any) -> dict[str, Messages]:  # noqa: ANN401
    wanted: dict[str, Any] = {"sequence_length": 4096, "micro": 1, "micro_batches": 1, "precision": "bf16"} | changes
    return communication(SHAPE, section, HARDWARE["gh200"], **wanted)


def test_axes_of_one_rank_send_nothing() -> None:
    assert messages(ParallelSection(shard=1)) == {}


def test_fsdp_gathers_twice_and_reduces_once_a_micro_batch() -> None:
    found = messages(ParallelSection(shard=8))["shard"]
    assert found.bytes == pytest.approx(SHAPE.parameters * (2 + 2 + 4) * 7 / 8, abs=1)
    assert not found.waits
    assert messages(ParallelSection(shard=8), micro_batches=3)["shard"].bytes == pytest.approx(3 * found.bytes, abs=3)


def test_in_a_pipeline_once_a_step() -> None:
    section = ParallelSection(shard=8, pipeline=4)
    found = [messages(section, micro_batches=count) for count in (4, 8)]
    assert found[0]["shard"] == found[1]["shard"]
    assert found[0]["shard"].bytes == pytest.approx(holding(SHAPE, section, 0).parameters * 6 * 7 / 8, abs=1)
    assert found[1]["pipeline"].bytes == 8 * 2 * 4096 * SHAPE.hidden * 2


def test_copies_reduce_their_shards_gradients() -> None:
    found = messages(ParallelSection(shard=4, replicate=2))
    assert found["replicate"].bytes == pytest.approx(SHAPE.parameters / 4 * 4 * 2 * 1 / 2, abs=1)


def test_a_tensor_group_sends_four_times_a_layer_each_way() -> None:
    stream = 4096 * SHAPE.hidden * 2 * 3 // 4
    found = messages(ParallelSection(tensor=4, shard=1))["tensor"]
    # Four each way, and two gathers once more.
    assert found.bytes == stream * (10 * SHAPE.layers + 4)
    assert found.waits
    assert found.bandwidth == HARDWARE["gh200"].inside_bandwidth
    whole = messages(ParallelSection(tensor=4, shard=1, sequence=False))["tensor"]
    assert whole.bytes == stream * (8 * SHAPE.layers + 4)
    again = messages(ParallelSection(tensor=4, shard=1, recompute="full"))["tensor"]
    assert again.bytes == stream * (14 * SHAPE.layers + 4)


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        # Keys and values of 3 others forward, theirs and their gradients backward; a quarter of the tokens each.
        ("all-gather", 4 * 3 * 2 * 1024),
        ("ring", 4 * 3 * 2 * 1024),
        # Queries, keys, values and results, 3 of 4 parts, forward and backward.
        ("ulysses", 2 * (2 * 4096 + 2 * 1024) * 3 / 4),
    ],
)
def test_kinds_of_context_parallel(kind: Any, numbers: float) -> None:  # noqa: ANN401
    found = messages(ParallelSection(context=4, context_kind=kind, shard=1))
    assert found["context"].bytes == SHAPE.layers * numbers * 1024 * 2
    assert found["context"].waits == (kind != "ring")
    # FSDP2 lays the weights over the context group, too.
    assert found["shard"].bytes == pytest.approx(SHAPE.parameters * 8 * 3 / 4, abs=1)


def test_links_between_nodes_are_shared_by_the_ranks_of_one_node() -> None:
    machine = HARDWARE["gh200"]
    assert messages(ParallelSection(shard=4))["shard"].bandwidth == machine.inside_bandwidth
    assert messages(ParallelSection(shard=64))["shard"].bandwidth == 4 * machine.between_bandwidth
    # With a tensor group of 4 in each node, a shard group has one rank a node.
    assert messages(ParallelSection(shard=64, tensor=4))["shard"].bandwidth == machine.between_bandwidth
    assert replace(messages(ParallelSection(shard=4))["shard"], bytes=450_000_000_000).seconds == 1.0
