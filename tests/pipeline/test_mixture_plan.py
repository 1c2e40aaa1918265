"""What `lauter plan` says of a mixture, with the files of Apertus."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.pipeline.mixture import MixtureSection
from lauter.pipeline.mixture_plan import describe_mixture, is_mixture, load_plan, print_mixture
from lauter.pipeline.yaml_lines import ManifestError
from lauter.stages.catalogue import CATALOGUE

FOLDER = Path(__file__).parents[2] / "manifests" / "apertus"


def test_a_mixture_needs_the_sources_that_it_names() -> None:
    assert is_mixture(str(FOLDER / "stage-1.yaml"))
    assert not is_mixture(str(FOLDER / "corpus.yaml"))
    found = load_plan(str(FOLDER / "stage-1.yaml"), CATALOGUE)
    names = [source.name for source in found.manifest.sources]
    assert names == ["fineweb-edu-2", "fineweb-2-33", "starcoder", "finemath"]


def test_shares_follow_what_was_published() -> None:
    section = load_plan(str(FOLDER / "stage-5.yaml"), CATALOGUE).section
    data = describe_mixture(section, None)
    rows = {row["name"]: row for row in data["components"]}
    assert sum(row["tokens_taken"] or 0 for row in rows.values()) == pytest.approx(1569e9, rel=1e-9)
    # Three copies of the tasks there, three epochs here.
    assert rows["tasks"]["epochs"] == pytest.approx(3 * rows["parallel text"]["epochs"], rel=1e-6)
    assert rows["small languages"]["tokens_taken"] is None
    (line,) = data["kept_whole"]
    assert line == "small languages: kept whole, where the published recipe drew 0.095 of its documents at random"
    console = Console(width=140, record=True, file=io.StringIO())
    print_mixture(console, data)
    assert "what it has" in console.export_text()


def test_a_corpus_says_what_there_is() -> None:
    section = load_plan(str(FOLDER / "cooldown.yaml"), CATALOGUE).section
    names = ["dclm-edu.english.0-4095", "fineweb-hq-33.english.0-4095", "fineweb-2-33.rest.0-4095"]
    names += ["starcoder.english.0-4095", "finemath.english.0-4095"]
    index = {"streams": {name: {"tokens": 10**12, "of": {}} for name in names}}
    rows = {row["name"]: row for row in describe_mixture(section, index)["components"]}
    assert rows["dclm-edu"]["tokens_taken"] == pytest.approx(30e9, rel=1e-6)
    assert rows["dclm-edu"]["streams_found"] == 1
    assert rows["dclm-edu"]["epochs"] == pytest.approx(0.03, rel=1e-6)


def test_a_stream_counts_for_the_first_component_that_names_it() -> None:
    components = [{"name": "german", "streams": ["web.german"]}, {"name": "rest", "streams": ["web.*"]}]
    section = MixtureSection.model_validate({"mixture": "m", "components": components})
    # An imported corpus does not say what its streams are parted by.
    index = {"streams": {"web.german": {"tokens": 100}, "web.french": {"tokens": 50}}}
    rows = describe_mixture(section, index)["components"]
    assert [(row["tokens_held"], row["tokens_taken"], row["streams_found"]) for row in rows] == [
        (100, 100, 1),
        (50, 50, 1),
    ]


def test_a_mixture_of_no_corpus_cannot_be_planned(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("mixture: m\ncomponents: [{name: a, streams: [a]}]\n")
    with pytest.raises(ManifestError, match="name the manifest of its corpus"):
        load_plan(str(path), CATALOGUE)
    path.write_text(f"mixture: m\ncorpus: {FOLDER / 'corpus.yaml'}\ncomponents: [{{name: a, streams: [a]}}]\n")
    with pytest.raises(ManifestError, match=r"no source of .*corpus\.yaml makes a stream"):
        load_plan(str(path), CATALOGUE)


def test_the_command_plans_a_stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAUTER_CACHE", str(tmp_path))
    command = ["plan", str(FOLDER / "stage-1.yaml"), "--scale", "15T", "--cores", "1000", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["mixture"]["name"] == "apertus-stage-1"
    assert data["tokens"] == pytest.approx(15e12, rel=1e-6)
    assert data["core_hours"] > 0
    assert [source["name"] for source in data["sources"]] == ["fineweb-edu-2", "fineweb-2-33", "starcoder", "finemath"]
