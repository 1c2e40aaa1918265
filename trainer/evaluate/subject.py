"""What is evaluated: a checkpoint, or a model in a Hugging Face folder, with its tokenizer and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lauter.trainer.checkpoint.layout import FILES
from lauter.trainer.checkpoint.read import open_checkpoint, tokenizer_files
from lauter.trainer.generate.load import load_model, model_of, tokenizer_of
from lauter.trainer.generate.tokenizer import TextTokenizer, TokenizerError, text_tokenizer
from lauter.trainer.huggingface.importing import open_hf
from lauter.trainer.model.apertus import Apertus


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that answers questions."""

    model: Apertus
    tokenizer: TextTokenizer
    tokenizer_files: Mapping[str, bytes]
    told: dict[str, Any]
    """What a result says of it: `form`, `name`, `sha256`, and of a checkpoint `progress` and digests of parents."""
    meta: Mapping[str, Any]
    """`meta.json` of a checkpoint; of a Hugging Face folder what an import would write of it."""


def open_subject(path: str, dtype: torch.dtype, device: torch.device | str = "cpu") -> Subject:
    """A run folder of `lauter train`, one of its checkpoints, or a Hugging Face folder.

    Raises:
        CheckpointError: a checkpoint is broken. `NoCheckpoint`: there is none, and no model either.
        ModelImportError: a Hugging Face folder is broken, or of another model.
        TokenizerError: it has no tokenizer, or a broken one.
    """
    folder = Path(path)
    if (folder / "config.json").is_file() and any(folder.glob("*.safetensors")):
        return _huggingface(folder, dtype, device)
    checkpoint = open_checkpoint(path)
    meta = checkpoint.meta
    told = {
        "form": "checkpoint",
        "name": f"{checkpoint.path.resolve().parent.parent.name}/{checkpoint.path.name}",
        # Of the list of all files, which holds their digests: what `parent` of later checkpoints names too.
        "sha256": hashlib.sha256((checkpoint.path / FILES).read_bytes()).hexdigest(),
        "progress": meta["progress"],
        "parents": _parents(meta),
    }
    model = load_model(checkpoint, dtype, device)
    return Subject(model, tokenizer_of(checkpoint), tokenizer_files(checkpoint), told, meta)


def _huggingface(folder: Path, dtype: torch.dtype, device: torch.device | str) -> Subject:
    opened = open_hf(folder)
    said = opened.tokenizer
    ends = said.get("stops") or [index for index in (said["eos"],) if index is not None]
    try:
        tokenizer = text_tokenizer(opened.tokenizer_files, bos=said["bos"], ends=frozenset(ends))
    except TokenizerError as error:
        raise TokenizerError(f"{folder}: {error}") from error
    digest = hashlib.sha256()
    for name, content in sorted(opened.digests.items()):
        digest.update(f"{name}\0{content}\n".encode())
    for name in ("config.json", *sorted(opened.tokenizer_files)):
        digest.update(f"{name}\0{hashlib.sha256((folder / name).read_bytes()).hexdigest()}\n".encode())
    told = {"form": "huggingface", "name": folder.resolve().name, "sha256": digest.hexdigest()}
    model = model_of(opened.shape, opened.weights, dtype, device)
    return Subject(model, tokenizer, opened.tokenizer_files, told, {"tokenizer": said, "data": None, "config": None})


def _parents(meta: Mapping[str, Any]) -> list[str]:
    """Digests of the checkpoints that it began from, the nearest first."""
    found: list[str] = []
    parent = meta["parent"]
    while isinstance(parent, dict):
        if "files_sha256" in parent:
            found.append(parent["files_sha256"])
        parent = parent.get("parent")
    return found
