"""The last part of a save: the small files, the list of all files, the name, LATEST. In that order, all synced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lauter.trainer.checkpoint.durable import publish_folder, replace_file, sync_folder, write_synced
from lauter.trainer.checkpoint.inventory import FileRecord, inventory_bytes
from lauter.trainer.checkpoint.layout import FILES, LATEST, META, TOKENIZER
from lauter.trainer.checkpoint.meta import meta_bytes


def small_files(meta: Mapping[str, object], tokenizer: Mapping[str, bytes]) -> dict[str, bytes]:
    """Content of what lies beside the tensors, by path in the checkpoint."""
    return {META: meta_bytes(meta), **{f"{TOKENIZER}/{name}": data for name, data in tokenizer.items()}}


def publish(staged: Path, target: Path, tensors: Mapping[str, FileRecord], others: Mapping[str, bytes]) -> None:
    """Make a checkpoint of a folder that holds the tensors' files, which are on the disk. Raises `OSError`."""
    files = dict(tensors)
    (staged / TOKENIZER).mkdir()
    for name, data in others.items():
        files[name] = write_synced(staged / name, data)
    sync_folder(staged / TOKENIZER)
    write_synced(staged / FILES, inventory_bytes(files))
    sync_folder(staged)
    publish_folder(staged, target)
    replace_file(target.with_name(LATEST), f"{target.name}\n".encode())
