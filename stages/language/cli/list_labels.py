"""`lauter lang list`: the labels of the embedded model, with names, families, scripts and how well each is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lauter.pipeline import schema
from lauter.pipeline.cli.console import USAGE, JsonOption, fail, show, table_console
from lauter.stages.language.cli.model import LabelsOption, load_support

if TYPE_CHECKING:
    from lauter.stages.language.labels.support import Support


def list_labels(
    search: Annotated[
        str | None, typer.Option(metavar="WORD", help="Labels with this in code, any name, or family; any case.")
    ] = None,
    script: Annotated[
        str | None, typer.Option(metavar="CODE", help="Labels of a script, by ISO 15924 code; any case.")
    ] = None,
    family: Annotated[
        str | None, typer.Option(metavar="NAME", help="Labels of a family whose name begins so; any case.")
    ] = None,
    level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="Labels of a level of support: well, weak, words or untested.")
    ] = None,
    labels: LabelsOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """List the languages that the embedded model knows, and how well it knows each.

    Columns: "from" is the probability from which a build keeps a document with the label, where no manifest says
    otherwise, "line" that from which the answer is taken for one line.
    """
    from lauter.stages.language.labels.support import LEVELS
    from lauter.stages.language.load import EMBEDDED

    if level is not None and level not in LEVELS:
        fail(f"--level is one of {', '.join(LEVELS)}, not {level!r}", USAGE)
    rows = [
        row
        for row in map(described, load_support(EMBEDDED, labels).values())
        if (script is None or row["label"][4:].lower() == script.lower())
        and (family is None or row["family"].lower().startswith(family.lower()))
        and (level is None or row["level"] == level)
        and (search is None or _has(row, search.lower()))
    ]
    if as_json:
        show({"labels": rows, **counts(rows)})
        return
    _print(table_console(), rows)


def described(row: Support) -> dict[str, Any]:
    """A label of the table in words, as plain data."""
    from lauter.stages.language.labels.registry import describe, languages
    from lauter.stages.language.least_score import of_table

    words = describe(row.label)
    language = languages().get(row.label[:3])
    return {
        "label": row.label,
        "name": words.name,
        "names": list(language.names) if language else [],
        "family": words.family,
        "script": words.script,
        "macrolanguage": words.macrolanguage,
        "is_iso_639_3": language is not None and language.scope in ("I", "M"),
        "level": row.level,
        "scored": row.scored,
        "threshold": row.threshold,
        "least_score": of_table(row) / schema.RATIO_SCALE,
        "cluster": row.cluster,
        "figures": dict(row.figures),
    }


def counts(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How many labels, codes of ISO 639-3, scripts and families there are, and labels of each level."""
    from lauter.stages.language.labels.support import LEVELS

    return {
        "count": len(rows),
        "iso_639_3": len({row["label"][:3] for row in rows if row["is_iso_639_3"]}),
        "scripts": len({row["label"][4:] for row in rows}),
        "families": len({row["family"] for row in rows} - {""}),
        "levels": {level: sum(row["level"] == level for row in rows) for level in LEVELS},
    }


def _has(row: dict[str, Any], word: str) -> bool:
    return any(word in text.lower() for text in (row["label"], row["family"], row["script"], *row["names"]))


def _print(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    from lauter.stages.language.labels.support import LEVEL_WORDS

    tones = {"well": "green", "weak": "yellow", "words": "blue", "untested": "red"}
    if rows:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for head in ("label", "language", "family", "script", "support"):
            table.add_column(head, no_wrap=head in ("label", "support"))
        table.add_column("from", justify="right")
        table.add_column("line", justify="right", style="dim")
        table.add_column("sisters", style="dim")
        for row in rows:
            table.add_row(
                row["label"],
                Text(row["name"]),
                Text(row["family"] or "–", style="dim"),
                Text(row["script"]),
                Text(LEVEL_WORDS[row["level"]], style=tones[row["level"]]),
                f"{row['least_score']:.2f}",
                f"{row['threshold']:.2f}",
                Text(row["cluster"]),
            )
        console.print(table)
    found = counts(rows)
    levels = ", ".join(f"{number:,} {LEVEL_WORDS[level]}" for level, number in found["levels"].items() if number)
    console.print(
        f"labels {found['count']:,}, codes of ISO 639-3 {found['iso_639_3']:,}, scripts {found['scripts']:,}, families"
        f" {found['families']:,}" + (f"; {levels}" if levels else ""),
        highlight=False,
        soft_wrap=True,
    )
