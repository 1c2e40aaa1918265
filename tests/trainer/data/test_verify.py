"""Shards that are not those of the index."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lauter.pipeline.storage import Storage
from lauter.trainer.data.corpus import DataError, open_corpora
from lauter.trainer.data.samples import Samples
from tests.trainer.data.corpora import (
    VOCABULARY,
    section,
    shards,
    write_corpus,
    write_shard,
)
from tests.trainer.data.opening import SHARD, problems, relist, told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "demo", {"main": shards(1), "web": shards(2)})


def test_a_foreign_tokenizer_in_a_shard(folder: Path, tmp_path: Path) -> None:
    """A shard of a corpus with the same layout but another tokenizer, which the index even lists."""
    other = write_corpus(tmp_path / "other", {"main": shards(1), "web": shards(2)}, vocabulary=VOCABULARY + 1)
    foreign = json.loads((other / "tokens/index.json").read_text())
    shutil.copy(other / SHARD, folder / SHARD)
    relist(folder, foreign["streams"]["main"]["shards"][1])
    told(problems(folder), SHARD, "foreign tokenizer", foreign["tokenizer"]["sha256"], "lauter build")


def test_a_missing_shard(folder: Path) -> None:
    (folder / SHARD).unlink()
    told(problems(folder), SHARD, "is missing", "copy it again")


def test_a_shard_of_another_size(folder: Path) -> None:
    content = (folder / SHARD).read_bytes()
    (folder / SHARD).write_bytes(content[:-9])
    told(problems(folder), f"has {len(content) - 9} bytes, and the index lists {len(content)}", "its footer is broken")


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table], keep: list[int]) -> None:
    """Write some row groups of a shard again."""
    file = pq.ParquetFile(path)
    groups = [change(file.read_row_group(number)) for number in keep]
    with pq.ParquetWriter(path, groups[0].schema, compression="zstd") as writer:
        for group in groups:
            writer.write_table(group)


def test_a_removed_row_group(folder: Path) -> None:
    rewrite(folder / SHARD, lambda table: table, [0])
    told(problems(folder), SHARD, "with 1 of its 2 row groups", "lauter audit")


def test_a_removed_row_group_of_which_the_index_knows_the_size(folder: Path) -> None:
    rewrite(folder / SHARD, lambda table: table, [0])
    relist(folder, {"size": (folder / SHARD).stat().st_size})
    found = problems(folder)
    assert any("has 1 row groups, and the index lists 2" in problem for problem in found)
    assert any("has 6 rows, and the index lists 12" in problem for problem in found)


def test_other_columns(folder: Path) -> None:
    rewrite(folder / SHARD, lambda table: table.rename_columns({"removed": "gone"}), [0, 1])
    relist(folder, {"size": (folder / SHARD).stat().st_size})
    told(problems(folder), "its columns are not a token shard's")


def test_a_corpus_of_another_version(folder: Path) -> None:
    rewrite(folder / SHARD, lambda table: table.drop_columns(["copies"]), [0, 1])
    relist(folder, {"size": (folder / SHARD).stat().st_size})
    told(problems(folder), "has no column copies: another version of Lauter wrote it", "lauter build")


def test_a_shard_of_another_stream(folder: Path) -> None:
    storage = Storage(str(folder))
    metadata = pq.read_schema(folder / SHARD).metadata
    plain = {name.decode(): value.decode() for name, value in metadata.items()} | {"lauter.stream": "web"}
    relist(folder, write_shard(storage, SHARD, shards(1)[1], plain))
    told(problems(folder), "is of another corpus: lauter.stream web, not main")


def test_fewer_tokens_than_the_index_lists(folder: Path) -> None:
    relist(folder, {"tokens": 1})
    told(problems(folder), SHARD, "and the index lists 1;")


def test_changed_bytes_are_found_by_the_full_check_alone(folder: Path) -> None:
    content = bytearray((folder / SHARD).read_bytes())
    content[100] ^= 1
    (folder / SHARD).write_bytes(content)
    open_corpora(section(folder))
    told(problems(folder, verify="full"), SHARD, "its bytes were changed in row group 0", "lauter audit")
    content[100] ^= 1
    content[-40] ^= 1
    (folder / SHARD).write_bytes(content)
    told(problems(folder, verify="full"), "its bytes were changed in the footer")


def test_bytes_that_change_during_a_run(folder: Path) -> None:
    data = section(folder, sequence_length=16)
    samples = Samples(open_corpora(data), data, 1)
    for path in sorted((folder / "tokens/main").iterdir()):
        path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(DataError, match=r"row group 0 can't be read.*lauter audit"):
        samples.batch([0, 1, 2])
