"""What a forger, or a build that forgot, would leave: each is found, with all digests true."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lauter.pipeline import exchange, parquet
from lauter.pipeline.audit import audit
from lauter.pipeline.corpus import combined_digest
from lauter.pipeline.proof.chain import corpus_digest, corpus_root, tree_fields, write_ranges
from lauter.pipeline.proof.partition import merkle_root
from lauter.pipeline.report.totals import summarise
from lauter.pipeline.steps.layouts import ITEMS, KEYS
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.blank import with_values
from lauter.pipeline.takedown.demands import TOMBSTONES, demand, read_tombstones, tombstone_bytes
from lauter.pipeline.takedown.published import takedown_fields
from lauter.pipeline.takedown.splice import rewrite_row_groups
from tests.pipeline.small_run import build, write_manifest
from tests.pipeline.small_stages import CATALOGUE

LINES = "\n".join(f"n{i}\tsome words that stand on page {i}" for i in range(12))
PART = "source-a/a.txt.parquet"
Change = Callable[[pa.Table], pa.Table]


@pytest.fixture
def out(tmp_path: Path) -> Storage:
    build(write_manifest(tmp_path, {"a.txt": LINES}, tokens_per_shard=2000), tmp_path / "out")
    storage = Storage(str(tmp_path / "out"))
    take_down(storage, [demand("url", "https://n3.example/")], with_copies=False)
    assert audit(storage, CATALOGUE).violations == []
    return storage


def record(storage: Storage, *outputs: Output) -> None:
    """Put true digests, summary, tree and root wherever they stand."""
    corpus = storage.read_json("corpus.json")
    changed = {output.path: output.to_json() for output in outputs}
    index = storage.read_json("tokens/index.json")
    for shard in index["streams"]["main"]["shards"]:
        shard |= changed.get(shard["path"], {})
    changed["tokens/index.json"] = storage.write_json("tokens/index.json", index).to_json()
    ledger = [Output.from_json(changed.get(item["path"], item)) for item in corpus["files"]["ledger"]]
    tree = merkle_root(storage, [output.path for output in ledger])
    changed["proof/ranges.json"] = write_ranges(storage, tree).to_json()
    for kind, items in corpus["files"].items():
        corpus["files"][kind] = [changed.get(item["path"], item) for item in items]
    corpus |= {
        "summary": summarise(storage, [output.path for output in ledger]),
        "ledger_sha256": combined_digest(ledger),
        "takedown": takedown_fields(read_tombstones(storage)),
        **tree_fields(tree),
    }
    corpus["root"] = corpus_root(bytes.fromhex(corpus["ledger_root"]), corpus_digest(corpus))
    storage.write_json("corpus.json", corpus)


def forged(storage: Storage, path: str, change: Change) -> list[str]:
    """What the audit says of a file in which every row group was changed."""
    groups = len(
        [
            item
            for item in storage.read_json("corpus.json")["files"].values()
            for file in item
            if file["path"] == path
            for _ in file["row_groups"]
        ]
    )
    with storage.staging(path) as staged:
        rewrite_row_groups(storage, path, staged, lambda _, table: change(table), set(range(groups)))
        output = parquet.describe(staged, path)
    record(storage, output)
    return audit(storage, CATALOGUE).violations


def only(table: pa.Table, number: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    mask = np.zeros(table.num_rows, np.bool_)
    mask[number] = True
    return mask


def test_a_row_that_a_demand_hits_may_not_be_kept(out: Storage) -> None:
    demands = [*read_tombstones(out), demand("host", "n5.example")]
    record(out, out.write(TOMBSTONES, tombstone_bytes(demands)))
    (found,) = audit(out, CATALOGUE).violations
    assert found.startswith(f"ledger/{PART}: row 5 (https://n5.example/) is hit by a demand and is not removed")


def test_no_row_may_be_removed_without_a_demand(out: Storage) -> None:
    record(out, out.write(TOMBSTONES, b""))
    (found,) = audit(out, CATALOGUE).violations
    assert found.startswith(f"ledger/{PART}: row 3 (https://n3.example/) is removed, and no demand hits it")


def test_the_reason_is_the_kind_of_the_demand(out: Storage) -> None:
    found = forged(out, f"ledger/{PART}", lambda table: with_values(table, only(table, 3), {"reason": "host"}))
    assert any("is removed for another reason than the demand that hits it" in item for item in found)


@pytest.mark.parametrize(
    ("folder", "column", "value"), [("scores", "words", 7), ("decisions", "rule", {"text": "some words"})]
)
def test_nothing_of_a_removed_page_may_be_left(out: Storage, folder: str, column: str, value: object) -> None:
    found = forged(out, f"{folder}/{PART}", lambda table: with_values(table, only(table, 3), {column: value}))
    assert found == [f"{folder}/{PART}: row group 0 holds removed records' {column}"]


def test_its_text_may_not_be_left(out: Storage) -> None:
    text = {"text": "some words", "text_sha256": hashlib.sha256(b"some words").digest()}
    found = forged(out, f"documents/{PART}", lambda table: with_values(table, only(table, 3), text))
    assert any("holds removed records' text_sha256, text" in item for item in found)
    assert any("another text_sha256 than row 3" in item for item in found)


def test_its_tokens_may_not_be_left(out: Storage) -> None:
    def words(table: pa.Table) -> pa.Table:
        tokens = [[7] * row["length"] if row["removed"] else row["tokens"] for row in table.to_pylist()]
        tokens = [[*row[:-1], 257] if row[0] == 7 else row for row in tokens]
        field = table.schema.field("tokens")
        return table.set_column(table.schema.get_field_index("tokens"), field, pa.array(tokens, field.type))

    found = forged(out, "tokens/main/00000.parquet", words)
    assert len(found) == 1 and found[0].endswith("has removed rows that hold more than padding")


def test_the_flag_stands_where_the_ledger_says(out: Storage) -> None:
    found = forged(
        out,
        "tokens/main/00000.parquet",
        lambda table: with_values(table, np.ones(table.num_rows, np.bool_), {"removed": False}),
    )
    assert len(found) == 1 and found[0].endswith("is not what the ledger says")


def test_another_list_than_the_mask_s_is_found(out: Storage) -> None:
    out.write(TOMBSTONES, b"")
    found = audit(out, CATALOGUE).violations
    assert f"{TOMBSTONES}: has 0 bytes" in "".join(found)
    assert f"{TOMBSTONES}: corpus.json knows 1 demand, and no intact list" in found
    Path(out.absolute(TOMBSTONES)).unlink()
    assert f"{TOMBSTONES}: corpus.json knows 1 demand, and no intact list" in audit(out, CATALOGUE).violations
    assert json.loads(out.read("corpus.json"))["takedown"]["demands"] == 1


def test_a_signature_that_was_left_is_found(out: Storage) -> None:
    """Items of the removed row, and keys of an item that no row has."""
    items, keys = (f"signatures/{kind}/source-a/a.txt.arrow" for kind in ("items", "keys"))
    row = next(number for number, line in enumerate(LINES.split("\n")) if line.startswith("n3\t"))
    for path, layout, name, value, said in (
        (items, ITEMS, "row", row, f"{items}: holds 1 signature of removed records"),
        (keys, KEYS, "item", 7, f"{keys}: holds 1 key of no row of {items}"),
    ):
        before = out.read(path)
        table = pa.Table.from_batches(exchange.messages(out, path, layout))
        column = table.schema.get_field_index(name)
        values = [value, *table.column(name).to_pylist()[1:]]
        forged_rows = table.set_column(column, layout.field(name), pa.array(values, layout.field(name).type))
        record(out, exchange.write(out, path, forged_rows, np.zeros(table.num_rows, np.int64)))
        assert said in audit(out, CATALOGUE).violations
        record(out, out.write(path, before))
