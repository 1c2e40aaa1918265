"""Grams in documents: the kernels against a plain twin, and what must not hide a copy."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.decontaminate.benchmarks import Item
from lauter.stages.decontaminate.index import Found, Index, build
from lauter.stages.decontaminate.match import best_items, item_sizes, ten_thousandths
from lauter.stages.kernels.words import text_buffers
from tests.stages.decontaminate.twin import Best, best_item, folded_words, grams_in_order, letters_per_word

# Few words, so that grams meet by chance; letters of three scripts without spaces; what is folded.
WORDS = st.sampled_from(["a", "b", "c", "B,", "C!", "é", "É", "—", "世", "界", "学", "カ", "ไ", "ท", "ย", "กิ"])
TEXTS = st.lists(st.tuples(WORDS, st.sampled_from([" ", "\n", "  ", ""])), max_size=40).map(
    lambda pairs: "".join(word + space for word, space in pairs)
)


def found_in(items: list[str], texts: list[str], ngram: int, least: int) -> tuple[Index, Found]:
    with TemporaryDirectory() as folder:
        build((Item("b", number, "t", text) for number, text in enumerate(items)), ngram, least, Path(folder))
        index = Index.open(Path(folder), ngram, least)
        return index, index.find(text_buffers(pa.array(texts, pa.large_string())))


@settings(max_examples=80)
@given(
    st.lists(TEXTS, min_size=1, max_size=4),
    st.lists(TEXTS, min_size=1, max_size=4),
    st.integers(2, 5),
    st.integers(2, 5),
)
def test_the_kernels_find_what_the_definition_finds(items: list[str], texts: list[str], ngram: int, least: int) -> None:
    index, found = found_in(items, texts, ngram, least)
    for row, text in enumerate(texts):
        expected = best_item(items, text, ngram, least)
        best = Best(*found.best[row].tolist())
        assert best == (expected or Best(-1, -1, -1))
        ranks = found.ranks[found.bounds[row] : found.bounds[row + 1]]
        grams = [tuple(folded_words(index.source_of_key(int(rank)).text)) for rank in ranks]
        # Two grams that begin at one word stand in the order of their keys, which are hashes.
        assert sorted(grams) == sorted(grams_in_order(items, text, ngram, least))
        assert len(set(ranks.tolist())) == len(ranks)


def test_grams_stand_in_the_order_of_the_text() -> None:
    items = ["one two three four five six", "seven eight nine ten"]
    index, found = found_in(items, ["seven eight nine and one two three and seven eight nine"], 3, 3)
    assert [index.source_of_key(int(rank)).text for rank in found.ranks] == ["seven eight nine", "one two three"]


@given(TEXTS)
def test_items_are_measured_by_the_definition(text: str) -> None:
    offsets, data = text_buffers(pa.array([text], pa.large_string()))
    assert item_sizes(data, offsets).tolist() == [[len(folded_words(text)), letters_per_word(text)]]


def test_many_grams_in_one_text_outgrow_every_buffer() -> None:
    words = [f"w{number}" for number in range(5000)]
    item = " ".join(words)
    _, found = found_in([item], ["", f"{item} {item}", "nothing of it"], 8, 8)
    assert found.best.tolist() == [[-1, -1, -1], [10_000, 0, 0], [-1, -1, -1]]
    assert found.bounds.tolist() == [0, 0, 4993, 4993]


def test_an_item_that_stands_in_a_hundred_benchmarks_is_the_first() -> None:
    item = "what is the sum of the first ten odd numbers"
    _, found = found_in([item] * 100, [f"So {item.upper()}?"], 8, 8)
    assert found.best.tolist() == [[10_000, 0, 0]] and len(found.ranks) == 3


@given(st.integers(1, 100_000).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_ratios_are_rounded_as_the_schema_says(shares: tuple[int, int]) -> None:
    assert ten_thousandths(*shares) == round(Fraction(10_000 * shares[0], shares[1]))


def test_a_form_that_stands_in_all_items_is_gone_through_in_parts() -> None:
    form = "read the question and choose the one right answer of the four below"
    items = [
        f"{form} q{number} " + " ".join(f"w{number}x{word}" for word in range(number % 9)) for number in range(300)
    ]
    texts = [f"{form} {items[number]} said {items[number - 1]}" for number in (1, 70, 99)] + ["", form, "nothing"]
    index, found = found_in(items, texts, 8, 8)
    assert [Best(*row) for row in found.best.tolist()] == [
        best_item(items, text, 8, 8) or Best(-1, -1, -1) for text in texts
    ]
    assert sum(index.starts[rank + 1] - index.starts[rank] for rank in found.ranks.tolist()) > 6 * len(items)
    sizes, lengths = (index.benchmark.column(name).to_numpy() for name in ("words", "length"))
    for most in (1, 2, 7, 100, 1000):
        parted = best_items(found.bounds, found.ranks, index.starts, index.items, index.places, sizes, lengths, most)
        assert parted.tolist() == found.best.tolist(), most
