"""The stage `dedup`: keys of batches, and clusters of real documents with known duplicates."""

from __future__ import annotations

import gzip
import json
import math
import os
import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lauter.pipeline.contract import BarrierStage
from lauter.stages.dedup.stage import Dedup, DedupConfig, MinHashConfig

DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[3] / ".." / "shared" / "data") / "neardup"
POEM = "The mill turns slowly and the miller sleeps while rye and barley wait beneath the leaking roof of stone"
NEAR = DedupConfig(exact=False)
EXACT = DedupConfig(minhash=None)

Texts = Sequence[str | None]


def batch_of(texts: Texts, languages: Texts | None = None) -> pa.RecordBatch:
    columns = {"text": pa.array(texts, pa.large_string())}
    if languages is not None:
        columns["language"] = pa.array(languages, pa.string())
    return pa.record_batch(columns)


def emitted(config: DedupConfig, texts: Texts, languages: Texts | None = None) -> list[set[int]]:
    rows, keys = Dedup(config).emit(batch_of(texts, languages))
    found: list[set[int]] = [set() for _ in texts]
    for row, key in zip(rows.tolist(), keys.tolist(), strict=True):
        found[row].add(key)
    return found


def clusters(config: DedupConfig, texts: Texts, languages: Texts | None = None) -> list[int]:
    """The cluster of each text; its own number if it has no edge."""
    stage = Dedup(config)
    rows, keys = stage.emit(batch_of(texts, languages))
    node, cluster = stage.finish([stage.reduce(keys, rows.astype(np.uint64))])
    found = dict(zip(node.tolist(), cluster.tolist(), strict=True))
    return [found.get(row, row) for row in range(len(texts))]


def test_the_stage_keeps_the_contract() -> None:
    stage: BarrierStage = Dedup(DedupConfig())
    rows, keys = stage.emit(batch_of([POEM, "two words", None, ""]))
    assert rows.dtype == np.int64
    assert keys.dtype == np.uint64
    assert rows.tolist() == [0] * 15 + [1, 3]
    assert np.unique(keys).size == keys.size


def test_an_empty_batch_has_no_keys() -> None:
    rows, keys = Dedup(DedupConfig()).emit(batch_of([]))
    assert rows.shape == keys.shape == (0,)


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(
        st.one_of(st.none(), st.text(max_size=30), st.sampled_from([POEM, POEM + " x", POEM.upper()])), max_size=8
    ),
    st.lists(st.integers(0, 8), max_size=3),
    st.sampled_from([DedupConfig(), DedupConfig(per_language=True)]),
)
def test_keys_do_not_depend_on_how_batches_are_cut(
    texts: list[str | None], cuts: list[int], config: DedupConfig
) -> None:
    stage = Dedup(config)
    batch = batch_of(texts, [None if text is None else text[:1] for text in texts])
    whole_rows, whole_keys = stage.emit(batch)
    bounds = sorted({0, len(texts), *(cut for cut in cuts if cut < len(texts))})
    parts = [(start, stage.emit(batch.slice(start, end - start))) for start, end in pairwise(bounds)]
    assert [row + start for start, (rows, _) in parts for row in rows.tolist()] == whole_rows.tolist()
    assert [key for _, (_, keys) in parts for key in keys.tolist()] == whole_keys.tolist()


def test_exact_duplicates_differ_in_white_space_only() -> None:
    texts = ["Hallo  Welt", " Hallo\nWelt ", "hallo welt", "Hallo Welt!", "Hallo\u00a0Welt"]
    assert clusters(EXACT, texts) == [0, 0, 2, 3, 0]
    assert clusters(DedupConfig(), texts) == [0, 0, 2, 3, 0]


def test_near_duplicates_forgive_case_punctuation_and_digits() -> None:
    texts = [POEM + " 1998", POEM.upper() + ", 2004!", POEM + " 98"]
    assert clusters(NEAR, texts)[:2] == [0, 0]
    assert clusters(EXACT, texts) == [0, 1, 2]
    strict = DedupConfig(exact=False, minhash=MinHashConfig(fold_digits=False))
    assert emitted(strict, texts)[0] != emitted(strict, texts)[1]
    assert emitted(NEAR, texts)[0] == emitted(NEAR, texts)[1]


@pytest.mark.parametrize(
    ("ngram_words", "min_words", "words", "bands"),
    [(5, 5, 4, 0), (5, 5, 5, 14), (3, 8, 7, 0), (3, 8, 8, 14), (7, 1, 6, 0)],
)
def test_a_short_document_is_compared_exactly_only(ngram_words: int, min_words: int, words: int, bands: int) -> None:
    near = MinHashConfig(ngram_words=ngram_words, min_words=min_words)
    text = " ".join(POEM.split()[:words])
    assert len(emitted(DedupConfig(minhash=near), [text])[0]) == bands + 1
    assert len(emitted(DedupConfig(exact=False, minhash=near), [text])[0]) == bands


def test_per_language_joins_within_a_language_only() -> None:
    config = DedupConfig(per_language=True)
    languages = ["deu_Latn", "gsw_Latn", "deu_Latn", None, "", None]
    assert clusters(config, [POEM] * 6, languages) == [0, 1, 0, 3, 4, 3]
    assert clusters(DedupConfig(), [POEM] * 6, languages) == [0] * 6


