from __future__ import annotations

from lauter.stages.toxicity.stage import Toxicity, ToxicityConfig


def test_the_section_names_filter_threshold_and_count() -> None:
    summary = {"funnel": [{"stage": "toxicity", "records": 1500, "ended": 1234}]}
    section = Toxicity.report(summary, {}, ToxicityConfig(max_score=0.25))
    (told,) = section.answers["3.2"]
    assert "lists of swear words" in told
    assert told.endswith("1,234 above 0.25 were dropped.")
    assert dict(section.facts) == {"model": "lexicon", "documents dropped above": "0.25"}
