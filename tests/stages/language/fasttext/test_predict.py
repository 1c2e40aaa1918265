"""Predictions are the library's, whatever the model, the text and the batch."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.language.fasttext import predict
from lauter.stages.language.fasttext.predict import Predictor
from lauter.stages.language.fasttext.read import load
from lauter.stages.language.normaliser import normalise
from tests.stages.language.fasttext.models import KINDS, QUANTISED, TEXTS, ask_library, buffers, trained

ROOT = Path(__file__).parents[4]
LID_176 = ROOT / "stages" / "language" / "models" / "lid.176.ftz"
EMBEDDED = ROOT / "stages" / "language" / "models" / "embedded" / "model.ftz"
DATA = Path(os.environ.get("LAUTER_TEST_DATA", ROOT.parent / "shared" / "data")) / "language"
# Sums in single precision differ in their last bits with their order: two labels this close may change places.
NEAR = 2e-6


@cache
def predictor(path: Path) -> Predictor:
    return Predictor(load(str(path)))


def check(path: Path, texts: list[bytes], k: int, tolerance: float = 1e-4) -> None:
    asked = predictor(path)
    answers = asked.top(*buffers(texts), k)
    for row, (labels, probabilities) in enumerate(ask_library(path, texts, k)):
        places = [int(place) for place in answers.labels[row] if place >= 0]
        found = answers.probabilities[row, : len(places)]
        if len(labels) != len(places):
            # Loss hs leaves out what is below 1e-5, for which the last bit may decide.
            assert asked.model.loss == "hs"
            assert min([*probabilities, *found]) == pytest.approx(1e-5, rel=1e-2)
        size = min(len(labels), len(places))
        assert np.abs(found[:size] - probabilities[:size]).max(initial=0) <= tolerance
        for index in range(size):
            if asked.model.labels[places[index]] != labels[index]:
                near = [x for at, x in enumerate(probabilities) if at != index]
                assert min(abs(probabilities[index] - x) for x in [*near, found[index]]) < NEAR + 1e-5
                assert abs(found[index] - probabilities[index]) < NEAR + 1e-5
        assert (answers.labels[row, len(places) :] == -1).all()
        assert not answers.probabilities[row, len(places) :].any()


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_library(kind: str) -> None:
    for k in (1, 3, 5, 7, 9):
        check(trained(kind), [text.encode() for text in TEXTS], k)


@pytest.mark.parametrize("quantised", QUANTISED)
def test_equals_the_library_quantised(quantised: str) -> None:
    kind = {"words-cut": "bigrams", "output": "many"}.get(quantised, "softmax")
    check(trained(kind, quantised), [text.encode() for text in TEXTS], 5)


@given(
    st.lists(
        st.lists(
            st.one_of(
                st.binary(max_size=6),
                st.sampled_from([b" ", b"\0", b"\n", b"</s>", b"<", b">", b"\xc3", b"\xe0\xb8", b"__label__", b"\xff"]),
                st.sampled_from(["der", "über", "привет", "東京都", "สวัสดี"]).map(str.encode),
            ),
            max_size=12,
        ).map(b"".join),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(["softmax", "trigrams", "ns"]),
)
@settings(max_examples=60)
def test_equals_the_library_on_any_bytes(texts: list[bytes], kind: str) -> None:
    # A table of 512 steps stands for the sigmoid of ns and ova: a last bit may be one step.
    check(trained(kind), texts, 3, 1e-4 if kind != "ns" else 8e-3)


@pytest.mark.parametrize("model", ["softmax", "hs", "ova"])
def test_results_do_not_depend_on_batches_or_what_came_before(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text.encode() for text in TEXTS] * 8
    path = trained(model)
    whole = predictor(path)
    expected, best = whole.probabilities(*buffers(texts)), whole.top(*buffers(texts), 4)
    fresh = Predictor(load(str(path)))
    singles = np.concatenate([fresh.probabilities(*buffers([text])) for text in reversed(texts)])[::-1]
    assert singles.tobytes() == expected.tobytes()
    monkeypatch.setattr(predict, "_TEXTS", 7)
    other = Predictor(load(str(path)))
    again = other.top(*buffers(texts), 4)
    assert again.labels.tobytes() == best.labels.tobytes()
    assert again.probabilities.tobytes() == best.probabilities.tobytes()


def test_frequent_words_push_out_others_and_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    from lauter.stages.language.fasttext import features

    texts = [" ".join(f"w{number}" for number in range(start, start + 60)).encode() for start in range(0, 600, 20)]
    expected = predictor(trained("softmax")).probabilities(*buffers(texts))
    monkeypatch.setattr(features, "_REMEMBERED", 4)
    small = Predictor(load(str(trained("softmax"))))
    assert len(small._memory.tags) == 4
    assert small.probabilities(*buffers(texts)).tobytes() == expected.tobytes()


@pytest.mark.parametrize("kind", ["softmax", "hs", "ova"])
def test_allowed_labels_only(kind: str) -> None:
    asked = predictor(trained(kind))
    count = len(asked.model.labels)
    data, offsets = buffers([text.encode() for text in TEXTS])
    free = asked.probabilities(data, offsets)
    draw = np.random.default_rng(3)
    allowed = draw.random((len(TEXTS), count)) < 0.4
    allowed[3] = False
    masked = asked.probabilities(data, offsets, allowed)
    assert not masked[~allowed].any()
    for row in range(len(TEXTS)):
        kept = free[row] * allowed[row]
        share = kept / kept.sum() if kind != "ova" and kept.sum() else kept
        np.testing.assert_allclose(masked[row], share, atol=2e-6)
    best = asked.top(data, offsets, count, allowed)
    for row in range(len(TEXTS)):
        places = best.labels[row][best.labels[row] >= 0]
        # Every text has a feature, its end. In loss ova all labels may be improbable.
        assert sorted(places) == list(np.flatnonzero(allowed[row]))
        assert (np.diff(masked[row, places]) <= 0).all()
        np.testing.assert_array_equal(best.probabilities[row, : len(places)], masked[row, places])
    one = allowed[0]
    many = np.broadcast_to(one, allowed.shape).copy()
    assert asked.probabilities(data, offsets, one).tobytes() == asked.probabilities(data, offsets, many).tobytes()
    assert asked.top(data, offsets, 3, one).labels.tobytes() == asked.top(data, offsets, 3, many).labels.tobytes()


def test_probabilities_sum_to_one() -> None:
    data, offsets = buffers([text.encode() for text in TEXTS])
    for kind in ("softmax", "hs"):
        found = predictor(trained(kind)).probabilities(data, offsets)
        np.testing.assert_allclose(found.sum(axis=1), found.any(axis=1), atol=1e-5)


def test_no_texts() -> None:
    asked = predictor(trained("softmax"))
    assert asked.probabilities(*buffers([])).shape == (0, len(asked.model.labels))
    assert asked.top(*buffers([]), 2).labels.shape == (0, 2)


def test_wrong_arguments_are_errors() -> None:
    asked = predictor(trained("softmax"))
    data, offsets = buffers([b"der"])
    with pytest.raises(ValueError, match="k must be 1"):
        asked.top(data, offsets, 0)
    with pytest.raises(ValueError, match="allowed must be"):
        asked.top(data, offsets, 1, np.ones((2, len(asked.model.labels)), np.bool_))
    with pytest.raises(ValueError, match="allowed must be"):
        asked.probabilities(data, offsets, np.ones(len(asked.model.labels), np.uint8))


def test_equals_the_library_with_lid_176() -> None:
    check(LID_176, [text.encode() for text in TEXTS], 5)


def test_the_shipped_models_name_the_same_five_labels_in_the_same_order() -> None:
    texts = [text.encode() for text in TEXTS]
    for path, (data, offsets) in ((LID_176, buffers(texts)), (EMBEDDED, normalise(*buffers(texts)))):
        asked = predictor(path)
        answers = asked.top(data, offsets, 5)
        seen = [data[offsets[row] : offsets[row + 1]].tobytes() for row in range(len(texts))]
        for row, (labels, _) in enumerate(ask_library(path, seen, 5)):
            assert [asked.model.labels[place] for place in answers.labels[row] if place >= 0] == labels


@pytest.mark.soak
@pytest.mark.parametrize("model", ["lid.176", "trial", "trained"])
@pytest.mark.parametrize("name", ["udhr", "ebible_nc_verses", "gflang", "indomain", "unseenwords"])
def test_equals_the_library_on_all_test_text(model: str, name: str) -> None:
    source, trial = DATA / f"test-{name}.tsv.zst", DATA / "baseline-1995-labels-10MB.ftz"
    for path in (source, trial) if model == "trial" else (source,):
        if not path.exists():
            pytest.skip(f"the test data {path.name} is not there: set LAUTER_TEST_DATA")
    path = trained("softmax") if model == "trained" else LID_176 if model == "lid.176" else trial
    with pa.CompressedInputStream(pa.OSFile(str(source), "rb"), "zstd") as stream:
        lines = stream.read().splitlines()
    check(path, [line.split(b"\t")[-1] for line in lines], 5)