def test_the_columns_it_reads_follow_from_its_parameters() -> None:
    config = DedupConfig(per_language=True)
    assert Dedup.reads_for(config) == ("text", "language")
    assert Dedup.reads_for(DedupConfig()) == Dedup.reads == ("text",)
    with pytest.raises(ValueError, match="'language'"):
        Dedup(config).emit(batch_of([POEM]))


def test_tables_of_other_numbers_are_other_documents() -> None:
    draw = random.Random(0)

    def timetable() -> str:
        times = [f"{draw.randrange(10, 24)}:{draw.randrange(10, 60)}" for _ in range(100)]
        return "Bahnhof Zürich Fahrplan\n" + " ".join(times)

    def table(rows: int) -> str:
        return " ".join(str(draw.randrange(1000, 9999)) for _ in range(rows))

    texts = [timetable(), timetable(), table(400), table(300)]
    assert clusters(NEAR, texts) == [0, 1, 2, 3]
    # What is the same table with another frame is still found, and so is prose with other numbers in it.
    assert clusters(NEAR, [texts[0], "Neu! " + texts[0]]) == [0, 0]
    assert clusters(NEAR, [f"{POEM} {POEM} {number} 12 30" for number in (1998, 2004)]) == [0, 0]


@pytest.mark.parametrize(("numbers", "joined"), [(50, True), (51, False)])
def test_numbers_are_the_content_above_half_of_the_words(numbers: int, joined: bool) -> None:  # noqa: FBT001
    words = [f"w{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(50)]
    texts = [" ".join([*words, *(str(first + i) for i in range(numbers))]) for first in (1000, 2000)]
    assert (clusters(NEAR, texts) == [0, 0]) is joined


def test_another_seed_draws_other_keys_for_bands_but_not_for_exact_texts() -> None:
    first, second = (emitted(DedupConfig(minhash=MinHashConfig(seed=seed)), [POEM])[0] for seed in (0, 1))
    assert first & second == emitted(EXACT, [POEM])[0]


def test_keys_of_today_are_keys_of_tomorrow() -> None:
    """Signatures are kept for years: if this fails, raise `version`, and say that older crawls must be signed again."""
    rows, keys = Dedup(DedupConfig()).emit(batch_of([POEM]))
    assert rows.size == 15
    assert [f"{key:016x}" for key in keys[:3].tolist()] == ["112aec7008c090dc", "27084834eb30c6c5", "68a05a91056f1520"]


def test_parameters_are_read_as_a_manifest_gives_them() -> None:
    config = DedupConfig.model_validate({"minhash": {"bands": 20, "rows": 5}, "per_language": True})
    assert len(emitted(config, [POEM], ["eng_Latn"])[0]) == 21


@pytest.mark.parametrize(
    "wrong", [{"exact": False, "minhash": None}, {"minhash": {"bands": 0}}, {"minhash": {"band": 14}}]
)
def test_a_wrong_parameter_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DedupConfig.model_validate(wrong)


def real(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"neardup/{name} is not under LAUTER_TEST_DATA")
    return DATA / name


def test_all_planted_pairs_of_news_articles_are_found_and_no_other() -> None:
    rows = [line.split(" ", 1) for line in real("articles_100.train").read_text("utf-8").splitlines()]
    names = [name for name, _ in rows]
    found = clusters(DedupConfig(), [text for _, text in rows])
    pairs = {frozenset((names[row], names[first])) for row, first in enumerate(found) if row != first}
    assert pairs == {frozenset(line.split()) for line in real("articles_100.truth").read_text("utf-8").splitlines()}
    assert len(pairs) == 5


def jaccard(first: str, second: str) -> float:
    runs = [set(zip(*(text.lower().split()[i:] for i in range(5)), strict=False)) for text in (first, second)]
    return len(runs[0] & runs[1]) / max(1, len(runs[0] | runs[1]))


def test_judged_pairs_of_web_pages_are_joined_as_their_similarity_says() -> None:
    """Labels of the judges: 3 and 2 are duplicates, 1 and 0.5 are not (graded). Most 2s have a Jaccard below 0.8."""
    with gzip.open(real("copycat_judged_pairs.jsonl.gz"), "rt", encoding="utf-8") as lines:
        pairs = [json.loads(line) for line in lines]
    keys = emitted(NEAR, [text for pair in pairs for text in (pair["text1"], pair["text2"])])
    joined: dict[str, list[bool]] = defaultdict(list)
    expected = []
    for pair, first, second in zip(pairs, keys[0::2], keys[1::2], strict=True):
        joined[pair["label"]].append(bool(first & second))
        expected.append(1 - (1 - jaccard(pair["text1"], pair["text2"]) ** 8) ** 14)
    share = {label: sum(found) / len(found) for label, found in joined.items()}
    assert share["3"] == 1
    assert share["2"] >= 0.5
    assert share["0.5"] <= 0.25
    total = sum(map(sum, joined.values()))
    deviation = math.sqrt(sum(chance * (1 - chance) for chance in expected))
    assert abs(total - sum(expected)) < 3.5 * deviation
