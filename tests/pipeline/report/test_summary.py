from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.report.evidence import TOP
from lauter.pipeline.report.funnel import funnel_rows
from lauter.pipeline.report.tallies import UNPLACED
from lauter.pipeline.report.totals import summarise
from lauter.pipeline.storage import Storage
from tests.pipeline.report.hand_made import ROWS, Row, write_ledger


def _summary(folder: Path, parts: list[list[Row]], group_bytes: int = 1 << 25) -> dict[str, Any]:
    storage = Storage(str(folder))
    paths = [f"ledger/{place}.parquet" for place in range(len(parts))]
    for path, rows in zip(paths, parts, strict=True):
        write_ledger(storage, path, rows, group_bytes)
    return summarise(storage, paths)


def test_the_numbers_of_a_ledger_made_by_hand(tmp_path: Path) -> None:
    summary = _summary(tmp_path, [list(ROWS[:5]), list(ROWS[5:])])
    assert summary["records"] == 13
    assert summary["verdicts"] == {"dropped": 6, "duplicate": 1, "error": 1, "kept": 4, "removed": 1}
    assert (summary["tokens"], summary["chars"]) == (1544, 7950)
    assert summary["sources"] == {
        "web": {"records": 12, "kept": 3, "tokens": 1534, "chars": 7900},
        "books": {"records": 1, "kept": 1, "tokens": 10, "chars": 50},
    }
    assert summary["languages"] == {
        "deu_Latn": {"records": 5, "kept": 2, "tokens": 1234, "chars": 7000},
        "roh_Latn": {"records": 1, "kept": 1, "tokens": 300, "chars": 900},
        "eng_Latn": {"records": 1, "kept": 1, "tokens": 10, "chars": 50},
        "-": {"records": 5, "kept": 0, "tokens": 0, "chars": 0},
        "gsw_Latn": {"records": 1, "kept": 0, "tokens": 0, "chars": 0},
    }
    assert summary["reasons"] == [
        {"stage": "optout", "reason": "robots-disallow", "verdict": "dropped", "records": 3},
        {"stage": "quality", "reason": "few-words", "verdict": "dropped", "records": 2},
        {"stage": "dedup", "reason": "near-duplicate", "verdict": "duplicate", "records": 1},
        {"stage": "optout", "reason": "robots-unparsable", "verdict": "dropped", "records": 1},
        {"stage": "read", "reason": "corrupt-range", "verdict": "error", "records": 1},
        {"stage": "takedown", "reason": "request", "verdict": "removed", "records": 1},
    ]
    assert summary["hosts"] == {"a.example": 2, "b.example": 1}
    assert summary["dropped_hosts"] == {
        "c.example": 2,
        "d.example": 2,
        "a.example": 1,
        "b.example": 1,
        "e.example": 1,
        "f.example": 1,
    }
    assert summary["agents"] == {"GPTBot": 2, "*": 1}
    assert summary["ruled_hosts"] == {"optout": {"d.example": 2, "e.example": 1, "f.example": 1}}
    assert summary["period"] == {"first": "2024-01-31T23:59:59Z", "last": "2024-03-05T00:00:01Z"}
    assert summary["signals"] == {"robots.txt": 4}
    assert summary["evidence"] == {
        "rules": [
            _rule("robots-disallow", "GPTBot", 2),
            _rule("robots-disallow", "*", 1),
            _rule("robots-unparsable", "-", 1),
        ],
        "by_source": {"web": [_of_source("robots-disallow", 3), _of_source("robots-unparsable", 1)]},
        "basis": {
            "first": "2024-01-31T23:59:59Z",
            "last": "2024-03-05T00:00:01Z",
            "outcomes": [
                {"outcome": "rules", "via": "-", "kept": True, "records": 2},
                {"outcome": "allow", "via": "-", "kept": True, "records": 1},
                {"outcome": "rules", "via": "-", "kept": False, "records": 1},
            ],
            "totals": [
                {"outcome": "rules", "kept": True, "records": 2},
                {"outcome": "allow", "kept": True, "records": 1},
                {"outcome": "rules", "kept": False, "records": 1},
            ],
        },
    }
    assert summary["by_source"]["books"] == {
        "period": {"first": None, "last": None},
        "languages": {"eng_Latn": 10},
        "languages_kept": 1,
        "reasons": [],
    }
    web = summary["by_source"]["web"]
    assert web["languages"] == {"deu_Latn": 1234, "roh_Latn": 300}
    assert sum(row["records"] for row in web["reasons"]) == 9


