"""What the raw statements of a page mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from lauter.stages.optout.robots.rules import Reading, agent_token
from lauter.stages.optout.signals.content_signal import signal_says
from lauter.stages.optout.signals.directives import Directive, header_directives, meta_directives
from lauter.stages.optout.signals.lines import evidence
from lauter.stages.optout.signals.links import RSL_TYPE, read
from lauter.stages.optout.signals.statement import Says, Statement
from lauter.stages.optout.signals.tdmrep import reservation
from lauter.stages.optout.signals.usage import usage_says


def page_statements(place: str, name: str, value: str, agents: Sequence[str]) -> tuple[Statement, ...]:
    """The meaning of one row of `raw.PAGE_SIGNAL`; empty where it says nothing to the policy's agents. Never raises.

    `noindex` (and `none`) said to one of `agents` by name is `agent-noindex`, said to everyone `noindex`; a directive
    that is said to another agent is nothing. Of TDMRep a page's rows count together: `tdm_of_page`. A `tdm-policy` and
    licences are notes, as is a pointer to RSL terms (`rsl-unread`).
    """
    text = evidence(value)
    if name == "license":
        url, media_type = read(value)
        return (_note("rsl-unread" if media_type == RSL_TYPE else "licence", evidence(url)),)
    if name == "tdm-reservation":
        says = _reserved(value)
        return (Statement("tdmrep", says, "/", (), None, text),) if says else ()
    if name == "tdm-policy":
        return (_note("tdmrep", text),)
    if name == "content-usage":
        return tuple(Statement(kind, said, "/", (), None, text) for kind, said in usage_says(value).items())
    if name == "content-signal":
        signal = signal_says(value)
        return (Statement("content-signal", signal, "/", (), None, text),) if signal else ()
    if place == "meta" and name.startswith(("dc.", "dcterms.")):
        return (_note("licence", text),)
    spoken = header_directives(value) if name == "x-robots-tag" else meta_directives(name, value)
    return tuple(dict.fromkeys(_directives(spoken, agents, text)))


def tdm_of_page(rows: Iterable[tuple[str, str, str]], reading: Reading = "rfc9309") -> Literal["deny", "allow"] | None:
    """What (place, name, value) rows of one page say by TDMRep together; None where the origin's file counts.

    A meta element overrides the header, and either overrides the file (final report, sections 6 and 7). Where several
    of one place differ, the reservation counts. Under the reading `strict` it counts wherever it stands.
    """
    said: dict[str, set[Literal["deny", "allow"]]] = {"meta": set(), "header": set()}
    for place, name, value in rows:
        says = _reserved(value) if name == "tdm-reservation" else None
        if says and place in said:
            said[place].add(says)
    if reading == "strict":
        said = {"anywhere": set().union(*said.values())}
    for answers in said.values():
        if answers:
            return "deny" if "deny" in answers else "allow"
    return None


def _reserved(value: str) -> Literal["deny", "allow"] | None:
    # Proxies join repeated fields with commas (RFC 9110 section 5.3).
    answers = [reservation(one) for one in value.split(",")]
    if "deny" in answers:
        return "deny"
    return "allow" if "allow" in answers else None


def _directives(spoken: Iterable[Directive], agents: Sequence[str], text: str) -> Iterator[Statement]:
    tokens = {agent_token(agent) for agent in agents}
    for agent, word in spoken:
        if agent and agent_token(agent) not in tokens:
            continue
        signal = word if word in ("noai", "noimageai") else "agent-noindex" if agent else "noindex"
        yield Statement(signal, "deny", "/", (agent,) if agent else (), None, text)


def _note(signal: str, text: str) -> Statement:
    says: Says = "note"
    return Statement(signal, says, "/", (), None, text)
