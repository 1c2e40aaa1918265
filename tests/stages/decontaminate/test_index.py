"""The index as files: the same bytes again, what is counted, and the evidence that it gives."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from lauter.pipeline.contract import StageContext
from lauter.stages.decontaminate import Decontaminate
from lauter.stages.decontaminate.benchmarks import Item
from lauter.stages.decontaminate.index import EVIDENCE_CHARACTERS, Index, Source, build
from lauter.stages.kernels.words import text_buffers
from tests.stages.decontaminate.test_stage import config_of


def test_the_index_has_the_same_bytes_again(tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        counts = Decontaminate(config_of(), StageContext()).prepare(str(tmp_path / name))
        made.append({file.name: file.read_bytes() for file in sorted((tmp_path / name).iterdir())})
    assert made[0] == made[1]
    assert counts["gsm8k: items"] == 2 * 1319 and counts["mgsm: items"] == 2750 and counts["humaneval: items"] == 164


def index_of(folder: Path, items: list[Item], ngram: int, least: int) -> tuple[Index, dict[str, int]]:
    counts = build(items, ngram, least, folder)
    return Index.open(folder, ngram, least), counts


def test_items_are_counted_by_how_they_are_matched(tmp_path: Path) -> None:
    texts = ["one two", "one two three", "one two three four", "a b c d e f", "学而时习之不亦说乎"]
    _, counts = index_of(tmp_path, [Item("b", number, "", text) for number, text in enumerate(texts)], 5, 3)
    # Nine letters of Chinese are four and a half words: an n-gram has ten, and three words are six.
    assert counts == {"b: items": 5, "b: matched as a whole": 3, "b: too short": 1, "n-grams": 2}
    _, counts = index_of(tmp_path, [Item("b", number, "", text) for number, text in enumerate(texts)], 5, 8)
    assert counts == {"b: items": 5, "b: matched as a whole": 0, "b: too short": 4, "n-grams": 2}


def test_evidence_is_on_one_line_and_cut(tmp_path: Path) -> None:
    words = [f"{'long' * 30}{number}" for number in range(4)]
    text = f"- (First)  {words[0]},\n{words[1]} … {words[2]} !\n{words[3]}"
    index, _ = index_of(tmp_path, [Item("b", 7, "q", text)], 3, 3)
    assert index.source(0, 2).text == f"{words[1]} … {words[2]} ! {words[3]}"[:EVIDENCE_CHARACTERS]
    assert index.source(0, 0) == Source("b", 7, f"(First) {words[0]}, {words[1]}"[:EVIDENCE_CHARACTERS])


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    for items in ([], [Item("b", 1, "", "too short")]):
        index, counts = index_of(tmp_path, items, 8, 8)
        found = index.find(text_buffers(pa.array(["some text that is long enough for an n-gram"], pa.large_string())))
        assert found.best.tolist() == [[-1, -1, -1]] and counts["n-grams"] == 0
