"""Writes OUT/report: the numbers as JSON, and one self-contained page that needs no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lauter.pipeline.report.funnel import funnel_rows
from lauter.pipeline.storage import Storage


def report_data(corpus: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows, as plain JSON data."""
    return {
        "name": corpus["name"],
        "lauter": corpus["lauter"],
        "lineage": corpus["lineage"],
        "layout_id": corpus["layout_id"],
        "ledger_sha256": corpus["ledger_sha256"],
        "funnel": funnel_rows(corpus["summary"], corpus["order"]),
        "summary": corpus["summary"],
        "prepared": corpus["prepared"],
        "inputs": corpus["inputs"],
        "sources": corpus["sources"],
    }


def write_report(storage: Storage, corpus: Mapping[str, Any]) -> None:
    """Write report.json and index.html."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    data = report_data(corpus)
    storage.write_json("report/report.json", data)
    environment = Environment(
        loader=PackageLoader("lauter.pipeline.report", "."),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
    )
    page = environment.get_template("index.html").render(data)
    storage.write("report/index.html", page.encode())
