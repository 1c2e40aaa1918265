"""What the licence stage says for itself in a corpus's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lauter.pipeline.contract import ReportSection, ReportTable

WORDS = {
    "no-licence": "no licence declared",
    "unknown-licence": "a licence that is no identifier of the SPDX License List",
    "licence-not-allowed": "a licence that is not on the list",
}
"""Reasons in words."""


def licence_report(summary: Mapping[str, Any], allowed: Sequence[str]) -> ReportSection | None:
    """The section, from the funnel's row of the stage; None where no record reached it."""
    row = next((row for row in summary["funnel"] if row["stage"] == "licence"), None)
    if row is None or not row["records"]:
        return None
    left = row["records"] - row["ended"]
    said = f"{left:,} of {row['records']:,} records declare licences that are all on the list: {', '.join(allowed)}."
    reasons = tuple((WORDS.get(name, name), count) for name, count in sorted(row["reasons"].items()))
    return ReportSection(
        "Licences",
        (said, "`permissive` are those that the Blue Oak Council rates bronze or better. Nobody read a licence text."),
        tables=(ReportTable("Records that ended here", ("why", "records"), reasons),) if reasons else (),
        answers={"3.1": (f"Where licences are declared, only text under these is used: {', '.join(allowed)}.",)},
    )
