"""The arithmetic against a build of the same manifest, and against sums made by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lauter.pipeline.cost.forecast import SUMS_BYTES, steps_of
from lauter.pipeline.cost.measure import folder_of, measured_build
from lauter.pipeline.cost.rates import Rates, Work
from lauter.pipeline.cost.report import NoForecast, Wanted, forecast
from lauter.pipeline.cost.sizes import sizes, task_counts
from lauter.pipeline.graph.packing import share_runs
from lauter.pipeline.manifest import Manifest
from lauter.pipeline.storage import Storage


def data_of(manifest: Manifest, rates: Rates, scale: int | None = None, cores: int | None = None) -> dict[str, Any]:
    return forecast(manifest, rates, "rates.json", Wanted(scale, cores, 0.05), 2)


def test_a_build_has_the_forecast_tasks_and_about_its_bytes_and_time(
    small_manifest: Manifest, small_rates: Rates, tmp_path: Path
) -> None:
    data = data_of(small_manifest, small_rates)
    built = measured_build(small_manifest, str(tmp_path / "out"), {"source-a": 1, "source-b": 1})
    tasks = Counter(item.task.step for item in built.tasks)
    assert {row["step"]: row["tasks"] for row in data["steps"] if row["tasks"]} == dict(tasks)
    assert data["bytes"]["input"] == sum(file.size for source in small_manifest.sources for file in source.files)
    assert data["records"] == pytest.approx(360, rel=0.01)
    assert data["tokens"] == pytest.approx(built.corpus["summary"]["tokens"], rel=0.05)
    written: Counter[str] = Counter()
    for item in built.tasks:
        for output in item.outputs:
            written[folder_of(output.path)] += output.size
    state = sum(size for folder, size in written.items() if folder.startswith("state/"))
    # In files of a few kilobytes headings outweigh rows: the bytes of a larger file are more nearly proportional.
    assert state / 2 < data["bytes"]["intermediate"] < state * 2
    out = sum(written.values()) - state
    assert out / 2 < data["bytes"]["output"] < out * 2
    # The machine may be busy: only that both are seconds, not hours.
    cpu_s = 3600 * data["core_hours"] - small_rates.start.cpu_s - small_rates.worker.cpu_s
    assert built.whole.cpu_s / 10 < cpu_s < built.whole.cpu_s * 10
    assert Storage(str(tmp_path / "out")).size("corpus.json")


def test_twice_the_tokens_are_twice_the_bytes_and_not_twice_the_files(
    small_manifest: Manifest, small_rates: Rates
) -> None:
    once = data_of(small_manifest, small_rates, cores=1)
    twice = data_of(small_manifest, small_rates, scale=2 * once["tokens"], cores=1)
    assert twice["tokens"] == pytest.approx(2 * once["tokens"], abs=2)
    assert twice["bytes"]["input"] == pytest.approx(2 * once["bytes"]["input"], abs=2)
    assert [s["files"] for s in twice["sources"]] == [s["files"] for s in once["sources"]], "they grow to a usual size"
    assert once["bytes"]["intermediate"] < twice["bytes"]["intermediate"] < 2 * once["bytes"]["intermediate"] + 1e5
    assert once["core_hours"] < twice["core_hours"]


def test_steps_sum_to_the_whole_and_money_is_cores_times_wall(small_manifest: Manifest, small_rates: Rates) -> None:
    data = data_of(small_manifest, small_rates, scale=10**12, cores=64)
    assert data["executor"] == "ray" and data["cores"] == 64
    assert sum(row["core_hours"] for row in data["steps"]) == pytest.approx(data["core_hours"])
    assert sum(row["wall_hours"] for row in data["steps"]) == pytest.approx(data["wall_hours"])
    assert data["cost"]["eur"] == pytest.approx(64 * data["wall_hours"] * 0.05)
    assert data["bytes"]["disk_peak"] == data["bytes"]["intermediate"] + data["bytes"]["output"]
    assert data["tb"]["input"] == data["bytes"]["input"] / 1e12
    by = {row["step"]: row for row in data["steps"]}
    files = sum(source["files"] for source in data["sources"])
    assert by["documents"]["tasks"] == by["ledger"]["tasks"] == files
    assert data["peak_memory"]["worker_bytes"] == max(row.get("peak_memory_bytes", 0) for row in data["steps"])


def test_more_cores_shorten_what_can_be_shared(small_manifest: Manifest, small_rates: Rates) -> None:
    few, many = (data_of(small_manifest, small_rates, 10**12, cores) for cores in (8, 800))
    wall = [{row["step"]: row["wall_hours"] for row in data["steps"]} for data in (few, many)]
    assert wall[0]["documents"] > 50 * wall[1]["documents"]
    alone = {row["step"] for row in few["steps"] if row["tasks"] == 1}
    assert "tokenizer" in alone and all(wall[0][step] == wall[1][step] for step in alone)
    ranges = next(row["tasks"] for row in few["steps"] if row["step"] == "same")
    assert wall[0]["same"] >= wall[1]["same"] >= wall[0]["same"] * 8 / max(8, ranges) / 1.01, "a core a range at most"


def test_a_build_alone_is_that_of_default_executor(small_manifest: Manifest, small_rates: Rates) -> None:
    assert data_of(small_manifest, small_rates)["executor"] == "inline"
    assert data_of(small_manifest, small_rates, cores=4)["executor"] == "ray"
    assert data_of(small_manifest, small_rates, cores=1)["executor"] == "inline"


def test_a_shard_size_that_does_not_fit_is_told(small_manifest: Manifest, small_rates: Rates) -> None:
    data = data_of(small_manifest, small_rates, 10**12, 8)
    assert any("do not fit 16 cells" in note for note in data["notes"])
    by = {row["step"]: row for row in data["steps"]}
    assert by["pack"]["tasks"] == pytest.approx(data["tokens"] / (1 << 26), rel=0.001)
    assert not any("cells" in note for note in data_of(small_manifest, small_rates)["notes"])


def test_ranges_that_outgrow_memory_are_told(small_manifest: Manifest, small_rates: Rates) -> None:
    data = data_of(small_manifest, small_rates, 15 * 10**12, 8)
    same = next(row for row in data["steps"] if row["step"] == "same")
    assert same["peak_memory_bytes"] > 4 * same["read_bytes"] / same["tasks"]
    held = same["peak_memory_bytes"] > small_rates.machine.memory_bytes
    assert any("outgrows" in note and "same " in note for note in data["notes"]) == held


def test_every_file_that_a_task_opens_costs(small_manifest: Manifest, small_rates: Rates) -> None:
    slow = small_rates.model_copy(update={"open_s": 1.0})
    fast = small_rates.model_copy(update={"open_s": 0.0})
    slow_row, fast_row = (
        next(row for row in data_of(small_manifest, rates, 10**12, 8)["steps"] if row["step"] == "pack")
        for rates in (slow, fast)
    )
    assert slow_row["core_hours"] - fast_row["core_hours"] == pytest.approx(slow_row["files_opened"] / 3600)
    assert slow_row["files_opened"] == slow_row["tasks"] * (
        sum(source["files"] for source in data_of(small_manifest, slow, 10**12, 8)["sources"]) - 3
    )


def test_files_that_a_task_names_are_no_more_when_there_are_more(small_manifest: Manifest, small_rates: Rates) -> None:
    def with_layout(work: Work) -> Rates:
        steps = [
            item.model_copy(update={"small": Work(), "large": work}) if item.step == "layout" else item
            for item in small_rates.steps
        ]
        return small_rates.model_copy(update={"steps": steps})

    named = with_layout(Work(tasks=1, takes={"documents": 1000}, named={"documents": 2}))
    data = data_of(small_manifest, named, 10**12, 8)
    rows = {row["step"]: row for row in data["steps"]}
    files = sum(source["files"] for source in data["sources"])
    listed = with_layout(Work(tasks=1, slices={"documents": 1000}, opens={"documents": 3}))
    whole = {row["step"]: row for row in data_of(small_manifest, listed, 10**12, 8)["steps"]}["layout"]["read_bytes"]
    assert files > 100 and rows["layout"]["read_bytes"] == pytest.approx(whole * 2 / files, rel=0.01)


def test_a_source_that_is_elsewhere_counts_as_it_says(small_manifest: Manifest, small_rates: Rates) -> None:
    first, second = small_manifest.sources
    away = replace(
        small_manifest, sources=(first, replace(second, name="away", files=(), expect={"tokens": 4815 * 10**9}))
    )
    data = data_of(away, small_rates)
    by = {source["name"]: source for source in data["sources"]}
    assert by["away"]["tokens"] == 4815 * 10**9 and by["away"]["basis"] == "expect"
    assert by["away"]["rates_of"] == ["source-a", "source-b"], "what was sampled of its kind"
    assert data["executor"] == "ray", "a size that is only said is never small"
    assert any("away" in note for note in data["notes"])


def test_without_any_size_there_is_nothing_to_scale(small_manifest: Manifest, small_rates: Rates) -> None:
    empty = replace(small_manifest, sources=tuple(replace(source, files=()) for source in small_manifest.sources))
    with pytest.raises(NoForecast, match="expect"):
        data_of(empty, small_rates, 10**9)
    data = data_of(empty, small_rates)
    assert data["tokens"] == 0 and sum("left out" in note for note in data["notes"]) == 2


def test_other_stages_than_were_measured_are_told(small_manifest: Manifest, small_rates: Rates) -> None:
    words, length = small_manifest.stages
    other = replace(small_manifest, stages=(words, replace(length, config={"min_words": 3})), barrier=None)
    data = data_of(other, small_rates)
    assert any("length has other parameters" in note for note in data["notes"])
    assert any("same-text is not in the manifest" in note for note in data["notes"])
    assert "choose" not in {row["step"] for row in data["steps"]}, "what the plan does not have costs nothing"


def test_a_step_that_leaves_a_source_out_has_no_task_for_it(small_manifest: Manifest, small_rates: Rates) -> None:
    steps = [item for item in small_rates.steps if (item.step, item.source) != ("sign", "source-b")]
    data = data_of(small_manifest, small_rates.model_copy(update={"steps": steps}))
    rows = {row["step"]: row["tasks"] for row in data["steps"]}
    assert rows["sign"] == 2 and rows["documents"] == 3


def test_a_step_without_rates_is_told(small_manifest: Manifest, small_rates: Rates) -> None:
    without = small_rates.model_copy(update={"steps": [item for item in small_rates.steps if item.step != "encode"]})
    assert any("counted as nothing: encode" in note for note in data_of(small_manifest, without)["notes"])


def test_a_slice_large_enough_tells_its_own_memory(small_manifest: Manifest, small_rates: Rates) -> None:
    def with_same(work: Work) -> Rates:
        steps = [
            item.model_copy(update={"small": Work(), "large": work}) if item.step == "same" else item
            for item in small_rates.steps
        ]
        return small_rates.model_copy(update={"steps": steps})

    held = Work(
        tasks=16, slices={"state/identity": 16 * (32 << 20)}, peak_bytes=small_rates.worker_bytes + 2 * (32 << 20)
    )
    row = next(r for r in data_of(small_manifest, with_same(held), 10**12, 8)["steps"] if r["step"] == "same")
    wanted = small_rates.worker_bytes + 2 * row["read_bytes"] / row["tasks"]
    assert row["peak_memory_bytes"] == pytest.approx(wanted, rel=0.01)


def test_steps_that_add_up_are_bounded_and_links_grow_with_files_alone(
    small_manifest: Manifest, small_rates: Rates
) -> None:
    row = {item["step"]: item for item in data_of(small_manifest, small_rates, 15 * 10**12, 1000)["steps"]}
    files = row["encode"]["tasks"]
    assert row["shares"]["tasks"] == len(share_runs(files)) > 1 and row["shares"]["files_opened"] < files
    for step in ("shares", "layout"):
        assert row[step]["peak_memory_bytes"] <= small_rates.worker_bytes + SUMS_BYTES
    grown = [size.times(1e9) for size in sizes(small_manifest, small_rates)]
    counts = task_counts(small_manifest, grown)
    steps = steps_of(small_rates, grown, counts, 0.0, 1 << 26, 1000)
    links = {step.name: step.links for step in steps.found}
    assert links["meet"] == counts["meet"] + sum(size.files for size in grown)
