"""What owners' opt-outs did to a corpus, for its report and for sections 2.3 and 3.1 of the public summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lauter.pipeline.contract import ReportSection, ReportTable
from lauter.stages.optout.agents import AgentList
from lauter.stages.optout.config import OptOutConfig, effective_agents, effective_policy, host_lists
from lauter.stages.optout.findings import LIST
from lauter.stages.optout.hosts import HostLists
from lauter.stages.optout.policy import SIGNALS, Policy
from lauter.stages.optout.reasons import NAMES, UNKNOWN
from lauter.stages.optout.report_hosts import HOST_DENIED, list_sentences
from lauter.stages.optout.several import several

STAGE = "optout"

OUTCOMES = {
    "rules": "has rules for agents of the policy",
    "allow": "has none for them, or there is no file",
    "unparsable": "is no robots.txt",
    "unreachable": "could not be fetched",
    "forbidden": "may not be fetched (401, 403)",
    "missing": "is not there, only other files are",
}
"""Outcomes of an origin, as the snapshots' compiler counts them, in words."""

SNAPSHOT = {
    "superseded": "replaced by a newer one",
    "after_as_of": "after the policy’s date",
    "undated": "without a date",
    "redirected": "redirected",
    "truncated": "longer than what is read",
    "broken": "broken",
    "no_origin": "without an origin",
    "not_robots": "of other files, or of a tdmrep.json or ai.txt that is not there",
    "lost": "places where bytes are lost",
    "revisits": "unchanged since an earlier one",
    "unresolved": "unchanged since one that is not there",
    "other_records": "no answers",
}
"""What is counted of a snapshot's answers, in words; what is zero is left out."""

FILES = {"tdmrep.json": "tdmrep.json", "ai.txt": "ai.txt", "rsl": "RSL licences"}
"""Files besides robots.txt, as they are counted in a snapshot, in words."""

STAR = {
    "agent": "“*” counts as an agent of its own",
    "fallback": "“*” speaks to the agents that no other group names",
    "ignore": "“*” is not looked at",
}


def optout_report(
    summary: Mapping[str, Any], prepared: Mapping[str, int], config: OptOutConfig
) -> ReportSection | None:
    """The section (`contract.ReportingStage`). Raises ValueError for an unreadable policy or list."""
    policy = effective_policy(config)
    agents = effective_agents(config, policy)
    row = next((row for row in summary["funnel"] if row["stage"] == STAGE), None)
    if row is None:
        return None
    counted = _counted(row)
    by_signal = _by_signal(summary, policy)
    lists = host_lists(config)
    listed = list_sentences(lists, summary["evidence"]["basis"], row["reasons"].get(HOST_DENIED, 0))
    return ReportSection(
        title="Opt-out",
        sentences=(counted, *listed, *_mirrors(summary["mirrors"], policy), *_snapshot(prepared)),
        facts=_facts(policy, agents, config, lists),
        tables=(
            _reasons(row["reasons"], policy),
            ReportTable(
                "Pages ended, by signal",
                ("signal", "this policy", "pages"),
                (*((kind, policy.signals[kind], count) for kind, count in by_signal), *_other_evidence(summary)),
            ),
            ReportTable("Pages ended, by agent", ("agent", "pages"), tuple(_named(summary, agents))),
            ReportTable("Hosts that lost most", ("host", "pages"), _hosts(summary)),
            ReportTable(
                "Origins in the snapshot, by outcome",
                ("newest robots.txt", "origins"),
                tuple((meaning, prepared.get(name, 0)) for name, meaning in OUTCOMES.items()),
            ),
            _known(summary["evidence"]["basis"]),
        ),
        answers={
            "2.3": (counted, _ended_by(by_signal)),
            "3.1": (
                *_protocols(policy, agents, lists),
                *listed,
                *_dates(summary, config),
                *_unknown(policy),
                counted,
            ),
        },
        warnings=lost_bytes(prepared, policy),
    )


