"""`lauter status`, `report` and `explain`: from a run folder."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from lauter import __version__
from lauter.pipeline.cli.console import FAILED, USAGE, FolderArgument, JsonOption, fail, show
from lauter.pipeline.storage import Storage, StorageError


def status(folder: FolderArgument, *, as_json: JsonOption = False) -> None:
    """Show how far a run is."""
    from lauter.pipeline.status import SILENT_S
    from lauter.pipeline.status import status as read_status

    try:
        data = read_status(Storage(folder))
    except StorageError as error:
        fail(str(error), USAGE)
    if as_json:
        show(data)
        return
    console = Console(emoji=False)
    at_work = ", a build is at work" if data["building"] else ""
    console.print(f"{'finished' if data['finished'] else 'not finished'}{at_work}", style="bold")
    if data["fault"]:
        console.print(f"[bold red]fault:[/] {escape(data['fault'])}", soft_wrap=True, highlight=False)
    width = max(map(len, data["steps"]), default=0)
    for step, counts in data["steps"].items():
        console.print(f"  {step:<{width}} {counts['done']:>6} of {counts['planned']}", highlight=False)
    console.print(f"{data['records']:,} records read, {data['documents']:,} documents", highlight=False)
    for running in data["running"]:
        age = f", last heard of {running['age_s']:,} s ago" if running["age_s"] > SILENT_S else ""
        console.print(f"  running {running['task']}: {running['records']:,} records{age}", highlight=False)
    for stopped in data["stopped"]:
        console.print(f"  cut off {stopped['task']}: last heard of {stopped['age_s']:,} s ago", highlight=False)


def report(folder: FolderArgument, *, as_json: JsonOption = False) -> None:
    """Write OUT/report again from the ledger's numbers and print the funnel."""
    from lauter.pipeline.finished import read_corpus
    from lauter.pipeline.finished_parts import FinishedParts
    from lauter.pipeline.lock import build_lock
    from lauter.pipeline.report.funnel import print_funnel
    from lauter.pipeline.report.graph import counted, counting
    from lauter.pipeline.report.page import report_data
    from lauter.pipeline.report.write import write_report

    try:
        storage = Storage(folder)
        corpus, _ = read_corpus(storage)
        with build_lock(storage):
            parts = FinishedParts(storage, corpus)
            # What the build or the takedown left is there; where `state/` was deleted, the ledger is counted anew.
            parts.run(counting(parts, parts.results))
            write_report(storage, corpus, counted(parts, parts.results))
    except StorageError as error:
        fail(str(error), USAGE)
    except (KeyError, TypeError, AttributeError) as error:
        # Its form holds, but not all that the pages are made of: as a rule other code has written it.
        fail(
            f"{folder}: corpus.json is of another version of Lauter ({corpus.get('lauter')}; this is {__version__}) "
            f"or damaged, as it has no fit {error}: run the same build again, which writes it anew and does again "
            "only what it must; of damage `lauter audit` says more",
            USAGE,
        )
    if as_json:
        show(report_data(corpus))
        return
    print_funnel(Console(emoji=False), corpus)
    Console(emoji=False).print(f"{storage.root}/report/index.html", soft_wrap=True, highlight=False)


def explain(
    folder: FolderArgument,
    wanted: Annotated[str, typer.Argument(metavar="URL_OR_DOC_ID", help="A URL, or a doc_id in hex.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show every decision on one page, with its evidence."""
    from lauter.pipeline.explain import explain as find
    from lauter.pipeline.explain import lines, nearby
    from lauter.pipeline.proof.leaves import doc_id_of
    from lauter.stages.catalogue import CATALOGUE

    try:
        rows = find(Storage(folder), wanted, CATALOGUE)
        near = [] if rows else nearby(Storage(folder), wanted)
    except StorageError as error:
        fail(str(error), USAGE)
    if as_json:
        show(rows)
    if not rows:
        hints = [f"{spelling} is there ({records:,} record{'s' if records > 1 else ''})" for spelling, records in near]
        if not hints and "://" not in wanted and doc_id_of(wanted) is None:
            hints = ["a URL is written whole, as https://example.org/page, a doc_id as 32 hex digits"]
        hint = f"; {'; '.join(hints)}" if hints else ""
        fail(f"{wanted} is not in the ledger: no input record had this URL or doc_id{hint}", FAILED)
    if not as_json:
        console = Console(emoji=False)
        if len(rows) > 1:
            console.print(f"{len(rows):,} records:", highlight=False)
        for row in rows:
            url = row["url"] if row["url"] is not None else "(no URL)"
            console.print(f"[bold]{escape(row['verdict'])}[/]  {escape(url)}", soft_wrap=True)
            for stage, sentence in row["story"]:
                console.print(f"  [bold]{escape(stage):<13}[/] {escape(sentence)}", soft_wrap=True, highlight=False)
            console.print("  [dim]as recorded:[/]")
            for name, value in lines(row):
                console.print(f"  {escape(name):<13} {escape(value)}", soft_wrap=True, highlight=False)
