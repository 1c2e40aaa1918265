"""`lauter optout check --index`: what a build over a compiled index would decide of URLs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from rich.console import Console

from lauter.pipeline.cli.console import USAGE, fail, show
from lauter.stages.optout.tell import OUTCOMES

# Agents that are named in a line of the readable answer; --json has them all.
_NAMED = 6

_FILES = {"tdmrep": "tdmrep.json", "ai.txt": "ai.txt", "rsl": "RSL licence document"}
"""Signals that are read in another file than robots.txt, and that file."""


def check_index(folder: str, urls: Sequence[str], *, as_json: bool) -> None:
    """Print for each URL whether the policy of the index lets it be used, and what says so."""
    answers = _answers(folder, urls)
    if as_json:
        show(answers)
        return
    console = Console(emoji=False, markup=False, highlight=False, soft_wrap=True)
    for answer in answers:
        _print(console, answer)


def _answers(folder: str, urls: Sequence[str]) -> list[dict[str, Any]]:
    """The stage's own decisions for pages of which nothing is known but the URL."""
    from lauter.stages.optout.cli.index_folder import open_folder

    try:
        stage = open_folder(folder)
    except OSError as error:
        fail(f"{folder}: {error.strerror or error}", USAGE)
    except ValueError as error:
        fail(str(error), USAGE)
    verdict = stage.apply(pa.record_batch({"url": pa.array(urls, pa.string())}))
    rules = [None] * len(urls) if verdict.rule is None else verdict.rule.to_pylist()
    bases = verdict.columns["basis"].to_pylist()
    return [
        _answer(url, stage.reasons[code - 1].name if code else None, rule, basis)
        for url, code, rule, basis in zip(urls, verdict.reason.tolist(), rules, bases, strict=True)
    ]


def _answer(
    url: str, reason: str | None, rule: Mapping[str, Any] | None, basis: Mapping[str, Any] | None
) -> dict[str, Any]:
    rule, basis = rule or {}, basis or {}
    return {
        "url": url,
        "allowed": reason is None,
        "reason": reason,
        "signal": rule.get("signal"),
        "rule": rule.get("text"),
        "line": rule.get("line"),
        "agents": list(basis.get("agents") or [agent for agent in [rule.get("agent")] if agent]),
        "outcome": basis.get("outcome"),
        "via": basis.get("via"),
        "file": _FILES.get(rule.get("signal") or "", "robots.txt") if basis.get("sha256") else None,
        "sha256": basis["sha256"].hex() if basis.get("sha256") else None,
        "fetched_at": basis["fetched_at"].isoformat() if basis.get("fetched_at") else None,
    }


def _print(console: Console, answer: Mapping[str, Any]) -> None:
    console.print(f"{answer['url']}: {'allowed' if answer['allowed'] else 'denied'}")
    if answer["reason"]:
        places = [answer["signal"], answer["line"] and f"line {answer['line']}"]
        where = ", ".join(place for place in places if place)
        why = "the URL has no http(s) origin" if answer["reason"] == "no-origin" else "so the policy has it"
        console.print(f"  {answer['reason']}{where and f' ({where})'}: {answer['rule'] or why}")
    if answer["agents"]:
        more = len(answer["agents"]) - _NAMED
        console.print(f"  for {', '.join(answer['agents'][:_NAMED])}{f' and {more} more' if more > 0 else ''}")
    known = [OUTCOMES.get(answer["outcome"] or "", answer["outcome"] or "")]
    known += [f"asked of its {answer['via']} relative"] if answer["via"] else []
    answered = [f"fetched {answer['fetched_at']}"] if answer["fetched_at"] else []
    answered += [f"SHA-256 {answer['sha256']}"] if answer["sha256"] else []
    # The digest is that of the file that denies, which need not be the robots.txt.
    other = answer["file"] not in (None, "robots.txt")
    if known[0]:
        console.print(f"  robots.txt of its origin {', '.join(known if other else known + answered)}")
    if other and answered:
        console.print(f"  {answer['file']}: {', '.join(answered)}")
