"""`lauter pack`: the same samples with stored windows as without, and nothing that does not fit is believed."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from lauter.pipeline.storage import Storage
from lauter.trainer.cli.pack import app
from lauter.trainer.data import stream as stream_module
from lauter.trainer.data.corpus import DataError, open_corpora
from lauter.trainer.data.samples import Samples
from lauter.trainer.data.stored_windows import stored_windows, windows_path
from tests.trainer.data.corpora import publish, section, shards, write_corpus

LENGTH = 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "demo", {"main": shards(1, shards=4), "web": shards(2, groups=3, rows=9)})


def pack(folder: Path) -> str:
    result = CliRunner().invoke(app, [str(folder), "--length", str(LENGTH)])
    assert result.exit_code == 0, result.output
    return result.output


def samples(folder: Path, **settings: object) -> Samples:
    data = section(folder, sequence_length=LENGTH, packing="best-fit", **settings)
    return Samples(open_corpora(data), data, 1)


def forge(folder: Path, table: pa.Table) -> None:
    pq.write_table(table, folder / windows_path(LENGTH))


def test_samples_are_the_same_and_no_lengths_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in ({}, {"hold_out_shards": 1}):
        (folder / windows_path(LENGTH)).unlink(missing_ok=True)
        counted = samples(folder, **settings)
        before = counted.batch(range(200))
        said = pack(folder)
        assert f"windows of {LENGTH}" in said and "% filled" in said
        with monkeypatch.context() as patch:
            patch.delattr(stream_module, "read_lengths")
            stored = samples(folder, **settings)
            after = stored.batch(range(200))
        assert stored.fingerprint == counted.fingerprint and stored.utilisation == counted.utilisation
        for name in ("tokens", "labels", "positions"):
            assert torch.equal(getattr(after, name), getattr(before, name))


def test_windows_of_another_state_are_refused(folder: Path) -> None:
    pack(folder)
    index = json.loads((folder / "tokens/index.json").read_text())
    other = json.loads((folder / "corpus.json").read_text())["files"]["other"]
    publish(Storage(str(folder)), index, other, {"name": "demo", "lineage": "d" * 64})
    with pytest.raises(
        DataError, match=rf"{LENGTH}\.parquet: was counted for another state .* --length {LENGTH}` again"
    ):
        samples(folder)
    concatenated = section(folder, sequence_length=LENGTH)
    assert Samples(open_corpora(concatenated), concatenated, 1).batch([0]), "nobody asks for windows"
    pack(folder)
    samples(folder)


def test_what_is_damaged_is_told(folder: Path) -> None:
    pack(folder)
    table = pq.read_table(folder / windows_path(LENGTH))
    (folder / windows_path(LENGTH)).write_bytes(b"no Parquet")
    with pytest.raises(DataError, match="can't be read"):
        samples(folder)
    forge(folder, table.slice(1))
    with pytest.raises(DataError, match="does not fit the row groups of stream main"):
        samples(folder)
    more = pa.array([windows + 1 for windows in table.column("windows").to_pylist()], pa.int64())
    forge(folder, table.set_column(3, table.schema.field("windows"), more))
    with pytest.raises(DataError, match=r"row group \d makes \d+ windows, and \d+ are stored"):
        samples(folder).batch(range(3))


def test_without_a_file_there_are_none(folder: Path) -> None:
    corpus = open_corpora(section(folder))
    groups = {name: stream.group_tokens for name, stream in corpus.streams.items()}
    assert stored_windows(Storage(str(folder)), "a" * 64, groups, LENGTH) is None


def test_what_cannot_be_packed_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(tmp_path), "--length", "64"])
    assert result.exit_code == 2 and "it is no run folder" in result.output.replace("\n", " ")
