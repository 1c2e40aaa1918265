"""The features of a word are the library's, and a text is the mean of its features' rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.language.fasttext.features import features_of, mean_rows, memory_for
from lauter.stages.language.fasttext.read import load
from tests.stages.language.fasttext.models import TEXTS, buffers, trained


def means(path: str, texts: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    model = load(path)
    hidden, counts = np.empty((len(texts), model.dim), np.float32), np.empty(len(texts), np.int64)
    mean_rows(*buffers(texts), features_of(model), memory_for(model), hidden, counts)
    return hidden, counts


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), min_size=1, max_size=4))
@settings(max_examples=40)
def test_the_features_of_a_word(words: list[str]) -> None:
    import fasttext

    words = ["".join(word.split()) for word in words]
    words = [word for word in words if word and not set(word) & set("\0\v\f\r\n\t ") and not word.startswith("__label")]
    path = str(trained("softmax"))
    library = fasttext.load_model(path)
    end = len(library.get_subwords("</s>")[1])
    hidden, counts = means(path, [word.encode() for word in words])
    for row, word in enumerate(words):
        rows = [] if word == "</s>" else list(library.get_subwords(word)[1])
        rows += list(library.get_subwords("</s>")[1])
        assert counts[row] == len(rows) >= end
        expected = np.mean([library.get_input_vector(int(at)).astype(np.float64) for at in rows], axis=0)
        np.testing.assert_allclose(hidden[row], expected, atol=1e-5)


@pytest.mark.parametrize(("kind", "quantised"), [("softmax", ""), ("trigrams", ""), ("softmax", "cutoff")])
def test_the_mean_of_a_text(kind: str, quantised: str) -> None:
    import fasttext

    path = trained(kind, quantised)
    library = fasttext.load_model(str(path))
    texts = [text for text in TEXTS if "\n" not in text]
    hidden, _ = means(str(path), [text.encode() for text in texts])
    for row, text in enumerate(texts):
        np.testing.assert_allclose(hidden[row], library.get_sentence_vector(text), rtol=1e-4, atol=1e-5)


def test_a_text_without_features() -> None:
    from lauter.stages.language.fasttext import read

    model = load(str(trained("words")))
    # Without the end of a text in the dictionary, and without n-grams, an unknown word is nothing.
    slots = np.full_like(model.words.slots, -1)
    slots.setflags(write=False)
    features = features_of(model)._replace(words=read.Words(*model.words[:3], slots, model.words.words))
    hidden, counts = np.empty((2, model.dim), np.float32), np.empty(2, np.int64)
    mean_rows(*buffers([b"nowhere", b""]), features, memory_for(model), hidden, counts)
    assert counts.tolist() == [0, 0]
    assert not hidden.any()


@pytest.mark.parametrize(("dim", "most"), [(10, 8.4e6 * 2), (256, 143e6), (368, 202e6), (16384, 202e6)])
def test_the_memory_is_bounded_whatever_the_dimension(dim: int, most: float) -> None:
    memory = memory_for(dataclasses.replace(load(str(trained("softmax"))), dim=dim))
    assert memory.sums.nbytes <= most
    assert len(memory.tags) % 4 == 0 and len(memory.tags) == len(memory.sums) - 1 >= 2800
