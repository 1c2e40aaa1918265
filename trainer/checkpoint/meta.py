"""`meta.json`: what a checkpoint is of. Validated before it is written and when it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import lauter
from lauter.trainer.checkpoint.error import CheckpointError, FormatError
from lauter.trainer.checkpoint.layout import META

FORMAT = 1
"""Raised when older code can no longer read what is written."""


class _Progress(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    step: int = Field(ge=0)
    samples: int = Field(ge=0)
    tokens: int = Field(ge=0)


class _Meta(BaseModel):
    """What must be there; whatever else the loop puts down is kept as it is."""

    model_config = ConfigDict(strict=True, extra="allow")
    format: int
    versions: dict[str, str]
    config: dict[str, Any] | None
    shape: dict[str, Any]
    progress: _Progress
    optimizer_steps: int = Field(ge=0)
    data: dict[str, Any] | None
    tokenizer: dict[str, Any]
    guard: Any
    parent: Any


def complete_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The loop's meta with format and versions (lauter, torch). Raises `CheckpointError` where a key is missing."""
    versions = {"lauter": lauter.__version__, "torch": torch.__version__}
    return _validated({"format": FORMAT, "versions": versions, **meta}, META)


def sound(meta: Mapping[str, Any]) -> bool:
    """Whether a rollback may go to it: false for what a signal made the loop save amid steps that were left out."""
    return bool(meta.get("sound", True))


def meta_bytes(meta: Mapping[str, Any]) -> bytes:
    """What `meta.json` says: equal meta gives equal bytes. Raises `CheckpointError` where it is no JSON."""
    try:
        return json.dumps(meta, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the checkpoint's meta is no JSON: {error}") from error


def read_meta(folder: Path) -> dict[str, Any]:
    """The meta of a checkpoint. Raises `CheckpointError` naming the file and what is wrong in it.

    `FormatError` where a later version of lauter wrote it: that is no fault, and no reason to take an older one.
    """
    path = folder / META
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: it is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} is damaged: it is no mapping")
    written = found.get("format")
    if isinstance(written, int) and written > FORMAT:
        raise FormatError(f"{path} has format {written}, and this version of lauter reads up to {FORMAT}: update it")
    return _validated(found, str(path))


def _validated(meta: dict[str, Any], where: str) -> dict[str, Any]:
    try:
        _Meta.model_validate(meta)
    except ValidationError as error:
        raise CheckpointError(f"{where}: {faults_of(error)}") from error
    return meta


def faults_of(error: ValidationError) -> str:
    """All that is wrong with a mapping, in one line: `progress.step: missing; guard: missing`."""
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, detail["loc"])), _words(detail["msg"])))) for detail in error.errors()
    )


def _words(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return "missing" if message == "Field required" else message[:1].lower() + message[1:]
