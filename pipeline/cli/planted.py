"""The probes that a path names: of a finished corpus, or a file of probes as it was planted."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lauter.pipeline.planting import Planted


def planted_at(path: str) -> tuple[list[Planted], dict[str, Any]]:
    """Probes, and what a result says of where they are from: name and digest of corpus or file.

    Raises:
        ValueError: there is neither, nothing is planted, or a file of probes can't be used.
        StorageError: it can't be read.
    """
    from lauter.pipeline.planted_texts import planted_texts, probes_in
    from lauter.pipeline.storage import Storage
    from lauter.stages.catalogue import CATALOGUE

    if Path(path).is_file():
        content = Path(path).read_bytes()
        told = {"file": Path(path).name, "sha256": hashlib.sha256(content).hexdigest()}
        return probes_in(content, path, "probes", {}, CATALOGUE), told
    storage = Storage(path)
    if storage.size("corpus.json") is None:
        raise ValueError(f"{path} is no finished run folder of `lauter build`, and no file of probes")
    corpus = storage.read_json("corpus.json")
    try:
        return planted_texts(corpus, CATALOGUE), {"corpus": corpus["name"], "root": corpus["root"]}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
