"""Documents that share an identity are copies of each other, whether components are built or not."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from lauter.pipeline.steps.joining.meet import CROSSED, crossed, stars
from tests.pipeline import small_run
from tests.pipeline.similar_stage import CATALOGUE


@pytest.mark.parametrize("method", ["components", "smaller-neighbour"])
def test_of_three_pages_of_one_url_the_preferred_one_stays(tmp_path: Path, method: str) -> None:
    files = {f"{s}.txt": "\n".join(f"n{i}\tw{s}{i} v{s}{i}" for i in range(12)) for s in "abc"}
    manifest = small_run.write_manifest(tmp_path, files, ["words", {"similar": {"method": method}}], ranges=3)
    outcome = small_run.build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    assert outcome.report.failures == []
    found = {(row["source"], row["url"]): row["reason"] for row in small_run.ledger(tmp_path / "out")}
    for name in range(12):
        reasons = [found[f"source-{source}", f"https://n{name}.example/"] for source in "abc"]
        assert reasons == [None, "same-url", "same-url"]


def test_few_items_of_a_key_are_all_joined_and_many_with_the_smallest() -> None:
    sizes = {3: 2, 8: 5, 11: CROSSED, 12: CROSSED + 1, 20: 3}
    items = {key: list(range(100 * key, 100 * key + size)) for key, size in sizes.items()}
    records = np.array([(key, item) for key, some in items.items() for item in some], np.uint64)
    wanted = set()
    for some in items.values():
        few = len(some) <= CROSSED
        wanted |= set(itertools.combinations(some, 2)) if few else {(some[0], other) for other in some[1:]}
    found = [tuple(pair) for chunk in crossed(records) for pair in chunk.tolist()]
    assert len(found) == len(set(found)) and set(found) == wanted
    joined = [tuple(pair) for chunk in stars(records) for pair in chunk.tolist()]
    assert sorted(joined) == sorted((some[0], other) for some in items.values() for other in some[1:])
    none = np.empty((0, 2), np.uint64)
    assert sum(len(chunk) for chunk in (*crossed(none), *stars(none))) == 0


def test_the_clusters_that_are_named_depend_on_no_range(tmp_path: Path) -> None:
    told = []
    for ranges in (1, 4):
        folder = tmp_path / f"{ranges}"
        folder.mkdir()
        files = {f"{s}.txt": "\n".join(f"n{i}\tw{s}{i} v{s}{i}" for i in range(30)) for s in "ab"}
        manifest = small_run.write_manifest(folder, files, ["words", {"similar": {"prefer": "longest"}}], ranges=ranges)
        told.append(small_run.build(manifest, folder / "out", catalogue=CATALOGUE).corpus["clusters"])
    assert len(told[0]["largest"]) == 10 < told[0]["clusters"]
    assert told[0] == told[1]
