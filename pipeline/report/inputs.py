"""What went in: per source in full, per file the first of a list that may have a hundred thousand entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

TOP_FILES = 40
"""Length of the lists of files."""

TOP_STREAMS = 200
"""Streams that are told one by one; a corpus may have thousands."""

LOCK = "manifest.lock.yaml"


def summarise_inputs(corpus: Mapping[str, Any]) -> dict[str, Any]:
    """Files, bytes, records and corrupt ranges, in all and by source, and the files that stand out.

    `records` and `corrupt_ranges` are those of the independent count. `others` are entries that are no records (WARC
    type -> count). `largest` are the files with the most records, `corrupt` those with the most corrupt ranges.
    """
    files = [_file(item) for item in corpus["inputs"]]
    ended = corpus["summary"]["sources"]
    sources = {}
    for name, source in sorted(corpus["sources"].items()):
        counts = ended.get(name, {})
        sources[name] = {
            "kind": source["kind"],
            "optional": source["optional"],
            **_total(item for item in files if item["source"] == name),
            **{key: counts.get(key, 0) for key in ("kept", "tokens")},
        }
    return {
        **_total(files),
        "sources": sources,
        "largest": sorted(files, key=lambda f: (-f["records"], -f["bytes"], f["source"], f["file"]))[:TOP_FILES],
        "corrupt": sorted(
            (item for item in files if item["corrupt_ranges"]),
            key=lambda f: (-f["corrupt_ranges"], f["source"], f["file"]),
        )[:TOP_FILES],
    }


def summarise_outputs(corpus: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Files, rows and bytes of every kind of output, without manifest.lock.yaml and the report itself.

    The lock file names the places of the inputs: its size would make one corpus's report differ from place to place.
    """
    found = {}
    for kind, outputs in corpus["files"].items():
        if kind == "report":
            continue
        some = [output for output in outputs if output["path"] != LOCK]
        found[kind] = {
            "files": len(some),
            "rows": sum(output["rows"] for output in some),
            "bytes": sum(output["size"] for output in some),
        }
    return found


def summarise_streams(streams: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """How many streams of token shards there are, their tokens, and the largest: name, documents, tokens.

    What a takedown removed keeps its place as padding, and is counted.
    """
    order = sorted(streams, key=lambda name: (-streams[name]["tokens"], name))
    return {
        "count": len(order),
        "tokens": sum(stream["tokens"] for stream in streams.values()),
        "largest": [
            {"name": name, "documents": streams[name]["rows"], "tokens": streams[name]["tokens"]}
            for name in order[:TOP_STREAMS]
        ],
    }


def _file(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "source": item["source"],
        "file": item["file"],
        "bytes": item["size"],
        "sha256": item["sha256"],
        "records": item["counted"]["records"],
        "corrupt_ranges": item["counted"]["corrupt_ranges"],
        "others": item["others"],
    }


def _total(files: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found, others = (
        Counter(dict.fromkeys(("files", "bytes", "records", "corrupt_ranges", "corrupt_files"), 0)),
        Counter[str](),
    )
    for item in files:
        found["files"] += 1
        found["corrupt_files"] += item["corrupt_ranges"] > 0
        for name in ("bytes", "records", "corrupt_ranges"):
            found[name] += item[name]
        others.update(item["others"])
    return {**found, "others": dict(sorted(others.items()))}
