from __future__ import annotations

from lauter.stages.pii import Pii, PiiConfig


def test_the_section_says_what_was_looked_for_and_what_was_dropped() -> None:
    summary = {
        "funnel": [{"stage": "pii", "records": 9, "ended": 2}, {"stage": "quality", "records": 7, "ended": 1}],
        "personal_data": {"books": {"iban": 2}, "notes": {}, "web": {"email": 4, "iban": 1}},
    }
    section = Pii.report(summary, {}, PiiConfig(entities=("email", "iban")))
    assert section.facts == (("looked for", "email, iban"), ("removed from kept documents", 7))
    assert section.tables[0].rows == (("email", 4), ("iban", 3))
    assert section.sentences[1].startswith("2 documents were dropped")
    assert section.answers == {
        "3.3": ("Personal data in text and titles was replaced by placeholders: email, iban.",),
    }
