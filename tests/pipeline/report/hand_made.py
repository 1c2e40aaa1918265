"""A corpus made by hand: a ledger of a few rows, written as the engine writes it, and the corpus.json around it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from lauter.pipeline import parquet, schema
from lauter.pipeline.contract import ReportSection, ReportTable
from lauter.pipeline.report.page import render, report_data
from lauter.pipeline.report.sections import plain
from lauter.pipeline.report.totals import summarise
from lauter.pipeline.storage import Storage


class Row(NamedTuple):
    """One ledger row, as far as the report looks at it."""

    source: str
    host: str | None
    verdict: str
    stage: str | None = None
    reason: str | None = None
    language: str | None = None
    chars: int | None = None
    tokens: int | None = None
    agent: str | None = None
    signal: str | None = None
    fetched_at: str | None = None
    """ISO 8601, UTC."""
    outcome: str | None = None
    """What is known of its origin, whose file was fetched when the record was."""
    via: str | None = None
    shard: int | None = None


ROWS = (
    Row("web", "a.example", "kept", None, None, "deu_Latn", 4000, 1000, None, None, "2024-02-01T10:00:00Z", "rules"),
    Row("web", "a.example", "kept", None, None, "deu_Latn", 3000, 234, None, None, "2024-03-05T00:00:01Z", "rules"),
    Row("web", "b.example", "kept", None, None, "roh_Latn", 900, 300, None, None, "2024-01-31T23:59:59Z", "allow"),
    Row("books", None, "kept", None, None, "eng_Latn", 50, 10),
    Row("web", "b.example", "duplicate", "dedup", "near-duplicate", "deu_Latn", 70),
    Row("web", "c.example", "dropped", "quality", "few-words", "gsw_Latn", 7),
    Row("web", "c.example", "dropped", "quality", "few-words", "deu_Latn", 8),
    Row("web", "d.example", "dropped", "optout", "robots-disallow", agent="GPTBot", outcome="rules"),
    Row("web", "d.example", "dropped", "optout", "robots-disallow", agent="GPTBot", fetched_at="2025-06-01T00:00:00Z"),
    Row("web", "e.example", "dropped", "optout", "robots-disallow", agent="*"),
    Row("web", "f.example", "dropped", "optout", "robots-unparsable", signal="robots.txt"),
    Row("web", None, "error", "read", "corrupt-range"),
    Row("web", "a.example", "removed", "takedown", "request", "deu_Latn", 33, shard=0),
)


HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</td></table></style><iframe src=//evil.example>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;&#x3c;",
    "a\u202egpj.exe\u2066",
    "\x00\x1b[31m\r\n\u2028",
    "مثال.السعودية",
)
"""Names that try to be something else."""


def write_ledger(storage: Storage, path: str, rows: Sequence[Row], group_bytes: int = 1 << 25) -> None:
    """Publish rows as a ledger part, one batch a row, so that small limits cut many row groups."""
    batches = []
    for place, row in enumerate(rows):
        rule, basis = None, None
        if row.agent or row.signal:
            rule = {"agent": row.agent, "signal": row.signal or "robots.txt", "line": 1, "text": "Disallow: /"}
        fetched = datetime.fromisoformat(row.fetched_at) if row.fetched_at else None
        if row.outcome:
            basis = dict.fromkeys(schema.BASIS.names) | {"outcome": row.outcome, "via": row.via, "fetched_at": fetched}
        full = dict.fromkeys(schema.LEDGER.names) | {
            "doc_id": place.to_bytes(16, "big"),
            "source": row.source,
            "file": f"{row.source}.warc.gz",
            "offset": place,
            "length": 1,
            "url": f"https://{row.host}/{place}" if row.host is not None else None,
            "verdict": row.verdict,
            "stage": row.stage,
            "reason": row.reason,
            "rule": rule,
            "basis": basis,
            "fetched_at": fetched,
            "language": row.language,
            "chars": row.chars,
            "tokens": row.tokens,
            "shard": row.shard,
        }
        columns = [pa.array([full[field.name]], field.type) for field in schema.LEDGER]
        batches.append(pa.RecordBatch.from_arrays(columns, schema=schema.LEDGER))
    parquet.write(storage, path, schema.LEDGER, batches, group_bytes)


SECTION = ReportSection(
    "Opt-out",
    ("12 pages were checked for opt-outs, 4 of them ended there.",),
    (("policy", "careful"), ("hosts always refused", 3)),
    (
        ReportTable("Pages ended, by reason", ("reason", "pages"), (("robots-disallow", 3), ("robots-lost", 0))),
        ReportTable("Agents", ("agent", "pages"), tuple((f"bot-{number:02}", number) for number in range(70))),
    ),
    {"2.3": ("Four pages ended.",), "3.1": ("robots.txt is obeyed.", "So is tdmrep.")},
)


def corpus(
    folder: Path,
    rows: Sequence[Row] = ROWS,
    provider: Mapping[str, Any] | None = None,
    about: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The corpus.json of a ledger: one input file for each source, of which the first has all corrupt ranges."""
    storage = Storage(str(folder))
    names = sorted({row.source for row in rows})
    paths: list[str] = []
    inputs, ledger = [], []
    for name in names:
        some = [row for row in rows if row.source == name]
        path = f"ledger/{name}.parquet"
        paths.append(path)
        write_ledger(storage, path, some)
        corrupt = sum(row.reason == "corrupt-range" for row in some)
        ledger.append({"path": path, "size": 100, "sha256": "0" * 64, "rows": len(some), "row_groups": []})
        inputs.append(
            {
                "part": f"{name}/{name}.warc.gz",
                "source": name,
                "uri": f"s3://bucket/{name}.warc.gz",
                "file": f"{name}.warc.gz",
                "size": 1_234_567,
                "sha256": "ab" * 32,
                "records": len(some),
                "counted": {"records": len(some) - corrupt, "corrupt_ranges": corrupt},
                "others": {"request": 12, "warcinfo": 1},
            }
        )
    return {
        "name": "by hand",
        "lauter": "0.1.0",
        "lineage": "1" * 64,
        "layout_id": "2" * 32,
        "ledger_sha256": "3" * 64,
        "order": ["read", "optout", "quality", "dedup"],
        "summary": summarise(storage, paths),
        "inputs": inputs,
        "sources": {
            name: {"kind": "warc", "options": {}, "files": 1, "optional": False, "about": (about or {}).get(name, {})}
            for name in names
        },
        "provider": provider or {},
        "tokenizer": {"settings": {"tokenizer": "tekken"}, "sha256": "4" * 64},
        "sections": [{"stage": "optout", **plain(SECTION)}],
        "prepared": {"optout": {"records": 9, "superseded": 2, "origins": 7, "rules": 4, "allow": 2, "unparsable": 1}},
        "clusters": {
            "clusters": 5,
            "clustered": 14,
            "log2_sizes": [0, 3, 1, 1],
            "survivors": 12,
            "removed": 4,
            "compared": 20,
            "compared_by_text": 3,
            "large_buckets": 1,
            "largest_bucket": 12_345,
            "largest": [
                {"documents": 5, "doc_id": "00" * 16, "url": "https://a.example/<first>"},
                {"documents": 2, "doc_id": "01" * 16, "url": None},
            ],
        },
        "files": {"ledger": ledger, "tokens": [], "documents": [], "scores": [], "prepared": []},
    }


