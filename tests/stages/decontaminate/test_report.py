from __future__ import annotations

from lauter.stages.decontaminate import Decontaminate
from lauter.stages.decontaminate.report import decontamination_report
from tests.stages.decontaminate.test_stage import config_of


def test_what_the_report_says() -> None:
    summary = {
        "evidence": {
            "rules": [
                {"stage": "decontaminate", "agent": "gsm8k", "records": 3},
                {"stage": "x", "agent": "y", "records": 9},
            ]
        },
        "funnel": [{"stage": "decontaminate", "ended": 3}],
    }
    prepared = {"n-grams": 5, "gsm8k: items": 4, "gsm8k: too short": 1}
    section = Decontaminate.report(summary, prepared, config_of())
    assert section.tables[0].rows == (("gsm8k", 4, 0, 1, 3), ("humaneval", 0, 0, 0, 0), ("mgsm", 0, 0, 0, 0))
    assert "3 were dropped that share 8-word runs" in section.answers["3.3"][0] and not section.warnings


def test_items_that_are_not_looked_for_are_warned_of() -> None:
    summary = {"evidence": {"rules": []}, "funnel": []}
    prepared = {"a: items": 4, "a: too short": 3}
    section = decontamination_report(summary, prepared, ["a"], "gpt3", 13, 10)
    assert section.warnings and "3 benchmark items are shorter" in section.warnings[0]
    assert "one 13-word run of an item, of those in at most 10 documents" in section.sentences[0]
    assert "at most" not in decontamination_report(summary, prepared, ["a"], "gpt3", 13, None).sentences[0]
