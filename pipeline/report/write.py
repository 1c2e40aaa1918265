"""Writes OUT/report (the page and its numbers, the public summary, the data register) and OUT/croissant.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lauter.pipeline.report.croissant import CROISSANT, croissant
from lauter.pipeline.report.domains import DomainSums, largest, sum_domains, write_domains
from lauter.pipeline.report.eu_summary import crawled_sources, eu_summary
from lauter.pipeline.report.markdown import register_page, summary_page
from lauter.pipeline.report.page import render, report_data
from lauter.pipeline.report.register import data_register, pii_counts
from lauter.pipeline.storage import Output, Storage


def write_report(storage: Storage, corpus: Mapping[str, Any]) -> list[Output]:
    """Write every report of a corpus; the same bytes for the same corpus.

    Reads the ledger once for domains, and where scores count personal data the scores and the verdicts.
    """
    ledger = [output["path"] for output in corpus["files"]["ledger"]]
    with DomainSums() as sums:
        sum_domains(storage, ledger, crawled_sources(corpus), sums)
        domains = largest(sums, sme=bool(corpus["provider"].get("sme")))
    summary = eu_summary(corpus, domains.info())
    register = data_register(corpus, pii_counts(storage, corpus))
    data = report_data(corpus)
    return [
        storage.write_json("report/report.json", data),
        storage.write("report/index.html", render(data).encode()),
        storage.write_json("report/eu-summary.json", summary),
        storage.write("report/eu-summary.md", summary_page(summary).encode()),
        write_domains(storage, domains),
        storage.write_json("report/data-register.json", register),
        storage.write("report/data-register.md", register_page(register).encode()),
        storage.write_json(CROISSANT, croissant(storage, corpus)),
    ]
