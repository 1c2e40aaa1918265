"""The report's numbers as data, and one self-contained page of them that needs no network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from lauter.pipeline.report.display import count, ranked, share, size, visible
from lauter.pipeline.report.drawing import cluster_sizes, funnel_flow, verdict_strip
from lauter.pipeline.report.funnel import funnel_rows
from lauter.pipeline.report.inputs import summarise_inputs, summarise_outputs, summarise_streams
from lauter.pipeline.report.sections import ROWS
from lauter.pipeline.report.tallies import UNPLACED
from lauter.pipeline.report.whole import drawn
from lauter.pipeline.schema import VERDICTS

TOPICS = ("evidence", "languages")
"""Where sections of stages stand."""

KINDS = {
    "tokens": "token ids of every kept document, one whole document a row",
    "ledger": "one row per input record: its verdict, stage, reason and evidence",
    "documents": "text that passed the hard decisions",
    "scores": "the small columns from which soft decisions are made",
    "decisions": "the soft decisions",
    "cuts": "which ranges of the kept texts stand in no shard",
    "signals": "what pages say of their own use, raw",
    "prepared": "look-up tables built before the first record",
    "other": "tokenizer, and the index of the shards",
}
"""Kinds of output file, as corpus.json lists them, in words."""


FILES = {
    "eu-summary.md": "the public summary of training content that the AI Act asks for (Art. 53(1)(d))",
    "eu-summary.json": "the same as data",
    "domains.csv": "the largest domains of crawled content, for section 2.3 of the summary",
    "data-register.md": "every source: licence, version, what was kept, opt-outs, personal data",
    "data-register.json": "the same as data",
    "../croissant.json": "files and tables of the corpus in MLCommons Croissant",
    "report.json": "the numbers of this page",
}
"""The files beside the page, in words."""


def report_data(corpus: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows, as plain JSON data of bounded size: long lists are cut to their first entries."""
    summary = corpus["summary"]
    funnel = funnel_rows(summary, corpus["order"], corpus.get("routes"))
    inputs = summarise_inputs(corpus)
    verdicts = {name: summary["verdicts"].get(name, 0) for name in VERDICTS}
    return {
        "name": corpus["name"],
        "lauter": corpus["lauter"],
        "lineage": corpus["lineage"],
        "layout_id": corpus["layout_id"],
        "ledger_sha256": corpus["ledger_sha256"],
        "conservation": {
            "records_in": inputs["records"] + inputs["corrupt_ranges"],
            "ledger_rows": sum(verdicts.values()),
            "verdicts": verdicts,
        },
        "funnel": funnel,
        "summary": summary,
        "inputs": inputs,
        "outputs": summarise_outputs(corpus),
        "streams": summarise_streams(corpus.get("streams", {})),
        "sections": corpus["sections"],
        "mirrors": corpus.get("mirrors"),
        "clusters": corpus["clusters"],
        "prepared": corpus["prepared"],
    }


@cache
def _page() -> Any:  # noqa: ANN401 - a jinja2 template; its import is left to who draws
    """The template, compiled once a process: that takes 0.3 s, more than all else of a small corpus's report."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("lauter.pipeline.report", "."),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "ranked": ranked, "share": share, "size": size, "visible": visible}
    return environment.get_template("index.html")


def render(data: Mapping[str, Any]) -> str:
    """The page of what `report_data` returned: equal data, equal text."""
    summary, clusters = data["summary"], data["clusters"]
    rules = summary["evidence"]["rules"]
    page: str = _page().render(
        data,
        flow=funnel_flow(data["funnel"], summary["reasons"]),
        strip=verdict_strip(data["conservation"]["verdicts"]),
        languages=_languages(summary["languages"]),
        topics={
            topic: [_drawn(section) for section in data["sections"] if section["topic"] == topic] for topic in TOPICS
        },
        glossary={code: words for section in data["sections"] for code, words in section["glossary"].items()},
        sizes=cluster_sizes(clusters["log2_sizes"]) if clusters else [],
        duplicate_reasons=[(r["reason"], r["records"]) for r in summary["reasons"] if r["verdict"] == "duplicate"],
        files=FILES,
        rules=[[r[name] for name in ("stage", "reason", "signal", "agent", "records")] for r in rules[:ROWS]],
        kinds=KINDS,
        unplaced=UNPLACED,
    )
    return page


def _drawn(section: Mapping[str, Any]) -> dict[str, Any]:
    """A section with the shapes of its whole."""
    return {**section, "whole": drawn(section["whole"]) if section["whole"] else None}


def _languages(table: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Languages with kept documents, those without, and how many records ended before one was known."""
    order = sorted(table, key=lambda name: (-table[name]["tokens"], -table[name]["records"], name))
    named = [{"language": name, **table[name]} for name in order if name != "-"]
    return {
        "kept": [row for row in named if row["kept"]],
        "lost": [row for row in named if not row["kept"]],
        "unidentified": table["-"]["records"] if "-" in table else 0,
    }
