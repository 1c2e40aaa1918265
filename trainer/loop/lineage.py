"""What a run carries along in its checkpoints: where it began, what it read since when, and what was changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lauter.trainer.checkpoint.inventory import digest_of
from lauter.trainer.checkpoint.layout import FILES, step_of
from lauter.trainer.checkpoint.read import Checkpoint
from lauter.trainer.config.sections import RunSection
from lauter.trainer.loop.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Lineage:
    """Goes into `meta.json`, all of it JSON."""

    parent: dict[str, Any] | None
    """What a branch began from (`parent_of`)."""
    cooldown: int | None
    """Tokens of a branch that only cools down: its schedule is then the checkpoint's, not the config's."""
    history: list[dict[str, Any]]
    """`{"from_sample", "provenance"}`, ascending: which state of the corpora was read from which sample on."""
    changes: list[dict[str, Any]]
    """`{"step", "key", "before", "after"}`: what of the config was changed when the run went on, or branched off."""


def parent_of(checkpoint: Checkpoint, start: Path) -> dict[str, Any]:
    """What a branch's checkpoints say about where it began: data and changes of all ancestors stay known."""
    return {
        "from": str(start.absolute()),
        "checkpoint": checkpoint.path.name,
        "files_sha256": digest_of(checkpoint.path),
        "progress": checkpoint.meta["progress"],
        "data": checkpoint.meta["data"],
        "changes": checkpoint.meta.get("changes", []),
        "parent": checkpoint.meta["parent"],
    }


def require_parent(out: Path, parent: Mapping[str, Any] | None, start: Path) -> None:
    """`--from` of a run that goes on must be the one it began with, however it is spelt and wherever it lies now.

    The same checkpoint is one of the same step whose list of digests is the same. A run that trained on may have
    deleted it: then its path must be the same.

    Raises:
        ConfigError: the run folder holds a run that began elsewhere.
    """
    if parent is not None:
        name = parent["checkpoint"]
        places = (start,) if step_of(start.resolve().name) is not None else (start / "checkpoints" / name, start / name)
        there = next((place for place in places if place.resolve().name == name and (place / FILES).is_file()), None)
        same_path = start.resolve() == Path(parent["from"]).resolve()
        if same_path if there is None else digest_of(there) == parent["files_sha256"]:
            return
    began = f"from {parent['checkpoint']} of {parent['from']}" if parent is not None else "at its first step"
    raise ConfigError(f"{out} holds a run already, which began {began}; give another --out to begin from {start}")


def read_on(
    history: Sequence[dict[str, Any]], provenance: list[dict[str, Any]], samples: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """The history of a run that goes on at a sample with these corpora, and what is new about them, in words."""
    before = history[-1]["provenance"]
    if before == provenance:
        return list(history), []
    earlier = {corpus["name"]: corpus for corpus in before}
    now = {corpus["name"]: corpus for corpus in provenance}
    said = [f"corpus {name} is no longer read (root {earlier[name]['root']})" for name in earlier if name not in now]
    for name, corpus in now.items():
        if name not in earlier:
            said.append(f"corpus {name} is new (root {corpus['root']})")
        elif corpus != earlier[name]:
            said.append(f"corpus {name} is another state of itself: {', '.join(_states(earlier[name], corpus))}")
    return [*history, {"from_sample": samples, "provenance": provenance}], said


def _states(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    found = [f"root {before['root']} -> {now['root']}"]
    if before["takedown"] != now["takedown"]:
        was, is_now = ((one["takedown"] or {}).get("demands") for one in (before, now))
        found.append(f"takedown: {was} -> {is_now} demands for removal")
    return found


def changes(before: Mapping[str, Any], section: RunSection, step: int) -> list[dict[str, Any]]:
    """Every key of the config that is another now; both values are None where there was no such key.

    Corpora are left out: of what is read, the history tells more than a path.
    """
    was, is_now = (flat("", _without_corpora(config)) for config in (before, section.model_dump(mode="json")))
    return differences(was, is_now, step)


def differences(before: Mapping[str, Any], now: Mapping[str, Any], step: int) -> list[dict[str, Any]]:
    """Changes between two flat mappings."""
    return [
        {"step": step, "key": key, "before": before.get(key), "after": now.get(key)}
        for key in {**before, **now}
        if before.get(key) != now.get(key)
    ]


def words(change: Mapping[str, Any]) -> str:
    """A change in a line."""
    before, after = ("none" if value is None else value for value in (change["before"], change["after"]))
    return f"{change['key']}: {before} there, {after} now"


def by_section(changes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Changes in a line a section of the config: one each would fill the screen where a whole section is new."""
    sections: dict[str, list[str]] = {}
    for change in changes:
        sections.setdefault(change["key"].partition(".")[0], []).append(words(change))
    return ["; ".join(some) for some in sections.values()]


def _without_corpora(config: Mapping[str, Any]) -> dict[str, Any]:
    return {**config, "data": {key: value for key, value in config["data"].items() if key != "corpora"}}


def flat(prefix: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON holds
    """Dotted key -> plain value; items of a list go by their index, an empty mapping or list has no key."""
    if isinstance(value, Mapping):
        items = [(f"{prefix}.{key}" if prefix else str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list):
        items = [(f"{prefix}.{index}", inner) for index, inner in enumerate(value)]
    else:
        return {prefix: value}
    return {key: one for name, inner in items for key, one in flat(name, inner).items()}
