"""The index of all of an origin's files: what each says, which counts when, and the file that proves it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lauter.stages.optout.index.compile import INDEX_FILE, ORIGINS_FILE, compile_snapshots
from lauter.stages.optout.index.layout import OUTCOMES
from lauter.stages.optout.index.origins import OriginIndex
from lauter.stages.optout.index.terms import Terms
from lauter.stages.optout.robots.rules import Star

TERMS = Terms(
    ("GPTBot", "CCBot", "*"),
    dropped=frozenset({"robots.txt", "tdmrep", "ai.txt", "rsl", "content-signal"}),
    recorded=frozenset({"words", "rsl-unread"}),
)
TDM = '[{"location": "/open/*", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": 1}]'
RSL = (
    '<rsl xmlns="https://rslstandard.org/rsl"><content url="/paid">'
    '<license><prohibits type="usage">ai-train</prohibits></license></content></rsl>'
)
ROWS: list[dict[str, Any]] = [
    {"url": "https://a.example/robots.txt", "body": "User-agent: GPTBot\nDisallow: /no\n"},
    {"url": "https://a.example/.well-known/tdmrep.json", "body": TDM, "fetched_at": "2025-01-01"},
    {"url": "https://b.example/ai.txt", "body": "User-Agent: *\nDisallow: *.txt\nDisallow: /\n"},
    {"url": "https://c.example/robots.txt", "body": "License: /terms.xml\nUser-agent: *\nAllow: /\n"},
    {"url": "https://c.example/terms.xml", "body": RSL, "content_type": "application/rsl+xml"},
    {"url": "https://d.example/robots.txt", "body": "License: https://else.example/terms.xml\n"},
    {"url": "https://e.example/robots.txt", "status": 404},
    {"url": "https://e.example/ai.txt", "body": "You may not mine this site."},
    {"url": "https://e.example/.well-known/tdmrep.json", "status": 503},
    {"url": "https://f.example/robots.txt", "body": "User-agent: *\nContent-Signal: ai-train=no\nAllow: /\n"},
]


def build(folder: Path, rows: list[dict[str, Any]], terms: Terms = TERMS) -> tuple[OriginIndex, dict[str, Any]]:
    """The index, and its rows of origins.parquet by host."""
    snapshot = folder / "in.jsonl"
    snapshot.write_text("".join(json.dumps(row) + "\n" for row in rows))
    compile_snapshots([str(snapshot)], str(folder), terms)
    table = pq.read_table(folder / ORIGINS_FILE).to_pylist()
    return OriginIndex(str(folder / INDEX_FILE)), {row["origin"].removeprefix("https://"): row for row in table}


def found(index: OriginIndex, urls: list[str], skip: list[bool] | None = None) -> list[dict[str, Any] | None]:
    """Signal, file, agents, line and digest behind the denial of each URL."""
    decided = index.decide(pa.array(urls), np.array(skip) if skip else None)
    evidence = index.evidence(decided.rule, decided.row)
    rows = pa.table(dict(zip(evidence._fields, evidence, strict=True))).to_pylist()
    return [row if rule >= 0 else None for row, rule in zip(rows, decided.rule.tolist(), strict=True)]


def test_each_file_denies_with_its_own_evidence(tmp_path: Path) -> None:
    index, _ = build(tmp_path, ROWS)
    robots, tdm, opened, ai, paid, free, unread, signal = found(
        index,
        [
            "https://a.example/no/1",
            "https://a.example/yes",
            "https://a.example/open/1",
            "https://b.example/x",
            "https://c.example/paid/1",
            "https://c.example/free",
            "https://d.example/",
            "https://f.example/",
        ],
    )
    assert robots
    assert (robots["signal"], robots["file"], robots["agents"], robots["line"]) == (
        "robots.txt",
        "robots.txt",
        ["GPTBot"],
        2,
    )
    assert tdm
    assert (tdm["signal"], tdm["file"]) == ("tdmrep", "tdmrep.json")
    assert tdm["agents"] == ["GPTBot", "CCBot", "*"]
    assert tdm["sha256"] == hashlib.sha256(TDM.encode()).digest()
    assert tdm["fetched_at"].year == 2025
    assert opened is None
    assert ai
    assert (ai["signal"], ai["file"]) == ("ai.txt", "ai.txt")
    assert paid
    assert (paid["signal"], paid["file"], paid["url"]) == ("rsl", "rsl", "https://c.example/terms.xml")
    assert paid["sha256"] == hashlib.sha256(RSL.encode()).digest()
    assert free is None
    assert unread is None
    assert signal
    assert (signal["signal"], signal["line"]) == ("content-signal", 2)


def test_a_page_may_speak_in_place_of_tdmrep(tmp_path: Path) -> None:
    index, _ = build(tmp_path, ROWS)
    skipped, robots = found(index, ["https://a.example/yes", "https://a.example/no/1"], [True, True])
    assert skipped is None
    assert robots


def test_statements_stand_beside_every_origin(tmp_path: Path) -> None:
    index, origins = build(tmp_path, ROWS)
    said = {host: [(s["signal"], s["says"], s["file"]) for s in row["statements"]] for host, row in origins.items()}
    assert said["a.example"] == [("tdmrep", "allow", "tdmrep.json"), ("tdmrep", "deny", "tdmrep.json")]
    assert said["c.example"] == [("rsl", "deny", "rsl")]
    assert said["d.example"] == [("rsl-unread", "note", "robots.txt")]
    assert said["e.example"] == []
    assert origins["b.example"]["outcome"] == "missing"
    assert origins["e.example"]["outcome"] == "allow"
    # ai.txt is kind 2 and unparsable, tdmrep.json kind 1 and could not be reached.
    assert origins["e.example"]["unread"] == 1 << 2 | 1 << (4 + 1)
    assert index.unread(index.find(["https://e.example"])).tolist() == [origins["e.example"]["unread"]]


def test_unread_terms_deny_where_the_policy_says_so(tmp_path: Path) -> None:
    index, origins = build(tmp_path, ROWS, TERMS._replace(dropped=TERMS.dropped | {"rsl-unread"}))
    paid, free, unread = found(index, ["https://c.example/paid", "https://c.example/free", "https://d.example/any"])
    assert paid
    assert paid["signal"] == "rsl"
    assert free is None
    assert unread
    assert (unread["signal"], unread["file"], unread["line"]) == ("rsl-unread", "robots.txt", 1)
    assert origins["d.example"]["outcome"] == "allow"


def test_ignored_signals_leave_no_trace(tmp_path: Path) -> None:
    index, origins = build(tmp_path, ROWS, Terms(("GPTBot",)))
    assert all(row["statements"] == [] for row in origins.values())
    assert found(index, ["https://a.example/yes", "https://b.example/", "https://f.example/"]) == [None] * 3


@pytest.mark.parametrize(
    ("star", "denied"),
    [("agent", [True, True, True]), ("fallback", [True, False, True]), ("ignore", [False, False, True])],
)
def test_scope_of_the_star(tmp_path: Path, star: Star, denied: list[bool]) -> None:
    everyone = "User-agent: *\nDisallow: /\n"
    rows = [
        {"domain": "unnamed.example", "body": everyone},
        {"domain": "named.example", "body": everyone + "User-agent: GPTBot\nUser-agent: CCBot\nAllow: /\n"},
        {"domain": "gpt.example", "body": "User-agent: GPTBot\nDisallow: /\n"},
    ]
    index, _ = build(tmp_path, rows, TERMS._replace(star=star))
    urls = [f"https://{row['domain']}/" for row in rows]
    assert [bool(one) for one in found(index, urls)] == denied
    if star == "fallback":
        one = found(index, urls)[0]
        assert one
        assert (one["agent"], one["agents"]) == ("GPTBot", ["GPTBot", "CCBot"])


def test_versions(tmp_path: Path) -> None:
    deny, allow = "User-agent: *\nDisallow: /\n", ""
    rows: list[dict[str, Any]] = [
        {"domain": "a.example", "body": deny, "fetched_at": 100},
        {"domain": "a.example", "body": allow, "fetched_at": 200},
        {"url": "https://a.example/.well-known/tdmrep.json", "body": TDM, "fetched_at": 300},
        {"domain": "a.example", "body": allow, "fetched_at": 900},
        {"domain": "b.example", "body": deny},
        {"domain": "b.example", "body": allow, "fetched_at": 150},
        {"domain": "to.example", "status": 301, "location": "https://a.example/robots.txt", "fetched_at": 120},
    ]
    index, _ = build(tmp_path, rows, TERMS._replace(every_version=True, as_of=500))
    # Where to.example redirects, another answer stood from 200 on.
    assert index.rows == 3 + 2 + 2
    times = np.array([99, 100, 199, 200, 299, 300, 1000])
    at = index.find_at(["https://a.example"] * len(times), times)
    assert at[0] == -1
    assert (np.diff(at) >= 0).all()
    places = index.decide(pa.array(["https://a.example/"] * len(times)), times=times)
    assert places.row.tolist() == at.tolist()
    assert (places.rule >= 0).tolist() == [False, True, True, False, False, True, True]
    assert index.find(["https://a.example"])[0] == at[-1]
    always = index.find_at(["https://b.example"] * 2, np.array([0, 150]))
    assert [OUTCOMES[code] for code in index.outcomes(always)] == ["rules", "allow"]
    # A day's grace: what the redirect led to was fetched a little later, and the one of that day counts.
    assert index.decide(pa.array(["https://to.example/"])).rule[0] == -1
    newest, _ = build(tmp_path, rows, TERMS)
    assert newest.rows == 3
    assert newest.find_at(["https://a.example"], np.array([0]))[0] >= 0


def test_answers(tmp_path: Path) -> None:
    index, _ = build(tmp_path, ROWS)
    rows = index.find(["https://e.example", "https://a.example", "https://b.example", "https://nowhere.example"])
    answers = index.answers(rows).to_pylist()
    assert answers[0] == {"status": 404, "fetched_at": None, "sha256": None}
    assert answers[1]["sha256"] == hashlib.sha256(ROWS[0]["body"].encode()).digest()
    assert answers[2] == answers[3] == {"status": None, "fetched_at": None, "sha256": None}
    assert index.outcomes(rows).tolist() == [OUTCOMES.index(o) for o in ("allow", "rules", "missing")] + [-1]
