"""What a corpus's probes are: texts that are planted a known number of times, told by their reader and never guessed.

A planted source passes no stage and no decision and is compared with nothing (`planting.PlantingReader`). What it
plants is told before a build by `lauter plan` and after it by `corpus.json`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, cast

from lauter.pipeline.graph.parts import Part
from lauter.pipeline.manifest import Manifest, Source
from lauter.pipeline.planting import PlantingReader
from lauter.pipeline.specs import is_planted
from lauter.pipeline.storage import open_input
from lauter.pipeline.task import Result


def planted_buckets(reader: object, uri: str) -> list[dict[str, Any]]:
    """The buckets of a file, `planting.Bucket` as plain data with the `records` of each; empty for an empty file.

    Raises ValueError for a file that cannot be used, and TypeError for a reader that does not say what it plants.
    """
    if not isinstance(reader, PlantingReader):
        raise TypeError(f"the reader {type(reader).__name__} is planted and has no `plants`")
    with open_input(uri) as stream:
        buckets = reader.plants(cast(BinaryIO, stream))
    return [{**bucket._asdict(), "records": bucket.probes * bucket.repetitions} for bucket in buckets]


def planted_twice(sources: Sequence[Source]) -> Iterator[tuple[int, str]]:
    """(number of its source, what is wrong) of each file that plants a text which another file plants too.

    The text would stand in the shards more often than either file says, and a control might stand there at all. The
    first text of a file is told. Memory: some 150 bytes a probe. A file that cannot be used plants nothing.
    """
    first: dict[bytes, str] = {}
    for number, source in enumerate(sources):
        for file in source.files if is_planted(source) else ():
            own: dict[bytes, str] = {}
            reader = cast(PlantingReader, source.make())
            with suppress(ValueError), open_input(file.uri) as stream:
                for probe in reader.probes(cast(BinaryIO, stream)):
                    own.setdefault(hashlib.blake2b(probe.text.encode(), digest_size=16).digest(), probe.id)
            twice = next((digest for digest in own if digest in first), None)
            if twice is not None:
                yield (
                    number,
                    f"{file.uri}: the text of probe {own[twice]!r} is planted from {first[twice]} too, and repetitions "
                    "would add up: keep it in one file, with all its repetitions",
                )
            first.update(dict.fromkeys(own, file.uri))


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
