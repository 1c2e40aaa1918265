"""What the repositories stage says for itself in a corpus's report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lauter.pipeline.contract import ReportSection


def repositories_report(summary: Mapping[str, Any], copies: str) -> ReportSection | None:
    """The section, from the funnel's row of the stage; None where no record reached it."""
    row = next((row for row in summary["funnel"] if row["stage"] == "repositories"), None)
    if row is None or not row["records"]:
        return None
    owners, single = (row["reasons"].get(name, 0) for name in ("owner-opted-out", "repository-opted-out"))
    unnamed = row["reasons"].get("no-repository", 0)
    sentences = [
        f"Of {row['records']:,} files {owners:,} are of owners who opted out, and {single:,} of repositories that did.",
        f"Copies of them elsewhere are {'dropped' if copies == 'drop' else 'kept and counted'}.",
    ]
    if unnamed:
        sentences.append(f"{unnamed:,} files do not say where they are from, and are left out for that.")
    return ReportSection(
        "Repositories that opted out",
        tuple(sentences),
        answers={"3.1": ("Source code of owners and repositories on a list of opt-outs is left out.",)},
    )