def _of_source(reason: str, records: int) -> dict[str, object]:
    return {"stage": "optout", "reason": reason, "signal": "robots.txt", "records": records}


def _rule(reason: str, agent: str, records: int) -> dict[str, object]:
    return {"stage": "optout", "reason": reason, "signal": "robots.txt", "agent": agent, "records": records}


NAMES = [f"h{number}.example" for number in range(TOP + 30)]
ROW = st.one_of(
    st.builds(
        lambda host, language, tokens: Row("s", host, "kept", None, None, language, 3, tokens),
        st.sampled_from([*NAMES, None]),
        st.sampled_from(["deu_Latn", "eng_Latn", None]),
        st.integers(2, 2**31 - 1),
    ),
    st.builds(
        lambda host, stage, agent: Row("t", host, "dropped", stage, "why", None, None, None, agent),
        st.sampled_from([*NAMES, None, "[broken"]),
        st.sampled_from(["one", "two"]),
        st.sampled_from(["GPTBot", None]),
    ),
)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(ROW, max_size=150), cut=st.integers(0, 150), group_bytes=st.sampled_from([1, 1 << 25]))
def test_the_summary_is_a_count_however_the_ledger_is_cut(rows: list[Row], cut: int, group_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        summary = _summary(Path(folder) / "cut", [rows[:cut], rows[cut:]], group_bytes)
        assert summary == _summary(Path(folder) / "whole", [rows])
    kept = [row for row in rows if row.verdict == "kept"]
    assert summary["tokens"] == sum(row.tokens or 0 for row in kept)
    assert summary["verdicts"] == Counter(row.verdict for row in rows)
    hosts = Counter(row.host for row in kept if row.host)
    assert summary["hosts"] == dict(sorted(hosts.items(), key=lambda item: (-item[1], item[0]))[:TOP])
    for stage in ("one", "two"):
        out = Counter(r.host for r in rows if r.stage == stage and r.agent and r.host and r.host != "[broken")
        first = dict(sorted(out.items(), key=lambda item: (-item[1], item[0]))[:TOP])
        assert summary["ruled_hosts"].get(stage, {}) == first
    assert summary["signals"].get("robots.txt", 0) == sum(row.agent is not None for row in rows)
    funnel = funnel_rows(summary, ["one", "two"])
    assert [row["ended"] for row in funnel] == [sum(r.stage == name for r in rows) for name in ("one", "two")]
    assert funnel[-1]["records"] - funnel[-1]["ended"] == len(kept)


def test_one_reason_with_two_verdicts_is_counted_whole() -> None:
    reasons = [
        {"stage": "s", "reason": "r", "verdict": "dropped", "records": 3},
        {"stage": "s", "reason": "r", "verdict": "error", "records": 2},
    ]
    assert funnel_rows({"records": 9, "reasons": reasons}, ["s"]) == [
        {"stage": "s", "records": 9, "ended": 5, "reasons": {"r": 5}}
    ]


def test_what_was_removed_and_never_kept_is_in_no_other_stage_s_numbers(tmp_path: Path) -> None:
    """As a corpus of 13 pages would look after a takedown of two, of which optout had ended one."""
    gone = Row("web", "d.example", "removed", "takedown", "url", agent="GPTBot")
    before = _summary(tmp_path / "before", [list(ROWS)])
    after = _summary(tmp_path / "after", [[*ROWS[:7], gone, *ROWS[8:]]])
    order = ["read", "optout", "quality", "dedup"]
    was, now = funnel_rows(before, order), funnel_rows(after, order)
    assert now[0] == {"stage": UNPLACED, "records": 13, "ended": 1, "reasons": {"url": 1}}
    assert [row["records"] for row in now[1:]] == [12, 11, 8, 6, 5]
    assert [row["records"] for row in was] == [13, 12, 8, 6, 5]
    assert now[-1] == was[-1] == {"stage": "takedown", "records": 5, "ended": 1, "reasons": {"request": 1}}
