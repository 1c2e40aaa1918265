"""Writes what makes a run folder a corpus anew after a takedown: index, tree, report, receipt, and corpus.json last."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from lauter.pipeline.corpus import combined_digest
from lauter.pipeline.finished_parts import FinishedParts
from lauter.pipeline.proof.chain import publish, tree_fields, write_ranges
from lauter.pipeline.proof.graph import ledger_tree, proving
from lauter.pipeline.report.graph import counted, counting
from lauter.pipeline.report.write import write_report
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.takedown.demands import Demand
from lauter.pipeline.takedown.published import FOLDER, takedown_fields, takedown_files

INDEX = "tokens/index.json"


def republish(
    storage: Storage,
    before: Mapping[str, Any],
    demands: Sequence[Demand],
    masked: Mapping[str, Output],
    receipt: Mapping[str, Any],
) -> tuple[str, dict[str, Any]]:
    """(the new root, the receipt as it was written). `before` is corpus.json as it was, `masked` what changed since."""
    corpus = copy.deepcopy(dict(before))
    files: dict[str, list[dict[str, Any]]] = corpus["files"]
    for kind, items in files.items():
        files[kind] = [masked[item["path"]].to_json() if item["path"] in masked else item for item in items]
    parts = FinishedParts(storage, corpus)
    parts.run([*proving(parts, parts.results), *counting(parts, parts.results)])
    tree, numbers = ledger_tree(parts, parts.results), counted(parts, parts.results)
    corpus |= {
        "summary": numbers.summary,
        "ledger_sha256": combined_digest([Output.from_json(item) for item in files["ledger"]]),
        "takedown": takedown_fields(demands),
        **tree_fields(tree),
    }
    changed = [write_ranges(storage, tree), _write_index(storage, masked)]
    receipt = {
        **receipt,
        "ledger_root": {"before": before.get("ledger_root"), "after": corpus["ledger_root"]},
        "files": _changes(before["files"], files),
    }
    storage.write_json(f"{FOLDER}/receipt-{receipt['number']:04d}.json", receipt)
    changed += takedown_files(storage)
    others = {item["path"]: item for item in files["other"]}
    files["other"] = list((others | {output.path: output.to_json() for output in changed}).values())
    del files["report"]
    files["report"] = [output.to_json() for output in write_report(storage, corpus, numbers)]
    return publish(storage, corpus, "takedown")["root"], dict(receipt)


def _write_index(storage: Storage, masked: Mapping[str, Output]) -> Output:
    index = storage.read_json(INDEX)
    for stream in index["streams"].values():
        for shard in stream["shards"]:
            if shard["path"] in masked:
                shard |= masked[shard["path"]].to_json()
    return storage.write_json(INDEX, index)


def _changes(
    before: Mapping[str, Sequence[Mapping[str, Any]]], after: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """The files that were rewritten: digests before and after, and which row groups are others now."""
    changes = []
    for kind, items in before.items():
        for old, new in zip(items, after[kind], strict=True):
            if old["sha256"] != new["sha256"]:
                same = len(old["row_groups"]) == len(new["row_groups"])
                pairs = zip(old["row_groups"], new["row_groups"], strict=True) if same else ()
                changes.append(
                    {
                        "path": old["path"],
                        "before": old["sha256"],
                        "after": new["sha256"],
                        "rows": [old["rows"], new["rows"]],
                        "row_groups": [number for number, pair in enumerate(pairs) if pair[0] != pair[1]],
                    }
                )
    return changes
