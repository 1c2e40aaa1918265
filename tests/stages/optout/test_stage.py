"""The stage: reasons, evidence, fallbacks, and decisions that do not depend on how batches are cut."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from pydantic import ValidationError

from lauter.pipeline import schema
from lauter.pipeline.contract import MapStage, PreparedStage, StageContext
from lauter.pipeline.origin import origin_id
from lauter.stages.optout.agents import load_file, load_preset, presets
from lauter.stages.optout.config import OptOutConfig
from lauter.stages.optout.index import origins
from lauter.stages.optout.stage import OptOut
from tests.stages.optout.conftest import Build, reasons

DENY_GPT = "User-agent: GPTBot\nDisallow: /private\n"
ROWS: list[dict[str, object]] = [
    {"origin": "https://a.example", "status": 200, "body": DENY_GPT},
    {"origin": "https://www.b.example", "status": 200, "body": "User-agent: *\nDisallow: /x"},
    {"origin": "https://down.example", "status": 503},
    {"origin": "https://html.example", "status": 200, "body": "<html></html>"},
    {"origin": "https://none.example", "status": 404},
]
URLS = [
    "https://a.example/",
    "https://a.example/private/1",
    "https://A.example.:443/%70rivate",
    "https://down.example/",
    "https://html.example/",
    "https://none.example/private",
    "https://else.example/",
    "ftp://a.example/private",
    None,
]
EXPECTED = [
    "",
    "robots-disallow",
    "robots-disallow",
    "robots-unreachable",
    "robots-unparsable",
    "",
    "",
    "no-origin",
    "no-origin",
]


def test_it_is_a_stage(build: Build) -> None:
    stage: MapStage = build([])
    assert isinstance(stage, PreparedStage)
    assert stage.documents.names == ["origin_id"]


def test_reasons(build: Build) -> None:
    stage = build(ROWS)
    assert reasons(stage, URLS) == EXPECTED


def test_evidence_and_columns(build: Build) -> None:
    stage = build(ROWS)
    verdict = stage.apply(pa.record_batch({"url": pa.array(URLS)}))
    assert verdict.rule is not None
    assert verdict.rule.type == schema.RULE
    rule = verdict.rule.to_pylist()
    assert rule[1] == rule[2] == {"agent": "GPTBot", "signal": "robots.txt", "line": 2, "text": "Disallow: /private"}
    assert rule[3] == {"agent": None, "signal": "robots.txt", "line": None, "text": "HTTP status 503"}
    assert rule[4] == {"agent": None, "signal": "robots.txt", "line": None, "text": "HTTP status 200"}
    assert [rule[i] for i in (0, 5, 6, 7, 8)] == [None] * 5
    column = verdict.columns["origin_id"]
    assert column.type == schema.DOCUMENT.field("origin_id").type
    assert column.to_pylist()[:2] == [origin_id("https://a.example")] * 2
    assert column.to_pylist()[7:] == [None, None]
    assert stage.apply(pa.record_batch({"url": pa.array(["https://a.example/"])})).rule is None


def test_policies(build: Build) -> None:
    stage = build(ROWS, {"on_missing": "deny", "on_unreachable": "allow", "on_unparsable": "allow"})
    changed = list(EXPECTED)
    changed[3:7] = ["", "", "", "robots-missing"]
    assert reasons(stage, URLS) == changed


def test_no_snapshot_at_all(tmp_path: Path) -> None:
    stage = OptOut(OptOutConfig(), StageContext(artefacts=str(tmp_path)))
    stage.prepare(str(tmp_path))
    stage.open()
    assert reasons(stage, URLS) == [""] * 7 + ["no-origin"] * 2


def test_batch_cuts_change_nothing(build: Build) -> None:
    stage = build(ROWS)
    whole = stage.apply(pa.record_batch({"url": pa.array(URLS)}))
    assert whole.rule is not None
    for i, url in enumerate(URLS):
        one = stage.apply(pa.record_batch({"url": pa.array([url], pa.string())}))
        assert one.reason[0] == whole.reason[i]
        assert (one.rule[0] if one.rule is not None else pa.scalar(None)).as_py() == whole.rule[i].as_py()
    sliced = pa.record_batch({"url": pa.array(["https://x.example/", *URLS])}).slice(1)
    assert stage.apply(sliced).reason.tolist() == whole.reason.tolist()
    assert len(stage.apply(sliced.slice(0, 0)).reason) == 0


def test_a_missing_origin_is_asked_under_its_other_names(build: Build) -> None:
    urls: list[str | None] = [
        "http://a.example/private",
        "https://b.example/x",
        "http://b.example/x",
        "http://www.a.example/private",
    ]
    assert reasons(build(ROWS), urls) == ["robots-disallow"] * 4
    assert reasons(build(ROWS, {"www_fallback": False}), urls) == ["robots-disallow", "", "", ""]
    assert reasons(build(ROWS, {"scheme_fallback": False}), urls) == ["", "robots-disallow", "", ""]
    assert reasons(build(ROWS, {"scheme_fallback": False, "www_fallback": False}), urls) == [""] * 4
    assert reasons(build(ROWS), ["http://a.example:8080/private"]) == [""]


def test_another_name_may_deny_but_never_permit(build: Build) -> None:
    stage = build(ROWS, {"on_missing": "deny"})
    assert reasons(stage, ["http://a.example/", "http://a.example/private", "http://none.example/"]) == [
        "robots-missing",
        "robots-disallow",
        "robots-missing",
    ]
    # An origin with a file of its own is judged by that alone.
    rows = [*ROWS, {"origin": "http://a.example", "body": ""}]
    assert reasons(build(rows), ["http://a.example/private"]) == [""]


def test_as_of(build: Build) -> None:
    rows: list[dict[str, object]] = [
        {"origin": "https://a.example", "fetched_at": "2023-07-01", "body": ""},
        {"origin": "https://a.example", "fetched_at": "2025-01-31T18:00:00Z", "body": DENY_GPT},
    ]
    url: list[str | None] = ["https://a.example/private"]
    assert reasons(build(rows), url) == ["robots-disallow"]
    assert reasons(build(rows, {"as_of": "2024-01-01"}), url) == [""]
    # The date that YAML makes of it, and its last second.
    assert reasons(build(rows, {"as_of": yaml.safe_load("2025-01-31")}), url) == ["robots-disallow"]
    with pytest.raises(ValidationError):
        OptOutConfig(as_of="next week")


def test_strict_reading(build: Build) -> None:
    rows: list[dict[str, object]] = [{"origin": "https://a.example", "body": "User-agent: *\nDisallow: /\nAllow: /a\n"}]
    assert reasons(build(rows), ["https://a.example/a"]) == [""]
    assert reasons(build(rows, {"reading": "strict"}), ["https://a.example/a"]) == ["robots-disallow"]


def test_rules_without_end_follow_on_unparsable(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    # No file of 500 KiB comes near the real limit any more.
    monkeypatch.setattr(origins, "STEP_LIMIT", 1000)
    body = "User-agent: *\n" + "".join(f"Disallow: /*{'a' * 200}b{i}\n" for i in range(500))
    rows: list[dict[str, object]] = [{"origin": "https://a.example", "body": body}]
    url: list[str | None] = ["https://a.example/" + "a" * 4000]
    for policy, reason in (("deny", "robots-unparsable"), ("allow", "")):
        stage = build(rows, {"on_unparsable": policy})
        assert reasons(stage, url) == [reason]
        basis = stage.apply(pa.record_batch({"url": pa.array(url)})).columns["basis"]
        assert basis[0]["outcome"].as_py() == "unparsable"


def test_apertus_semantics(build: Build) -> None:
    body = "User-agent: *\nDisallow: /\n" + "".join(f"User-agent: {a}\nAllow: /\n" for a in ("GPTBot", "CCBot"))
    rows: list[dict[str, object]] = [{"origin": "https://a.example", "body": body}]
    stage = build(rows)
    assert stage.apply(pa.record_batch({"url": ["https://a.example/"]})).rule.to_pylist()[0]["agent"] == "*"  # type: ignore[union-attr]
    only = json.dumps({"name": "two", "agents": ["GPTBot", "CCBot"]})
    path = Path(str(stage.context.artefacts)) / "agents.yaml"
    path.write_text(only)
    assert reasons(build(rows, {"agents_file": str(path)}), ["https://a.example/"]) == [""]


def test_agent_lists(tmp_path: Path) -> None:
    assert {"apertus-2025-01", "ai-training-2026-11"} <= set(presets())
    for name in presets():
        assert load_preset(name).name == name
    apertus = load_preset("apertus-2025-01").names
    assert {"GPTBot", "CCBot", "CCBot/2.0", "CCBot/1.0", "FacebookBot", "*"} <= set(apertus)
    assert len(apertus) == 15
    with pytest.raises(ValueError, match="apertus-2025-01"):
        OptOut(OptOutConfig(agents="nobody"), StageContext())
    (tmp_path / "bad.yaml").write_text("agents: []")
    with pytest.raises(ValueError, match=r"bad\.yaml"):
        load_file(str(tmp_path / "bad.yaml"))


def test_open_needs_the_index() -> None:
    with pytest.raises(ValueError, match="prepare"):
        OptOut(OptOutConfig(), StageContext()).open()


def test_lost_bytes_make_a_missing_origin_lost(tmp_path: Path) -> None:
    snapshot = tmp_path / "robots.jsonl"
    snapshot.write_text(json.dumps(ROWS[0]) + "\n{damaged\n")
    urls: list[str | None] = ["https://a.example/", "https://a.example/private", "https://else.example/"]
    expected = {"deny": "robots-lost", "allow": ""}
    for policy, reason in expected.items():
        config = OptOutConfig.model_validate({"snapshot": [str(snapshot)], "on_unparsable": policy})
        stage = OptOut(config, StageContext(artefacts=str(tmp_path)))
        assert stage.prepare(str(tmp_path))["lost"] == 1
        stage.open()
        assert reasons(stage, urls) == ["", "robots-disallow", reason]


def test_forbidden(build: Build) -> None:
    rows: list[dict[str, object]] = [{"origin": f"https://s{n}.example", "status": n} for n in (401, 403, 404, 429)]
    urls: list[str | None] = [f"https://s{n}.example/" for n in (401, 403, 404, 429)]
    assert reasons(build(rows), urls) == ["", "", "", "robots-unreachable"]
    assert reasons(build(rows, {"on_forbidden": "deny"}), urls) == [*["robots-forbidden"] * 2, "", "robots-unreachable"]


def test_a_port_without_end_has_no_origin(build: Build) -> None:
    assert reasons(build(ROWS), ["https://a.example:" + "9" * 5000 + "/"]) == ["no-origin"]
