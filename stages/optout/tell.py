"""What the stage says of one page, in plain words: what was asked, what was found, what follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

AGENTS = 5
"""Names of agents that are told one by one."""

LISTED = "host-list"
TDM = "tdm-reservation"

TEXT = 120
"""Code points of a statement that are told."""

OUTCOMES = {
    "rules": "has rules that concern the policy",
    "allow": "has no rule that concerns the policy",
    "missing": "is not in the snapshot",
    "unreachable": "could not be had",
    "unparsable": "is no robots.txt",
    "forbidden": "is shown to nobody",
    "lost": "is not in the snapshot, of which bytes are lost",
    "file-unparsable": "does not deny it, but the tdmrep.json or ai.txt beside it cannot be read",
    LISTED: "was not asked: its host is on a list",
}
"""`basis.outcome` in words that stand after the name of the file."""


def tell(row: Mapping[str, Any]) -> str | None:
    """A sentence from the evidence of an `explain` row; None where the stage left none."""
    basis = row.get("basis")
    if not basis or not basis["outcome"]:
        return None
    return "; ".join(_parts(row, basis))


def _parts(row: Mapping[str, Any], basis: Mapping[str, Any]) -> Iterator[str]:
    dropped = row["stage"] == "optout" and row["verdict"] in ("dropped", "error")
    rule = row["rule"] if dropped else None
    words = OUTCOMES.get(basis["outcome"], basis["outcome"])
    via = f" ({basis['via']})" if basis["via"] else ""
    if basis["outcome"] == LISTED:
        # There `via` is why the host is on the list, and no other name that was asked.
        yield f"{_file(row, basis)} {words}{via}"
    else:
        yield f"{_file(row, basis)}{via} {words}{'' if rule else _digest(basis)}"
    if dropped:
        yield f"dropped: {row['reason']}{_rule(rule, basis)}"
    elif row["verdict"] != "removed" or row["shard"] is not None:
        # How a removed record had ended is forgotten, unless it had a place among the kept ones.
        yield "nothing denies this page"
    place = _own_reservation(row, rule, dropped=dropped)
    if place is not None:
        yield f"the page's own {place} goes first"
    statements = [
        one for one in _statements(row) if not (rule and rule["text"] and one.partition(": ")[2][:60] in rule["text"])
    ]
    if statements:
        yield f"also on record: {'; '.join(statements)}"


def _own_reservation(row: Mapping[str, Any], rule: Mapping[str, Any] | None, *, dropped: bool) -> str | None:
    """Header or meta, where the page's own tdm-reservation decided (TDMRep final report, sections 6 and 7).

    It did where it is the rule, and where the origin's file denies and yet the page was not dropped.
    """
    if dropped:
        word, _, rest = str(rule["text"] if rule else "").partition(" ")
        return word if rest.startswith(f"{TDM}:") else None
    denied = any(
        statement["signal"] == "tdmrep" and statement.get("says") == "deny"
        for rows in (row.get("evidence") or {}).values()
        for item in rows
        for statement in item.get("statements") or ()
    )
    own = {item["place"] for item in row.get("signals") or () if item["name"] == TDM}
    return next((place for place in ("meta", "header") if denied and place in own), None)


def _file(row: Mapping[str, Any], basis: Mapping[str, Any]) -> str:
    for rows in (row.get("evidence") or {}).values():
        for item in rows:
            if item.get("origin_id") == basis["origin_id"] and item.get("origin"):
                return f"{item['origin']}/robots.txt"
    return "the robots.txt of its origin"


def _digest(basis: Mapping[str, Any]) -> str:
    parts = [f"fetched {basis['fetched_at']}"] if basis["fetched_at"] else []
    parts += [f"SHA-256 {basis['sha256']}"] if basis["sha256"] else []
    return f" ({', '.join(parts)})" if parts else ""


def _rule(rule: Mapping[str, Any] | None, basis: Mapping[str, Any]) -> str:
    if rule is None:
        return ""
    agents = basis["agents"] or ([rule["agent"]] if rule["agent"] else [])
    whom = f", said to {_names(agents)}" if agents else ""
    line = f", line {rule['line']}" if rule["line"] else ""
    return f" by {rule['signal']}{line}{whom}: `{rule['text']}`{_digest(basis)}"


def _names(agents: Sequence[str]) -> str:
    """The first of them; a rule for everyone has all of the policy's."""
    shown = ", ".join(agents[:AGENTS])
    return f"{shown} and {len(agents) - AGENTS} more" if len(agents) > AGENTS else shown


def _statements(row: Mapping[str, Any]) -> Sequence[str]:
    """What the page and its origin say besides, as recorded."""
    page = [f"{item['place']} {item['name']}: {item['value'][:TEXT]}" for item in row.get("signals") or ()]
    origin = [
        f"{statement['signal']}, line {statement['line']}: {statement['text'][:TEXT]}"
        for rows in (row.get("evidence") or {}).values()
        for item in rows
        for statement in item.get("statements") or ()
    ]
    return [*page, *origin]
