"""The files that a path or glob of the manifest names."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

from pyarrow import fs

from lauter.pipeline.storage import FileStat, filesystem, stat


def expand_paths(pattern: str, folder: Path) -> list[FileStat]:
    """The files that a path or glob names, sorted by URI; a relative one is taken from `folder`."""
    if pattern.startswith("s3://"):
        return _expand_s3(pattern)
    path = Path(pattern)
    base, relative = (Path(path.anchor), path.relative_to(path.anchor)) if path.is_absolute() else (folder, path)
    base = base.resolve()
    while relative.parts and not any(mark in relative.parts[0] for mark in "*?["):
        base, relative = base / relative.parts[0], Path(*relative.parts[1:])
    # Names are kept as given (links in data folders are common); only `..` is folded.
    base = Path(os.path.normpath(base))
    matches = [base] if not relative.parts else sorted(base.glob(str(relative)))
    return [found for match in matches if match.is_file() and (found := stat(str(match)))]


def _expand_s3(pattern: str) -> list[FileStat]:
    system, path = filesystem(pattern)
    fixed = path.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0]
    if fixed == path:
        found = stat(pattern)
        return [found] if found else []
    selector = fs.FileSelector(fixed.rsplit("/", 1)[0], recursive=True, allow_not_found=True)
    files = [info for info in system.get_file_info(selector) if info.type == fs.FileType.File]
    return [
        FileStat(f"s3://{info.path}", info.size, info.mtime_ns or 0)
        for info in sorted(files, key=lambda info: str(info.path))
        if fnmatchcase(info.path, path)
    ]
