from __future__ import annotations

import numpy as np
import pyarrow as pa

from lauter.stages.language.training.held_out import TEXT, WORDS, hold_out
from lauter.stages.language.training.recipe import HeldOut

BY = HeldOut(one_line_in=5, lines=4, one_type_in=10, least_types=3, frequent=6, word_lines=2, words=5)


def parts_of(**sources: list[str]) -> dict[tuple[str, int], tuple[pa.Array, np.ndarray]]:
    return {
        (name, TEXT if name.startswith("text") else WORDS): (
            pa.array(items, pa.string()),
            np.ones(len(items), np.int64),
        )
        for name, items in sources.items()
    }


def test_types_are_kept_out_of_every_list_and_the_frequent_ones_are_not() -> None:
    words = [f"w{number}" for number in range(100)]
    left, held = hold_out("deu_Latn", parts_of(one=words, two=words[::-1]), BY, unspaced=False)
    kept = [set(items.to_pylist()) for items, _ in left.values()]
    out = set(words) - kept[0]
    assert kept[0] == kept[1]
    assert len(out) == 10
    assert not out & {*words[:6], *words[-6:]}
    assert len(held) == 2
    assert all(line.kind == WORDS and set(line.text.split(" ")) <= out and line.text.count(" ") == 4 for line in held)


def test_a_short_list_loses_at_most_an_eighth() -> None:
    words = [f"w{number}" for number in range(16)]
    left, _ = hold_out("deu_Latn", parts_of(one=words), BY, unspaced=False)
    assert len(left["one", WORDS][0]) == 14
    left, held = hold_out("deu_Latn", parts_of(one=words[:7]), BY, unspaced=False)
    assert len(left["one", WORDS][0]) == 7 and not held


def test_lines_are_kept_out_of_every_source() -> None:
    lines = [f"satz nummer {number}" for number in range(200)]
    left, held = hold_out("deu_Latn", parts_of(text_one=lines, text_two=lines[:100]), BY, unspaced=False)
    kept = set(left["text_one", TEXT][0].to_pylist())
    assert 20 < 200 - len(kept) < 60
    assert set(left["text_two", TEXT][0].to_pylist()) <= kept
    assert len(held) == 4
    assert not {line.text for line in held} & kept
    again, same = hold_out("deu_Latn", parts_of(text_one=lines[::-1], text_two=lines[:100]), BY, unspaced=False)
    assert set(again["text_one", TEXT][0].to_pylist()) == kept
    assert same == held


def test_words_of_scripts_without_spaces_are_joined() -> None:
    _, held = hold_out("tha_Thai", parts_of(one=[chr(0xE01 + number) for number in range(40)]), BY, unspaced=True)
    assert held and all(" " not in line.text for line in held)


def test_a_source_of_which_nothing_is_left_is_none_and_a_label_keeps_its_all() -> None:
    lines = [f"satz {number}" for number in range(99)]
    kept, _ = hold_out("deu_Latn", parts_of(text=lines), BY, unspaced=False)
    out = min(set(lines) - set(kept["text", TEXT][0].to_pylist()))
    left, held = hold_out("deu_Latn", parts_of(text=[out] * 20, one=["a", "b"]), BY, unspaced=False)
    assert list(left) == [("one", WORDS)]
    assert [line.text for line in held] == [out]
    left, held = hold_out("deu_Latn", parts_of(text=[out] * 20), BY, unspaced=False)
    assert left["text", TEXT][0].to_pylist() == [out] * 20
    assert held == []
