"""`lauter optout fetch`: ask hosts what they say today."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from lauter import __version__
from lauter.pipeline.cli.console import FAILED, INTERRUPTED, USAGE, JsonOption, fail, show
from lauter.stages.optout.several import several

if TYPE_CHECKING:
    from lauter.stages.optout.fetch.run import Summary

_SHOWN_LINES = 10
_STANDARD_INPUT = "-"
# A URL of a page, or a mail address, without a bracket or white space that would end the comment that it stands in.
_CONTACT = re.compile(r"https?://[^\s/()]+[^\s()]*|(?:mailto:)?[^\s@()/:]+@[^\s@()/:]+\.[^\s@()/:]+").fullmatch


def fetch(
    hosts: Annotated[
        str,
        typer.Argument(
            metavar="HOSTS", help="One host (a bare one means https), origin or URL a line; - is standard input."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="SNAPSHOT", help="A .jsonl or .jsonl.gz to write, or to go on with.")],
    kinds: Annotated[str, typer.Option(help="What to ask for, with commas between.")] = "robots.txt,tdmrep.json,ai.txt",
    concurrency: Annotated[int, typer.Option(min=1, max=10_000, help="Hosts asked at a time.")] = 100,
    timeout: Annotated[float, typer.Option(min=0.1, metavar="S", help="Seconds for one request.")] = 30.0,
    retries: Annotated[
        int, typer.Option(min=0, max=10, help="After a 5xx, a 408, 425 or 429, or a network error.")
    ] = 2,
    contact: Annotated[
        str | None,
        typer.Option(metavar="URL|MAIL", help="Where owners learn who asks; is put at the end of the user agent."),
    ] = None,
    user_agent: Annotated[
        str | None, typer.Option(metavar="UA", help="What stands in place of Lauter/VERSION.")
    ] = None,
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Ask once more where an earlier run got an error, a 408, 425, 429 or 5xx.")
    ] = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Connect to private and loopback addresses too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask hosts for robots.txt, tdmrep.json and ai.txt; run again, it goes on where it ended.

    A host that fails is a row with its error, not a failure of the command.
    """
    if find_spec("aiohttp") is None:
        fail(
            "fetching needs aiohttp: install Lauter with its extra `fetch` (pip install '.[fetch]' in the checkout)",
            USAGE,
        )
    from lauter.stages.optout.fetch.address import is_public
    from lauter.stages.optout.fetch.exchange import Settings
    from lauter.stages.optout.fetch.hosts import read_origins
    from lauter.stages.optout.fetch.run import KINDS, fetch_all
    from lauter.stages.optout.fetch.store import SnapshotError, Store

    wanted = list(dict.fromkeys(kind.strip() for kind in kinds.split(",") if kind.strip()))
    if not wanted or not set(wanted) <= set(KINDS):
        fail(f"--kinds {kinds}: name some of {', '.join(KINDS)}", USAGE)
    settings = Settings(
        user_agent=_user_agent(user_agent, contact),
        timeout_s=timeout,
        concurrency=concurrency,
        retries=retries,
        permitted=(lambda _: True) if allow_private else is_public,
    )
    rejected: list[str] = []
    origins = list(read_origins(_read_lines(hosts), rejected))
    console = Console(stderr=True, emoji=False)
    name = "standard input" if hosts == _STANDARD_INPUT else hosts
    _tell_rejected(console, name, rejected)
    if not origins:
        fail(f"no host in {name}; write one a line, example.org or https://example.org", USAGE)
    try:
        with (
            Store(out, again=again) as store,
            # Where nobody looks, the bar would leave an empty line.
            Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
        ):
            if store.dropped_bytes:
                console.print(f"the last row of {escape(str(out))} was cut off: it is fetched again", soft_wrap=True)
            asked = iter(progress.track(origins, description="asking"))
            summary = asyncio.run(fetch_all(asked, wanted, store, settings))
    except SnapshotError as error:
        fail(str(error), FAILED if out.name.endswith((".jsonl", ".jsonl.gz")) else USAGE)
    except OSError as error:
        fail(f"{out}: {error.strerror or error}; what was fetched before is kept", FAILED)
    except KeyboardInterrupt:
        fail("interrupted; run the same command again to go on", INTERRUPTED)
    if as_json:
        show({**summary.to_json(), "rejected_lines": rejected, "snapshot": str(out)})
    else:
        _print(Console(emoji=False), summary, out)
    refused = sum(counts["refused-address"] for counts in summary.answers.values())
    if refused and not allow_private:
        console.print(
            f"{several(refused, 'file')} not asked for, because the host has a private or loopback address alone; "
            "--allow-private asks such hosts too",
            soft_wrap=True,
            highlight=False,
        )


def _tell_rejected(console: Console, name: str, rejected: Sequence[str]) -> None:
    for line in rejected[:_SHOWN_LINES]:
        console.print(f"{escape(name)}:{escape(line)}", soft_wrap=True, highlight=False)
    if len(rejected) > _SHOWN_LINES:
        more = several(len(rejected) - _SHOWN_LINES, "more line")
        console.print(f"and {more} without a host", highlight=False)


def _user_agent(product: str | None, contact: str | None) -> str:
    if contact is not None and not _CONTACT(contact):
        fail(f"--contact {contact}: give the http(s) URL of a page, or a mail address", USAGE)
    agent = product or f"Lauter/{__version__}"
    agent += f" (+{contact})" if contact else ""
    if not agent.isascii() or not agent.isprintable():
        fail(f"user agent {agent!r}: a header takes printable ASCII only", USAGE)
    return agent


def _read_lines(hosts: str) -> Sequence[str]:
    try:
        data = sys.stdin.buffer.read() if hosts == _STANDARD_INPUT else Path(hosts).read_bytes()
    except OSError as error:
        fail(f"{hosts}: {error.strerror}", USAGE)
    return data.decode("utf-8", "replace").splitlines()


def _print(console: Console, summary: Summary, out: Path) -> None:
    from lauter.stages.optout.fetch.exchange import ERRORS

    console.print(
        f"{several(summary.origins, 'origin')}, {several(summary.fetched, 'answer')} fetched with "
        f"{summary.tries:,} {'try' if summary.tries == 1 else 'tries'}, "
        f"{summary.skipped:,} {'was' if summary.skipped == 1 else 'were'} there",
        highlight=False,
    )
    for kind, counts in summary.answers.items():
        for name, count in sorted(counts.items()):
            meaning = f"  {ERRORS[name]}" if name in ERRORS else ""
            console.print(f"  {kind:<12} {name:<18} {count:>9,}{meaning}", highlight=False, soft_wrap=True)
    if summary.truncated or summary.broken:
        console.print(f"  {summary.truncated:,} cut at 500 KiB, {summary.broken:,} not decodable", highlight=False)
    console.print(str(out), soft_wrap=True, highlight=False, markup=False)
