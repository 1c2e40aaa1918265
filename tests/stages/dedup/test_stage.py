"""The stage `dedup`: what it leaves of a batch, and which documents it says are copies."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.comparing import BarrierStage, Signed
from lauter.stages.dedup.config import DedupConfig, MinHashConfig
from lauter.stages.dedup.stage import Dedup, sketch_arrays
from tests.stages.dedup.joined import batch_of, join

POEM = "The mill turns slowly and the miller sleeps while rye and barley wait beneath the leaking roof of stone"
NEAR = DedupConfig(exact=())
EXACT = DedupConfig(minhash=None)
URL = DedupConfig(exact=("url",), minhash=None)
Texts = Sequence[str | None]
ALL = DedupConfig(exact=("text", "url", "payload"))


def signed(config: DedupConfig, texts: Texts, **columns: Sequence[object]) -> Signed:
    return Dedup(config).sign(batch_of(texts, **columns))


def items(config: DedupConfig, texts: Texts, **columns: Sequence[object]) -> list[int]:
    """The item of each text, numbered as they come."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(item, len(numbers)) for item in signed(config, texts, **columns).item.tolist()]


def are_joined(config: DedupConfig, one: str, two: str) -> bool:
    """Whether two texts are one item, or an edge."""
    found = join(Dedup(config), [batch_of([one, two])])
    return bool(found.item[0] == found.item[1] or found.edges)


def test_the_stage_keeps_the_contract() -> None:
    stage: BarrierStage = Dedup(DedupConfig())
    found = stage.sign(batch_of([POEM, "two words", None, ""]))
    assert (found.item.dtype, found.key.dtype, found.identities.dtype, found.row.dtype) == (
        *(np.dtype(np.uint64),) * 3,
        np.dtype(np.int64),
    )
    assert found.row.tolist() == [0] * 14
    assert np.unique(found.key).size == 14
    assert found.identities.shape == (4, len(stage.identities))
    assert not found.identities.any()
    assert found.sketches.schema == stage.sketches
    assert found.sketches.column("size").to_pylist() == [15, 0, 0, 0]
    assert [item == 0 for item in found.item.tolist()] == [False, False, True, False]


def test_an_empty_batch_has_an_empty_signature() -> None:
    found = signed(ALL, [], url=[], payload_hash=[])
    assert found.item.shape == found.row.shape == found.key.shape == (0,)
    assert found.identities.shape == (0, 2)
    assert found.sketches.num_rows == 0


texts_of_any_kind = st.lists(
    st.one_of(
        st.none(),
        st.text(max_size=30),
        st.sampled_from([POEM, POEM + " x", POEM.upper(), POEM.replace(" ", "\n\u2003")]),
    ),
    max_size=8,
)


@settings(deadline=None)  # the first call compiles
@given(texts_of_any_kind, st.lists(st.integers(0, 8), max_size=3), st.booleans())
def test_a_signature_does_not_depend_on_how_batches_are_cut(
    texts: list[str | None],
    cuts: list[int],
    per_language: bool,  # noqa: FBT001
) -> None:
    stage = Dedup(ALL.model_copy(update={"per_language": per_language}))
    firsts = [None if text is None else text[:1] for text in texts]
    batch = batch_of(texts, language=firsts, url=firsts, payload_hash=[len(text or "") for text in texts])
    whole = stage.sign(batch)
    bounds = sorted({0, len(texts), *(cut for cut in cuts if cut < len(texts))})
    parts = [(start, stage.sign(batch.slice(start, end - start))) for start, end in pairwise(bounds)]
    assert [row + start for start, part in parts for row in part.row.tolist()] == whole.row.tolist()
    assert [key for _, part in parts for key in part.key.tolist()] == whole.key.tolist()
    assert [item for _, part in parts for item in part.item.tolist()] == whole.item.tolist()
    assert [pair for _, part in parts for pair in part.identities.tolist()] == whole.identities.tolist()
    assert [row for _, part in parts for row in part.sketches.to_pylist()] == whole.sketches.to_pylist()


@settings(deadline=None)  # the first call compiles
@given(texts_of_any_kind, st.text(max_size=60), st.sampled_from([" ", "\n", "\u2003", "\u3000 "]))
def test_equal_items_have_equal_sketches(texts: list[str | None], text: str, space: str) -> None:
    written = [*texts, text, space + text.replace(" ", space), text + space]
    found = signed(DedupConfig(), written)
    of_item: dict[int, dict[str, object]] = {}
    for item, sketch in zip(found.item.tolist(), found.sketches.to_pylist(), strict=True):
        assert of_item.setdefault(item, sketch) == sketch or item == 0


