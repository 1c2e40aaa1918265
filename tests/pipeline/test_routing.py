"""Stages that only some sources pass: their records alone, in the graph, the ledger, the report and the audit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from rich.console import Console

from lauter.pipeline.audit import audit
from lauter.pipeline.build import describe_plan, print_plan
from lauter.pipeline.explain import explain
from lauter.pipeline.finished import read_corpus
from lauter.pipeline.report.funnel import funnel_rows
from lauter.pipeline.resolve import load
from lauter.pipeline.storage import Storage
from lauter.pipeline.yaml_lines import ManifestError
from tests.pipeline.small_run import build, ledger, write_manifest
from tests.pipeline.small_stages import CATALOGUE

WEB = "\n".join(f"w{i}\tA page of words {i}" for i in range(9)) + "\nshort\tone\nbad\tforbidden words here"
CODE = "c1\tone\nc2\tforbidden identifier\nc3\tCAPITALS stay\nc4\tblocked"
STAGES = [
    {"lookup": {"blocked": "blocked.list"}, "sources": ["code"]},
    {"words": None, "sources": ["web"]},
    {"length": {"min_words": 3}, "sources": ["web"]},
    "same-text",
]


def routed(folder: Path, stages: list[Any] = STAGES) -> Path:
    """A manifest over two sources of lines, each with stages of its own."""
    path = write_manifest(folder, {"web.txt": WEB})
    (folder / "code.lines").write_text(CODE)
    (folder / "blocked.list").write_text("https://c4.example/\nhttps://w1.example/\n")
    manifest = yaml.safe_load(path.read_text())
    source = manifest["sources"][0]
    manifest["sources"] = [
        {**source, "name": "web", "paths": ["web.txt"]},
        {**source, "name": "code", "paths": ["code.lines"]},
    ]
    manifest["stages"] = stages
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    return path


def test_each_source_passes_its_own_stages(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert not build(routed(tmp_path), out).report.failures
    rows: dict[Any, Any] = {row["url"]: row for row in ledger(out)}
    ends = {url.split("//")[1][:5].split(".")[0]: (row["stage"], row["reason"]) for url, row in rows.items()}
    assert ends["short"] == ("length", "too-few-words")
    assert ends["bad"] == ("words", "forbidden")
    assert ends["c4"] == ("lookup", "blocked")
    assert [ends[name] for name in ("c1", "c2", "c3", "w1")] == [(None, None)] * 4
    (code,) = (out / "scores" / "code").glob("*.parquet")
    (web,) = (out / "scores" / "web").glob("*.parquet")
    assert pq.read_schema(code).equals(pq.read_schema(web))
    assert pq.read_table(code).column("words").null_count == 3
    texts = pq.read_table(next((out / "documents" / "code").glob("*.parquet"))).column("text").to_pylist()
    assert "CAPITALS stay" in texts
    storage = Storage(str(out))
    report = audit(storage, CATALOGUE)
    assert not report.violations, report.violations
    corpus = read_corpus(storage)[0]
    funnel = {
        row["stage"]: (row["records"], row["ended"])
        for row in funnel_rows(corpus["summary"], corpus["order"], corpus["routes"])
    }
    assert funnel == {"read": (15, 0), "lookup": (4, 1), "words": (11, 1), "length": (10, 1), "same-text": (12, 0)}
    assert {name: row["rows"] for name, row in corpus["stages"].items()} == {
        "read": 15, "lookup": 4, "words": 11, "length": 10}  # fmt: skip
    (told,) = explain(storage, "https://c1.example/", CATALOGUE)
    assert [stage for stage, _ in told["story"]] == ["read", "lookup", "same-text", "end"]
    lock = yaml.safe_load((out / "manifest.lock.yaml").read_text())
    assert [next(iter(entry.values())).get("sources") for entry in lock["stages"]] == [
        ["code"], ["web"], ["web"], None]  # fmt: skip


def test_a_stage_of_one_source_makes_nothing_of_another_stale(tmp_path: Path) -> None:
    out, manifest = tmp_path / "out", routed(tmp_path)
    build(manifest, out)
    read = {path.stem: path.stat().st_mtime_ns for path in (out / "state" / "documents").rglob("*.json")}
    (tmp_path / "blocked.list").write_text("https://c1.example/\n")
    assert not build(manifest, out).report.failures
    again = {path.stem: path.stat().st_mtime_ns for path in (out / "state" / "documents").rglob("*.json")}
    assert {name for name, time in again.items() if read[name] != time} == {"code.lines"}


def test_the_plan_says_whose_records_pass_a_stage(tmp_path: Path) -> None:
    data = describe_plan(load(str(routed(tmp_path)), CATALOGUE), None)
    assert [stage.get("sources") for stage in data["stages"]] == [["code"], ["web"], ["web"], None]
    console = Console(file=io.StringIO(), width=200)
    print_plan(console, data)
    assert "words (web only)" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([{"words": None, "sources": ["wbe"]}, "same-text"], "stages.0.sources: no source is named 'wbe'; did you"),
        ([{"words": None, "sources": []}], "stages.0.sources: expected a list of names of sources"),
        ([{"words": None, "sources": "web"}], "stages.0.sources: expected a list of names of sources"),
        (["words", {"same-text": None, "sources": ["web"]}], "stages.1.sources: 'same-text' is of all sources"),
        (
            [{"words": None, "sources": ["web"]}, "length"],
            "stages.1: reads column 'words', which no earlier stage writes",
        ),
        ([{"words": None, "length": None, "sources": ["web"]}], "stages.0: a stage has one name"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(tmp_path: Path, stages: list[Any], message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load(str(routed(tmp_path, stages)), CATALOGUE)
    assert any(message in problem for problem in caught.value.problems), caught.value.problems