def lost_bytes(prepared: Mapping[str, int], policy: Policy) -> tuple[str, ...]:
    """A warning where bytes of the snapshot could not be read, with how to mend it."""
    lost = prepared.get("lost", 0)
    if not lost:
        return ()
    return (
        f"Bytes of the snapshot are lost at {several(lost, 'place')} (damaged or cut off). An origin that is not found "
        f"may have been there; its pages are decided by on_unparsable: {policy.on_unparsable}. Fetch the damaged files "
        "again, or choose with on_unparsable what happens to these pages.",
    )


def _counted(row: Mapping[str, Any]) -> str:
    """How many pages ended, by who ended them: their owners, nobody's knowledge, or the provider."""
    checked, ended, reasons = row["records"], row["ended"], row["reasons"]
    if not checked:
        return "No page was checked for opt-outs."
    whole = f"{several(checked, 'page')} {'was' if checked == 1 else 'were'} checked for opt-outs, "
    whole += f"{ended:,} of them ended there ({_share(ended, checked)})"
    unknown = sum(reasons.get(name, 0) for name in UNKNOWN)
    denied, nowhere = reasons.get(HOST_DENIED, 0), reasons.get("no-origin", 0)
    parts = [f"{ended - unknown - denied - nowhere:,} by reservations of their owners"]
    parts += [f"{unknown:,} because nobody knows what the owner says"] if unknown else []
    parts += [f"{denied:,} by the provider’s list of refused hosts"] if denied else []
    parts += [f"{nowhere:,} because their URL names no web host"] if nowhere else []
    return f"{whole}: {', '.join(parts)}." if ended else f"{whole}."


