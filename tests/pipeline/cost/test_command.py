"""`lauter plan` as a user meets it, with rates that were measured before."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from lauter.pipeline.cli import app
from lauter.pipeline.cost.command import Asked, asks, costs
from lauter.pipeline.cost.rates import LEAST_BYTES, Rates, lineage, save
from lauter.pipeline.manifest import Manifest

KEYS = {"core_hours", "bytes", "tb", "peak_memory", "wall_hours", "cost", "steps", "tokens", "documents", "notes"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAUTER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lauter-rates"


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"id": "one", "text": "Some words of a page."}) + "\n")
    (tmp_path / "m.yaml").write_text(
        "name: rows\n"
        "sources:\n"
        "  - {name: rows, kind: jsonl, paths: [rows.jsonl]}\n"
        "  - {name: away, kind: warc, paths: ['away/*.warc.gz'], optional: true, expect: {tokens: 4815e9}}\n"
        "stages: [extract, normalise, language, quality, dedup]\n"
    )
    return str(tmp_path / "m.yaml")


def test_the_forecast_stands_beside_the_plan(manifest: str) -> None:
    result = run("plan", manifest, "--scale", "15T", "--cores", "100", "--price", "0.1", "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert set(data) >= KEYS and data["name"] == "rows" and data["stages"]
    assert data["tokens"] == pytest.approx(15e12) and data["cores"] == 100
    assert data["cost"]["eur_per_core_hour"] == 0.1
    assert {source["basis"] for source in data["sources"]} == {"files", "expect"}
    assert data["rates"]["file"].endswith("reference.json") and data["done"] == {}
    page = run("plan", manifest, "--scale", "15T", "--cores", "100").output
    assert "nothing was measured here. These rates come with Lauter" in page
    assert "100 cores on Ray" in page and "quality" in page


def test_a_run_folder_shows_what_is_done_and_a_question_the_forecast_too(manifest: str, tmp_path: Path) -> None:
    done = json.loads(run("plan", manifest, "--out", str(tmp_path / "out"), "--json").stdout)
    assert done["steps"]["documents"] == {"tasks": 1, "done": 0} and "core_hours" not in done
    both = json.loads(run("plan", manifest, "--out", str(tmp_path / "out"), "--cores", "2", "--json").stdout)
    assert both["done"]["documents"] == {"tasks": 1, "done": 0} and both["core_hours"] > 0
    assert not (tmp_path / "out").exists(), "a plan writes nothing there"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--scale", "many"], "no number of things"),
        (["--sample", "other.yaml"], "add --calibrate"),
        (["--sample-mb", "3"], "add --calibrate"),
        (["--rates", "absent.json"], "cannot read rates"),
        (["--rates", "x.json", "--calibrate"], "leave one out"),
        (["--cores", "0"], "cores"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(manifest: str, arguments: list[str], told: str) -> None:
    result = run("plan", manifest, *arguments)
    assert result.exit_code == 2 and told in result.output


def test_nothing_to_scale_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        "name: none\nsources: [{name: s, kind: warc, paths: [x.warc], optional: true}]\nstages: [extract]\n"
    )
    result = run("plan", str(tmp_path / "m.yaml"), "--scale", "1T")
    assert result.exit_code == 2 and "expect" in result.output


@pytest.mark.parametrize("expect", ["{}", "{tokens: none}", "{tokens: 0}", "{pages: 3}"])
def test_an_expectation_that_says_nothing_is_an_error_of_the_manifest(tmp_path: Path, expect: str) -> None:
    (tmp_path / "m.yaml").write_text(
        f"name: n\nsources:\n- {{name: s, kind: warc, paths: [x], optional: true, expect: {expect}}}\n"
        "stages: [extract]\n"
    )
    result = run("plan", str(tmp_path / "m.yaml"))
    assert result.exit_code == 2 and "m.yaml" in result.output


def test_kept_rates_are_found_and_named_ones_read(
    cache: Path, small_manifest: Manifest, small_rates: Rates, tmp_path: Path
) -> None:
    console = Console(file=io.StringIO())
    path = save(small_rates, lineage(small_manifest))
    assert costs(small_manifest, small_manifest, Asked(), console)["rates"]["file"] == str(path)
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]
    words, length = small_manifest.stages
    stricter = replace(small_manifest, stages=(words, replace(length, config={"min_words": 9})))
    assert costs(stricter, stricter, Asked(), console)["rates"]["file"].endswith("reference.json")
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"has other stages or kinds of input: small ({path})." in said and "--rates FILE takes it" in said
    telling = [source.model_copy(update={"taken_bytes": LEAST_BYTES}) for source in small_rates.sources]
    save(small_rates.model_copy(update={"sources": telling}), lineage(small_manifest))
    assert costs(stricter, stricter, Asked(), console)["rates"]["file"] == str(path)
    assert "were measured here on small, with other parameters" in console.file.getvalue()  # type: ignore[attr-defined]
    named = tmp_path / "rates.json"
    named.write_text(small_rates.model_dump_json())
    assert costs(small_manifest, small_manifest, Asked(rates=str(named)), console)["rates"]["file"] == str(named)


def test_only_an_option_of_the_forecast_asks_for_it() -> None:
    assert not asks(Asked())
    assert asks(Asked(cores=1)) and asks(Asked(scale_tokens=1)) and asks(Asked(calibrate=True))
