"""Writes OUT/report: the numbers as JSON, and one self-contained page that needs no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lauter.pipeline.report.display import count, share, short, visible
from lauter.pipeline.report.drawing import cluster_sizes, funnel_flow
from lauter.pipeline.report.funnel import funnel_rows
from lauter.pipeline.report.inputs import summarise_inputs, summarise_outputs
from lauter.pipeline.report.optout import summarise_optout
from lauter.pipeline.schema import VERDICTS
from lauter.pipeline.storage import Storage


def report_data(corpus: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows, as plain JSON data of bounded size: long lists are cut to their first entries."""
    summary = corpus["summary"]
    funnel = funnel_rows(summary, corpus["order"])
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
        "optout": summarise_optout(corpus, funnel),
        "clusters": corpus["clusters"],
        "prepared": corpus["prepared"],
    }


def render(data: Mapping[str, Any]) -> str:
    """The page of what `report_data` returned: equal data, equal text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("lauter.pipeline.report", "."),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "share": share, "short": short, "visible": visible}
    flow = funnel_flow(data["funnel"], data["summary"]["reasons"])
    sizes = cluster_sizes(data["clusters"]["log2_sizes"]) if data["clusters"] else []
    return environment.get_template("index.html").render(data, flow=flow, sizes=sizes)


def write_report(storage: Storage, corpus: Mapping[str, Any]) -> None:
    """Write report.json and index.html."""
    data = report_data(corpus)
    storage.write_json("report/report.json", data)
    storage.write("report/index.html", render(data).encode())
