"""Corpora to audit: built once, copied, and forged as somebody would who can write the folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lauter.pipeline import parquet
from lauter.pipeline.audit import AuditReport, audit
from lauter.pipeline.corpus import combined_digest
from lauter.pipeline.proof.chain import corpus_digest, corpus_root, tree_fields, write_ranges
from lauter.pipeline.proof.partition import merkle_root
from lauter.pipeline.storage import Output, Storage, StorageError
from tests.pipeline.small_stages import CATALOGUE

LINES = "\n".join(f"n{i}\tsome text number {i}" for i in range(40))
OTHERS = (
    "x\tone more text\nbroken\nf\tforbidden text here\ns\tshort\nn1\ttwice\nx\tonce more\nd\tone more text\nempty\t"
)
LEDGER_A, LEDGER_B = "ledger/source-a/a.txt.parquet", "ledger/source-b/b.txt.parquet"
DOCUMENTS_A, DOCUMENTS_B = "documents/source-a/a.txt.parquet", "documents/source-b/b.txt.parquet"
VERDICTS = ("kept", "dropped", "duplicate", "error", "removed")

Change = Callable[[pa.Table], pa.Table]


def audited(out: Path, root: str | None = None) -> AuditReport:
    """The audit of a corpus of the test stages."""
    return audit(Storage(str(out)), CATALOGUE, root)


def violations(out: Path) -> list[str]:
    """What it finds."""
    return audited(out).violations


def root_of(out: Path) -> str:
    """The root that an audit computes."""
    root = audited(out).root
    assert root is not None
    return root


def index_of(out: Path) -> Any:  # noqa: ANN401 - JSON
    """The corpus.json of a run folder."""
    return json.loads((out / "corpus.json").read_text())


def save(out: Path, index: dict[str, Any]) -> None:
    """Write an index under the root that it then has, as a forger would."""
    try:
        index["root"] = corpus_root(bytes.fromhex(index["ledger_root"]), corpus_digest(index))
    except TypeError:
        index.pop("root", None)
    (out / "corpus.json").write_text(json.dumps(index))


def record(out: Path, changed: Output) -> None:
    """Put a file's true digests wherever they are recorded: a lie that no digest gives away."""
    index = index_of(out)
    for kind, items in index["files"].items():
        index["files"][kind] = [changed.to_json() if item["path"] == changed.path else item for item in items]
    index["ledger_sha256"] = combined_digest([Output.from_json(item) for item in index["files"]["ledger"]])
    save(out, index)
    if changed.path.startswith("ledger/"):
        try:
            tree = merkle_root(Storage(str(out)), [item["path"] for item in index["files"]["ledger"]])
        except StorageError:  # no tree can be made of a file that is no ledger
            return
        save(out, {**index, **tree_fields(tree)})
        record(out, write_ranges(Storage(str(out)), tree))
    if changed.path.startswith("tokens/") and changed.path.endswith(".parquet"):
        listed = json.loads((out / "tokens/index.json").read_text())
        for stream in listed["streams"].values():
            stream["shards"] = [
                {**item, **changed.to_json()} if item["path"] == changed.path else item for item in stream["shards"]
            ]
        record(out, Storage(str(out)).write_json("tokens/index.json", listed))


def forge(out: Path, path: str, change: Change) -> None:
    """Rewrite a table, its row groups where they were, and record it as if it had been built so."""
    storage = Storage(str(out))
    file = pq.ParquetFile(out / path)
    groups = [change(file.read_row_group(index)) for index in range(file.num_row_groups)]
    with storage.staging(path) as staged:
        sink = parquet.ParquetSink(staged, groups[0].schema, 1 << 60)
        for table in groups:
            sink.write(table.combine_chunks().to_batches()[0])
            sink.cut()
        sink.close()
        output = parquet.describe(staged, path)
    record(out, output)


def contents(out: Path, path: str) -> dict[str, bytes]:
    """A file, and those that say what it is."""
    return {name: (out / name).read_bytes() for name in (path, "corpus.json", "tokens/index.json", "proof/ranges.json")}


def put_back(out: Path, contents: dict[str, bytes]) -> None:
    """The inverse of `contents`."""
    for name, data in contents.items():
        (out / name).write_bytes(data)


def flip(path: Path, place: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def setting(name: str, row: int, value: object) -> Change:
    """Change one value of the first row group's column."""
    done: list[bool] = []

    def change(table: pa.Table) -> pa.Table:
        if done:
            return table
        done.append(True)
        field = table.schema.field(name)
        values = table.column(name).to_pylist()
        values[row] = value
        return table.set_column(table.schema.get_field_index(name), field, pa.array(values, field.type))

    return change
