"""Counts and bytes are exact; times are there and gate nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lauter.pipeline.cost.calibrate import calibrate, prepared_bytes, this_machine
from lauter.pipeline.cost.measure import SampleFailed
from lauter.pipeline.cost.rates import Rates, Spent, lineage
from lauter.pipeline.manifest import Manifest


def test_sources_are_counted_whole_and_worked_on_in_part(small_manifest: Manifest, small_rates: Rates) -> None:
    found = {source.name: source for source in small_rates.sources}
    assert {name: source.files for name, source in found.items()} == {"source-a": 2, "source-b": 1}
    assert {name: source.records for name, source in found.items()} == {"source-a": 240, "source-b": 120}
    assert [source.file_bytes for source in small_rates.sources] == [
        sum(file.size for file in source.files) for source in small_manifest.sources
    ]
    # 8,000 of some 18,000 bytes: every third record, and 64 of a small source.
    assert found["source-a"].documents == 80 and found["source-b"].documents == 120
    assert found["source-a"].taken_bytes < found["source-a"].payload_bytes / 2
    assert found["source-b"].taken_bytes <= found["source-b"].payload_bytes + 100


def test_every_step_that_ran_is_there_with_its_shape(small_manifest: Manifest, small_rates: Rates) -> None:
    shapes = {item.step: item.shape for item in small_rates.steps}
    assert {step: shapes[step] for step in ("documents", "same", "pack", "ledger", "tokenizer")} == {
        "documents": "part",
        "same": "range",
        "pack": "shard",
        "ledger": "part",
        "tokenizer": "one",
    }
    late = {item.step for item in small_rates.steps if item.late}
    assert {"pack", "ledger", "leaves", "merkle"} <= late and not late & {"documents", "encode", "decide"}
    by = {(item.step, item.source): item for item in small_rates.steps}
    documents = by["documents", "source-a"]
    assert documents.reads_files and documents.large.tasks == documents.small.tasks == 2
    assert documents.small.takes["input"] < documents.large.takes["input"]
    encode = by["encode", "source-a"].large
    assert encode.takes["documents"] == documents.large.gives["documents"]
    pack = by["pack", None].large
    written = sum(by["encode", name].large.gives["state/encoded"] for name in ("source-a", "source-b"))
    assert pack.slices["state/encoded"] == written and pack.opens["state/encoded"] == 3
    assert small_rates.driver_large.tasks == sum(item.large.tasks for item in small_rates.steps)


def test_times_and_memory_are_there(small_manifest: Manifest, small_rates: Rates) -> None:
    assert small_rates.start == Spent(cpu_s=0.5, wall_s=0.75)
    assert small_rates.lineage == lineage(small_manifest) and small_rates.manifest == "small"
    assert small_rates.worker_bytes > 10 << 20 and small_rates.open_s > 0
    assert all(item.large.spent.wall_s > 0 and item.large.peak_bytes > 0 for item in small_rates.steps)
    assert {"read", "words", "length"} == set(small_rates.stage_seconds)


def test_without_files_there_is_nothing_to_measure(small_manifest: Manifest) -> None:
    empty = replace(small_manifest, sources=tuple(replace(source, files=()) for source in small_manifest.sources))
    with pytest.raises(SampleFailed, match="--sample MANIFEST"):
        calibrate(empty, Spent())


def test_this_machine_says_what_it_is() -> None:
    found = this_machine(1.234)
    assert found.cores >= 1 and found.memory_bytes > 1 << 28 and found.load == 1.23 and found.processor


def test_a_stage_without_prepare_is_prepared_from_nothing(small_manifest: Manifest) -> None:
    assert [prepared_bytes(stage) for stage in small_manifest.stages] == [0] * len(small_manifest.stages)
