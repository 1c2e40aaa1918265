"""`lauter.json`: where an exported model comes from, for programs; the model card says the same for people.

An import keeps it as what the folder claims about itself, so that a model that went through a Hugging Face folder can
still be traced to the proof of its data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from lauter.trainer.checkpoint.inventory import digest_of
from lauter.trainer.checkpoint.read import Checkpoint
from lauter.trainer.huggingface.measured import measured

ORIGIN = "lauter.json"

_LOCAL = frozenset({"after", "before", "checkpoint", "folder", "from", "out", "path", "start", "uri"}) | frozenset(
    # Of the section `preference`.
    {"charter", "data", "function", "model", "prompts"}
)
"""Keys whose values may be paths of the machine that trained: only their last part is published."""

_TAKEN = ("versions", "progress", "optimizer_steps", "config", "changes", "counts", "data", "tokenizer", "parent")


def origin(checkpoint: Checkpoint) -> dict[str, Any]:
    """What a checkpoint says about where the model comes from, without paths of a machine.

    `checkpoint` names it, and has the SHA-256 of its list of files, which holds all their digests.
    `measured` is what its run measured up to it (`measured.py`), where the run is there.
    `goldfish_rate` is the share of labels that Goldfish took out, over all updates of the run.
    """
    meta = checkpoint.meta
    found: dict[str, Any] = _published({key: meta[key] for key in _TAKEN if meta.get(key) is not None})
    path = checkpoint.path.absolute()
    found["checkpoint"] = {"name": f"{path.parent.parent.name}/{path.name}", "files_sha256": digest_of(path)}
    figures = measured(checkpoint)
    found |= {"measured": figures} if figures else {}
    counts = found.get("counts") or {}
    labels = counts.get("targets", 0) + counts.get("goldfish_dropped", 0)
    return {**found, "goldfish_rate": counts["goldfish_dropped"] / labels} if labels else found


def _published(value: Any, key: str = "") -> Any:  # noqa: ANN401 - plain JSON data
    if isinstance(value, Mapping):
        return {name: _published(item, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_published(item, key) for item in value]
    if isinstance(value, str) and key in _LOCAL and PurePath(value).is_absolute():
        return PurePath(value).name
    return value