def page_of(data: dict[str, Any]) -> Page:
    """Render a corpus.json and read the page; whether it was on disk, where keys are sorted, makes no difference."""
    page = render(report_data(data))
    assert render(report_data(json.loads(json.dumps(data, sort_keys=True)))) == page
    return Page(page)


VOID = frozenset({"meta", "br"})


class Page(HTMLParser):
    """A page that was read strictly: every element closed, in order. Tables are lists of rows of cell texts."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = source
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.sections: dict[str, str] = {}
        self.tables: dict[tuple[str, str], list[list[str]]] = {}
        self.style = ""
        self._open: list[str] = []
        self._section = ""
        self._caption = ""
        self._rows: list[list[str]] = []
        self.feed(source)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
        elif tag == "table":
            self._caption, self._rows = "", []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("path", "rect"), f"<{tag}/> closes itself in SVG only"
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1] == tag, f"</{tag}> in {self._open}"
        self._open.pop()
        if tag == "table":
            caption = self._caption.strip()
            assert caption and (self._section, caption) not in self.tables
            self.tables[self._section, caption] = [[cell.strip() for cell in row] for row in self._rows]

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            self.style += data
            return
        self.sections[self._section] = self.sections.get(self._section, "") + data
        if "caption" in self._open:
            self._caption += data
        elif "td" in self._open or "th" in self._open:
            self._rows[-1][-1] += data
