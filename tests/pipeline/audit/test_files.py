"""Changed, cut, lost and added files of a run folder are found, and what is intact is still counted."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lauter.pipeline import parquet
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.tamper import problem_of
from tests.pipeline.audit.forging import DOCUMENTS_A, LEDGER_A, LEDGER_B, VERDICTS, audited, flip, index_of, violations
from tests.pipeline.small_run import build


@pytest.mark.parametrize("folder", ["tokens", "ledger", "documents", "scores", "decisions"])
def test_every_changed_byte_is_found_and_its_row_group_named(corpus: Path, folder: str) -> None:
    path = sorted((corpus / folder).rglob("*.parquet"))[0]
    name = str(path.relative_to(corpus))
    size = path.stat().st_size
    for place in [*range(0, size, max(1, size // 8)), 0, size - 1]:
        flip(path, place)
        found = violations(corpus)
        flip(path, place)
        assert len(found) == 1, (place, found)
        assert found[0].startswith(f"{name}: "), found
        assert "row group" in found[0] or "footer" in found[0]
    flip(path, 4)
    assert violations(corpus) == [f"{name}: row group 0 was changed"]


def test_the_right_row_group_is_named(corpus: Path) -> None:
    path = max((corpus / "tokens").rglob("*.parquet"), key=lambda item: pq.ParquetFile(item).num_row_groups)
    name = str(path.relative_to(corpus))
    recorded = next(item for item in index_of(corpus)["files"]["tokens"] if item["path"] == name)
    ranges = parquet.row_group_ranges(pq.read_metadata(path))
    assert len(ranges) > 1
    for index, (start, end) in enumerate(ranges):
        for place in (start, (start + end) // 2, end - 1):
            flip(path, place)
            problem = problem_of(Storage(str(corpus)), Output.from_json(recorded))
            assert problem == f"{name}: row group {index} was changed"
            flip(path, place)


def test_a_file_is_digested_without_holding_it(tmp_path: Path) -> None:
    size = 96 << 20
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)
    tracemalloc.start()
    problem = problem_of(Storage(str(tmp_path)), Output("large", size, "0" * 64))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problem == "large: was changed"
    assert peak < 24 << 20


def test_a_cut_a_missing_and_an_added_file_are_found(corpus: Path) -> None:
    path = corpus / LEDGER_A
    data = path.read_bytes()
    path.write_bytes(data[:-7])
    assert violations(corpus) == [f"{LEDGER_A}: has {len(data) - 7} bytes, recorded are {len(data)}"]
    path.write_bytes(b"")
    assert violations(corpus) == [f"{LEDGER_A}: has 0 bytes, recorded are {len(data)}"]
    path.unlink()
    assert violations(corpus) == [f"{LEDGER_A}: is missing"]
    path.write_bytes(data)
    for name in ("tokens/main/00999.parquet", "notes.txt", "more/deep/file", "report/extra.html"):
        (corpus / name).parent.mkdir(parents=True, exist_ok=True)
        (corpus / name).write_bytes(data)
        assert violations(corpus) == [f"{name}: stands in the run folder but in no list of corpus.json"]
        (corpus / name).unlink()
    (corpus / "state/anything").write_text("what a build remembers is its own")
    assert violations(corpus) == []


@pytest.mark.parametrize(
    ("path", "counted"), [(LEDGER_A, 8), (LEDGER_B, 40), (DOCUMENTS_A, 48), ("tokens/main/00000.parquet", 48)]
)
def test_what_is_intact_is_still_counted(corpus: Path, path: str, counted: int) -> None:
    flip(corpus / path, 4)
    report = audited(corpus)
    assert report.violations == [f"{path}: row group 0 was changed"]
    assert report.counts["records_in"] == counted == sum(report.counts[name] for name in VERDICTS)
    assert len(report.hints) == 1 and "lauter build" in report.hints[0]
    assert any("1 of 2 inputs" in note for note in report.notes) == path.startswith("ledger")


def test_after_the_hint_the_corpus_is_whole_again(built: Path, tmp_path: Path) -> None:
    before = (built / "out/corpus.json").read_bytes()
    path = built / "out" / LEDGER_A
    flip(path, 4)
    build(built / "manifest.yaml", built / "out")
    assert violations(built / "out") != [], "a build compares sizes only"
    path.unlink()
    (built / "out/corpus.json").unlink()
    build(built / "manifest.yaml", built / "out")
    assert violations(built / "out") == []
    assert (built / "out/corpus.json").read_bytes() == before
