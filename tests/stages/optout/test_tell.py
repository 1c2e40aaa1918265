"""What the stage says of a page in plain words."""

from __future__ import annotations

from typing import Any

from lauter.stages.optout.tell import tell

BASIS = {
    "outcome": "rules",
    "origin_id": "01",
    "via": None,
    "sha256": "ab" * 32,
    "fetched_at": "2025-01-31T00:00:00+00:00",
    "agents": None,
}
EVIDENCE = {"optout/origins.parquet": [{"origin_id": "01", "origin": "https://a.example", "statements": []}]}


def row(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of explain
    plain: dict[str, Any] = {
        "stage": None,
        "verdict": "kept",
        "reason": None,
        "rule": None,
        "basis": BASIS,
        "evidence": EVIDENCE,
    }
    plain |= {"shard": 0}
    return plain | changes


def test_a_keep_names_the_file_and_its_digest() -> None:
    assert tell(row()) == (
        "https://a.example/robots.txt has rules that concern the policy (fetched 2025-01-31T00:00:00+00:00, SHA-256 "
        f"{'ab' * 32}); nothing denies this page"
    )


def test_a_drop_names_line_and_agents() -> None:
    rule = {"agent": "GPTBot", "signal": "robots.txt", "line": 2, "text": "Disallow: /"}
    told = tell(
        row(
            stage="optout",
            verdict="dropped",
            reason="robots-disallow",
            rule=rule,
            basis=BASIS | {"agents": ["GPTBot", *(f"bot{n}" for n in range(6))]},
        )
    )
    assert told is not None
    assert "by robots.txt, line 2, said to GPTBot, bot0, bot1, bot2, bot3 and 2 more: `Disallow: /`" in told
    assert told.count("SHA-256") == 1


def test_what_else_is_on_record_is_told() -> None:
    said = [{"place": "header", "name": "tdm-reservation", "value": "0", "position": 3}]
    assert str(tell(row(signals=said))).endswith("also on record: header tdm-reservation: 0")


def test_a_listed_host_has_a_reason_and_no_other_name() -> None:
    told = tell(
        row(basis=BASIS | {"outcome": "host-list", "via": "contract of 2024", "sha256": None, "fetched_at": None})
    )
    assert told == (
        "https://a.example/robots.txt was not asked: its host is on a list (contract of 2024); nothing denies this page"
    )


def test_the_page_s_own_reservation_goes_first() -> None:
    rule = {"agent": None, "signal": "tdmrep", "line": 3, "text": "header tdm-reservation: 1"}
    dropped = tell(row(stage="optout", verdict="dropped", reason="tdm-reservation", rule=rule))
    assert str(dropped).endswith("; the page's own header goes first")
    origin = {"signal": "tdmrep", "line": 1, "text": "/ 1", "says": "deny"}
    evidence = {"optout/origins.parquet": [EVIDENCE["optout/origins.parquet"][0] | {"statements": [origin]}]}
    said = [{"place": "meta", "name": "tdm-reservation", "value": "0", "position": 3}]
    assert "the page's own meta goes first" in str(tell(row(signals=said, evidence=evidence)))
    assert "goes first" not in str(tell(row(signals=said))), "there was nothing to go before"
    assert "goes first" not in str(tell(row(evidence=evidence)))


def test_of_a_removed_page_without_a_place_no_permission_is_told() -> None:
    assert "nothing denies" in str(tell(row(verdict="removed", stage="takedown")))
    assert "nothing denies" not in str(tell(row(verdict="removed", stage="takedown", shard=None)))


def test_without_a_basis_there_is_nothing_to_tell() -> None:
    assert tell(row(basis=None)) is None
