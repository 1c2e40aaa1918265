"""The opt-out section, from a summary of a ledger made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lauter.pipeline.contract import ReportSection
from lauter.pipeline.report.funnel import funnel_rows
from lauter.stages.optout.config import OptOutConfig, effective_agents, effective_policy
from lauter.stages.optout.policy import SIGNALS
from lauter.stages.optout.report import optout_report
from tests.pipeline.report.hand_made import Row, corpus

ROWS = (
    Row("web", "a.example", "kept", None, None, None, 9, 9, None, None, "2025-01-10T00:00:00Z", "allow"),
    Row("web", "a.example", "kept", None, None, None, 9, 9, None, None, "2025-01-09T00:00:00Z", "rules"),
    Row("web", None, "error", "read", "corrupt-range"),
    *[Row("web", "b.example", "dropped", "optout", "robots-disallow", agent="GPTBot", outcome="rules")] * 3,
    Row("web", "c.example", "dropped", "optout", "tdm-reservation", signal="tdmrep"),
    Row("web", "d.example", "dropped", "optout", "robots-unreachable"),
    Row("web", "e.example", "dropped", "quality", "few-words", signal="words"),
)
PREPARED = {
    "records": 9,
    "superseded": 2,
    "origins": 7,
    "rules": 4,
    "allow": 2,
    "unparsable": 1,
    "broken": 0,
    "ai.txt": 3,
}


def _section(folder: Path, copies: dict[str, int] | None = None, **config: Any) -> ReportSection:  # noqa: ANN401
    summary = corpus(folder, ROWS)["summary"]
    told = {**summary, "funnel": funnel_rows(summary, ["read", "optout", "quality"]), "mirrors": copies or {}}
    section = optout_report(told, PREPARED, OptOutConfig.model_validate(config))
    assert section is not None
    return section


def _tables(section: ReportSection) -> dict[str, dict[str, Any]]:
    return {table.title: {str(row[0]): row[-1] for row in table.rows} for table in section.tables}


def test_the_section_counts_what_was_asked_and_what_came_of_it(tmp_path: Path) -> None:
    section = _section(tmp_path)
    assert section.sentences == (
        "8 pages were checked for opt-outs, 5 of them ended there (62.5 %): 4 by reservations of their owners, 1 "
        "because nobody knows what the owner says.",
        "No host is allowed or refused by a list.",
        "Snapshot: 9 answers of 7 origins, 2 replaced by a newer one. Besides robots.txt: ai.txt 3.",
    )
    tables = _tables(section)
    reasons = tables["Pages ended, by reason"]
    assert {name: count for name, count in reasons.items() if count} == {
        "robots-disallow": 3,
        "tdm-reservation": 1,
        "robots-unreachable": 1,
    }
    assert reasons["robots-missing"] == 0, "that nothing was removed for a reason is an answer"
    signals = tables["Pages ended, by signal"]
    assert {name: count for name, count in signals.items() if count} == {"robots.txt": 3, "tdmrep": 1}
    assert tables["Pages ended, by agent"] == {"GPTBot": 3}
    assert tables["Hosts that lost most"] == {"b.example": 3, "c.example": 1}
    assert list(tables["Origins in the snapshot, by outcome"].values()) == [4, 2, 1, 0, 0, 0]
    rows = next(table.rows for table in section.tables if table.title == "What decisions rest on")
    assert set(rows) == {("rules", "itself", 1, 3), ("allow", "itself", 1, 0)}


@pytest.mark.parametrize("name", ["default", "strict", "apertus-2025-01"])
def test_the_summary_hears_protocols_agents_dates_and_counts(tmp_path: Path, name: str) -> None:
    config = OptOutConfig(policy=name, as_of="2025-02-01")
    policy, agents = effective_policy(config), effective_agents(config, effective_policy(config))
    section = _section(tmp_path, policy=name, as_of="2025-02-01")
    text = " ".join(section.answers["3.1"])
    for kind in SIGNALS:
        assert (f"{kind} ({SIGNALS[kind]})" in text) == (policy.signals[kind] == "drop"), kind
    assert all(agent in text for agent in agents.names)
    assert "fetched from 2025-01-09T00:00:00Z to 2025-01-10T00:00:00Z" in text
    assert "Answers after 2025-02-01 were not looked at" in text
    assert f"no answer: {policy.on_unreachable}" in text
    assert "5 of them ended there" in text
    assert "tdmrep 1" in " ".join(section.answers["2.3"])
    facts = dict(section.facts)
    assert facts["policy"] == f"{name}, version of {policy.version}"
    assert facts["answers up to"] == "2025-02-01"


def test_copies_of_opted_out_pages_are_told(tmp_path: Path) -> None:
    section = _section(tmp_path, {"found": 12, "dropped": 5}, mirrors="drop")
    told = "12 copies of opted-out pages were found elsewhere, 5 of them dropped; the policy for them is “drop”."
    assert told in section.sentences


LISTED = (
    *[Row("web", "l.example", "kept", None, None, "deu_Latn", 9, 9, outcome="host-list", via="licence 7")] * 2,
    Row("web", "l.example", "dropped", "quality", "few-words", outcome="host-list", via="licence 7"),
    Row("web", "r.example", "dropped", "optout", "host-denied", signal="host-list", outcome="host-list", via="court"),
    Row("web", "r.example", "dropped", "optout", "robots-disallow", agent="GPTBot", outcome="rules"),
)


def test_what_the_lists_of_hosts_decided_is_told_apart_from_what_owners_said(tmp_path: Path) -> None:
    allow = [{"host": "l.example", "reason": "licence 7"}, {"host": "*.n.example", "reason": "licence 8"}]
    config = OptOutConfig.model_validate(
        {"allow_hosts": allow, "deny_hosts": [{"host": "r.example", "reason": "court"}]}
    )
    summary = corpus(tmp_path, LISTED)["summary"]
    told = {**summary, "funnel": funnel_rows(summary, ["read", "optout", "quality"]), "mirrors": {}}
    section = optout_report(told, PREPARED, config)
    assert section is not None
    rights = section.answers["3.1"]
    assert any("every record of every source, except to 2 hosts that the provider allows by list" in s for s in rights)
    assert (
        "2 hosts are allowed by a list of the provider, so that no reservation of their owners is applied to them: "
        "l.example (licence 7); *.n.example (licence 8). 3 pages went past the opt-outs on this ground alone, 2 of "
        "them are in the corpus."
    ) in rights
    assert (
        "1 host is refused by a list of the provider, whatever their owners say: r.example (court). 1 record ended by "
        "it; they are not counted as reservations."
    ) in rights
    assert "No page was met of these entries of the lists: *.n.example." in rights
    assert (
        "5 pages were checked for opt-outs, 2 of them ended there (40.0 %): 1 by reservations of their owners, "
        "1 by the provider’s list of refused hosts."
    ) in section.sentences
    signals = _tables(section)["Pages ended, by signal"]
    assert (signals["robots.txt"], signals["host-list"]) == (1, 1)
    assert sum(signals.values()) == sum(summary["signals"].values())


def test_lost_bytes_of_the_snapshot_are_a_warning(tmp_path: Path) -> None:
    summary = corpus(tmp_path, ROWS)["summary"]
    told = {**summary, "funnel": funnel_rows(summary, ["read", "optout", "quality"]), "mirrors": {}}
    assert _section(tmp_path / "other").warnings == ()
    section = optout_report(told, {**PREPARED, "lost": 1}, OptOutConfig())
    assert section is not None
    (warning,) = section.warnings
    assert "lost at 1 place (" in warning and "on_unparsable" in warning
