"""`lauter optout check`: what a robots.txt, or a compiled index, says of URLs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer
from rich.console import Console

from lauter.pipeline.cli.console import USAGE, JsonOption, fail, show
from lauter.pipeline.origin import locate

if TYPE_CHECKING:
    from lauter.stages.optout.robots.verdict import FileVerdicts, Verdict

_STANDARD_INPUT = "-"
# Agents that are named in a line of the readable answer; --json has them all.
_NAMED = 6


def check(
    urls: Annotated[
        list[str] | None, typer.Argument(metavar="URL…", help="http(s) URLs, or paths that start with /.")
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(metavar="FILE.jsonl", help="Rows of robots (or robots_b64), agent and url; - is standard input."),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="A folder that `lauter optout compile` wrote, or the run folder of a build."),
    ] = None,
    robots: Annotated[str | None, typer.Option(metavar="FILE", help="A robots.txt; - is standard input.")] = None,
    agents: Annotated[
        str | None, typer.Option(metavar="A,B", help="Product tokens of agents, with commas between.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(metavar="P", help="A policy, by name or file, whose agents are asked for.")
    ] = None,
    *,
    strict: Annotated[
        bool, typer.Option("--strict", help="Show where the older first-match reading answers otherwise.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a robots.txt allows, by which rule, as RFC 9309 reads it.

    With --batch: each row comes back with allowed, rule and line, one JSON object a line, in order.
    """
    given = [
        name for name, value in (("--batch", batch), ("--index", index), ("--robots", robots)) if value is not None
    ]
    if len(given) != 1:
        fail(f"give one of --batch, --index and --robots, not {' and '.join(given) or 'none'}", USAGE)
    if batch is not None:
        if urls or agents or policy or strict:
            fail("--batch has its agents and URLs in the rows: no URL, --agents, --policy or --strict beside it", USAGE)
        _answer_batch(batch)
        return
    if not urls:
        fail("name at least one URL", USAGE)
    if agents is not None and policy is not None:
        fail("give --agents or --policy, not both", USAGE)
    if index is not None:
        from lauter.stages.optout.cli.check_index import check_index

        if agents or policy or strict:
            fail("an index is compiled for its own policy: no --agents, --policy or --strict beside --index", USAGE)
        check_index(index, urls, as_json=as_json)
        return
    for url in urls:
        if not url.startswith("/") and locate(url) is None:
            fail(f"{url!r}: neither an http(s) URL nor a path that starts with /; no robots.txt speaks of it", USAGE)
    _check_file(str(robots), _agents(agents, policy), urls, strict=strict, as_json=as_json)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == _STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    try:
        with Path(name).open("rb") as stream:
            yield stream
    except BrokenPipeError:
        raise  # Of standard output, not of the file.
    except OSError as error:
        fail(f"{name}: {error.strerror or error}", USAGE)


def _answer_batch(name: str) -> None:
    from lauter.stages.optout.robots.batch import answer_rows

    with _opened(name) as stream:
        for line in answer_rows(stream):
            sys.stdout.write(line + "\n")


def _agents(agents: str | None, policy: str | None) -> tuple[str, ...]:
    if agents is not None:
        names = tuple(dict.fromkeys(name.strip() for name in agents.split(",") if name.strip()))
        return names or fail(f"--agents {agents!r} names nobody", USAGE)
    from lauter.stages.optout.agents import load_preset
    from lauter.stages.optout.policy import load_policy, load_policy_file

    name = policy or "default"
    try:
        chosen = load_policy_file(name) if name.endswith((".yaml", ".yml")) else load_policy(name)
        return load_preset(chosen.agents).names
    except ValueError as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{name}: {error.strerror or error}", USAGE)


def _check_file(name: str, agents: Sequence[str], urls: Sequence[str], *, strict: bool, as_json: bool) -> None:
    from lauter.stages.optout.robots.verdict import file_verdicts

    with _opened(name) as stream:
        body = stream.read()
    found = file_verdicts(body, agents, urls, strict=strict)
    if as_json:
        show([_as_json(found, verdict) for verdict in found.verdicts])
        return
    console = Console(emoji=False, markup=False, highlight=False, soft_wrap=True)
    if not found.parsable:
        # Silence would be a permission that nobody gave.
        console.print(f"{name}: no line of it is a record of a robots.txt: nobody knows what the owner said")
        return
    if found.truncated:
        console.print(f"{name}: only the first 500 KiB are read")
    for verdict in found.verdicts:
        _print(console, verdict)


def _as_json(found: FileVerdicts, verdict: Verdict) -> dict[str, Any]:
    return {
        "url": verdict.url,
        "allowed": verdict.allowed if found.parsable else None,
        "decisions": [
            {
                "allowed": decision.allowed if found.parsable else None,
                "rule": decision.rule,
                "line": decision.line,
                "known": decision.known,
                "agents": list(agents),
            }
            for decision, agents in verdict.decisions.items()
        ],
        "odd_spelling": verdict.spelt and verdict.spelt._asdict(),
        "first_match": {agent: denial and denial._asdict() for agent, denial in verdict.first_match.items()},
        "parsable": found.parsable,
        "truncated": found.truncated,
    }


def _print(console: Console, verdict: Verdict) -> None:
    headline = "allowed" if verdict.allowed else "denied"
    if verdict.spelt:
        headline = "allowed by RFC 9309, but a build drops it"
    console.print(f"{verdict.url}: {headline}")
    for decision, agents in verdict.decisions.items():
        why = "no rule speaks of it" if decision.line is None else f"line {decision.line}: {decision.rule}"
        if not decision.known:
            why = "its rules cannot be matched within the limit of comparisons"
        console.print(f"  {'allowed' if decision.allowed else 'denied '} to {_listed(agents)}; {why}")
    if verdict.spelt:
        denial = verdict.spelt
        console.print(
            f"  a build counts line {denial.line} as an opt-out, though it is no rule of the standard: {denial.text}"
        )
    for agent, denied in verdict.first_match.items():
        what = "permits it" if denied is None else f"denies it by line {denied.line}: {denied.text}"
        console.print(f"  a first-match reader {what} ({agent})")


def _listed(agents: Sequence[str]) -> str:
    more = len(agents) - _NAMED
    return ", ".join(agents[:_NAMED]) + (f" and {more} more" if more > 0 else "")