def test_exact_copies_differ_in_white_space_only() -> None:
    texts = ["Hallo  Welt", " Hallo\nWelt ", "hallo welt", "Hallo Welt!", "Hallo\u00a0Welt"]
    assert items(EXACT, texts) == items(DedupConfig(), texts) == [0, 0, 1, 2, 0]
    # Without `text` these are too short to be compared at all; a longer text is compared by MinHash.
    assert not signed(NEAR, texts).item.any()
    assert items(NEAR, [POEM, f" {POEM}\n", POEM + "!"]) == [0, 0, 1]


def test_near_copies_forgive_case_punctuation_and_digits() -> None:
    texts = [POEM + " 1998", POEM.upper() + ", 2004!"]
    assert are_joined(NEAR, *texts)
    assert not are_joined(EXACT, *texts)
    sizes = signed(NEAR, texts).sketches
    assert sizes.slice(0, 1).to_pylist() == sizes.slice(1).to_pylist()
    strict = DedupConfig(minhash=MinHashConfig(fold_digits=False))
    assert signed(strict, texts).sketches.slice(0, 1).to_pylist() != signed(strict, texts).sketches.slice(1).to_pylist()


@pytest.mark.parametrize(
    ("ngram_words", "min_words", "words", "shingles"),
    [(5, 5, 4, 0), (5, 5, 5, 1), (3, 8, 7, 0), (3, 8, 8, 6), (7, 1, 6, 0)],
)
def test_a_short_document_is_compared_exactly_only(ngram_words: int, min_words: int, words: int, shingles: int) -> None:
    near = MinHashConfig(ngram_words=ngram_words, min_words=min_words)
    text = " ".join(POEM.split()[:words])
    for exact in (("text",), ()):
        found = signed(DedupConfig(exact=exact, minhash=near), [text])
        assert found.sketches.column("size").to_pylist() == [shingles]
        assert len(found.key) == (14 if shingles else 0)
        assert bool(found.item[0]) == bool(shingles or exact)


def test_per_language_joins_within_a_language_only() -> None:
    config = ALL.model_copy(update={"per_language": True})
    columns: dict[str, Sequence[object]] = {
        "language": ["deu_Latn", "gsw_Latn", "deu_Latn", None, "", None],
        "url": ["http://a/"] * 6,
        "payload_hash": [7] * 6,
    }
    assert items(config, [POEM] * 6, **columns) == [0, 1, 0, 2, 3, 2]
    assert items(DedupConfig(), [POEM] * 6) == [0] * 6
    found = signed(config, [POEM] * 6, **columns)
    for column in (0, 1):
        assert len(set(found.identities[:, column].tolist())) == 4
    assert len(set(found.key.tolist())) == 4 * 14


def test_per_source_joins_within_a_source_only() -> None:
    columns: dict[str, Sequence[object]] = {"source": ["a", "b", "a", "b"], "language": ["deu_Latn", None, None, None]}
    assert items(DedupConfig(per_source=True), [POEM] * 4, **columns) == [0, 1, 0, 1]
    assert items(DedupConfig(per_source=True, per_language=True), [POEM] * 4, **columns) == [0, 1, 2, 1]
    # A source named like a language is no language.
    by_source = signed(DedupConfig(per_source=True), [POEM], source=["x"]).item
    assert by_source != signed(DedupConfig(per_language=True), [POEM], language=["x"]).item


def test_pages_are_the_same_by_url_and_by_payload() -> None:
    columns: dict[str, Sequence[object]] = {
        "url": ["http://a.example/x", "https://A.example/x#top", None, "", "http://b.example/"],
        "payload_hash": [5, None, 5, 0, 2**64 - 1],
    }
    texts = ["one", "two", "three", "four", "five"]
    url, payload = signed(ALL, texts, **columns).identities.T.tolist()
    assert url[0] == url[1] not in (0, url[4])
    assert payload[0] == payload[2] not in (0, payload[4])
    assert url[2:4] == [0, 0]
    assert [payload[1], payload[3]] == [0, 0]
    assert not signed(EXACT, texts, **columns).identities.any()
    # A page whose content is its own address is no copy of the page at that address.
    assert not set(url) & set(payload) - {0}


