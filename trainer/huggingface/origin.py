"""`lauter.json`: where an exported model comes from, for programs; the model card says the same for people.

An import keeps it as what the folder claims about itself, so that a model that went through a Hugging Face folder can
still be traced to the proof of its data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

ORIGIN = "lauter.json"

_LOCAL = frozenset({"checkpoint", "folder", "from", "out", "path", "start", "uri"})
"""Keys whose values may be paths of the machine that trained: only their last part is published."""

_TAKEN = ("versions", "progress", "optimizer_steps", "config", "data", "tokenizer", "labels", "parent")


def origin(meta: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint's meta says about where the model comes from, without paths of a machine."""
    found: dict[str, Any] = _published({key: meta[key] for key in _TAKEN if meta.get(key) is not None})
    return found


def _published(value: Any, key: str = "") -> Any:  # noqa: ANN401 - plain JSON data
    if isinstance(value, Mapping):
        return {name: _published(item, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_published(item, key) for item in value]
    if isinstance(value, str) and key in _LOCAL and PurePath(value).is_absolute():
        return PurePath(value).name
    return value
