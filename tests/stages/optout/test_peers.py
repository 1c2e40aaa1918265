"""Real files: beside Google's parser and Protego, and pages of the past against robots.txt of today."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pytest
from protego import Protego

from lauter.pipeline.contract import StageContext
from lauter.stages.optout.index.origins import RuleTable, rules_array
from lauter.stages.optout.robots.rules import parse, rule_sets
from lauter.stages.optout.snapshot.read import read_snapshot
from lauter.stages.optout.stage import OptOut, OptOutConfig
from tests.stages.optout.conftest import names

# Names that no group of these files is a mere prefix of (Protego), and that RFC 9309 does not cut (Google).
AGENTS = ("GPTBot", "CCBot", "ClaudeBot", "Bytespider", "Diffbot")


def paths_of(text: str, limit: int) -> list[str]:
    """Some paths that the rules of a file are about. Google drops an empty query, Protego resolves a backslash."""
    found = ["/", "/index.html", "/a/b.html?x=1"]
    for line in re.split(r"\r\n|\r|\n", text):
        rule = re.match(r"(?i)\s*(?:dis)?allow\s*:\s*(/[^\s#\\]*)", line)
        if rule:
            path = rule[1].replace("*", "xy").rstrip("$?")
            found += [path, path + "z"]
    return found[: 3 + limit]


@pytest.mark.slow
@pytest.mark.parametrize("file", ["firewall-2026-01", "top1k-2024-07-14"])
def test_decisions_beside_google_and_protego(data: Path, file: str) -> None:
    matcher = pytest.importorskip("robotstxt").RobotsMatcher()
    counts: Counter[str] = Counter()
    for answer in read_snapshot(str(data / "robots" / "corpus" / f"{file}.jsonl.gz"), Counter()):
        robots = parse(answer.body or b"")
        # Google's wrapper takes text without NUL; a tenth of the files is enough for the larger ones.
        if not robots.groups or len(robots.text) > 20_000 or "\0" in robots.text:
            continue
        text = robots.text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        paths = paths_of(text, 12)
        protego = Protego.parse(text)
        for agent in AGENTS:
            table = RuleTable.of(rules_array([rule_sets(robots._replace(loose=[]), [agent])]))
            denied = table.denials(np.zeros(len(paths), np.int64), paths) >= 0
            for path, ours in zip(paths, denied.tolist(), strict=True):
                url = answer.origin + path
                google = not matcher.is_allowed(text, agent, url)
                other = not protego.can_fetch(url, agent)
                counts["asked"] += 1
                counts["google"] += ours != google
                counts["protego"] += ours != other
                counts["lost"] += google and other and not ours
                counts["added"] += ours and not google and not other
    assert counts["asked"] > 5000
    assert counts["lost"] == 0
    assert counts["added"] <= counts["asked"] // 5000
    assert counts["google"] <= counts["asked"] // 1000
    assert counts["protego"] <= counts["asked"] // 500


# Hosts that allow the five agents of the truth at the root, but not all of the list, or not the page.
STRICTER = {"www.freitag.de", "github.com", "clinicaltrials.gov", "www.mozilla.org", "www.womenshealth.de"}


@pytest.mark.slow
def test_retroactive_opt_out(data: Path, tmp_path: Path) -> None:
    fastwarc = pytest.importorskip("fastwarc")
    urls = []
    for path in sorted((data / "warc").glob("*.warc.gz")):
        if not path.name.startswith("robots-"):
            with path.open("rb") as stream:
                records = fastwarc.ArchiveIterator(
                    stream, record_types=fastwarc.WarcRecordType.response, parse_http=False
                )
                urls += [record.headers.get("WARC-Target-URI") for record in records]
    snapshot = str(data / "warc" / "robots-for-html-hosts.warc.gz")
    stage = OptOut(OptOutConfig(snapshot=(snapshot,), www_fallback=False), StageContext(artefacts=str(tmp_path)))
    counts = stage.prepare(str(tmp_path))
    assert counts["origins"] == counts["records"] == 778
    assert counts["broken"] == counts["no_origin"] == 0
    stage.open()
    verdict = stage.apply(pa.record_batch({"url": pa.array(urls)}))
    assert verdict.rule is not None
    with (data / "robots" / "html_hosts_optout.csv").open() as rows:
        truth = {
            row["host"]: [row[a] for a in ("GPTBot", "CCBot", "Google-Extended", "ClaudeBot", "*")]
            for row in csv.DictReader(rows)
        }
    seen: Counter[str] = Counter()
    for url, reason, rule in zip(urls, names(stage, verdict), verdict.rule.to_pylist(), strict=True):
        host = urlsplit(url).hostname or ""
        expected = truth.get(host)
        if expected is None:
            assert reason == "", url
        elif "D" in expected:
            seen["D"] += 1
            # The truth is about the root of the site, and so is nearly every opt-out.
            assert reason == "robots-disallow", url
            assert rule["agent"] and rule["line"] > 0 and "isallow" in rule["text"]
        elif "A" in expected and reason == "robots-disallow":
            seen["stricter"] += 1
            assert host in STRICTER, url
        elif "A" in expected:
            seen["A"] += 1
            # One HTML page that the truth took for a file without rules.
            assert reason == "" or host == "www.falstaff.de", url
        else:
            seen["no file"] += 1
            assert reason in ("", "robots-unparsable"), url
    assert seen["D"] > 200
    assert seen["A"] > 600
