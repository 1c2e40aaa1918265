"""What `lauter plan` says of a mixture: which part of its corpus it needs, and how much it takes of each component."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lauter.pipeline.manifest import Catalogue, Manifest
from lauter.pipeline.mixture import (
    ComponentSection,
    MixtureSection,
    StreamSize,
    claimed_streams,
    load_mixture,
    shares,
    stream_tokens,
)
from lauter.pipeline.quantity import shown
from lauter.pipeline.resolve import load
from lauter.pipeline.storage import Storage
from lauter.pipeline.streams import rule_of
from lauter.pipeline.yaml_lines import ManifestError
from lauter.pipeline.yaml_lines import load as load_yaml


class UnfitMixture(Exception):
    """A corpus cannot serve a mixture."""


INDEX = "tokens/index.json"


@dataclass(frozen=True, slots=True)
class MixturePlan:
    """A mixture, and the manifest of its corpus with the sources that it reads."""

    section: MixtureSection
    manifest: Manifest


def is_mixture(path: str) -> bool:
    """Whether a YAML file is a mixture and no manifest of a corpus; raises `ManifestError` for no YAML."""
    data = load_yaml(Path(path)).data
    return isinstance(data, dict) and "mixture" in data


def load_plan(path: str, catalogue: Catalogue) -> MixturePlan:
    """Read a mixture and the manifest that it names.

    Raises:
        ManifestError: one of them is wrong, or no source of the manifest makes a stream that the mixture names.
    """
    section = load_mixture(Path(path))
    if section.corpus is None:
        raise ManifestError([f"{path}: name the manifest of its corpus, `corpus: FILE`, to plan what it takes"])
    manifest = load(str(Path(path).parent / section.corpus), catalogue)
    firsts = [pattern.partition(".")[0] for component in section.components for pattern in component.streams]
    stream = manifest.sharding.stream
    sources = tuple(
        source
        for source in manifest.sources
        if any(fnmatch.fnmatchcase(rule_of(manifest.streams, source.name, stream).first, first) for first in firsts)
    )
    if not sources:
        raise ManifestError([f"{path}: no source of {manifest.path} makes a stream that it names"])
    return MixturePlan(section, replace(manifest, sources=sources))


def built_index(root: str | None) -> Mapping[str, Any] | None:
    """The index of the shards of a run folder; None where there is none yet."""
    storage = None if root is None else Storage(root)
    if storage is None or storage.size(INDEX) is None:
        return None
    index: dict[str, Any] = storage.read_json(INDEX)
    return index


def describe_mixture(section: MixtureSection, index: Mapping[str, Any] | None) -> dict[str, Any]:
    """The components with what the stage takes of each; from the index of a corpus, or from what was published.

    `tokens_taken` and `epochs` are None where neither says how much a component has.

    Raises:
        UnfitMixture: the corpus has not the streams, or they are too few tokens.
    """
    if index is None:
        rows = _from_published(section)
    else:
        sizes = {
            name: StreamSize(stream["tokens"], stream.get("of", {}).get("copies", [1])[0])
            for name, stream in index["streams"].items()
        }
        try:
            taken = stream_tokens(section, sizes, section.tokens)
        except ValueError as error:
            raise UnfitMixture(f"mixture {section.mixture}: {error}") from error
        claimed = zip(section.components, claimed_streams(section, sizes), strict=True)
        rows = [_from_streams(component, names, sizes, taken) for component, names in claimed]
    whole = {item.name: item.published_share for item in section.components if item.published_share is not None}
    return {
        "name": section.mixture,
        "tokens": section.tokens,
        "components": rows,
        "kept_whole": [
            f"{name}: kept whole, where the published recipe drew {share:.4g} of its documents at random"
            for name, share in whole.items()
        ],
    }


def _from_published(section: MixtureSection) -> list[dict[str, Any]]:
    known = [item for item in section.components if item.weight is not None or item.published is not None]
    asked = [item.weight if item.weight is not None else float(item.published or 0) * item.repeat for item in known]
    # What was published bounds nothing here: the corpus that is built may hold more.
    bounds = [float(item.cap) if item.cap is not None else float("inf") for item in known]
    total = section.tokens if section.tokens is not None else sum(asked)
    taken = dict(zip((item.name for item in known), shares(asked, bounds, total), strict=True))
    return [_row(item, item.published, taken.get(item.name)) for item in section.components]


def _from_streams(
    component: ComponentSection, names: Sequence[str], sizes: Mapping[str, StreamSize], taken: Mapping[str, float]
) -> dict[str, Any]:
    held, used = sum(sizes[name].tokens for name in names), sum(taken[name] for name in names)
    return _row(component, held, used) | {"streams_found": len(names)}


def _row(component: ComponentSection, held: int | None, taken: float | None) -> dict[str, Any]:
    return {
        "name": component.name,
        "streams": list(component.streams),
        "tokens_held": held,
        "tokens_taken": None if taken is None else round(taken),
        "epochs": taken / held if taken is not None and held else None,
        "repeat": component.repeat,
        "epochs_at_most": component.epochs,
        "cap": component.cap,
    }


def print_mixture(console: Console, data: Mapping[str, Any]) -> None:
    """The mixture as a table, and what it keeps whole."""
    length = f", {shown(data['tokens'])} tokens" if data["tokens"] else ""
    table = Table(title=f"mixture {data['name']}{length}", title_justify="left")
    for header in ("component", "streams", "tokens it has", "taken", "share", "epochs"):
        table.add_column(header, justify="left" if header in ("component", "streams") else "right", overflow="fold")
    total = sum(row["tokens_taken"] or 0 for row in data["components"])
    for row in data["components"]:
        taken = row["tokens_taken"]
        table.add_row(
            row["name"],
            ", ".join(row["streams"]),
            "?" if row["tokens_held"] is None else shown(row["tokens_held"]),
            "what it has" if taken is None else shown(taken),
            "" if taken is None else f"{taken / total:.1%}",
            "" if row["epochs"] is None else f"{row['epochs']:.2f}",
        )
    console.print(table)
    for line in data["kept_whole"]:
        console.print(f"  {line}", highlight=False, soft_wrap=True)
    if data["tokens"]:
        said = (
            f"the stage reads {shown(data['tokens'])} tokens; what follows is for making the corpus that it reads from"
        )
        console.print(f"  {said}", highlight=False, soft_wrap=True)
