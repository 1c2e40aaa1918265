"""Writing so that a power cut leaves the old or the new, never a part: fsync the file, rename, fsync the folder."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from lauter.trainer.checkpoint.inventory import FileRecord
from lauter.trainer.checkpoint.layout import DELETING, REPLACED, SAVING, step_of


def make_empty(folder: Path) -> None:
    """An empty folder, whatever was there. Raises `OSError`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def write_synced(path: Path, data: bytes) -> FileRecord:
    """Write a new file whose bytes are on the disk on return. Raises `OSError` that names it."""
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    return FileRecord(len(data), hashlib.sha256(data).hexdigest())


def sync_folder(path: Path) -> None:
    """Make names that were added or changed in a folder survive a power cut. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Give a file new content in one go: a reader sees all of the old or all of the new. Raises `OSError`."""
    staged = path.with_name(f"{SAVING}{path.name}")
    write_synced(staged, data)
    staged.replace(path)
    sync_folder(path.parent)


def publish_folder(staged: Path, target: Path) -> None:
    """Give a whole folder its name. One that has the name already is moved aside first and deleted last.

    A kill between the two renames leaves the old one aside, whole: `clear_leftovers` gives it its name back.
    """
    aside = target.with_name(REPLACED + target.name)
    if target.exists():
        target.rename(aside)
    staged.rename(target)
    sync_folder(target.parent)
    if aside.exists():
        delete_folder(aside)


def delete_folder(path: Path) -> None:
    """Delete a folder so that no reader ever finds a part of it: it loses its name first."""
    doomed = path.with_name(DELETING + path.name.removeprefix(REPLACED))
    shutil.rmtree(doomed, ignore_errors=True)
    path.rename(doomed)
    shutil.rmtree(doomed)


def clear_leftovers(checkpoints: Path) -> list[str]:
    """Remove what killed saves and deletions left; returns the names. Only for the one writer of the folder."""
    cleared = []
    for path in sorted(checkpoints.iterdir()):
        name = path.name.removeprefix(REPLACED)
        if path.name.startswith(REPLACED) and step_of(name) is not None and not path.with_name(name).exists():
            path.rename(path.with_name(name))
        elif path.name.startswith((SAVING, DELETING, REPLACED)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            cleared.append(path.name)
    return cleared
