"""Shares are added up by runs of parts; however long these are, the layout is the same."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lauter.pipeline.graph import packing
from lauter.pipeline.graph.packing import MOST_RUNS, share_runs
from lauter.pipeline.steps import shares
from lauter.pipeline.steps.layouts import SHARES
from lauter.pipeline.storage import Storage
from tests.pipeline.small_run import build, digests, write_manifest


@pytest.mark.parametrize("parts", [0, 1, 512, 513, 47_000, 350_000])
def test_runs_hold_every_part_and_are_never_many(parts: int) -> None:
    found = share_runs(parts)
    assert len(found) <= MOST_RUNS
    assert sum(end - first for first, end in found) == parts
    assert all(before[1] == after[0] for before, after in itertools.pairwise(found))


def test_any_run_of_parts_gives_the_same_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        f"{source}{number}.txt": "\n".join(f"{source}{number}-{row}\ttext of row {row * number}" for row in range(30))
        for source in "ab"
        for number in range(3)
    }
    made = []
    for size in (512, 2):
        monkeypatch.setattr(packing, "RUN_PARTS", size)
        folder = tmp_path / str(size)
        folder.mkdir()
        manifest = write_manifest(folder, files)
        manifest.write_text(manifest.read_text() + "streams:\n  sources: each\n  lengths: [8]\n")
        assert not build(manifest, folder / "out").report.failures
        state = folder / "out/state"
        assert len(list((state / "sums").iterdir())) == -(-6 // size)
        made.append((digests(folder / "out"), (state / "holders/holders.arrow").read_bytes()))
    assert made[0] == made[1]


def test_sums_are_those_of_all_parts(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    storage = Storage(str(tmp_path))
    wanted: Counter[tuple[str, int]] = Counter()
    totals: shares.Totals = {}
    for part, names in enumerate((["b", "a"], [], ["a", "c", "b"])):
        rows = [(number, int(cell)) for number in range(len(names)) for cell in np.flatnonzero(rng.random(16) < 0.4)]
        tokens = rng.integers(1, 1 << 40, len(rows))
        for (number, cell), count in zip(rows, tokens.tolist(), strict=True):
            wanted[names[number], cell] += count
        column = pa.DictionaryArray.from_arrays(
            pa.array([number for number, _ in rows], pa.int32()), pa.array(names, pa.string())
        )
        arrays = [column, pa.array([cell for _, cell in rows], pa.uint32()), pa.array(tokens.astype(np.uint64))]
        with storage.staging(f"{part}") as staged, pa.ipc.new_file(str(staged), SHARES) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=SHARES))
        assert shares.read_sums(storage, f"{part}", totals, 16) == names
    assert {
        (name, cell): int(count) for name, total in totals.items() for cell, count in enumerate(total) if count
    } == (dict(wanted))
