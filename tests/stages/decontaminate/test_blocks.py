"""Matching blocks are those of difflib, and the rule finds what is rewritten between them."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.contract import StageContext
from lauter.stages.decontaminate import Decontaminate, DecontaminateConfig
from lauter.stages.decontaminate.blocks import BLOCK_WORDS, block_words
from tests.stages.decontaminate.twin import folded_words

RUNS = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=9), max_size=8)


def by_difflib(words: list[int] | list[str], item: list[int] | list[str], least: int) -> int:
    """The published code's sum."""
    blocks = difflib.SequenceMatcher(None, words, item, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size >= least)


@settings(max_examples=400, deadline=None)
@given(runs=RUNS, chosen=st.lists(st.integers(0, 7), max_size=6), other=RUNS, least=st.integers(1, 6))
def test_blocks_are_those_of_difflib(
    runs: list[list[int]], chosen: list[int], other: list[list[int]], least: int
) -> None:
    words = [word for run in runs for word in run]
    # Runs of the text in another order, with others between: blocks of all sizes, and ties.
    item = [word for place in chosen for run in (*runs[place : place + 1], *other[place : place + 1]) for word in run]
    text = np.array(words, np.uint64)
    lengths = np.zeros((2, len(words) + 1), np.int32)
    found = block_words(text, np.argsort(text, kind="stable"), np.array(item, np.uint64), least, lengths)
    assert found == by_difflib(words, item, least)
    assert not lengths.any()


ITEM = (
    "A farmer has twelve sheep and seven goats in the meadow behind the old mill. On Monday he sells five of the sheep "
    "at the market in town, and his neighbour gives him three young goats. How many animals has he now?"
)
CUT = ITEM.replace("in the meadow behind the old mill", "near here").replace("young goats", "very small goats")
TEXTS = {
    "copy": f"Please solve. {ITEM} Thanks!",
    "rewritten": f"Solve this: {CUT.upper()}",
    "one run": "A farmer has twelve sheep and seven goats in his shed, and that is all there is to say of him.",
    "backwards": " ".join(ITEM.split()[::-1]),
    "other": "Bern is the capital of Switzerland, and the parliament meets there.",
}


def test_the_rule_decides_by_blocks(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text("".join(json.dumps({"q": text}) + "\n" for text in ("short one", ITEM)))
    config = DecontaminateConfig.model_validate(
        {"benchmarks": {"own": str(tmp_path / "own.jsonl")}, "fields": {"own": "q"}, "rule": "blocks"}
    )
    Decontaminate(config, StageContext()).prepare(str(tmp_path))
    stage = Decontaminate(config, StageContext(artefacts=str(tmp_path)))
    columns = stage.apply(pa.record_batch({"text": pa.array(TEXTS.values(), pa.large_string())})).columns
    item = folded_words(ITEM)
    for place, text in enumerate(TEXTS.values()):
        share = by_difflib(folded_words(text), item, BLOCK_WORDS) / len(item)
        assert (columns["contamination"][place].as_py() or 0) == round(10_000 * share)
    verdict = stage.decide(pa.RecordBatch.from_pydict(columns))
    assert dict(zip(TEXTS, verdict.reason.tolist(), strict=True)) == {
        **dict.fromkeys(("copy", "rewritten"), 1),
        **dict.fromkeys(("one run", "backwards", "other"), 0),
    }
    assert verdict.rule is not None
    evidence = verdict.rule[0].as_py()
    assert (evidence["agent"], evidence["signal"], evidence["line"]) == ("own", "blocks", 2)
    assert evidence["text"].startswith("A farmer has twelve sheep")