def test_without_texts_a_document_is_what_identifies_it() -> None:
    found = signed(URL, ["x", "x", "y", POEM, None], url=["http://a/", "http://b/", "http://a/", None, "http://a/"])
    assert found.item[3] == 0
    assert len(set(found.item.tolist())) == 5
    assert found.identities[0, 0] == found.identities[2, 0] == found.identities[4, 0]
    assert not len(found.key)


def test_the_columns_it_reads_follow_from_its_parameters() -> None:
    config = DedupConfig(per_language=True, per_source=True, exact=("url", "payload"))
    assert Dedup.reads_for(config) == ("text", "language", "source", "url", "payload_hash")
    assert Dedup.reads_for(DedupConfig()) == Dedup.reads == ("text",)
    for config, column in (
        (DedupConfig(per_language=True), "language"),
        (DedupConfig(per_source=True), "source"),
        (URL, "url"),
        (DedupConfig(exact=("payload",)), "payload_hash"),
    ):
        with pytest.raises(ValueError, match=f"'{column}'"):
            Dedup(config).sign(batch_of([POEM]))


def test_near_duplicates_are_not_judged_without_minhash() -> None:
    stage = Dedup(EXACT)
    empty = stage.sign(batch_of([])).sketches
    with pytest.raises(ValueError, match="without `minhash`"):
        stage.judge(empty, empty)


def test_sketches_may_be_slices() -> None:
    stage = Dedup(DedupConfig())
    sketches = stage.sign(batch_of([POEM, "other words that make up another text", POEM + " and", POEM])).sketches
    whole = stage.judge(sketches.take(pa.array([0, 0, 1])), sketches.take(pa.array([3, 1, 1]))).tolist()
    assert whole == [1, 0, 1]
    assert stage.judge(sketches.slice(0, 1), sketches.slice(3, 1)).tolist() == [1]
    assert stage.judge(sketches.slice(1, 2), sketches.slice(0, 2)).tolist() == [0, 0]
    assert stage.judge(sketches.slice(0, 0), sketches.slice(0, 0)).shape == (0,)


def test_sketches_are_read_only_wherever_they_are_from() -> None:
    """A task judges what it has mapped and what it has just sorted: one compiled kernel takes both."""
    made = Dedup(DedupConfig()).sign(batch_of([POEM, "two words"])).sketches
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, made.schema) as writer:
        writer.write_batch(made)
    for sketches in (made, made.take(pa.array([1, 0])), pa.ipc.open_file(sink.getvalue()).get_batch(0)):
        assert not any(array.flags.writeable for array in sketch_arrays(sketches))


def test_similarity_is_estimated_from_sketches_and_its_error_is_told() -> None:
    words = [f"word{number}" for number in range(400)]
    texts = [" ".join(words), " ".join(words[:360]), "too short", " ".join(reversed(words))]
    stage = Dedup(DedupConfig(minhash=MinHashConfig(fold_digits=False)))
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    sketches = stage.sign(batch).sketches
    left, right = sketches.take(pa.array([0, 0, 0, 0, 2])), sketches.take(pa.array([0, 1, 2, 3, 2]))
    estimates, errors = Dedup.similarity(left, right)
    # Runs of five words: 396 of the first, 356 of the second, all of them in the first.
    assert abs(estimates[1] - 356 / 396) <= 3 * errors[1]
    assert (estimates[0], errors[0]) == (pytest.approx(1), pytest.approx(0))
    assert 0 <= estimates[3] < 0.05 and 0 < errors[3] < 0.02
    assert np.isnan(estimates[[2, 4]]).all() and np.isnan(errors[[2, 4]]).all()
    assert len(Dedup.similarity(left.slice(0, 0), right.slice(0, 0))[0]) == 0


def test_evidence_is_the_set_of_shingles() -> None:
    stage = Dedup(DedupConfig())
    evidence = stage.evidence(batch_of([POEM, "", None, f"{POEM} {POEM} {POEM}", "four words are few"]))
    assert evidence.type == pa.list_(pa.uint32())
    lists = evidence.to_pylist()
    assert [len(found) for found in lists] == [15, 0, 0, 19, 0]
    assert all(found == sorted(set(found)) for found in lists)
    assert set(lists[0]) < set(lists[3])
    assert stage.compare(evidence.take(pa.array([0, 0, 1])), evidence.take(pa.array([0, 3, 2]))).tolist() == [
        True,
        False,
        False,
    ]
    assert stage.compare(evidence.slice(3, 1), evidence.slice(0, 1)).tolist() == [False]
    assert stage.compare(evidence.slice(0, 0), evidence.slice(0, 0)).shape == (0,)


