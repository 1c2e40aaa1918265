"""`lauter takedown` and `lauter filter-output`."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cli.console import FAILED, USAGE, FolderArgument, JsonOption, fail, show
from lauter.pipeline.storage import Storage, StorageError

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
READ_BYTES = 1 << 16


def takedown(
    folder: FolderArgument,
    urls: Annotated[str | None, typer.Option(metavar="FILE", help="URLs, one a line.")] = None,
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
    """Remove records from a finished corpus, and from every later build into it."""
    from lauter.pipeline.takedown.act import take_down
    from lauter.pipeline.takedown.demands import DemandError, read_list

    if date is not None and not DATE.fullmatch(date):
        fail(f"--date {date!r}: write it as 2026-01-31", USAGE)
    lists = [(path, kind) for path, kind in ((urls, "url"), (hosts, "host"), (doc_ids, "doc-id")) if path is not None]
    try:
        wanted = [replace(item, reason=reason, date=date) for path, kind in lists for item in read_list(path, kind)]
        storage = Storage(folder)
        if not wanted and (lists or storage.size("state/takedown.json") is None):
            named = " and ".join(path for path, _ in lists) or "no list (--urls, --hosts or --doc-ids)"
            fail(f"nothing to take down: {named} holds no demand" if lists else f"{named} is given", USAGE)
        outcome = take_down(storage, wanted, with_copies=with_copies)
    except DemandError as error:
        fail(str(error), USAGE)
    except StorageError as error:
        fail(str(error), FAILED)
    if as_json:
        show({**outcome.receipt, "root": outcome.root, "resumed": outcome.resumed})
        return
    _print(Console(emoji=False), outcome.receipt, outcome.root, resumed=outcome.resumed)


def _print(console: Console, receipt: Any, root: str | None, *, resumed: bool) -> None:  # noqa: ANN401 - plain JSON data
    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False)

    if resumed:
        say("a takedown that was cut off was finished first")
    for item in receipt["demands"]:
        if item["kind"] != "copy" and not item["records"]:
            say(f"[yellow]no record yet:[/] {item['kind']} {item['value']}; a later crawl that has it loses it")
    for verdict, count in receipt["records"].items():
        said = "were removed already" if verdict == "removed" else f"had the verdict {verdict}"
        say(f"{count:,} records that {said}" if verdict != "removed" else f"{count:,} records {said}")
    copies = receipt["copies"]
    if copies["records"]:
        taken = "taken along" if copies["taken"] else "left: --with-copies takes them too"
        say(f"{copies['records']:,} near-copies {taken}")
    if root is None:
        say("nothing new: every demand stands in takedown/tombstones.jsonl already")
        return
    say(f"{len(receipt['files']):,} published files rewritten; receipt takedown/receipt-{receipt['number']:04d}.json")
    say(f"output filter {escape(receipt['filter']['path'])}: {receipt['filter']['grams']:,} hashes")
    say(f"root {root}")


def filter_output(
    lists: Annotated[list[str], typer.Option("--list", metavar="FILE", help="An output-filter.json; may be repeated.")],
    replace: Annotated[str, typer.Option(metavar="TEXT", help="What stands in place of a match.")] = "[removed]",
    *,
    report: Annotated[bool, typer.Option(help="Print counts as JSON to standard error at the end.")] = False,
) -> None:
    """Pass text from standard input to standard output, without stretches of removed pages."""
    from lauter.pipeline.filter.matcher import Matcher
    from lauter.pipeline.filter.published import FilterBroken, parse

    loaded = []
    for path in lists:
        try:
            loaded.append(parse(Path(path).read_bytes()))
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
