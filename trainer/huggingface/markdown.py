"""Tables and code of a model card."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

Rows = Iterator[tuple[str, object]]


def table(rows: Rows) -> str:
    """Names and values, without a head."""
    return headed(("", ""), rows)


def headed(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a head."""
    lines = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return "\n".join([f"|{'|'.join(f' {name} ' if name else ' ' for name in head)}|", "|---" * len(head) + "|", *lines])


def cell(value: object) -> str:
    """A value as it stands in a table: one line, no bar that would end the cell."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.replace("\n", " ").replace("|", "\\|")


def fenced(text: str) -> str:
    """JSON as a block of code, in a fence longer than any run of backticks inside."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}json\n{text}\n{fence}"
