from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lauter.pipeline.cost.rates import (
    Rates,
    RatesError,
    Spent,
    described_stages,
    find,
    lineage,
    load,
    reference_path,
    save,
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
    assert find(small_manifest) == (small_rates, path)


def test_own_rates_come_before_newer_ones_and_those_before_the_reference(
    cache: Path, small_manifest: Manifest, small_rates: Rates
) -> None:
    assert find(small_manifest)[1] == reference_path()
    newer = small_rates.model_copy(update={"date": "2999-01-01T00:00:00Z"})
    older = small_rates.model_copy(update={"date": "2001-01-01T00:00:00Z"})
    save(older, "b" * 64)
    save(newer, "a" * 64)
    assert find(small_manifest)[0] == newer
    save(older, lineage(small_manifest))
    assert find(small_manifest)[0] == older
    (cache / "lauter-rates" / "half.json").write_text("{")
    assert find(small_manifest)[0] == older, "what is no rates is passed over"


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
