"""Older corpora that a new one is compared with: their signatures stand in for their texts.

What they have kept counts as kept before anything else. Their signatures must have been made as this corpus's are: by
the same version of the stage, with the same parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from lauter.pipeline.manifest import StageSpec
from lauter.pipeline.specs import data_digest, input_fields, installed, without_decisions
from lauter.pipeline.storage import Storage, StorageError

INDEX = "corpus.json"
LOCK = "manifest.lock.yaml"


@dataclass(frozen=True, slots=True)
class OlderPart:
    """One part of an older corpus."""

    ordinal: int
    """Behind those of the parts of this run."""
    name: str
    root: str
    source: str
    files: Mapping[str, Mapping[str, Any]]
    """Kind (`keys`, `items`, `documents`, `ledger`) -> what a task is told of the file."""


def corpus_fields(cls: type[Any]) -> list[str]:
    """The fields of a stage's parameters that name older corpora."""
    return [name for name, marker in input_fields(cls.Config) if marker.kind == "corpus"]


def older_roots(spec: StageSpec) -> list[str]:
    """The run folders that a stage's parameters name, in order, each once."""
    roots = [root for name in corpus_fields(spec.load()) for root in spec.config.get(name) or ()]
    return list(dict.fromkeys(roots))


def older_parts(spec: StageSpec | None, first: int) -> list[OlderPart]:
    """The parts of all older corpora, numbered from `first`. Raises `StorageError` for one that cannot be read."""
    from lauter.pipeline.finished import read_corpus  # which needs the manifest, as this is needed by it

    found: list[OlderPart] = []
    for number, root in enumerate(older_roots(spec) if spec is not None else ()):
        _, index = read_corpus(Storage(root))
        listed = {entry.path: entry for entries in index.files.values() for entry in entries}
        for entry in index.inputs:
            paths = {
                "keys": f"signatures/keys/{entry.part}.arrow",
                "items": f"signatures/items/{entry.part}.arrow",
                "documents": f"documents/{entry.part}.parquet",
                "ledger": f"ledger/{entry.part}.parquet",
            }
            missing = [path for path in paths.values() if path not in listed]
            if missing:
                raise StorageError(f"{root}: its corpus.json names no {missing[0]}; build it again to compare with it")
            # Not `path` and `sha256`: by these a build finds files of its own run folder.
            files = {kind: {"root": root, "file": p, "digest": listed[p].sha256} for kind, p in paths.items()}
            found.append(OlderPart(first + len(found), f"older/{number}/{entry.part}", root, entry.source, files))
    return found


def as_compared(spec: StageSpec) -> StageSpec:
    """A barrier stage without the older corpora: what it leaves of a document depends on none."""
    roots = set(older_roots(spec))
    config = {name: value for name, value in spec.config.items() if name not in corpus_fields(spec.load())}
    inputs = tuple(file for file in spec.inputs if file.uri.removesuffix(f"/{INDEX}") not in roots)
    return StageSpec(spec.name, spec.target, config, inputs, spec.python_path)


def faults(root: str, name: str, cls: type[Any], values: Mapping[str, Any]) -> list[str]:
    """Why a run folder cannot be compared with, in sentences; empty where it can.

    `values`: the parameters of the stage `name` in this manifest.
    """
    from lauter.pipeline.finished import read_corpus

    try:
        storage = Storage(root)
        read_corpus(storage)
        lock = yaml.safe_load(storage.read(LOCK))
        stages = {key: told for entry in lock["stages"] for key, told in entry.items()}
    except StorageError as error:
        return [str(error)]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        return [f"{root}/{LOCK} is no lock file of a build: {type(error).__name__}"]
    if name not in stages:
        return [f"{root} was built without the stage {name!r}, so it has no signatures to compare with"]
    return [f"{root} was signed otherwise: {difference}" for difference in _differences(stages[name], cls, values)]


def _differences(there: Mapping[str, Any], cls: type[Any], values: Mapping[str, Any]) -> Iterator[str]:
    if there["version"] != cls.version:
        yield f"version {there['version']} of the stage there, {cls.version} here"
    yield from _unlike("libraries", there["libraries"], installed(cls))
    if there.get("data") != data_digest(cls):
        yield "other data files of the stage"
    config = cls.Config.model_validate(dict(values)).model_dump(mode="json")
    left_out = corpus_fields(cls)
    sides = [
        {key: value for key, value in without_decisions(cls, side).items() if key not in left_out}
        for side in (there["config"], config)
    ]
    yield from _unlike("", *sides)


def _unlike(name: str, there: Any, here: Any) -> Iterator[str]:  # noqa: ANN401 - plain data
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        keys: Sequence[str] = sorted({*there, *here})
        for key in keys:
            yield from _unlike(f"{name}.{key}" if name else key, there.get(key), here.get(key))
    elif there != here:
        yield f"`{name}` is {there!r} there and {here!r} here"
