from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lauter.pipeline.cost.rates import (
    LEAST_BYTES,
    Rates,
    RatesError,
    Spent,
    described_stages,
    find,
    lineage,
    load,
    reference_path,
    save,
    speaks_for,
)
from lauter.pipeline.manifest import Manifest
from lauter.pipeline.storage import FileStat


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAUTER_CACHE", str(tmp_path))
    return tmp_path


def test_seconds_add_and_never_go_below_nothing() -> None:
    assert Spent(cpu_s=1, wall_s=2) + Spent(cpu_s=3, wall_s=4) == Spent(cpu_s=4, wall_s=6)
    assert Spent(cpu_s=1, wall_s=9) - Spent(cpu_s=3, wall_s=4) == Spent(cpu_s=0, wall_s=5)
    assert Spent(cpu_s=1, wall_s=2).times(2.5) == Spent(cpu_s=2.5, wall_s=5)


def test_rates_come_back_as_they_were_kept(cache: Path, small_manifest: Manifest, small_rates: Rates) -> None:
    path = save(small_rates, lineage(small_manifest))
    assert path.parent == cache / "lauter-rates"
    assert load(path) == small_rates
    assert find(small_manifest) == (small_rates, path, "measured", ())


def large(rates: Rates, **update: object) -> Rates:
    """The same rates, as if of a sample that is large enough to speak for another manifest."""
    sources = [source.model_copy(update={"taken_bytes": LEAST_BYTES}) for source in rates.sources]
    return rates.model_copy(update={"sources": sources, **update})


def test_own_rates_come_before_newer_ones_and_those_before_the_reference(
    cache: Path, small_manifest: Manifest, small_rates: Rates
) -> None:
    found = find(small_manifest)
    assert (found.path, found.why, found.passed_over) == (reference_path(), "reference", ())
    newer = large(small_rates, date="2999-01-01T00:00:00Z")
    older = large(small_rates, date="2001-01-01T00:00:00Z")
    save(older, "b" * 64)
    save(newer, "a" * 64)
    found = find(small_manifest)
    assert (found.rates, found.why) == (newer, "alike")
    save(older, lineage(small_manifest))
    found = find(small_manifest)
    assert (found.rates, found.why) == (older, "measured")
    (cache / "lauter-rates" / "half.json").write_text("{")
    assert find(small_manifest).rates == older, "what is no rates is passed over"


def test_rates_of_a_tiny_sample_are_those_of_its_own_manifest_only(
    cache: Path, small_manifest: Manifest, small_rates: Rates
) -> None:
    path = save(small_rates, lineage(small_manifest))
    words, length = small_manifest.stages
    stricter = replace(small_manifest, stages=(words, replace(length, config={"min_words": 9})))
    assert find(small_manifest).why == "measured" and not speaks_for(small_rates, stricter)
    found = find(stricter)
    assert (found.path, found.why) == (reference_path(), "reference")
    assert found.passed_over == (f"{small_rates.manifest} ({path})",)
    save(large(small_rates), lineage(small_manifest))
    assert find(stricter).path == path and find(stricter).why == "alike"


def test_the_most_alike_go_before_the_newest(cache: Path, small_manifest: Manifest, small_rates: Rates) -> None:
    words, length = small_manifest.stages
    stricter = replace(small_manifest, stages=(words, replace(length, config={"min_words": 9})), seed=1)
    named = replace(stricter, encoder=replace(stricter.encoder, config={"other": 1}))
    alike = large(small_rates, stages=described_stages(stricter), date="2001-01-01T00:00:00Z")
    save(alike, "a" * 64)
    save(large(small_rates, date="2999-01-01T00:00:00Z"), "b" * 64)
    assert find(named).rates == alike


def test_other_stages_and_other_kinds_of_input_are_not_spoken_for(small_manifest: Manifest, small_rates: Rates) -> None:
    rates = large(small_rates)
    assert speaks_for(rates, small_manifest)
    assert not speaks_for(rates, replace(small_manifest, stages=small_manifest.stages[:1]))
    first, *others = small_manifest.sources
    assert not speaks_for(rates, replace(small_manifest, sources=(replace(first, kind="warc"), *others)))
    probes = replace(first, kind="probes", target="lauter.stages.read.probes.reader:ProbesReader")
    assert speaks_for(rates, replace(small_manifest, sources=(probes, *others))), "probes pass no stage"
    changed = [{**stage, "version": 99} for stage in rates.stages]
    assert not speaks_for(large(small_rates, stages=changed), small_manifest)


def test_what_comes_with_lauter_can_be_read() -> None:
    rates = load(reference_path())
    assert {item.step for item in rates.steps} >= {"documents", "encode", "pack", "ledger"}
    assert rates.sources and rates.machine.processor


@pytest.mark.parametrize(
    ("content", "told"), [("{", "no rates"), ("{}", "no rates"), ('{"format": 1}', "date"), (None, "cannot read")]
)
def test_a_file_that_holds_none_says_how_to_make_one(tmp_path: Path, content: str | None, told: str) -> None:
    path = tmp_path / "rates.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RatesError, match=told) as error:
        load(path)
    assert "--calibrate" in str(error.value)


def test_another_format_is_told(tmp_path: Path, small_rates: Rates) -> None:
    path = tmp_path / "rates.json"
    path.write_text(small_rates.model_copy(update={"format": 9}).model_dump_json())
    with pytest.raises(RatesError, match="format 9"):
        load(path)


def test_the_lineage_goes_by_stages_and_parameters_and_not_by_files(small_manifest: Manifest) -> None:
    words, length = small_manifest.stages
    moved = replace(
        small_manifest, sources=tuple(replace(source, files=()) for source in small_manifest.sources), seed=99
    )
    assert lineage(moved) == lineage(small_manifest)
    assert lineage(replace(small_manifest, stages=(words,))) != lineage(small_manifest)
    stricter = replace(length, config={"min_words": 9})
    assert lineage(replace(small_manifest, stages=(words, stricter))) != lineage(small_manifest)
    named = replace(words, config={"table": "/a/table", "of": ["/b/x"]}, inputs=(FileStat("/a/table", 1, 0),))
    assert described_stages(replace(small_manifest, stages=(named,)))[0]["config"] == {"of": ["/b/x"]}
