"""The files that a path or glob of the manifest names: one glob for local files and for S3.

Within a name `*` is any text, `?` one character, `[ab]`, `[a-z]` and `[!a]` one of a set; none of them crosses `/`.
`**` alone between slashes is any number of folders, none included. The leading part of a path that exists under its
very name is taken literally, so that a folder may be called `[2024]`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from pyarrow import fs

from lauter.pipeline.storage import FileStat, StorageError, filesystem, stat

MAGIC = re.compile(r"[*?[]")
ANY_FOLDERS = "**"


class PathError(ValueError):
    """A path can't be used as it stands; the message says why and what to write."""


def expand_paths(pattern: str, folder: Path) -> list[FileStat]:
    """The files that a path or glob names, sorted by URI; a relative one is taken from `folder`.

    Links to files are followed; links to folders too, but never by `**`, so that no loop is walked. Raises `PathError`
    for a folder, a name that is no UTF-8 or another scheme than s3, and `OSError` for what can't be listed.
    """
    if pattern.startswith("s3://"):
        return sorted(_expand_s3(pattern), key=lambda file: file.uri)
    if "://" in pattern:
        raise PathError(f"{pattern!r}: only local paths and s3:// are supported")
    return [file for path in sorted(_expand_local(pattern, folder)) if (file := stat(_text(path)))]


def first_inside(files: Sequence[FileStat], root: str) -> FileStat | None:
    """The first of the files that lies below a folder (absolute path or s3://), links of folders followed."""
    inside = _real(root)
    folders: dict[str, bool] = {}
    for file in files:
        folder = file.uri.rpartition("/")[0]
        if folder not in folders:
            folders[folder] = _real(folder).startswith(inside)
        if folders[folder]:
            return file
    return None


def _real(folder: str) -> str:
    return (folder if "://" in folder else str(Path(folder or "/").resolve())).rstrip("/") + "/"


def name_pattern(glob: str) -> re.Pattern[str]:
    """A glob of one name, for `fullmatch`."""
    found, place = "", 0
    while place < len(glob):
        mark = glob[place]
        place += 1
        if mark == "[":
            # A bracket that stands first in a set is a member; a set that never ends is no set.
            first = place + glob[place : place + 1].count("!")
            end = glob.find("]", first + 1)
            if end >= 0:
                found += _one_of(glob[first:end], negated=first > place)
                place = end + 1
                continue
        found += {"*": "[^/]*", "?": "[^/]"}.get(mark) or re.escape(mark)
    # Runs of `*` are one: each more would only multiply the ways to fail.
    return re.compile(re.sub(r"(?:\[\^/\]\*)+", "[^/]*", found), re.DOTALL)


def _one_of(members: str, *, negated: bool) -> str:
    items, place = "", 0
    while place < len(members):
        low = high = members[place]
        if members[place + 1 : place + 2] == "-" and place + 2 < len(members):
            high = members[place + 2]
            place += 2
        place += 1
        if low <= high:
            items += f"{re.escape(low)}-{re.escape(high)}"
    if not items:
        return "[^/]" if negated else "(?!)"
    return f"(?!/)[{'^' if negated else ''}{items}]"


@dataclass(frozen=True, slots=True)
class Glob:
    """The parts of a glob, matched one name at a time; a state is the set of parts that may come next."""

    parts: tuple[re.Pattern[str] | None, ...]
    """None is `**`."""

    @staticmethod
    def of(parts: Sequence[str]) -> Glob:
        """A glob of path components."""
        return Glob(tuple(None if part == ANY_FOLDERS else name_pattern(part) for part in parts))

    def start(self) -> frozenset[int]:
        """The state before any name."""
        return self._open({0})

    def step(self, state: frozenset[int], name: str, *, link: bool = False) -> frozenset[int]:
        """The state after a name; that of a link to a folder is not taken by `**`."""
        after = set()
        for index in state - {len(self.parts)}:
            part = self.parts[index]
            if part is None:
                after |= set() if link else {index}
            elif part.fullmatch(name):
                after.add(index + 1)
        return self._open(after)

    def _open(self, state: set[int]) -> frozenset[int]:
        for index, part in enumerate(self.parts):
            if part is None and index in state:
                state.add(index + 1)
        return frozenset(state)

    def is_whole(self, state: frozenset[int]) -> bool:
        """Whether the names so far are a match."""
        return len(self.parts) in state

    def goes_on(self, state: frozenset[int]) -> bool:
        """Whether more names may lead to a match."""
        return bool(state - {len(self.parts)})

    def is_deep(self, state: frozenset[int]) -> bool:
        """Whether `**` may come next."""
        return any(self.parts[index] is None for index in state - {len(self.parts)})