def _other_evidence(summary: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Pages whose evidence is no reservation: of a file that could not be read, or of a list of hosts.

    With these the table has what is counted by signal over the whole corpus for this stage.
    """
    found: dict[str, int] = {}
    for rule in summary["evidence"]["rules"]:
        if rule["stage"] == STAGE and (rule["reason"] in UNKNOWN or rule["signal"] == LIST):
            name = LIST if rule["signal"] == LIST else f"{rule['signal']}: unreachable, or cannot be read"
            found[name] = found.get(name, 0) + rule["records"]
    return [(name, "refused" if name == LIST else "not known", count) for name, count in sorted(found.items())]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if part in (0, whole) or part * 1000 >= whole else "<0.1 %"


def _by_signal(summary: Mapping[str, Any], policy: Policy) -> list[tuple[str, int]]:
    """Pages ended by each kind of signal that the policy lets end a page, zeros too: none is an answer."""
    found: dict[str, int] = {}
    for rule in summary["evidence"]["rules"]:
        # A page of which nothing could be known was not reserved by a signal.
        if rule["stage"] == STAGE and rule["reason"] not in UNKNOWN:
            found[rule["signal"]] = found.get(rule["signal"], 0) + rule["records"]
    return [(kind, found.get(kind, 0)) for kind in SIGNALS if policy.drops(kind) or kind in found]


def _named(summary: Mapping[str, Any], agents: AgentList) -> list[tuple[str, int]]:
    # A page may spell an agent as it likes (RFC 9309 section 2.2.1).
    known = {name.lower(): name for name in (*agents.names, "*")}
    found: dict[str, int] = {}
    for rule in summary["evidence"]["rules"]:
        name = known.get(rule["agent"].lower())
        if rule["stage"] == STAGE and name is not None:
            found[name] = found.get(name, 0) + rule["records"]
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def _hosts(summary: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    hosts: Mapping[str, int] = summary["ruled_hosts"].get(STAGE, {})
    return tuple(sorted(hosts.items(), key=lambda item: (-item[1], item[0])))


def _reasons(reasons: Mapping[str, int], policy: Policy) -> ReportTable:
    always = [NAMES.get(kind, kind) for kind in SIGNALS if policy.drops(kind)]
    always += UNKNOWN
    counts = dict.fromkeys(always, 0) | dict(reasons)
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ReportTable("Pages ended, by reason", ("reason", "pages"), tuple(rows))


def _known(basis: Mapping[str, Any]) -> ReportTable:
    """What was known of the origins of pages, kept and not."""
    counts: dict[tuple[str, str], list[int]] = {}
    for item in basis["outcomes"]:
        counts.setdefault((item["outcome"], item["via"]), [0, 0])[0 if item["kept"] else 1] += item["records"]
    return ReportTable(
        "What decisions rest on",
        ("known of the origin", "found as", "pages kept", "pages not kept"),
        tuple((outcome, "itself" if via == "-" else via, *pair) for (outcome, via), pair in counts.items()),
    )


def _facts(
    policy: Policy, agents: AgentList, config: OptOutConfig, lists: HostLists
) -> tuple[tuple[str, str | int], ...]:
    return (
        ("policy", f"{policy.name}, version of {policy.version}"),
        ("agents", f"{agents.name}{f', version of {agents.version}' if agents.version else ''}: {len(agents.agents)}"),
        ("reading of robots.txt", policy.reading),
        ("groups for everyone", STAR[policy.star]),
        ("answers up to", config.as_of or "the newest"),
        ("opt-outs at crawl time count too", "yes" if policy.also_at_crawl_time else "no"),
        ("copies of opted-out pages", policy.mirrors),
        ("hosts always refused", len(lists.deny)),
        ("hosts always allowed", len(lists.allow)),
    )


def _snapshot(prepared: Mapping[str, int]) -> tuple[str, ...]:
    if not prepared.get("records"):
        return ("The snapshot of opt-outs is empty: of no origin anything was known.",)
    more = "".join(f", {prepared[key]:,} {meaning}" for key, meaning in SNAPSHOT.items() if prepared.get(key))
    others = ", ".join(f"{name} {prepared[key]:,}" for key, name in FILES.items() if prepared.get(key))
    files = f" Besides robots.txt: {others}." if others else ""
    return (
        f"Snapshot: {several(prepared['records'], 'answer')} of {several(prepared.get('origins', 0), 'origin')}{more}."
        f"{files}",
    )


def _mirrors(mirrors: Mapping[str, Any], policy: Policy) -> tuple[str, ...]:
    if not mirrors:
        return ()
    found, dropped = mirrors.get("found", 0), mirrors.get("dropped", 0)
    return (
        f"{found:,} copies of opted-out pages were found elsewhere, {dropped:,} of them dropped; the policy for them is"
        f" “{policy.mirrors}”.",
    )


def _ended_by(by_signal: list[tuple[str, int]]) -> str:
    counts = ", ".join(f"{kind} {count:,}" for kind, count in by_signal)
    return f"Pages ended by reservations of their owners, by signal: {counts}."


def _protocols(policy: Policy, agents: AgentList, lists: HostLists) -> tuple[str, ...]:
    drops = "; ".join(f"{kind} ({SIGNALS[kind]})" for kind in SIGNALS if policy.signals[kind] == "drop")
    records = ", ".join(kind for kind in SIGNALS if policy.signals[kind] == "record")
    names = ", ".join(agents.names)
    return (
        f"Reservations that end a page, under the policy {policy.name} of {policy.version}: {drops or 'none'}.",
        *((f"Recorded without ending a page: {records}.",) if records else ()),
        f"A reservation counts that is said to any of {len(agents.agents)} agents ({agents.name}): {names}; "
        f"{STAR[policy.star]}.",
        "They are applied after collection to every record of every source"
        + (f", except to {several(len(lists.allow), 'host')} that the provider allows by list," if lists.allow else ",")
        + " whenever it was crawled"
        + (", and as they stood at crawl time." if policy.also_at_crawl_time else "."),
    )


def _dates(summary: Mapping[str, Any], config: OptOutConfig) -> tuple[str, ...]:
    basis = summary["evidence"]["basis"]
    limit = f" Answers after {config.as_of} were not looked at." if config.as_of else ""
    if basis["first"] is None:
        return (f"No decision of this corpus rests on a dated answer of an owner’s server.{limit}",)
    return (f"The answers on which decisions rest were fetched from {basis['first']} to {basis['last']}.{limit}",)


def _unknown(policy: Policy) -> tuple[str, ...]:
    verdicts = {
        "nothing of an origin": policy.on_missing,
        "no answer": policy.on_unreachable,
        "a refused answer": policy.on_forbidden,
        "an unreadable one": policy.on_unparsable,
    }
    return (f"Where the snapshot has {'; '.join(f'{what}: {verdict}' for what, verdict in verdicts.items())}.",)
