"""Parts: what each input file is called in the run folder and in the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import xxhash

from lauter.pipeline.manifest import Manifest
from lauter.pipeline.specs import is_planted, reader_spec
from lauter.pipeline.storage import FileStat


@dataclass(frozen=True, slots=True)
class Part:
    """One input file, and the name that all its outputs share."""

    ordinal: int
    name: str
    source: str
    priority: int
    reader: Mapping[str, Any]
    file: FileStat
    file_name: str
    """As the ledger shows it: the shortest end of its path that no other file of its source has."""
    planted: bool
    """Whether its records are planted: no stage sees them, and they are compared with nothing."""

    def described(self) -> dict[str, Any]:
        """The file as a task that reads it is told."""
        return {
            "uri": self.file.uri,
            "name": self.file_name,
            "size": self.file.size,
            "mtime_ns": self.file.mtime_ns,
        }


PART_NAME_BYTES = 80
"""File systems allow 255 bytes a name; suffixes and staging names need some of them."""


def parts(manifest: Manifest) -> list[Part]:
    """Every input file, in source order, then by URI."""
    found: list[Part] = []
    for priority, source in enumerate(manifest.sources):
        reader = reader_spec(source)
        planted = is_planted(source)
        names = short_names([file.uri for file in source.files])
        for file, file_name in zip(source.files, names, strict=True):
            name = f"{source.name}/{part_name(file_name)}"
            found.append(Part(len(found), name, source.name, priority, reader, file, file_name, planted))
    return found


def short_names(uris: Sequence[str]) -> list[str]:
    """For each path the shortest end of it, in whole components, that no other path of the list has.

    >>> short_names(["/a/2023/x.warc", "/a/2024/x.warc", "/a/y.warc"])
    ['2023/x.warc', '2024/x.warc', 'y.warc']
    """
    names = [PurePosixPath(uri).name for uri in uris]
    depth = 1
    while len(set(names)) < len(names):
        depth += 1
        counts = Counter(names)
        names = [
            "/".join(PurePosixPath(uri).parts[-depth:]) if counts[name] > 1 else name
            for uri, name in zip(uris, names, strict=True)
        ]
    return names


def part_name(file_name: str) -> str:
    """A file name as a name in the run folder; one that had to be changed carries a hash, so that none meet."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in file_name)
    if plain == file_name and len(plain) <= PART_NAME_BYTES:
        return plain
    return f"{plain[:PART_NAME_BYTES]}-{xxhash.xxh3_64_hexdigest(file_name.encode())}"
