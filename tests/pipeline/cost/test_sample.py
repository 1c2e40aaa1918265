from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.cost.rates import Spent
from lauter.pipeline.cost.sample import (
    SampledReader,
    SampledReaderConfig,
    Survey,
    chosen_files,
    content_bytes,
    every_nth,
    few_files,
    next_to_nothing,
    prepared_from_few,
    sampled,
    survey,
)
from lauter.pipeline.manifest import Manifest, StageSpec
from lauter.pipeline.storage import FileStat
from tests.pipeline.small_stages import HERE, LineReader


@given(rows=st.integers(0, 60), every=st.integers(1, 80), broken=st.integers(0, 59))
def test_every_nth_record_across_batches_with_its_verdict(rows: int, every: int, broken: int) -> None:
    lines = [f"id{row}\ttext {row}" if row != broken else "no tab" for row in range(rows)]
    data = "\n".join(lines).encode()
    reader = SampledReader(SampledReaderConfig(target=f"{HERE}:LineReader", config={}, every=every), "s")
    batches = list(reader.read(io.BytesIO(data), "f"))
    texts = [text for batch in batches for text in batch.records.column("text").to_pylist()]
    reasons = [int(reason) for batch in batches for reason in batch.verdict.reason]
    wanted = range(0, rows, every)
    assert texts == [f"text {row}" if row != broken else None for row in wanted]
    assert reasons == [int(row == broken) for row in wanted]
    assert reader.count(io.BytesIO(data)).rows == len(wanted)
    assert reader.reasons == LineReader.reasons


def test_a_survey_counts_what_the_reader_gives(small_manifest: Manifest) -> None:
    source = small_manifest.sources[0]
    found = survey(source)
    texts = sum(len(line.split("\t")[1]) for file in source.files for line in Path(file.uri).read_text().splitlines())
    assert found.records == 240
    assert texts <= found.payload_bytes <= 2 * texts, "texts, and their offsets in each batch"
    half = survey(sampled(small_manifest, {"source-a": 2, "source-b": 2}).sources[0])
    assert half.records == 120


def test_files_are_chosen_by_their_names_and_one_at_least() -> None:
    files = [FileStat(f"/x/{number}", 10, 0) for number in range(20)]
    found = chosen_files(files, 35)
    assert len(found) == 3 and found == tuple(sorted(found, key=lambda file: file.uri))
    moved = [FileStat(f"/elsewhere/{number}", 10, 0) for number in range(20)]
    assert [file.uri.rsplit("/")[-1] for file in chosen_files(moved, 35)] == [f.uri.rsplit("/")[-1] for f in found]
    assert len(chosen_files([FileStat("/big", 1 << 40, 0)], 35)) == 1
    assert chosen_files([], 35) == ()


def test_how_many_records_of_each_source() -> None:
    surveys = [Survey("big", 1000, 9_000, Spent()), Survey("few", 10, 90, Spent()), Survey("none", 0, 0, Spent())]
    assert every_nth(surveys, 1000) == {"big": 10, "few": 1, "none": 1}
    # 90 bytes of the one that has no more, and the rest of the other.
    assert every_nth(surveys, 1900)["big"] == 5 and every_nth([surveys[0], surveys[0]], 1000)["big"] == 15
    assert every_nth(surveys, 1 << 30) == {"big": 1, "few": 1, "none": 1}
    assert next_to_nothing(surveys) == {"big": 250, "few": 2, "none": 1}


def test_a_stage_is_prepared_from_fewer_files_and_keeps_its_others() -> None:
    target = "lauter.stages.optout.stage:OptOut"
    files = tuple(FileStat(f"/robots/{number}", 10, 0) for number in range(9))
    other = FileStat("/policy.yaml", 5, 0)
    spec = StageSpec("optout", target, {"snapshot": [f.uri for f in files], "policy": other.uri}, (*files, other))
    field = getattr(spec.load(), "prepare_from", None)
    assert field == "snapshot"
    found = prepared_from_few(spec, 25)
    assert len(found.config["snapshot"]) == 2 and found.config["policy"] == other.uri
    assert {file.uri for file in found.inputs} == {*found.config["snapshot"], other.uri}


def test_few_files_of_a_small_manifest_are_all(small_manifest: Manifest) -> None:
    assert few_files(small_manifest) == replace(small_manifest, takedown=())


def test_content_is_payloads_and_texts() -> None:
    batch = pa.RecordBatch.from_pydict({"text": pa.array(["abc", None], pa.large_string()), "row": [1, 2]})
    assert content_bytes(batch) == batch.column("text").nbytes


def test_a_reader_that_is_not_there_is_an_error() -> None:
    with pytest.raises(AttributeError):
        SampledReader(SampledReaderConfig(target=f"{HERE}:Absent", config={}, every=1), "s")
