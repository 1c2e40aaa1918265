"""`lauter takedown` and `lauter filter-output`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date as calendar_date
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cli.console import FAILED, USAGE, FolderArgument, JsonOption, fail, show
from lauter.pipeline.storage import Storage, StorageError

if TYPE_CHECKING:
    from lauter.pipeline.takedown.act import Outcome
    from lauter.pipeline.takedown.tell import Told

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FILTER_PATH = "takedown/output-filter.json"
READ_BYTES = 1 << 16


def takedown(
    folder: FolderArgument,
    urls: Annotated[str | None, typer.Option(metavar="FILE", help="Whole http(s) URLs, one a line.")] = None,
    hosts: Annotated[
        str | None, typer.Option(metavar="FILE", help="Hosts, one a line; `*.example.org` has its subdomains too.")
    ] = None,
    doc_ids: Annotated[str | None, typer.Option(metavar="FILE", help="doc_ids of 32 hex digits, one a line.")] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; published with the demands.")] = None,
    date: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="When they were made.")] = None,
    *,
    with_copies: Annotated[bool, typer.Option(help="Take near-copies of the removed records along.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove records from a finished corpus, and from every later build into it. It cannot be undone.

    The texts and tokens are overwritten and the demand stays in takedown/tombstones.jsonl. A URL is taken as it is
    spelled, but for case, default port and fragment; near spellings that stand in the ledger are named.
    """
    from lauter.pipeline.finished import NoCorpus
    from lauter.pipeline.takedown.act import take_down
    from lauter.pipeline.takedown.demands import DemandError, read_list

    if date is not None and not _is_date(date):
        fail(f"--date {date!r} is no day: write it as 2026-01-31", USAGE)
    lists = [(path, kind) for path, kind in ((urls, "url"), (hosts, "host"), (doc_ids, "doc-id")) if path is not None]
    try:
        wanted = [replace(item, reason=reason, date=date) for path, kind in lists for item in read_list(path, kind)]
        storage = Storage(folder)
        if not wanted and (lists or storage.size("state/takedown.json") is None):
            named = " and ".join(path for path, _ in lists) or "no list (--urls, --hosts or --doc-ids)"
            fail(f"nothing to take down: {named} holds no demand" if lists else f"{named} is given", USAGE)
        outcome = take_down(storage, wanted, with_copies=with_copies)
    except (DemandError, NoCorpus) as error:
        fail(str(error), USAGE)
    except StorageError as error:
        fail(str(error), FAILED)
    if as_json:
        told = outcome.told.to_json()
        show({**outcome.receipt, "root": outcome.root, "resumed": outcome.resumed, "told": told})
        return
    _print(Console(emoji=False), outcome, reason, date)


def _is_date(text: str) -> bool:
    try:
        calendar_date.fromisoformat(text)
    except ValueError:
        return False
    # Of all that ISO 8601 has, one way to write a day is enough.
    return DATE.fullmatch(text) is not None


def _print(console: Console, outcome: Outcome, reason: str | None, date: str | None) -> None:
    receipt: Any = outcome.receipt

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False)

    if outcome.resumed:
        say("a takedown that was cut off was finished first")
    for line in _told(outcome.told, reason, date):
        say(line)
    for verdict, count in receipt["records"].items():
        said = (
            f"{'were' if count > 1 else 'was'} removed already"
            if verdict == "removed"
            else f"had the verdict {verdict}"
        )
        records = f"{count:,} record{'s' if count > 1 else ''}"
        say(f"{records} that {said}" if verdict != "removed" else f"{records} {said}")
    copies = receipt["copies"]
    if copies["records"]:
        taken = "taken along" if copies["taken"] else "left: --with-copies takes them too"
        say(f"{copies['records']:,} near-copies {taken}")
    if outcome.root is None:
        say("nothing new: every demand stands in takedown/tombstones.jsonl already")
        return
    say(f"{len(receipt['files']):,} published files rewritten; receipt takedown/receipt-{receipt['number']:04d}.json")
    say(f"output filter {escape(receipt['filter']['path'])}: {receipt['filter']['grams']:,} hashes")
    say(f"root {outcome.root}")


def _told(told: Told, reason: str | None, date: str | None) -> Iterator[str]:
    """Lines about demands, as they were given."""
    for item in told.waiting:
        given = escape(str(item.given))
        yield f"[yellow]no record yet:[/] {item.kind} {given}; a later build into this folder removes what has it"
    for item, spelling, records in told.near:
        count = f"{records:,} record{'s' if records > 1 else ''}"
        yield f"hint: {escape(spelling)}, near {escape(str(item.given))}, stays with {count}; demand it too if meant"
    if not told.looked:
        yield "near spellings were not looked for: the list is too long for that"
    for item, old in told.known:
        stands = f"known already: {item.kind} {escape(str(item.given))}, from takedown {old.number}"
        stands += f", reason: {escape(old.reason)}" if old.reason else ", without a reason"
        stands += f", date {old.date}" if old.date else ", without a date"
        pairs = (("reason", reason, old.reason), ("date", date, old.date))
        lost = [name for name, new, was in pairs if new is not None and new != was]
        yield stands + (f"; the {' and '.join(lost)} given now {_were(lost)} not recorded" if lost else "")


def _were(names: Sequence[str]) -> str:
    return "was" if len(names) == 1 else "were"


def filter_output(
    lists: Annotated[list[str], typer.Option("--list", metavar="FILE", help="An output-filter.json; may be repeated.")],
    replace: Annotated[str, typer.Option(metavar="TEXT", help="What stands in place of a match.")] = "[removed]",
    *,
    report: Annotated[bool, typer.Option(help="Print counts as JSON to standard error at the end.")] = False,
) -> None:
    """Pass text from standard input to standard output, without stretches of removed pages.

    The shortest quote that a list knows is 8 words, or 16 characters in scripts without spaces between words.
    """
    from lauter.pipeline.filter.matcher import Matcher
    from lauter.pipeline.filter.published import FilterBroken, parse

    loaded = []
    for path in lists:
        try:
            loaded.append(parse(Path(path).read_bytes()))
        except IsADirectoryError:
            fail(f"{path} is a folder: name the list itself, in a run folder {FILTER_PATH}", USAGE)
        except (OSError, FilterBroken) as error:
            fail(f"{path}: {error}", USAGE)
    matcher = Matcher(loaded, replace)
    # read1 gives what is there: a chat must not wait for a whole block.
    source, sink = cast(BufferedReader, sys.stdin.buffer), sys.stdout.buffer
    try:
        while data := source.read1(READ_BYTES):
            sink.write(matcher.feed(data))
            sink.flush()
        sink.write(matcher.finish())
        sink.flush()
    except BrokenPipeError:
        # Who reads has left. The interpreter flushes once more when it ends, and must find a stream that takes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if report:
        sys.stderr.write(f'{{"spans": {matcher.spans}, "characters": {matcher.characters}}}\n')
