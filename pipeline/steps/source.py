"""The file that a task reads: its reader, and whether it is still the file that was planned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lauter.pipeline.contract import Reader
from lauter.pipeline.manifest import load_target
from lauter.pipeline.stopped import BuildStopped
from lauter.pipeline.storage import stat


class FileBroken(BuildStopped):
    """A file can't be accounted for: it changed, or the reader's rows and the independent count differ."""


def reader_of(args: Mapping[str, Any]) -> Reader:
    """The reader of a task's arguments `reader` and `source`."""
    cls = load_target(args["reader"]["target"], "")
    reader: Reader = cls(cls.Config.model_validate(args["reader"]["config"]), args["source"])
    return reader


def check_unchanged(file: Mapping[str, Any]) -> None:
    """Raise `FileBroken` where a file (`uri`, `size`, `mtime_ns`) is not what it was when the build was planned."""
    now = stat(file["uri"])
    if now is None or (now.size, now.mtime_ns) != (file["size"], file["mtime_ns"]):
        raise FileBroken(f"{file['uri']}: was changed while it was read; run the same command again")
