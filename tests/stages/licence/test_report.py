from __future__ import annotations

from lauter.stages.licence import Licence, LicenceConfig
from lauter.stages.licence.report import WORDS


def test_the_report_counts_what_may_be_used_and_why_the_rest_may_not() -> None:
    assert set(WORDS) == {reason.name for reason in Licence.reasons}
    row = {"stage": "licence", "records": 1_200, "ended": 200, "reasons": {"no-licence": 150, "unknown-licence": 50}}
    section = Licence.report({"funnel": [row]}, {}, LicenceConfig())
    assert section is not None and section.sentences[0].startswith("1,000 of 1,200 records")
    assert section.tables[0].rows == (
        ("no licence declared", 150), ("a licence that is no identifier of the SPDX License List", 50))  # fmt: skip
    assert "permissive" in section.answers["3.1"][0]
    assert Licence.report({"funnel": []}, {}, LicenceConfig()) is None
