from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lauter.stages.language.evidence.lists import Weights, WordLists, of_entries, read, write

LABELS = ("deu_Latn", "fra_Latn", "tha_Thai")
WEIGHTS = Weights(1.25, 0.5, 0.25, 0.125, -0.75)


def lists() -> WordLists:
    keys, steps = np.array([3, 900, 901, 65_000, 70_001], np.uint32), np.array([1, 16, 7, 2, 9], np.uint8)
    missing, expected = np.array([120, 5, 0], np.uint16), np.array([345, 5, 0], np.uint16)
    return of_entries(keys, steps, 20, missing, expected, WEIGHTS)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "model.words", lists(), LABELS)
    found = read(tmp_path / "model.words", LABELS)
    fields: Iterator[tuple[Any, Any]] = zip(lists(), found, strict=True)
    assert all(np.array_equal(one, other) for one, other in fields)
    assert found.missing.tolist() == [-1.2, -0.05, 0.0]
    assert found.expected.tolist() == [3.45, 0.05, 0.0]
    write(tmp_path / "again.words", found, LABELS)
    assert (tmp_path / "again.words").read_bytes() == (tmp_path / "model.words").read_bytes()


def test_a_file_that_is_cut_or_of_another_model_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "model.words"
    write(path, lists(), LABELS)
    content = path.read_bytes()
    with pytest.raises(ValueError, match="belongs to another model"):
        read(path, ("deu_Latn", "ita_Latn", "tha_Thai"))
    path.write_bytes(content[:-1])
    with pytest.raises(ValueError, match="is damaged"):
        read(path, LABELS)
    write(path, lists()._replace(expected=np.array([3.45, 0.0, 0.0])), LABELS)
    with pytest.raises(ValueError, match="nothing is expected"):
        read(path, LABELS)
    path.write_bytes(b"words")
    with pytest.raises(ValueError, match="no file of word lists"):
        read(path, LABELS)


def test_hashes_too_far_apart_are_refused(tmp_path: Path) -> None:
    far = lists()._replace(keys=np.array([0, 1, 2, 3, 1 << 19], np.uint32))
    with pytest.raises(ValueError, match="too far apart"):
        write(tmp_path / "model.words", far, LABELS)
