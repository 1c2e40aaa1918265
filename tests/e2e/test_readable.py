"""The shards open with what everybody has, and hold what the ledger says, without a line of Lauter."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from lauter.pipeline import schema
from lauter.stages.catalogue import CATALOGUE
from tests.pipeline.small_run import build

pytestmark = pytest.mark.slow

ROWS = [
    {"id": "a", "url": "https://a.example/", "text": "A page that says <s> and [INST] and </s> in plain words. " * 9},
    {
        "id": "b",
        "url": "https://b.example/",
        "text": "Schreiben Sie an frau.muster@example.org, wenn Sie mögen. " * 9,
    },
    {"id": "c", "url": "https://c.example/", "text": "面包店每天早上六点开门，面包是在石炉里烤的。" * 9},
    {
        "id": "d",
        "url": "https://d.example/",
        "text": "می‌شود گفت که این کتابخانه از قدیم در این شهر بوده است. 👩‍👧 " * 9,
    },
]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readable")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "m.yaml").write_text(
        "name: rows\nsources: [{name: rows, kind: jsonl, paths: [rows.jsonl]}]\n"
        "stages: [normalise, language, pii]\nsharding: {tokens_per_shard: 300, cells: 8}\n"
    )
    outcome = build(folder / "m.yaml", folder / "out", catalogue=CATALOGUE)
    assert outcome.report.failures == []
    return folder / "out"


def test_pyarrow_and_tokenizers_alone_give_the_text_of_the_ledgers_digest(out: Path) -> None:
    tokenizer = Tokenizer.from_file(str(out / "tokens/tokenizer/tokenizer.json"))
    sidecar = json.loads((out / "tokens/tokenizer/sidecar.json").read_text())
    digests = {row["doc_id"]: row["text_sha256"] for row in pq.read_table(out / "ledger").to_pylist()}
    seen = 0
    for path in sorted((out / "tokens/main").glob("*.parquet")):
        table = pq.read_table(path)
        assert table.schema.equals(schema.TOKENS)
        for row in table.to_pylist():
            first, *ids, last = row["tokens"]
            assert (first, last) == (sidecar["bos"]["id"], sidecar["eos"]["id"])
            assert row["length"] == len(row["tokens"]) and not row["removed"]
            text = tokenizer.decode(ids, skip_special_tokens=False)
            assert hashlib.sha256(text.encode()).digest() == digests[row["doc_id"]]
            seen += 1
    assert seen == len(ROWS)


def test_polars_reads_them(out: Path) -> None:
    frame = pl.read_parquet(str(out / "tokens/main/*.parquet"))
    assert frame.height == len(ROWS)
    assert frame["length"].to_list() == frame["tokens"].list.len().to_list()
    assert set(frame["language"].to_list()) == {"eng_Latn", "deu_Latn", "cmn_Hani", "fas_Arab"}


def test_datasets_reads_them(out: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    files = [str(path) for path in sorted((out / "tokens/main").glob("*.parquet"))]
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert loaded.num_rows == len(ROWS)
    assert sum(len(tokens) for tokens in loaded["tokens"]) == sum(loaded["length"])


def test_the_index_adds_up(out: Path) -> None:
    index = json.loads((out / "tokens/index.json").read_text())
    stream = index["streams"]["main"]
    assert len(stream["shards"]) > 1
    assert stream["rows"] == len(ROWS)
    assert stream["tokens"] == sum(shard["tokens"] for shard in stream["shards"])
    for shard in stream["shards"]:
        path = out / shard["path"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == shard["sha256"]
        assert pq.read_metadata(path).num_row_groups == len(shard["row_groups"])


def test_copies_within_a_language_only(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({**row, "id": row["id"] * 2}) + "\n" for row in [*ROWS, ROWS[0]])
    )
    (tmp_path / "m.yaml").write_text(
        "name: rows\nsources: [{name: rows, kind: jsonl, paths: [rows.jsonl]}]\n"
        "stages: [normalise, language, {dedup: {per_language: true}}]\n"
    )
    outcome = build(tmp_path / "m.yaml", tmp_path / "out", catalogue=CATALOGUE)
    assert outcome.report.failures == []
    assert outcome.corpus["summary"]["verdicts"] == {"duplicate": 1, "kept": 4}