def test_tables_of_other_numbers_are_other_documents() -> None:
    draw = random.Random(0)

    def timetable() -> str:
        times = [f"{draw.randrange(10, 24)}:{draw.randrange(10, 60)}" for _ in range(100)]
        return "Bahnhof Zürich Fahrplan\n" + " ".join(times)

    first, second = timetable(), timetable()
    assert not are_joined(NEAR, first, second)
    # What is the same table with another frame is still found, and so is prose with other numbers in it.
    assert are_joined(NEAR, first, "Neu! " + first)
    assert are_joined(NEAR, *(f"{POEM} {POEM} {number} 12 30" for number in (1998, 2004)))


@pytest.mark.parametrize(("numbers", "joined"), [(50, True), (51, False)])
def test_numbers_are_the_content_above_half_of_the_words(numbers: int, joined: bool) -> None:  # noqa: FBT001
    words = [f"w{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(50)]
    texts = [" ".join([*words, *(str(first + i) for i in range(numbers))]) for first in (1000, 2000)]
    assert are_joined(NEAR, *texts) is joined


def test_another_seed_draws_other_keys_for_bands_but_not_for_items() -> None:
    first, second = (signed(DedupConfig(minhash=MinHashConfig(seed=seed)), [POEM]) for seed in (0, 1))
    assert first.item.tolist() == second.item.tolist() == signed(EXACT, [POEM]).item.tolist()
    assert not set(first.key.tolist()) & set(second.key.tolist())


def test_keys_of_today_are_keys_of_tomorrow() -> None:
    """Signatures are kept for years: if this fails, raise `version`, and say that older crawls must be signed again."""
    found = signed(DedupConfig(exact=("text", "url", "payload")), [POEM], url=["https://a.example/"], payload_hash=[7])
    assert [f"{key:016x}" for key in (*found.item.tolist(), *found.key[:2].tolist())] == [
        "112aec7008c090dc",
        "27084834eb30c6c5",
        "68a05a91056f1520",
    ]
    assert [f"{key:016x}" for key in found.identities[0].tolist()] == ["c71dc8f09de6ed69", "4a42687e50d5bb20"]
    assert found.sketches.column("sketch")[0].as_py()[:8].hex() == "374dde7a49bae6c7"


@pytest.mark.parametrize(("bands", "rows"), [(20, 5), (1, 1), (3, 64), (256, 2)])
def test_any_number_of_bands_has_a_sketch_of_the_same_size(bands: int, rows: int) -> None:
    found = signed(DedupConfig(minhash=MinHashConfig(bands=bands, rows=rows)), [POEM])
    assert np.unique(found.key).size == bands
    # It is made of the first 112 permutations, so that sketches of other bands can be compared.
    assert found.sketches.to_pylist() == signed(DedupConfig(), [POEM]).sketches.to_pylist()


def test_a_huge_text_and_one_of_a_single_word_a_million_times() -> None:
    draw = np.random.default_rng(0)
    huge = " ".join(map(str, draw.integers(10_000, 10_000_000, 300_000)))
    found = signed(DedupConfig(), [huge, "tea " * 1_000_000, huge + " end"])
    sizes = found.sketches.column("size").to_pylist()
    assert 299_900 < sizes[0] <= 299_996
    assert sizes[1] == 1
    assert are_joined(DedupConfig(), huge, huge + " the end of it")


def test_bytes_that_are_no_utf8_do_no_harm() -> None:
    bad = b"the mill \xff\xfe turns \xc3 slowly \xe2\x82 and \xf4\x90\x80\x80 the miller sleeps \x00 on"
    raw = pa.array([bad, bad, b"\xff" * 50], pa.large_binary())
    stage = Dedup(DedupConfig())
    batch = pa.record_batch({"text": raw})
    found = stage.sign(batch)
    assert found.item[0] == found.item[1] != found.item[2]
    assert found.sketches.column("size").to_pylist()[0] == len(stage.evidence(batch)[0].as_py()) > 0
