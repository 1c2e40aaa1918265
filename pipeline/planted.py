"""What a corpus's probes are: texts that are planted a known number of times, told by their reader and never guessed.

A planted source passes no stage and no decision and is compared with nothing (`contract.PlantingReader`). What it
plants is told before a build by `lauter plan` and after it by `corpus.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, cast

from lauter.pipeline.contract import PlantingReader
from lauter.pipeline.graph.parts import Part
from lauter.pipeline.manifest import Manifest
from lauter.pipeline.specs import is_planted
from lauter.pipeline.storage import open_input
from lauter.pipeline.task import Result


def planted_buckets(reader: object, uri: str) -> list[dict[str, Any]]:
    """The buckets of a file, `contract.Bucket` as plain data with the `records` of each; empty for an empty file.

    Raises ValueError for a file that cannot be used, and TypeError for a reader that does not say what it plants.
    """
    if not isinstance(reader, PlantingReader):
        raise TypeError(f"the reader {type(reader).__name__} is planted and has no `plants`")
    with open_input(uri) as stream:
        buckets = reader.plants(cast(BinaryIO, stream))
    return [{**bucket._asdict(), "records": bucket.probes * bucket.repetitions} for bucket in buckets]


def planned_probes(manifest: Manifest) -> list[dict[str, Any]]:
    """`source`, `file` and `buckets` of each file that a manifest plants."""
    return [
        {"source": source.name, "file": file.uri, "buckets": planted_buckets(source.make(), file.uri)}
        for source in manifest.sources
        if is_planted(source)
        for file in source.files
    ]


def corpus_probes(parts: Sequence[Part], results: Mapping[str, Result]) -> list[dict[str, Any]]:
    """What a corpus says of its probes: the same, with the file's `sha256` and how many of its records are `kept`.

    That is before any takedown: the ledger says what has been removed since.
    """
    return [
        {
            "source": part.source,
            "file": part.file_name,
            "sha256": results[f"documents/{part.name}"].info["input_sha256"],
            "buckets": results[f"documents/{part.name}"].info["probes"],
            "kept": results[f"ledger/{part.name}"].info["verdicts"].get("kept", 0),
        }
        for part in parts
        if part.planted
    ]
