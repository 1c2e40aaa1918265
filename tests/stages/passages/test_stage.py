"""The stage `passages`: its parameters and presets, what it signs and cuts, and what it tells."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from lauter.pipeline.contract import ReportSection, StageContext
from lauter.pipeline.cutting import Repeated
from lauter.stages.passages.config import PRESETS, PassagesConfig
from lauter.stages.passages.stage import RepeatedPassages


def stage(**parameters: object) -> RepeatedPassages:
    return RepeatedPassages(PassagesConfig.model_validate(parameters), StageContext())


def batch(*texts: str | None) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string())})


def test_presets_fill_in_what_is_not_given_and_are_written_down() -> None:
    config = PassagesConfig.model_validate({"preset": "c4", "min_left": 5})
    assert (config.unit, config.window, config.min_left) == ("sentence", 3, 5)
    given = config.model_dump(mode="json", exclude_unset=True)
    assert given == {"preset": "c4", **PRESETS["c4"], "min_left": 5}
    assert PassagesConfig.model_validate(given) == config
    assert PassagesConfig.model_validate({"preset": "ccnet"}).unit == "line"
    for wrong in ("c3", ["c4"], {"c4": 1}):
        with pytest.raises(ValidationError, match="'c4' or 'ccnet'"):
            PassagesConfig.model_validate({"preset": wrong})


def test_signed_passages_have_a_length_and_a_place() -> None:
    found = stage(min_words=3).sign(batch("one two\nthree four five", None, "THREE, four five!"))
    assert (found.row.tolist(), found.start.tolist(), found.end.tolist()) == ([0, 2], [8, 0], [23, 17])
    assert found.key[0] == found.key[1]
    exact = stage(min_words=3, fold=["digits"]).sign(batch("three four five", "THREE, four five!"))
    assert exact.key[0] != exact.key[1]


def test_cuts_and_documents_that_go() -> None:
    made = stage(min_left=2, keep=4)
    assert RepeatedPassages.keeps(PassagesConfig(keep=4)) == 4
    texts = batch("stays here\ngoes away", "goes away\nstays")
    places = (np.array(column, np.int64) for column in ([0, 1], [11, 0], [20, 9], [7, 7]))
    cuts = made.cut(texts, Repeated(*places))
    assert (cuts.row.tolist(), cuts.start.tolist(), cuts.end.tolist()) == ([0, 1], [10, 0], [20, 10])
    assert cuts.dropped.tolist() == [False, True]


def test_nothing_is_told_of_a_record_that_lost_nothing() -> None:
    assert RepeatedPassages.tell({"reason": None}) is None
    row = {"reason": None, "cuts": {"places": 2, "chars": 1234, "occurrences": 5000}}
    assert RepeatedPassages.tell(row) == (
        "cuts 1,234 characters at 2 places that stand elsewhere too; the most frequent passage of it stands 5,000 times"
    )


def test_the_report_counts_and_quotes_nothing() -> None:
    counts = dict.fromkeys(("passages", "distinct", "repeated", "occurrences"), 7)
    cuts = {**counts, "chars": 1000, "cut_chars": 125, "documents": 3, "dropped": 1, "most": [[9, 40], [2, 11]]}
    section = RepeatedPassages.report({"cuts": cuts}, {}, PassagesConfig(unit="sentence", window=3, keep=2))
    assert isinstance(section, ReportSection)
    assert section.sentences[0].startswith("A span of 3 sentences of 5 words or more")
    assert "the first 2 stay" in section.sentences[0]
    assert "125 of 1,000 characters (12.50%)" in section.sentences[1]
    assert section.tables[0].rows == (("no. 1", 9, 40), ("no. 2", 2, 11))
    nothing = RepeatedPassages.report({"cuts": {**cuts, "chars": 0, "cut_chars": 0, "most": []}}, {}, PassagesConfig())
    assert isinstance(nothing, ReportSection) and not nothing.tables and "(0.00%)" in nothing.sentences[1]
