from __future__ import annotations

import json
from pathlib import Path

import pytest

from lauter.pipeline.audit import audit
from lauter.pipeline.storage import Storage, StorageError
from tests.pipeline.small_run import build, write_manifest
from tests.pipeline.small_stages import CATALOGUE

LINES = "\n".join(f"n{i}\tsome text number {i}" for i in range(40))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    build(write_manifest(tmp_path, {"a.txt": LINES, "b.txt": "x\tone more text\nbroken"}), tmp_path / "out")
    return tmp_path / "out"


def _flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def _violations(out: Path) -> list[str]:
    return audit(Storage(str(out)), CATALOGUE).violations


def test_an_untouched_corpus_passes(corpus: Path) -> None:
    report = audit(Storage(str(corpus)), CATALOGUE)
    assert report.to_json()["ok"]
    assert report.counts["records_in"] == 42
    assert report.counts["records_in"] == sum(
        report.counts[name] for name in ("kept", "dropped", "duplicate", "error", "removed")
    )
    assert report.recounted == 2


@pytest.mark.parametrize("folder", ["tokens", "ledger", "documents"])
def test_every_changed_byte_is_found_and_its_row_group_named(corpus: Path, folder: str) -> None:
    path = sorted((corpus / folder).rglob("*.parquet"))[0]
    name = str(path.relative_to(corpus))
    size = path.stat().st_size
    for place in range(0, size, max(1, size // 40)):
        _flip(path, place)
        found = _violations(corpus)
        _flip(path, place)
        assert len(found) == 1, (place, found)
        assert found[0].startswith(f"{name}: "), found
        assert "row group" in found[0] or "footer" in found[0]
    _flip(path, 4)
    assert _violations(corpus) == [f"{name}: row group 0 was changed"]


def test_the_right_row_group_is_named(corpus: Path) -> None:
    import pyarrow.parquet as pq

    from lauter.pipeline.parquet import row_group_ranges

    path = max((corpus / "tokens").rglob("*.parquet"), key=lambda item: pq.ParquetFile(item).num_row_groups)
    ranges = row_group_ranges(pq.read_metadata(path))
    assert len(ranges) > 1
    for index, (start, end) in enumerate(ranges):
        for place in (start, (start + end) // 2, end - 1):
            _flip(path, place)
            assert _violations(corpus) == [f"{path.relative_to(corpus)}: row group {index} was changed"]
            _flip(path, place)


def test_a_cut_a_missing_and_an_added_file_are_found(corpus: Path) -> None:
    path = sorted((corpus / "ledger").rglob("*.parquet"))[0]
    name = str(path.relative_to(corpus))
    data = path.read_bytes()
    path.write_bytes(data[:-7])
    assert _violations(corpus) == [f"{name}: has {len(data) - 7} bytes, recorded are {len(data)}"]
    path.unlink()
    assert _violations(corpus) == [f"{name}: is missing"]
    path.write_bytes(data)
    (corpus / "tokens/main/00999.parquet").write_bytes(data)
    assert "00999.parquet: stands in the run folder" in _violations(corpus)[0]


def test_a_lying_index_is_found(corpus: Path) -> None:
    data = json.loads((corpus / "corpus.json").read_text())
    data["inputs"][0]["counted"]["records"] += 1
    (corpus / "corpus.json").write_text(json.dumps(data))
    found = _violations(corpus)
    assert any("counted" in item for item in found)
    assert any("went in" in item for item in found)


def test_an_input_that_is_gone_or_changed_is_a_note(corpus: Path) -> None:
    (corpus.parent / "a.txt").unlink()
    with (corpus.parent / "b.txt").open("a") as file:
        file.write("\nmore\ttext")
    report = audit(Storage(str(corpus)), CATALOGUE)
    assert report.violations == []
    assert len(report.notes) == 2


def test_no_corpus_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no finished corpus"):
        audit(Storage(str(tmp_path)), CATALOGUE)
