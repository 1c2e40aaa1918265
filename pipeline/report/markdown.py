"""The public summary and the data register as Markdown that reads well as plain text too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lauter.pipeline.report.display import count, ranked, visible
from lauter.pipeline.report.register import period

ROWS = 60
"""Rows of a table at most; the JSON beside it has them all."""

_MARKS = re.compile(r"([\\`*\[<|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


def summary_page(summary: Mapping[str, Any]) -> str:
    """`eu-summary.md` of what `eu_summary` returned."""
    lines = [
        "# Public summary of training content",
        "",
        f"{text(summary['template'])}. Corpus {text(summary['corpus'])}, lineage `{summary['lineage'][:16]}`.",
        "",
        "Every value says where it is from. *Measured*: counted by the build, from the ledger or the stages; nobody"
        " typed it. *Declared*: taken from the manifest. What the manifest lacks is named.",
        "",
        *_warnings(summary),
    ]
    for section in summary["sections"]:
        number = section["number"]
        heading = section["title"] if number == "header" else f"{number} {section['title']}"
        lines += ["", f"## {heading}", ""]
        for entry in section["entries"]:
            lines += _entry(entry)
    return _joined(lines)


def _warnings(summary: Mapping[str, Any]) -> list[str]:
    lines = []
    missing = summary["missing"]
    if missing:
        lines += [f"**Not complete: {len(missing)} declared fields are missing.** They are marked below.", ""]
    for conflict in summary["conflicts"]:
        lines += [f"**Contradiction in {text(conflict)}.**", ""]
    return lines


def _entry(entry: Mapping[str, Any]) -> list[str]:
    label, value = text(entry["label"]), entry["value"]
    if entry["origin"] == "missing":
        return [f"- {label}: **not declared: {text(entry['name'])}**"]
    origin = "declared" if entry["origin"] == "declared" else f"measured, {text(entry['name'])}"
    if isinstance(value, list) and not value:
        return [f"- {label} ({origin}): none"]
    if isinstance(value, list) and isinstance(value[0], Mapping):
        rows = [[plain(cell) for cell in row.values()] for row in value[:ROWS]]
        more = [f"  {len(value) - ROWS:,} more are in eu-summary.json.", ""] if len(value) > ROWS else []
        return [f"- {label} ({origin}):", "", *table(list(value[0]), rows), "", *more]
    if isinstance(value, list):
        return [f"- {label} ({origin}):", *(f"  - {text(plain(item))}" for item in value)]
    return [f"- {label} ({origin}): {text(plain(value))}"]


def register_page(register: Mapping[str, Any]) -> str:
    """`data-register.md` of what `data_register` returned."""
    sources = register["sources"]
    header = ["source", "category", "licence", "records", "kept", "tokens", "opted out", "personal data", "copies"]
    lines = [
        "# Data register",
        "",
        f"Corpus {text(register['corpus'])}, lineage `{register['lineage'][:16]}`. Counts are of records. “Opted out”:"
        " ended by a reservation of rights, by a list of the provider, or for not knowing; the reasons say which."
        " “Personal data”: how often it was removed from kept documents."
        " “Copies”: copies of opted-out pages found in the source.",
        "",
        *table(header, [_row(source) for source in sources]),
    ]
    for source in sources:
        lines += ["", f"## {text(source['name'])}", ""]
        lines += [f"- {label}: {text(value)}" for label, value in _facts(source) if value]
        lines += [f"- **not declared: {text(name)}**" for name in source["missing"]]
    return _joined(lines)


def _joined(lines: Iterable[str]) -> str:
    """Lines as a text, with one empty line at most between two."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _row(source: Mapping[str, Any]) -> list[str]:
    numbers = (source["records"], source["kept"], source["tokens"], source["opted_out"]["records"])
    unknown = [plain(source[key]) if source[key] is not None else "–" for key in ("pii_spans", "mirrors")]
    words = [source["name"], source["category"] or "not declared", source["licence"] or "not declared"]
    return [*words, *map(count, numbers), *unknown]


def _facts(source: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for key in ("title", "url", "version", "licence", "category", "description"):
        yield key, source[key] or ""
    yield "read as", source["kind"]
    for key in ("crawler", "collected"):
        yield key, "; ".join(f"{name} {value}" for name, value in sorted((source[key] or {}).items()))
    yield "fetched (kept records)", period(source["period"]) or "no kept record has a date"
    yield "characters", count(source["characters"])
    yield "languages", _languages(source)
    opted_out = source["opted_out"]
    yield "opted out, by reason", ", ".join(f"{name} {value:,}" for name, value in ranked(opted_out["reasons"]))
    rules = [f"{rule['signal']} {rule['records']:,} ({rule['reason']})" for rule in opted_out["rules"]]
    yield "opted out, by signal (and reason)", ", ".join(rules)
    removed = ranked(source["pii_types"] or {})
    yield "personal data removed, by type", ", ".join(f"{name} {value:,}" for name, value in removed)


def _languages(source: Mapping[str, Any]) -> str:
    found = ranked(source["languages"])[:12]
    listed = ", ".join(f"{'not identified' if name == '-' else name} {tokens:,}" for name, tokens in found)
    more = source["languages_kept"] - len(found)
    return f"{listed} tokens{f'; {more} more' if more > 0 else ''}" if found else ""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table with its columns in line; columns of numbers stand to the right."""
    cells = [[text(cell) for cell in row] for row in rows]
    heads = [text(name) for name in header]
    widths = [max(len(row[place]) for row in [heads, *cells]) for place in range(len(heads))]
    right = [bool(rows) and all(re.fullmatch(r"[\d,.]+|–", row[place]) for row in rows) for place in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        return f"| {' | '.join(padded)} |"

    rule = [f"{'-' * (width - 1)}:" if r else "-" * width for width, r in zip(widths, right, strict=True)]
    return [line(heads), line(rule), *map(line, cells)]


def plain(value: object) -> str:
    """A value as words.

    >>> plain(True), plain(12345), plain(0.5), plain("x")
    ('yes', '12,345', '0.50', 'x')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    return count(value) if isinstance(value, int) else str(value)


def text(words: str) -> str:
    r"""Words from anywhere as plain text in Markdown: marks are escaped, line ends and invisible characters shown.

    >>> text("a|b_c <i>*x*")
    'a\\|b_c \\<i>\\*x\\*'
    """
    return _MARKS.sub(r"\\\1", visible(" ".join(words.split()), limit=None))
