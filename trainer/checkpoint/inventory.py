"""`files.json`: size and SHA-256 of every file of a checkpoint. Written last, so that without it there is none."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.layout import FILES, META

DCP_METADATA = ".metadata"
"""The file in which torch.distributed.checkpoint says which tensor lies where."""

_HASHING_THREADS = 8


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Size in bytes and SHA-256 in hex."""

    size: int
    sha256: str


def inventory_bytes(files: Mapping[str, FileRecord]) -> bytes:
    """What `files.json` says: equal files give equal bytes."""
    listed = {name: {"size": files[name].size, "sha256": files[name].sha256} for name in sorted(files)}
    return json.dumps(listed, indent=1).encode() + b"\n"


def read_inventory(folder: Path) -> dict[str, FileRecord]:
    """The files that a checkpoint must have, by their path in it. Raises `CheckpointError` naming what is wrong."""
    path = folder / FILES
    try:
        listed = json.loads(path.read_bytes())
        files = {str(name): FileRecord(int(entry["size"]), str(entry["sha256"])) for name, entry in listed.items()}
    except FileNotFoundError:
        raise CheckpointError(f"{folder} has no {FILES}: it was never finished, or is no checkpoint") from None
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged: it is no list of files with `size` and `sha256`") from error
    for name in (META, DCP_METADATA):
        if name not in files:
            raise CheckpointError(f"{path} is damaged: it does not list {name}")
    outside = [name for name in files if not _is_inside(name)]
    if outside:
        raise CheckpointError(f"{path} is damaged: it lists {outside[0]!r}, which is no file of this folder")
    return files


def digest_of(folder: Path) -> str:
    """SHA-256 of a checkpoint's list of files, hex: that holds all their digests, and so stands for the checkpoint."""
    return hashlib.sha256((folder / FILES).read_bytes()).hexdigest()


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and str(path) == name and "\\" not in name


def unlisted_faults(folder: Path) -> list[str]:
    """Files of a checkpoint that `files.json` does not list, one sentence each. Raises `CheckpointError`.

    A save leaves none: it writes into a folder that nobody looks at. What is not listed was verified by nobody.
    """
    listed = {FILES, *read_inventory(folder)}
    found = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    strays = sorted(name for path in found if (name := path.relative_to(folder).as_posix()) not in listed)
    return [f"{name} is not listed in {FILES}: take it out of the folder" for name in strays]


def size_faults(folder: Path, files: Mapping[str, FileRecord]) -> list[str]:
    """What is missing or has another size, one sentence each. Reads no content: a stat a file."""
    faults = []
    for name, record in files.items():
        try:
            size = (folder / name).stat().st_size
        except OSError:
            faults.append(f"{name} is missing")
            continue
        if size != record.size:
            faults.append(f"{name} has {size} bytes instead of {record.size}")
    return faults


def digest_faults(folder: Path, files: Mapping[str, FileRecord]) -> list[str]:
    """What has other bytes than were written, one sentence each. Reads everything.

    hashlib lets go of the GIL, so that threads share the cores: one core hashes 1 to 2 GB/s where it has SHA
    instructions, and a checkpoint has a file for each rank that wrote it.
    """
    names = list(files)
    with ThreadPoolExecutor(min(_HASHING_THREADS, os.cpu_count() or 1)) as pool:
        digests = pool.map(lambda name: _digest(folder / name), names)
        return [
            f"{name} {fault}"
            for name, digest in zip(names, digests, strict=True)
            if (fault := _difference(digest, files[name])) is not None
        ]


def read_back(folder: Path, written: Mapping[str, FileRecord]) -> Mapping[str, FileRecord]:
    """What was written, once the disk gives back the bytes that were meant. Raises `CheckpointError`."""
    faults = digest_faults(folder, written)
    if faults:
        raise CheckpointError(f"{folder} did not keep what was written: {'; '.join(faults)}; check the disk")
    return written


def _digest(path: Path) -> str | OSError:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return error


def _difference(digest: str | OSError, record: FileRecord) -> str | None:
    if isinstance(digest, OSError):
        return f"cannot be read ({digest.strerror})"
    return None if digest == record.sha256 else "has other bytes than were written (its SHA-256 differs)"


def share(files: Mapping[str, FileRecord], rank: int, ranks: int) -> dict[str, FileRecord]:
    """A rank's part of the files, so that all ranks together read each once."""
    return {name: files[name] for name in sorted(files)[rank::ranks]}


def total_size(files: Iterable[FileRecord]) -> int:
    """Bytes of all of them."""
    return sum(file.size for file in files)