def _literal(parts: Sequence[str], exists: Callable[[Sequence[str]], bool]) -> int:
    """How many leading parts are no glob, or exist under their very name."""
    for index, part in enumerate(parts):
        if MAGIC.search(part) and not exists(parts[: index + 1]):
            return index
    return len(parts)


def _expand_local(pattern: str, folder: Path) -> Iterator[str]:
    path = Path(pattern)
    base, parts = (Path(path.anchor), path.parts[1:]) if path.is_absolute() else (folder.resolve(), path.parts)
    literal = _literal(parts, lambda some: Path(base, *some).exists())
    # Names are kept as given (links in data folders are common); only `..` is folded.
    start = Path(os.path.normpath(Path(base, *parts[:literal])))
    if literal < len(parts):
        if ".." in parts[literal:]:
            raise PathError(f"{pattern!r}: `..` may not follow a wildcard")
        if start.is_dir():
            yield from _walk(str(start), Glob.of(parts[literal:]))
    elif start.is_dir():
        raise _is_a_folder(pattern)
    elif start.is_file():
        yield str(start)


def _walk(folder: str, glob: Glob) -> Iterator[str]:
    pending = [(folder, glob.start())]
    while pending:
        folder, state = pending.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                # A link that leads nowhere or in a circle is neither file nor folder, which only `Path` says quietly.
                thing = Path(entry.path) if entry.is_symlink() else entry
                if glob.is_whole(glob.step(state, entry.name)) and thing.is_file():
                    yield entry.path
                below = glob.step(state, entry.name, link=entry.is_symlink())
                if glob.goes_on(below) and thing.is_dir():
                    pending.append((entry.path, below))


def _expand_s3(pattern: str) -> Iterator[FileStat]:
    parts = pattern.removeprefix("s3://").rstrip("/").split("/")
    if not parts[0] or MAGIC.search(parts[0]):
        raise PathError(f"{pattern!r}: name the bucket")
    try:
        system, _ = filesystem(pattern)
    except StorageError as error:
        raise PathError(str(error)) from error
    literal = _literal(parts, lambda some: system.get_file_info("/".join(some)).type != fs.FileType.NotFound)
    start = "/".join(parts[:literal])
    if literal < len(parts):
        yield from _walk_s3(system, start, Glob.of(parts[literal:]))
        return
    info = system.get_file_info(start)
    if info.type == fs.FileType.Directory:
        raise _is_a_folder(pattern)
    if info.type == fs.FileType.File:
        yield _s3_file(info)


def _walk_s3(system: fs.FileSystem, folder: str, glob: Glob) -> Iterator[FileStat]:
    pending = [(folder, glob.start())]
    while pending:
        folder, state = pending.pop()
        # Below `**` a bucket is listed flat, a thousand keys a request, and not folder by folder.
        flat = glob.is_deep(state)
        for info in system.get_file_info(fs.FileSelector(folder, recursive=flat, allow_not_found=True)):
            after = reduce(glob.step, info.path[len(folder) + 1 :].split("/"), state)
            if info.type == fs.FileType.File and glob.is_whole(after):
                yield _s3_file(info)
            elif info.type == fs.FileType.Directory and not flat and glob.goes_on(after):
                pending.append((info.path, after))


def _s3_file(info: fs.FileInfo) -> FileStat:
    return FileStat(f"s3://{info.path}", info.size, info.mtime_ns or 0)


def _is_a_folder(pattern: str) -> PathError:
    return PathError(f"{pattern!r} is a folder; add /* for the files in it, /**/* for all below it")


def _text(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise PathError(f"the name {os.fsencode(path)!r} is no UTF-8; rename the file") from None
    return path
