from __future__ import annotations

from dataclasses import replace

import pytest

from lauter.pipeline.cost.rates import Rates
from lauter.pipeline.cost.sizes import FILE_BYTES, Size, alike, pooled, sizes, task_counts
from lauter.pipeline.manifest import Manifest, Source
from lauter.pipeline.storage import FileStat


def source_like(source: Source, **expect: int) -> Source:
    return replace(source, name="new", files=(), expect=expect)


def test_files_that_are_there_count_and_not_what_was_expected(small_manifest: Manifest, small_rates: Rates) -> None:
    first = replace(small_manifest.sources[0], expect={"tokens": 10**12})
    (found,) = sizes(replace(small_manifest, sources=(first,)), small_rates)
    assert found.basis == "files" and found.files == 2 and found.tokens < 10**6
    assert found.file_bytes == sum(file.size for file in first.files)


@pytest.mark.parametrize("key", ["tokens", "documents", "bytes"])
def test_what_is_expected_comes_out(small_manifest: Manifest, small_rates: Rates, key: str) -> None:
    expected = source_like(small_manifest.sources[0], **{key: 5 * 10**12})
    (found,) = sizes(replace(small_manifest, sources=(expected,)), small_rates)
    value = {"tokens": found.tokens, "documents": found.documents, "bytes": found.file_bytes}[key]
    assert value == pytest.approx(5 * 10**12) and found.basis == "expect"
    assert found.files == -int(-found.file_bytes // FILE_BYTES)
    # The rest follows from what was sampled.
    per = pooled(small_rates.sources)
    assert found.payload_bytes / found.file_bytes == pytest.approx(per.payload_bytes / per.file_bytes)


def test_of_several_each_is_believed_and_bytes_are_the_work(small_manifest: Manifest, small_rates: Rates) -> None:
    expected = source_like(small_manifest.sources[0], tokens=7, documents=3, bytes=10**9)
    (found,) = sizes(replace(small_manifest, sources=(expected,)), small_rates)
    assert (found.tokens, found.documents, found.file_bytes) == (7, 3, 10**9)
    assert found.payload_bytes > 10**8


def test_rates_of_the_same_source_else_of_its_kind_else_of_all(small_manifest: Manifest, small_rates: Rates) -> None:
    first = small_manifest.sources[0]
    assert [item.name for item in alike(first, small_rates)] == ["source-a"]
    assert [item.name for item in alike(replace(first, name="x"), small_rates)] == ["source-a", "source-b"]
    assert len(alike(replace(first, kind="unheard"), small_rates)) == 2


def test_files_grow_before_they_become_more() -> None:
    size = Size("s", ("s",), "files", 10, 1000.0, 2000.0, 5.0, 4.0, 3.0)
    assert size.times(1) == size
    assert size.times(3).files == 10
    grown = size.times(1e9)
    assert grown.files == -int(-1e12 // FILE_BYTES) and grown.tokens == 3e9
    large = Size("s", ("s",), "files", 2, 2e10, 1.0, 1.0, 1.0, 1.0)
    assert large.times(5).files == 10, "files that are larger than usual stay so"
    assert size.times(0.5).files == 10


def test_tasks_are_those_of_the_plan(small_manifest: Manifest, small_rates: Rates) -> None:
    counts = task_counts(small_manifest, sizes(small_manifest, small_rates))
    assert counts["documents"] == counts["encode"] == 3 and counts["tokenizer"] == 1
    grown = [size.times(1e9) for size in sizes(small_manifest, small_rates)]
    assert task_counts(small_manifest, grown)["choose"] > counts["choose"], "more bytes are compared in more ranges"
    alone = replace(small_manifest, barrier=None)
    assert "choose" not in task_counts(alone, sizes(alone, small_rates))


def test_no_model_and_no_input_is_opened(small_manifest: Manifest, small_rates: Rates) -> None:
    absent = tuple(FileStat(f"/nowhere/{number}", 1 << 30, 0) for number in range(3))
    away = replace(small_manifest, sources=tuple(replace(s, files=absent) for s in small_manifest.sources))
    assert task_counts(away, sizes(away, small_rates))["documents"] == 6, "and none is missing"
