"""The reader of probes: each repetition of a probe is one record, `ID#1` to `ID#n`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, ClassVar

import yaml

from lauter.pipeline import identity
from lauter.pipeline.contract import FileCount, ReadBatch, Reason, StageConfig
from lauter.pipeline.planting import Bucket, Planted
from lauter.stages.read.probes.entries import probes_of
from lauter.stages.read.rows import Row, Rows, corrupt_row


class ProbesConfig(StageConfig):
    """The reader of probes has no parameters: all is in the file."""


class ProbesReader:
    """Plants texts a known number of times, to measure what a model remembers of them: canaries, passages.

    A file is YAML (`probes:`, `canaries:`) or JSONL; a probe has `id`, `text`, `repetitions`, `kind` and `bucket`. The
    records of such a source pass no stage and no decision and are compared with nothing: each is kept, and stands in
    the shards where the shuffle puts it. `corpus.json` lists the buckets under `probes`. A takedown may remove them.
    """

    name: ClassVar[str] = "probes"
    version: ClassVar[int] = 1
    provides_text: ClassVar[bool] = True
    planted: ClassVar[bool] = True
    Config: ClassVar[type[StageConfig]] = ProbesConfig
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("invalid-probes", "error"),)

    def __init__(self, config: ProbesConfig, source_name: str) -> None:
        self._source = source_name

    def check(self, stream: BinaryIO) -> None:
        """Raise `ValueError`, with the line, for a file that cannot be used."""
        probes_of(stream.read())

    def plants(self, stream: BinaryIO) -> Sequence[Bucket]:
        """The buckets of a file (`planting.PlantingReader`)."""
        content = stream.read()
        probes = probes_of(content) if content else ()
        counts = Counter((probe.bucket, probe.kind, probe.repetitions) for probe in probes)
        return [Bucket(name, kind, count, times) for (name, kind, times), count in sorted(counts.items())]

    def probes(self, stream: BinaryIO) -> Iterator[Planted]:
        """Each probe of a file."""
        content = stream.read()
        for one in probes_of(content) if content else ():
            yield Planted(one.id, one.text, one.repetitions, one.kind, one.bucket, one.drawn)

    def read(self, stream: BinaryIO, file: str) -> Iterator[ReadBatch]:
        """The repetitions of each probe, one after another; a file that cannot be used is one corrupt range."""
        content = stream.read()
        rows = Rows(file, self.reasons)
        try:
            probes = probes_of(content) if content else []
        except ValueError:
            yield from rows.add(corrupt_row(self._source, file, 0, len(content), "invalid-probes"))
            yield from rows.rest()
            return
        for probe in probes:
            text = probe.text.encode()
            for number in range(1, probe.repetitions + 1):
                doc_id = identity.native_id(self._source, f"{probe.id}#{number}")
                yield from rows.add(Row(doc_id, probe.start, probe.end - probe.start, text=text))
        yield from rows.rest()

    def count(self, stream: BinaryIO) -> FileCount:
        """The repetitions that the file asks for, added up without looking at a text."""
        content = stream.read()
        try:
            if content:
                probes_of(content)
        except ValueError:
            return FileCount(0, 1)
        return FileCount(_asked_for(content.decode("utf-8-sig")))


def _asked_for(text: str) -> int:
    if text.lstrip().startswith("{"):
        lines: list[Any] = [json.loads(line) for line in text.split("\n") if line.strip()]
        return sum(int(line.get("repetitions", 1)) for line in lines)
    data: Any = yaml.safe_load(text) or {}
    alone = sum(int(item.get("repetitions", 1)) for item in data.get("probes", ()))
    return alone + sum(int(item["count"]) * int(item.get("repetitions", 1)) for item in data.get("canaries", ()))
