"""An attacker who can write to a whole run folder, and makes it agree with itself again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lauter.pipeline.corpus import combined_digest
from lauter.pipeline.parquet import describe
from lauter.pipeline.proof.chain import CORPUS, RANGES, corpus_digest, corpus_root, tree_fields, write_ranges
from lauter.pipeline.proof.partition import merkle_root
from lauter.pipeline.report.totals import summarise
from lauter.pipeline.storage import Output, Storage, digest_file

Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


class Forger:
    """Works on one run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self, pattern: str) -> list[Path]:
        """Published files, in order."""
        return sorted(self.folder.glob(pattern))

    def edit(self, path: Path, change: Change) -> None:
        """Rewrite a Parquet file with changed rows, its schema and its row groups kept."""
        file = pq.ParquetFile(path)
        groups = [file.read_row_group(i).to_pylist() for i in range(file.num_row_groups)]
        changed = [change(rows) for rows in groups]
        assert changed != groups, f"nothing was forged in {path}"
        with pq.ParquetWriter(path, file.schema_arrow, compression="zstd") as writer:
            for rows in changed:
                writer.write_table(pa.Table.from_pylist(rows, file.schema_arrow), row_group_size=max(1, len(rows)))

    def edit_first(self, pattern: str, wanted: Callable[[dict[str, Any]], bool], **values: Any) -> None:  # noqa: ANN401
        """Give other values to the first row of the first file in which a row is as wanted."""
        for path in self.files(pattern):
            if any(wanted(row) for row in pq.ParquetFile(path).read().to_pylist()):
                done = False

                def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
                    nonlocal done
                    for i, row in enumerate(rows):
                        if not done and wanted(row):
                            done = True
                            return [*rows[:i], row | values, *rows[i + 1 :]]
                    return rows

                self.edit(path, change)
                return
        raise AssertionError(f"no row to forge in {pattern}")

    def corpus(self) -> dict[str, Any]:
        """corpus.json."""
        data: dict[str, Any] = json.loads((self.folder / CORPUS).read_text())
        return data

    def write_corpus(self, corpus: dict[str, Any]) -> None:
        """corpus.json, with its root."""
        ledger = bytes.fromhex(corpus["ledger_root"])
        whole = {name: value for name, value in corpus.items() if name != "root"}
        (self.folder / CORPUS).write_text(json.dumps({**whole, "root": corpus_root(ledger, corpus_digest(whole))}))

    def reseal(self) -> None:
        """Make every digest, count, root and list say what the forged files say."""
        storage = Storage(str(self.folder))
        corpus = self.corpus()
        index_path = self.folder / "tokens/index.json"
        index = json.loads(index_path.read_text())
        for stream in index["streams"].values():
            for shard in stream["shards"]:
                shard |= self._described(shard)
            stream["rows"] = sum(shard["rows"] for shard in stream["shards"])
        index_path.write_text(json.dumps(index))
        ledger = [output["path"] for output in corpus["files"]["ledger"]]
        tree = merkle_root(storage, ledger)
        corpus |= tree_fields(tree)
        write_ranges(storage, tree)
        for listed in corpus["files"].values():
            for output in listed:
                output |= self._described(output)
        corpus["ledger_sha256"] = combined_digest([Output.from_json(item) for item in corpus["files"]["ledger"]])
        corpus["summary"] = corpus["summary"] | summarise(storage, ledger)
        assert (self.folder / RANGES).is_file()
        self.write_corpus(corpus)

    def _described(self, output: dict[str, Any]) -> dict[str, Any]:
        path = self.folder / output["path"]
        if path.suffix == ".parquet" and output["row_groups"]:
            return describe(path, output["path"]).to_json()
        return {"size": path.stat().st_size, "sha256": digest_file(path)}
