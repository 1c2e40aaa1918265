"""The graph has as many links as parts and ranges together, and not as many as pairs of them."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.graph.links import Links
from lauter.pipeline.graph.node import Joint, Node, Results, behind
from lauter.pipeline.graph.plan import Plan
from lauter.pipeline.resolve import load
from lauter.pipeline.storage import FileStat, Storage
from lauter.pipeline.task import Task
from tests.pipeline.small_run import write_manifest
from tests.pipeline.small_stages import CATALOGUE

PARTS, RANGES = 2000, 4096


def never(_: Results) -> Task:
    raise AssertionError("no task is built here")


def names_behind(after: tuple[str | Joint, ...]) -> list[str]:
    return [name for item in after for name in (names_behind(item.after) if isinstance(item, Joint) else [item])]


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    """Nodes that wait for some before them, by name, behind joints of their own, or behind one that others share."""
    nodes: list[Node] = []
    joints: list[Joint] = []
    for number in range(draw(st.integers(1, 12))):
        names = [node.name for node in nodes]
        after: list[str | Joint] = draw(st.lists(st.sampled_from(names), max_size=4)) if names else []
        if draw(st.booleans()):
            shared: list[Joint] = draw(st.lists(st.sampled_from(joints), max_size=2)) if joints else []
            joints += behind(after, shared)
            after = [joints[-1]]
        elif draw(st.booleans()) and joints:
            one: Joint = draw(st.sampled_from(joints))
            after.append(one)
        nodes.append(Node(f"n/{number}", tuple(after), never))
    return nodes


@given(nodes=graphs(), done=st.sets(st.integers(0, 11)), data=st.data())
def test_a_node_is_free_when_all_behind_its_joints_are_done(
    nodes: list[Node], done: set[int], data: st.DataObject
) -> None:
    finished = {f"n/{number}" for number in done}
    left = [node for node in nodes if node.name not in finished]
    links = Links(left, finished)
    free = list(links.ready)
    seen: set[str] = set()
    while True:
        seen |= {node.name for node in free}
        assert seen == {node.name for node in left if finished >= set(names_behind(node.after))} | seen & finished
        assert all(links.waits(node.name) == (node.name not in seen) for node in left)
        if not free:
            break
        node = free.pop(data.draw(st.integers(0, len(free) - 1)))
        finished.add(node.name)
        free += links.done(node.name)
    assert seen == {node.name for node in left}


@pytest.mark.parametrize("stages", [["words", "same-text"], ["words"]])
def test_links_are_parts_and_ranges(tmp_path: Path, stages: list[object]) -> None:
    """2,000 parts and 4,096 ranges would be 8 million links in each step that has a task for every range."""
    manifest = load(str(write_manifest(tmp_path, {"a.txt": "x\tsome text"}, stages)), CATALOGUE)
    files = tuple(FileStat(f"/absent/{number:05d}.txt", 1 << 30, 0) for number in range(PARTS))
    large = replace(
        manifest,
        sources=tuple(replace(source, files=files) for source in manifest.sources),
        sharding=manifest.sharding.model_copy(update={"ranges": RANGES}),
    )
    tracemalloc.start()
    try:
        nodes = Plan(large, Storage(str(tmp_path / "out"))).first_half()
        links = Links(nodes, ())
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    steps = Counter(node.name.split("/", 1)[0] for node in nodes)
    assert steps["same"] == RANGES and steps["documents"] == steps["encode"] == PARTS
    assert steps["shares"] == -(-PARTS // 512) and ("meet" in steps) == (len(stages) == 2)
    # A step waits for two others at most: all parts, or all ranges, of each; and a part for its own task before.
    assert len(nodes) < links.count < 3 * len(steps) * (PARTS + RANGES)
    assert held < 1200 * len(nodes), "some 1 KB a node, with its name, and what it waits for"
