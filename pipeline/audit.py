"""The audit: proves from the files alone that nothing was lost and nothing was touched.

Every file is digested again; the ledger's rows are counted against the records that other code finds in the inputs;
every kept row must stand in the token shards where the ledger says, and no other row may.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import parquet
from lauter.pipeline.corpus import CORPUS, combined_digest
from lauter.pipeline.manifest import Catalogue, load_target
from lauter.pipeline.report.summary import summarise
from lauter.pipeline.storage import Output, Storage, StorageError, open_input, stat
from lauter.pipeline.tamper import problem_of


@dataclass
class AuditReport:
    """What the audit found."""

    violations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    files: int = 0
    recounted: int = 0

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data; `ok` says whether there is no violation."""
        return {
            "ok": not self.violations,
            **self.counts,
            "files_digested": self.files,
            "inputs_recounted": self.recounted,
            "violations": self.violations,
            "notes": self.notes,
        }


def audit(storage: Storage, catalogue: Catalogue) -> AuditReport:
    """Audit a run folder. Raises `StorageError` where it holds no finished corpus."""
    if storage.size(CORPUS) is None:
        raise StorageError(f"{storage.root} holds no finished corpus; run `lauter build` to its end")
    corpus = storage.read_json(CORPUS)
    report = AuditReport()
    files = {kind: [Output.from_json(item) for item in items] for kind, items in corpus["files"].items()}
    _digests(storage, files, report)
    if combined_digest(files["ledger"]) != corpus["ledger_sha256"]:
        report.violations.append("corpus.json: the ledger's combined digest does not match its list of parts")
    if not report.violations:
        # Counting what is known to be touched would only repeat the finding in other words.
        _conservation(storage, corpus, files, report)
        _recount(corpus, catalogue, report)
        _shards(storage, files, report)
    return report


def _digests(storage: Storage, files: dict[str, list[Output]], report: AuditReport) -> None:
    listed = set()
    for outputs in files.values():
        for output in outputs:
            listed.add(output.path)
            report.files += 1
            problem = problem_of(storage, output)
            if problem:
                report.violations.append(problem)
    for folder in ("documents", "scores", "decisions", "ledger", "tokens"):
        for path in sorted(set(storage.list(folder)) - listed):
            report.violations.append(f"{path}: stands in the run folder but in no list of corpus.json")


def _conservation(
    storage: Storage, corpus: dict[str, Any], files: dict[str, list[Output]], report: AuditReport
) -> None:
    verdicts: Counter[str] = Counter()
    for item, output in zip(corpus["inputs"], files["ledger"], strict=True):
        counted = item["counted"]["records"] + item["counted"]["corrupt_ranges"]
        if output.rows != counted:
            report.violations.append(
                f"{output.path}: {output.rows} ledger rows for {counted} records counted in {item['file']}"
            )
        for batch in parquet.batches(storage, output.path, ["verdict"]):
            values = pc.value_counts(batch.column("verdict").cast(pa.string())).to_pylist()
            verdicts.update({value["values"]: value["counts"] for value in values})
    records_in = sum(item["counted"]["records"] + item["counted"]["corrupt_ranges"] for item in corpus["inputs"])
    report.counts = {
        "records_in": records_in,
        **{name: verdicts[name] for name in ("kept", "dropped", "duplicate", "error", "removed")},
    }
    if records_in != sum(verdicts.values()):
        report.violations.append(f"{records_in} records went in, {sum(verdicts.values())} ledger rows came out")
    summary = summarise(storage, [output.path for output in files["ledger"]])
    if summary != corpus["summary"]:
        report.violations.append("corpus.json: its summary is not what the ledger says")


def _recount(corpus: dict[str, Any], catalogue: Catalogue, report: AuditReport) -> None:
    """Count the inputs again, where they are still there and the same."""
    for item in corpus["inputs"]:
        kind = corpus["sources"][item["source"]]["kind"]
        target = catalogue.readers.get(kind)
        found = stat(item["uri"]) if target else None
        if found is None or target is None:
            report.notes.append(f"{item['file']}: the input is not here any more; its count at build time stands")
            continue
        digest = hashlib.sha256()
        with open_input(item["uri"]) as stream:
            while block := stream.read(8 << 20):
                digest.update(block)
        if digest.hexdigest() != item["sha256"]:
            report.notes.append(
                f"{item['file']}: the input has changed since the build; its count at build time stands"
            )
            continue
        cls = load_target(target, "")
        options = corpus["sources"][item["source"]]["options"]
        reader = cls(cls.Config.model_validate(options), item["source"])
        with open_input(item["uri"]) as stream:
            counted = reader.count(cast(BinaryIO, stream))
        report.recounted += 1
        if {"records": counted.records, "corrupt_ranges": counted.corrupt_ranges} != item["counted"]:
            report.violations.append(f"{item['file']}: counted again it has {counted.rows} rows, not {item['counted']}")


def _shards(storage: Storage, files: dict[str, list[Output]], report: AuditReport) -> None:
    """Kept ledger rows and token rows are the same set, at the same places, with the same lengths."""
    places: dict[tuple[str, int], list[tuple[NDArray[Any], list[bytes], NDArray[Any]]]] = {}
    for output in files["ledger"]:
        for batch in parquet.batches(storage, output.path, ["doc_id", "stream", "shard", "row", "tokens"]):
            placed = batch.filter(pc.is_valid(batch.column("shard")))
            stream = placed.column("stream").cast(pa.string()).to_pylist()
            shard = placed.column("shard").to_numpy()
            for key in sorted(set(zip(stream, shard.tolist(), strict=True))):
                mask = np.array([name == key[0] for name in stream], np.bool_) & (shard == key[1])
                some = placed.filter(pa.array(mask))
                places.setdefault(key, []).append(
                    (some.column("row").to_numpy(), some.column("doc_id").to_pylist(), some.column("tokens").to_numpy())
                )
    for output in files["tokens"]:
        _, stream_name, file = output.path.split("/")
        found = places.pop((stream_name, int(file.split(".")[0])), [])
        row = np.concatenate([item[0] for item in found] or [np.empty(0, np.int64)])
        doc_id = [one for item in found for one in item[1]]
        tokens = np.concatenate([item[2] for item in found] or [np.empty(0, np.int32)])
        order = np.argsort(row, kind="stable")
        if not np.array_equal(row[order], np.arange(output.rows)):
            report.violations.append(f"{output.path}: the ledger places {len(row)} rows in it, it has {output.rows}")
            continue
        start = 0
        for group, batch in enumerate(parquet.batches(storage, output.path, ["doc_id", "length", "tokens"])):
            here = order[start : start + batch.num_rows]
            lengths = pc.list_value_length(batch.column("tokens")).to_numpy()
            same = (
                batch.column("doc_id").to_pylist() == [doc_id[index] for index in here]
                and np.array_equal(batch.column("length").to_numpy(), tokens[here])
                and np.array_equal(lengths, tokens[here])
            )
            if not same:
                report.violations.append(f"{output.path}: row group {group} is not what the ledger says")
            start += batch.num_rows
    for stream_name, shard_number in places:
        report.violations.append(f"the ledger places rows in shard {shard_number} of {stream_name}, which is not there")
