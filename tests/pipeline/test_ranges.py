from __future__ import annotations

from pathlib import Path

import pytest

from lauter.pipeline.graph.plan import MOST_RANGES, ranges_of
from lauter.pipeline.resolve import load
from lauter.pipeline.yaml_lines import ManifestError
from tests.pipeline.small_run import build, digests, ledger, write_manifest
from tests.pipeline.small_stages import CATALOGUE


def lines(first: int) -> str:
    """Forty documents, of which every third text comes again and again."""
    return "\n".join(
        f"id{number}\tthe text of number {number % 9 if number % 3 else number}" for number in range(first, first + 40)
    )


def test_more_input_has_more_ranges_and_never_too_many() -> None:
    found = [ranges_of(1 << power) for power in range(60)]
    assert found == sorted(found) and found[0] == 1 and found[-1] == MOST_RANGES


def test_any_number_of_ranges_gives_the_same_corpus(tmp_path: Path) -> None:
    made = []
    for ranges in (1, 5):
        folder = tmp_path / str(ranges)
        folder.mkdir()
        manifest = write_manifest(folder, {"a.txt": lines(0), "b.txt": lines(30)}, ranges=ranges)
        outcome = build(manifest, folder / "out")
        assert not outcome.report.failures
        assert (folder / "out/state" / f"meet/{ranges - 1:05d}.json").exists()
        made.append(digests(folder / "out"))
    assert made[0] == made[1]
    verdicts = [row["verdict"] for row in ledger(tmp_path / "5/out")]
    assert min(verdicts.count("kept"), verdicts.count("duplicate")) > 10


@pytest.mark.parametrize("ranges", [0, 65_537])
def test_ranges_have_bounds(tmp_path: Path, ranges: int) -> None:
    manifest = write_manifest(tmp_path, {"a.txt": lines(0)}, ranges=ranges)
    with pytest.raises(ManifestError, match=r"sharding\.ranges: input should be"):
        load(str(manifest), CATALOGUE)
