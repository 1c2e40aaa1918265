"""Writes OUT/report (the page and its numbers, the public summary, the data register) and OUT/croissant.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lauter.pipeline.report.croissant import CROISSANT, croissant
from lauter.pipeline.report.domains import write_domains
from lauter.pipeline.report.eu_summary import eu_summary
from lauter.pipeline.report.graph import Counted
from lauter.pipeline.report.markdown import register_page, summary_page
from lauter.pipeline.report.page import render, report_data
from lauter.pipeline.report.register import data_register
from lauter.pipeline.storage import Output, Storage


def write_report(storage: Storage, corpus: Mapping[str, Any], numbers: Counted) -> list[Output]:
    """Write every report of a corpus; the same bytes for the same corpus.

    `numbers` are those that its tasks left; no ledger is read.
    """
    listed, domains = write_domains(storage, numbers.domains, sme=bool(corpus["provider"].get("sme")))
    summary = eu_summary(corpus, domains)
    register = data_register(corpus, numbers.pii)
    data = report_data(corpus)
    return [
        storage.write_json("report/report.json", data),
        storage.write("report/index.html", render(data).encode()),
        storage.write_json("report/eu-summary.json", summary),
        storage.write("report/eu-summary.md", summary_page(summary).encode()),
        listed,
        storage.write_json("report/data-register.json", register),
        storage.write("report/data-register.md", register_page(register).encode()),
        storage.write_json(CROISSANT, croissant(storage, corpus)),
    ]
