"""The funnel: how many records each stage left, as rows for the terminal and the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lauter.pipeline.report.display import counted
from lauter.pipeline.report.tallies import UNPLACED
from lauter.pipeline.routing import Routes


def funnel_rows(summary: Mapping[str, Any], order: Sequence[str], routes: Routes | None = None) -> list[dict[str, Any]]:
    """One row a stage, in pipeline order: records that reached it, that it ended, and why.

    A stage that only some sources pass (`routes`) is reached by their records alone. Removed records that no shard held
    are taken out first (`summary.UNPLACED`): which stage had ended them is forgotten, so that counted further down they
    would have passed stages that they may never have reached.
    """
    ended = _ended(summary["reasons"])
    left = {name: row["records"] for name, row in summary["sources"].items()} if routes else {}
    by_source = {name: _ended(summary["by_source"][name]["reasons"]) for name in left}
    whole, routes = summary["records"], routes or {}
    rows = []
    first = [UNPLACED] if UNPLACED in ended else []
    for name in [*first, *order, *sorted(set(ended) - {*first, *order})]:
        reasons = dict(ended.get(name, {}))
        gone = sum(reasons.values())
        reached = sum(left.get(source, 0) for source in routes[name]) if name in routes else whole
        rows.append({"stage": name, "records": reached, "ended": gone, "reasons": reasons})
        whole -= gone
        for source in left:
            left[source] -= by_source[source].get(name, Counter()).total()
    return rows


def _ended(reasons: Sequence[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """Stage -> reason -> records that it ended."""
    ended: dict[str, Counter[str]] = {}
    for item in reasons:
        ended.setdefault(item["stage"], Counter())[item["reason"]] += item["records"]
    return ended


def print_funnel(console: Console, corpus: Mapping[str, Any]) -> None:
    """Draw the funnel of a corpus.json."""
    summary = corpus["summary"]
    table = Table(title=f"{escape(corpus['name'])}: {counted(summary['records'], 'record')}", title_justify="left")
    for header, justify in (("stage", "left"), ("in", "right"), ("ended", "right"), ("left", "right"), ("why", "left")):
        table.add_column(header, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in funnel_rows(summary, corpus["order"], corpus.get("routes")):
        why = _told(row["reasons"])
        left = row["records"] - row["ended"]
        table.add_row(escape(row["stage"]), f"{row['records']:,}", f"{row['ended']:,}", f"{left:,}", escape(why))
    verdicts = summary["verdicts"]
    table.add_section()
    table.add_row("kept", "", "", f"{verdicts.get('kept', 0):,}", counted(summary["tokens"], "token"))
    console.print(table)
    if any(item["stage"] == UNPLACED for item in summary["reasons"]):
        console.print(
            f"{UNPLACED}: removed records of which it is forgotten where they had ended",
            soft_wrap=True,
            highlight=False,
        )


def _told(reasons: Mapping[str, int]) -> str:
    """Reasons and their records, the most frequent first."""
    return ", ".join(f"{name} {count:,}" for name, count in sorted(reasons.items(), key=lambda item: -item[1]))


def print_warnings(console: Console, corpus: Mapping[str, Any]) -> None:
    """Print what stages warn of in a corpus.json."""
    for section in corpus["sections"]:
        for warning in section["warnings"]:
            console.print(
                f"[yellow]warning:[/] {escape(section['stage'])}: {escape(warning)}", soft_wrap=True, highlight=False
            )


def print_nothing_kept(console: Console, corpus: Mapping[str, Any]) -> None:
    """Say so where a corpus.json has no kept record, with the first stage that ended any."""
    summary = corpus["summary"]
    if summary["verdicts"].get("kept", 0):
        return
    why = f"of {counted(summary['records'], 'record')}" if summary["records"] else "no record was read"
    for row in funnel_rows(summary, corpus["order"], corpus.get("routes")):
        if row["ended"]:
            why += f", {row['stage']} ended {row['ended']:,} first ({_told(row['reasons'])})"
            break
    console.print(f"[yellow]nothing was kept:[/] {escape(why)}", soft_wrap=True, highlight=False)
