"""A model's file is read as the library reads it, and what is no such file is refused with a reason."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.language.fasttext.read import hash_bytes, load
from tests.stages.language.fasttext.models import WORDS, buffers, trained, training_file

_DICTIONARY = 8 + 12 * 4 + 8  # magic, version, arguments


def hash_in_python(word: bytes) -> int:
    state = 2166136261
    for byte in word:
        state = (state ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619 & 0xFFFFFFFF
    return state


@given(st.binary(max_size=40))
@settings(max_examples=100)
def test_hash(word: bytes) -> None:
    data, _ = buffers([word])
    assert int(hash_bytes(data, 0, len(word))) == hash_in_python(word)


def test_dense_model() -> None:
    import fasttext

    path = trained("softmax")
    model, library = load(str(path)), fasttext.load_model(str(path))
    assert model.labels == tuple(library.get_labels())
    assert set(model.labels) == {f"__label__{label}" for label in WORDS}
    assert model.label_counts.tolist() == library.get_labels(include_freq=True)[1].tolist()
    assert (model.dim, model.minn, model.maxn, model.bucket, model.loss) == (10, 2, 5, 2000, "softmax")
    np.testing.assert_array_equal(model.rows.dense, library.get_input_matrix())
    np.testing.assert_array_equal(model.output, library.get_output_matrix())


def test_the_matrix_is_mapped_and_not_copied() -> None:
    base: object = load(str(trained("softmax"))).rows.dense
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


@pytest.mark.parametrize(("kind", "quantised"), [("softmax", "norms"), ("softmax", "odd"), ("many", "output")])
def test_quantised_rows(kind: str, quantised: str) -> None:
    import fasttext

    path = trained(kind, quantised)
    model, library = load(str(path)), fasttext.load_model(str(path))
    assert len(model.rows.dense) == 1
    for row in (0, 1, 17, len(model.rows.codes) - 1):
        parts = np.arange(model.rows.codes.shape[1])
        line = model.rows.centroids[parts, model.rows.codes[row]].ravel()[: model.dim]
        line = line * model.rows.norms[model.rows.norm_codes[row]]
        np.testing.assert_allclose(line, library.get_input_vector(row), rtol=1e-6)


def test_a_pruned_dictionary() -> None:
    model = load(str(trained("softmax", "cutoff")))
    assert model.is_pruned
    assert len(model.rows.codes) == 600
    kept = model.pruned[model.pruned >= 0]
    assert sorted(kept) == list(range(len(kept)))
    assert model.words.words + len(kept) == 600


@pytest.mark.parametrize(("kind", "quantised"), [("softmax", ""), ("softmax", "cutoff"), ("many", "output")])
def test_a_cut_file_is_an_error_wherever_it_is_cut(kind: str, quantised: str, tmp_path: Path) -> None:
    content = trained(kind, quantised).read_bytes()
    path = tmp_path / "cut.bin"
    for end in {*range(1, 200, 7), *range(200, len(content), max(1, len(content) // 60)), len(content) - 1}:
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match=r"cut\.bin is no fastText model"):
            load(str(path))
    path.write_bytes(content + b"x")
    with pytest.raises(ValueError, match="1 bytes follow"):
        load(str(path))
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="empty"):
        load(str(path))


@pytest.mark.parametrize(
    ("at", "layout", "value", "message"),
    [
        (0, "<i", 7, "first four bytes"),
        (4, "<i", 13, "version 13"),
        (8, "<i", 0, "dimension 0"),
        (8, "<i", 11, "not 11"),
        (32, "<i", 9, "no loss number 9"),
        (36, "<i", 1, "word vectors"),
        (40, "<i", 0, "no buckets"),
        (40, "<i", 1999, "one row for each"),
        (_DICTIONARY, "<i", 1 << 30, "cannot be"),
        (_DICTIONARY + 4, "<i", 3, "cannot be"),
        (_DICTIONARY + 20, "<q", 4, "."),
    ],
)
def test_a_broken_file_is_an_error(at: int, layout: str, value: int, message: str, tmp_path: Path) -> None:
    content = bytearray(trained("softmax").read_bytes())
    struct.pack_into(layout, content, at, value)
    path = tmp_path / "broken.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load(str(path))


@given(st.integers(0, 3000), st.binary(min_size=1, max_size=8), st.sampled_from(["", "cutoff"]))
@settings(max_examples=80)
def test_bytes_that_changed_never_crash(at: int, new: bytes, quantised: str) -> None:
    content = bytearray(trained("softmax", quantised).read_bytes())
    content[at : at + len(new)] = new
    path = training_file().with_name("changed.bin")
    path.write_bytes(content)
    try:
        model = load(str(path))
    except ValueError as problem:
        assert "changed.bin" in str(problem)
    else:
        assert len(model.output) == len(model.labels)


@pytest.mark.parametrize("kind", [1, 2])
def test_word_vectors_are_refused(tmp_path: Path, kind: int) -> None:
    # cbow and skipgram. The library, asked to train them on so little text, stops at a NaN more often than not.
    content = bytearray(trained("softmax").read_bytes())
    assert struct.unpack_from("<i", content, 8 + 4 * 7) == (3,), "the eighth number after the version is the kind"
    struct.pack_into("<i", content, 8 + 4 * 7, kind)
    path = tmp_path / "vectors.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="word vectors"):
        load(str(path))


def test_version_11_has_no_ngrams(tmp_path: Path) -> None:
    content = bytearray(trained("softmax").read_bytes())
    struct.pack_into("<i", content, 4, 11)
    path = tmp_path / "old.bin"
    path.write_bytes(content)
    assert load(str(path)).maxn == 0
