"""The table of token streams: the largest first, the rest counted, none where a corpus says nothing of them."""

from __future__ import annotations

from pathlib import Path

from lauter.pipeline.report.inputs import TOP_STREAMS, summarise_streams
from tests.pipeline.report.hand_made import corpus, page_of


def test_streams_are_told_by_size(tmp_path: Path) -> None:
    made = corpus(tmp_path)
    assert ("outputs", "Token streams") not in page_of(made).tables
    made["streams"] = {f"web.s{n:03d}": {"rows": n, "tokens": 10 * n, "of": {}} for n in range(TOP_STREAMS + 20)}
    page = page_of(made)
    rows = page.tables["outputs", "Token streams"][1:]
    assert len(rows) == TOP_STREAMS
    assert rows[0][:3] == [f"web.s{TOP_STREAMS + 19}", "219", "2,190"] and rows[0][3] == "0.9 %"
    assert "20 smaller ones are in tokens/index.json" in " ".join(page.sections["outputs"].split())


def test_a_corpus_without_tokens_has_a_share_of_nothing() -> None:
    found = summarise_streams({"main": {"rows": 0, "tokens": 0, "of": {}}})
    assert found == {"count": 1, "tokens": 0, "largest": [{"name": "main", "documents": 0, "tokens": 0}]}
