"""Whether every row of the token shards lies in the stream that its source, language, length and copies belong to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from pydantic import ValidationError

from lauter.pipeline.audit.findings import AuditReport, counted
from lauter.pipeline.audit.index import CorpusIndex
from lauter.pipeline.audit.shards import SHARD
from lauter.pipeline.audit.tables import row_groups
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.streams import StreamsSection, describe, rule_of

LOCK = "manifest.lock.yaml"

# libyaml is ten times as fast, and a lock file has a line or more for every input.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def check_streams(storage: Storage, index: CorpusIndex, intact: set[str], report: AuditReport) -> None:
    """Assign every row of the intact shards again, by what the lock file says the streams are parted by."""
    shards = [output for output in index.outputs("tokens") if output.path in intact]
    if LOCK not in intact:
        report.notes.append(f"the streams of the token shards are not checked: {LOCK} is not intact")
        return
    try:
        lock = yaml.load(storage.read(LOCK), Loader=_Loader)
        first, shortened = lock["sharding"]["stream"], lock["sharding"].get("repeats") is not None
        section = None if lock["streams"] is None else StreamsSection.model_validate(lock["streams"])
    except (yaml.YAMLError, ValidationError, KeyError, TypeError) as error:
        report.violations.append(f"{LOCK}: does not say what the streams are parted by: {error!r}")
        return
    for output in shards:
        match = SHARD.fullmatch(output.path)
        if match is None:
            continue
        try:
            strange = _strange(storage, output.path, match[1], section, first, shortened=shortened)
        except StorageError as error:
            report.violations.append(str(error))
            continue
        if strange:
            report.violations.append(f"{output.path}: has {counted(strange, 'row')} that belong to another stream")


def _strange(
    storage: Storage, path: str, stream: str, section: StreamsSection | None, first: str, *, shortened: bool
) -> int:
    least = _least_tokens(stream, section)
    strange = 0
    for table in row_groups(storage, "tokens", path, "source", "language", "length", "copies"):
        source = table.column("source").cast(pa.string()).combine_chunks().dictionary_encode()
        language, length = table.column("language").cast(pa.string()), table.column("length").to_numpy()
        # What is cut when a shard is packed leaves a document in the stream of its length before.
        length = np.maximum(length, least) if shortened else length
        for number, name in enumerate(source.dictionary.to_pylist()):
            own = np.flatnonzero(source.indices.to_numpy() == number)
            names, place = rule_of(section, name, first).assign(
                language.take(pa.array(own)), length[own], table.column("copies").to_numpy()[own]
            )
            strange += sum(int(np.sum(place == at)) for at, found in enumerate(names) if found != stream)
    return strange


def _least_tokens(stream: str, section: StreamsSection | None) -> int:
    try:
        of: dict[str, Any] = describe(stream, section)
    except ValueError:
        # No name of a stream of these: its rows will be found to belong elsewhere.
        return 0
    return int(of.get("tokens", [0])[0])
