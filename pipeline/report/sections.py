"""What stages say for themselves: asked when a corpus is finished, and kept as plain data in corpus.json.

A report can so be drawn again without the code of any stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lauter.pipeline.contract import ReportSection, ReportWhole
from lauter.pipeline.report.funnel import funnel_rows
from lauter.pipeline.routing import Routes
from lauter.pipeline.specs import spec_class

ROWS = 60
"""Rows of a table at most; a stage that gives more has its table cut."""

PARTS = 4000
"""Parts of a whole at most, the largest ones, and entries of a glossary: twice the labels of the largest models."""


def sections(
    specs: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    prepared: Mapping[str, Mapping[str, int]],
    mirrors: Mapping[str, Any],
    routes: Routes | None = None,
) -> list[dict[str, Any]]:
    """The sections of the stages that have a `report`, in pipeline order, each with the name of its `stage`."""
    order = ["read", *(spec["name"] for spec in specs)]
    told = {**summary, "funnel": funnel_rows(summary, order, routes), "mirrors": dict(mirrors)}
    found = []
    for spec in specs:
        cls = spec_class(spec)
        if hasattr(cls, "report"):
            config = cls.Config.model_validate(dict(spec["config"]))
            section = _asked(cls, told, prepared.get(spec["name"], {}), config)
            if section is not None:
                found.append({"stage": spec["name"], **plain(section)})
    return found


def _asked(
    cls: type[Any], summary: Mapping[str, Any], prepared: Mapping[str, int], config: object
) -> ReportSection | None:
    try:
        section = cls.report(summary, prepared, config)
        if section is not None and not isinstance(section, ReportSection):
            raise TypeError(f"report() returned a {type(section).__name__}, not a ReportSection")  # noqa: TRY301
    except Exception as error:
        # A build of days is not lost to a sentence; the page says what is missing.
        return ReportSection(cls.__name__, (f"Its report could not be made: {type(error).__name__}: {error}"[:300],))
    return section


def plain(section: ReportSection) -> dict[str, Any]:
    """A section as plain JSON data, tables cut to `ROWS`."""
    data = asdict(section)
    return {
        "title": data["title"],
        "sentences": list(data["sentences"]),
        "warnings": list(data["warnings"]),
        "facts": [list(fact) for fact in data["facts"]],
        "tables": [
            {
                "title": table["title"],
                "header": list(table["header"]),
                "rows": [list(row) for row in table["rows"][:ROWS]],
                "cut": max(0, len(table["rows"]) - ROWS),
            }
            for table in data["tables"]
        ],
        "answers": {number: list(sentences) for number, sentences in sorted(data["answers"].items())},
        "topic": section.topic,
        "whole": None if section.whole is None else _plain_whole(section.whole),
        "glossary": dict(sorted(section.glossary.items())[:PARTS]),
    }


def _plain_whole(whole: ReportWhole) -> dict[str, Any]:
    parts = sorted(whole.parts, key=lambda part: (-part.value, part.name))
    return {
        "title": whole.title,
        "unit": whole.unit,
        "kinds": [list(kind) for kind in whole.kinds],
        "parts": [part._asdict() for part in parts[:PARTS]],
        "cut": max(0, len(parts) - PARTS),
    }
