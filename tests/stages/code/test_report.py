from __future__ import annotations

from lauter.stages.code import Repositories, RepositoriesConfig


def test_the_report_counts_who_opted_out() -> None:
    row = {"stage": "repositories", "records": 90, "ended": 6, "reasons": {"owner-opted-out": 3, "no-repository": 2}}
    config = RepositoriesConfig(optout="list.txt", copies="keep")
    section = Repositories.report({"funnel": [row]}, {}, config)
    assert section is not None
    assert section.sentences == (
        "Of 90 files 3 are of owners who opted out, and 0 of repositories that did.",
        "Copies of them elsewhere are kept and counted.",
        "2 files do not say where they are from, and are left out for that.",
    )
    assert Repositories.report({"funnel": []}, {}, config) is None
