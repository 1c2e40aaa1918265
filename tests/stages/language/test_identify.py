"""Identifying documents: the batched way equals asking the model for one unit after another; masks, votes, shares."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.stages.language.fasttext.predict import Predictor
from lauter.stages.language.fasttext.read import load as read
from lauter.stages.language.identify import NOISE, Identifier, letters_can_be
from lauter.stages.language.labels import wikipedia_labels
from lauter.stages.language.load import load
from lauter.stages.language.pieces import Units, lines, pieces, whole
from lauter.stages.language.script import claims, count_scripts, letters_of, scripts
from tests.stages.language.test_pieces import buffers
from tests.stages.language.test_stage import CHEROKEE, CHINESE, ENGLISH, GERMAN, JAPANESE, MODEL, RUSSIAN, SERBIAN

SAMPLES = [
    GERMAN,
    ENGLISH,
    RUSSIAN,
    CHINESE,
    JAPANESE,
    SERBIAN,
    CHEROKEE,
    "",
    "1 2 3 ",
    "123 456 789 " * 8,
    "ab",
    "</s>",
]
DOCUMENTS = st.lists(st.lists(st.sampled_from(SAMPLES), max_size=4).map("\n".join), min_size=1, max_size=5)


@cache
def identifier() -> Identifier:
    return load("lid.176")


@cache
def predictor() -> Predictor:
    return Predictor(read(str(MODEL)))


def plain_unit(text: str) -> tuple[NDArray[np.float32], int, int]:
    """The probabilities of one unit, its weight and its letters."""
    seen, _ = count_scripts(*buffers([text]))
    codes, of, _, together = scripts()
    counts = seen * np.where(np.array(codes) == "Latn", 1, 2)
    kept = together[int(counts[0].argmax())]
    # In the samples no letter has a mark behind it.
    own = "".join(char if not of[ord(char)] or kept[of[ord(char)]] else " " * len(char.encode()) for char in text)
    data, offsets = buffers([own.replace("</s>", "    ")])
    weight, letters, means = int(counts[0, kept].sum()), int(seen[0, kept].sum()), wikipedia_labels()
    allowed = np.array(
        [
            any(letters_of(script, counts)[0] >= counts.max() for script in means[label[9:]].scripts)
            for label in predictor().model.labels
        ]
    )
    if letters == 0 or allowed.sum() < 2:
        return (allowed & (letters > 0)).astype(np.float32), weight, letters
    return predictor().probabilities(data, offsets, allowed[None])[0], weight, letters


def plain(cut: Units, *, by_lines: bool) -> list[tuple[str, float, str | None, float]]:
    """(label, probability, second language, its share) of documents, by what the docstrings say."""
    found: list[tuple[str, float, str | None, float]] = []
    units = [cut.data[a:b].tobytes().decode() for a, b in zip(cut.offsets, cut.offsets[1:], strict=False)]
    for row in range(len(cut.bounds) - 1):
        judged = [plain_unit(unit) for unit in units[cut.bounds[row] : cut.bounds[row + 1]]]
        text = "".join(units[cut.bounds[row] : cut.bounds[row + 1]])
        counts, visible = count_scripts(*buffers([text]))
        seen = int(counts.sum())
        weights, heard = sum(unit[1] for unit in judged), sum(unit[2] for unit in judged)
        if visible[0] >= 30 and seen * 5 < visible[0]:
            found.append((NOISE, 1.0, None, 0.0))
            continue
        script = scripts().codes[int(claims(counts)[0].argmax())]
        votes: dict[int, int] = {}
        sure: dict[int, int] = {}
        own: dict[int, float] = {}
        total = np.zeros(len(predictor().model.labels))
        for probabilities, weight, letters in judged:
            top = int(probabilities.argmax())
            votes[top] = votes.get(top, 0) + weight
            own[top] = own.get(top, 0) + weight * float(probabilities[top])
            if probabilities[top] >= 0.5:
                sure[top] = sure.get(top, 0) + letters
            only = np.where(np.arange(len(total)) == top, probabilities, 0) if by_lines else probabilities
            total += weight * only.astype(np.float64)
        if seen < 10 or not total.any():
            found.append((f"und_{script}", 0.0, None, 0.0))
            continue
        best = int(total.argmax())
        others = sorted((-letters, label) for label, letters in sure.items() if label != best)
        second = others[0][1] if others else None
        found.append(
            (
                named(best, counts),
                max(own.get(best, 0) / votes.get(best, 1), 0 if by_lines else total[best] / weights),
                None if second is None else named(second, counts),
                0.0 if second is None else sure[second] / heard,
            )
        )
    return found


def named(label: int, counts: NDArray[np.int32]) -> str:
    meaning = wikipedia_labels()[predictor().model.labels[label][9:]]
    return f"{meaning.language}_{max(meaning.scripts, key=lambda script: letters_of(script, claims(counts))[0])}"


@settings(deadline=None, max_examples=40)
@given(DOCUMENTS, st.sampled_from(["pieces", "lines"]), st.sampled_from([40, 700]))
def test_equals_asking_for_one_unit_after_another(texts: list[str], judged: str, chars: int) -> None:
    by_lines = judged == "lines"
    units = pieces(*buffers(texts), chars)
    units = lines(units) if by_lines else units
    found = identifier().judge(units, 2, 10, by_lines=by_lines)
    for row, (label, probability, second, share) in enumerate(plain(units, by_lines=by_lines)):
        assert identifier().names[found.labels[row, 0]] == label
        assert found.probabilities[row, 0] == pytest.approx(probability, abs=1e-9)
        assert (None if found.second[row] < 0 else identifier().names[found.second[row]]) == second
        assert found.share[row] == pytest.approx(share)


def test_a_share_is_one_of_letters_whatever_their_script_claims() -> None:
    english, russian = f"{ENGLISH} " * 4, f"{RUSSIAN} " * 4
    found = identifier().judge(lines(whole(*buffers([f"{english}\n{russian}"]))), 1, 10, by_lines=True)
    letters = [int(count_scripts(*buffers([text]))[0].sum()) for text in (english, russian)]
    assert [identifier().names[label] for label in (found.labels[0, 0], found.second[0])] == ["rus_Cyrl", "eng_Latn"]
    assert found.share[0] == pytest.approx(letters[0] / sum(letters))
    assert found.other_script[0] == pytest.approx(letters[0] / sum(letters))


def test_a_label_of_two_scripts_has_the_one_that_decided() -> None:
    text = f"{SERBIAN} " * 6 + f"{ENGLISH} " * 8
    counts, _ = count_scripts(*buffers([text]))
    assert scripts().codes[int(counts[0].argmax())] == "Latn"
    found = identifier().judge(whole(*buffers([text])), 1, 10)
    assert identifier().names[found.labels[0, 0]] == "srp_Cyrl"


def test_labels_come_in_order_and_each_once() -> None:
    texts = [f"{GERMAN} {ENGLISH}", RUSSIAN, "ab"]
    found = identifier().judge(whole(*buffers(texts)), 5, 10)
    assert [len(set(row)) for row in found.labels[:2].tolist()] == [5, 5]
    assert (np.diff(found.probabilities) <= 0).all()
    assert (found.probabilities.sum(axis=1) <= 1 + 1e-6).all()
    assert found.labels[2].tolist()[1:] == [-1] * 4
    first = identifier().judge(whole(*buffers(texts)), 1, 10)
    assert (first.labels == found.labels[:, :1]).all()


def test_more_units_than_are_judged_at_a_time() -> None:
    texts = [GERMAN, ENGLISH, "\n".join([RUSSIAN] * 40), CHEROKEE] * 300
    data, offsets = buffers(texts)
    found = identifier().judge(lines(whole(data, offsets)), 1, 10, by_lines=True)
    names = [identifier().names[label][:3] for label in found.labels[:, 0]]
    assert names == ["deu", "eng", "rus", "und"] * 300


def test_a_script_with_one_label_needs_no_model() -> None:
    assert [meaning.language for meaning in wikipedia_labels().values() if "Thai" in meaning.scripts] == ["tha"]
    found = identifier().judge(whole(*buffers(["มนุษย์ทั้งหลายเกิดมามีอิสระ"])), 3, 10)
    assert [identifier().names[label] for label in found.labels[0] if label >= 0] == ["tha_Thai"]
    assert found.probabilities[0].tolist() == [1, 0, 0]


def test_scripts_with_letters() -> None:
    assert all(letters_can_be(code) for code in ("Latn", "Hans", "Jpan"))
    assert not any(letters_can_be(code) for code in ("Zzzz", "Zyyy", "Brai"))
