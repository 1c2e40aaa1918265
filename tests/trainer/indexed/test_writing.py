from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.trainer.indexed import writing
from lauter.trainer.indexed.writing import FlatWriter, MegatronWriter, Writer
from tests.trainer.indexed.samples import FOLDER, NAMES, expected, plainly_read

DOCUMENTS = st.lists(st.lists(st.integers(0, 65_535), max_size=6), max_size=12)


def write(writer: Writer, documents: list[list[int]], cut: int) -> None:
    """In groups of `cut` documents."""
    for first in range(0, len(documents), cut):
        group = documents[first : first + cut]
        tokens = np.array([token for document in group for token in document], np.uint32)
        writer.write(tokens, np.array([len(document) for document in group], np.int64))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cut", [1, 7])
def test_the_files_are_those_of_megatrons_builder_to_the_byte(name: str, cut: int, tmp_path: Path) -> None:
    documents = expected(name)
    writer = MegatronWriter(tmp_path / "out", 65_536 if name.endswith("uint16") else 131_072)
    write(writer, documents, cut)
    files = writer.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.bin", "out.idx"] == [file.path for file in files]
    for end, file in zip((".bin", ".idx"), files, strict=True):
        data = (tmp_path / f"out{end}").read_bytes()
        assert data == (FOLDER / f"{name}{end}").read_bytes()
        assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS, st.integers(1, 5), st.integers(1, 4), st.sampled_from([65_536, 70_000]))
def test_any_documents_in_any_groups_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, documents: list[list[int]], cut: int, block: int, ids: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    before, writing.BLOCK = writing.BLOCK, block  # Borders of blocks within a few documents.
    try:
        writer = MegatronWriter(folder / "a.b", ids)
        write(writer, documents, cut)
        writer.close()
    finally:
        writing.BLOCK = before
    assert plainly_read(folder / "a.b") == documents


@pytest.mark.parametrize(("ids", "dtype"), [(65_536, "<u2"), (65_537, "<u4")])
def test_a_flat_file_is_ids_ends_and_three_lines(ids: int, dtype: str, tmp_path: Path) -> None:
    documents = [[1, 2, 3], [], [40_000, 65_535]]
    writer = FlatWriter(tmp_path / "out", ids, "a" * 64)
    write(writer, documents, 2)
    assert [file.path for file in writer.close()] == ["out.ds", "out.ds.index", "out.ds.metadata"]
    assert np.fromfile(tmp_path / "out.ds", dtype).tolist() == [1, 2, 3, 40_000, 65_535]
    assert np.fromfile(tmp_path / "out.ds.index", "<u8").tolist() == [3, 3, 5]
    lines = (tmp_path / "out.ds.metadata").read_text().split("\n")
    assert lines == [f"{'a' * 64}|{np.dtype(dtype).itemsize}", "5", "5 tokens"]


@pytest.mark.parametrize("kind", ["megatron", "nanotron"])
def test_what_is_not_finished_has_no_name_of_a_dataset_and_is_removed(kind: str, tmp_path: Path) -> None:
    made: Writer = MegatronWriter(tmp_path / "out", 9) if kind == "megatron" else FlatWriter(tmp_path / "out", 9, "t")
    write(made, [[1, 2]], 1)
    assert all(path.suffix == ".partial" for path in tmp_path.iterdir())
    made.discard()
    assert not any(tmp_path.iterdir())
