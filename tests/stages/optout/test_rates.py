"""Opt-out rates of dated snapshots, beside counts that Protego made; and pages of the past under files of today."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
from protego import Protego

from lauter.pipeline.contract import StageContext
from lauter.stages.optout.config import OptOutConfig
from lauter.stages.optout.robots.rules import parse
from lauter.stages.optout.robots.standard import StandardReader, decide_all
from lauter.stages.optout.snapshot.read import read_snapshot
from lauter.stages.optout.stage import OptOut
from tests.stages.optout.conftest import names
from tests.stages.optout.robots.reference import code_of

FOUR = ("GPTBot", "CCBot", "Google-Extended", "ClaudeBot")
ROOT = "https://a.example/"
# Where the rate of an agent is not Protego's: (snapshot, agent) -> {(code, whether we deny): hosts}. Protego takes the
# group Applebot for Applebot-Extended and Claude for Claude-Web, and ends a group at a record that it does not know.
CODED = {
    ("firewall-2025-01", "Applebot-Extended"): {("AGENT-NAME", True): 3, ("AGENT-NAME", False): 1},
    ("firewall-2026-01", "Applebot-Extended"): {("AGENT-NAME", True): 5, ("AGENT-NAME", False): 1},
    ("top1k-2023-07-30", "Applebot-Extended"): {("AGENT-NAME", True): 8},
    ("top1k-2023-07-30", "CCBot"): {("OTHER-RECORDS", True): 1},
    ("top1k-2024-07-14", "Applebot-Extended"): {("AGENT-NAME", True): 8, ("AGENT-NAME", False): 2},
    ("top1k-2024-07-14", "Claude-Web"): {("AGENT-NAME", False): 1},
    ("top1k-2024-07-14", "CCBot"): {("OTHER-RECORDS", True): 1},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "snapshot",
    ["firewall-2025-01", "firewall-2026-01", "publishers-2023-2025", "top1k-2023-07-30", "top1k-2024-07-14"],
)
def test_root_opt_outs_of_a_snapshot(data: Path, snapshot: str) -> None:
    published = json.loads((data / "robots" / "optout_stats.json").read_text())[snapshot]
    agents = tuple(published["root_disallow"])
    rates: Counter[str] = Counter()
    differing: dict[tuple[str, str], Counter[tuple[str | None, bool]]] = {}
    for answer in read_snapshot(str(data / "robots" / "corpus" / f"{snapshot}.jsonl.gz"), Counter()):
        rates["records"] += 1
        if not answer.body:
            continue
        reader = StandardReader(parse(answer.body).groups)
        decisions = decide_all([(reader.obeyed([agent]), "/") for agent in agents])
        denied = {agent for agent, decision in zip(agents, decisions, strict=True) if not decision.allowed}
        rates.update(denied)
        rates["any"] += any(agent in denied for agent in FOUR)
        rates["all"] += all(agent in denied for agent in FOUR)
        protego = Protego.parse(answer.body.decode("utf-8", "replace"))
        for agent in agents:
            theirs = bool(protego.can_fetch(ROOT, agent))
            if theirs == (agent in denied):
                code = code_of(answer.body, [agent], ROOT, allowed=theirs)
                differing.setdefault((snapshot, agent), Counter())[code, agent in denied] += 1
    assert {key: dict(count) for key, count in differing.items()} == {
        key: count for key, count in CODED.items() if key[0] == snapshot
    }
    assert rates["records"] == published["n"]["records"]
    for agent in agents:
        coded = CODED.get((snapshot, agent), {})
        more = sum(count if denies else -count for (_, denies), count in coded.items())
        assert rates[agent] == published["root_disallow"][agent] + more, agent
    # One host of the top 1,000 opts CCBot out below a record that Protego ends the group at.
    more = sum(CODED.get((snapshot, "CCBot"), {}).values())
    assert rates["any"] == published["n"]["any_core4"] + more
    assert rates["all"] == published["n"]["all_core4"]


@pytest.mark.slow
def test_a_retroactive_run_drops_what_the_hosts_opted_out_of(data: Path, tmp_path: Path) -> None:
    fastwarc = pytest.importorskip("fastwarc")
    pages = []
    for path in sorted((data / "warc").glob("*.warc.gz")):
        if not path.name.startswith("robots-"):
            with path.open("rb") as stream:
                records = fastwarc.ArchiveIterator(
                    stream, record_types=fastwarc.WarcRecordType.response, parse_http=False
                )
                pages += [record.headers.get("WARC-Target-URI") for record in records]
    with (data / "robots" / "html_hosts_optout.csv").open() as rows:
        truth = {row["host"]: [row[agent] for agent in FOUR] for row in csv.DictReader(rows)}
    snapshot = data / "warc" / "robots-for-html-hosts.warc.gz"
    agents = tmp_path / "four.yaml"
    agents.write_text(f"name: four\nagents: [{', '.join(FOUR)}]\n")
    # Only what the hosts said: no permission is refused for want of a file that can be read.
    config = OptOutConfig(snapshot=(str(snapshot),), agents_file=str(agents), on_unparsable="allow")
    stage = OptOut(config, StageContext(artefacts=str(tmp_path)))
    counts = stage.prepare(str(tmp_path))
    assert counts["origins"] == 778
    stage.open()
    verdict = stage.apply(pa.record_batch({"url": pa.array(pages)}))
    rules = [None] * len(pages) if verdict.rule is None else verdict.rule.to_pylist()
    files = {a.origin.partition("://")[2]: a.body or b"" for a in read_snapshot(str(snapshot), Counter())}

    seen: Counter[str] = Counter()
    for page, reason, rule in zip(pages, names(stage, verdict), rules, strict=True):
        parts = urlsplit(page)
        host = parts.hostname or ""
        if not reason:
            seen["kept"] += 1
            assert "D" not in truth.get(host, []), page
            continue
        # The evidence is a line of the host's own file, for one of the four.
        assert (reason, rule["signal"]) == ("robots-disallow", "robots.txt"), page
        line = files[host].decode("utf-8", "replace").splitlines()[rule["line"] - 1]
        assert rule["text"] in line and rule["agent"] in FOUR, page
        written = rule["text"].partition(":")[2].strip()
        kind = "root" if "D" in truth.get(host, []) else "path"
        seen[kind] += 1
        assert (written in ("/", "*")) == (kind == "root"), page
        if kind == "path":
            pattern = re.escape(written.removesuffix("$")).replace(r"\*", ".*") + ("$" if written.endswith("$") else "")
            assert re.match(pattern, parts.path + (f"?{parts.query}" if parts.query else "")), page
    assert seen == {"root": 214, "path": 5, "kept": 3935}
