"""What a task is told of a stage: plain JSON data, with everything in it that the stage's output depends on."""

from __future__ import annotations

import hashlib
import sys
import unicodedata
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pyarrow as pa

from lauter.pipeline.contract import InputFile, StageConfig
from lauter.pipeline.digests import DigestCache
from lauter.pipeline.manifest import Source, StageSpec, load_target


def stage_spec(spec: StageSpec, digests: DigestCache) -> dict[str, Any]:
    """Name, version, parameters, digests of input files, and versions of the libraries that decide."""
    cls = spec.load()
    deciding = _decision_files(spec)
    return {
        "name": spec.name,
        "target": spec.target,
        "version": cls.version,
        "config": dict(spec.config),
        "inputs": [digests.sha256(file) for file in spec.inputs if file.uri not in deciding],
        "decision_inputs": [digests.sha256(file) for file in spec.inputs if file.uri in deciding],
        "libraries": installed(cls),
        "data": data_digest(cls),
        # A user's own stage has no version to raise: its module is its version.
        "source": source_digest(cls) if spec.python_path else None,
        "python_path": spec.python_path,
    }


def apply_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A stage as `apply` sees it: what only `decide` reads is left at its default, so it changes no key."""
    return {**spec, "config": without_decisions(spec_class(spec), spec["config"]), "decision_inputs": []}


def without_decisions(cls: type[Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters without those that only decisions read."""
    fields: frozenset[str] = getattr(cls, "decision_fields", frozenset())
    return {name: value for name, value in config.items() if name not in fields}


def _decision_files(spec: StageSpec) -> frozenset[str]:
    """URIs of the input files that only decisions read: a changed file of thresholds reads no text again."""
    cls = spec.load()
    files: dict[bool, set[str]] = {True: set(), False: set()}
    for name, _ in input_fields(cls.Config):
        given = spec.config.get(name) or ()
        paths = [given] if isinstance(given, str) else given.values() if isinstance(given, Mapping) else [given]
        decides = name in getattr(cls, "decision_fields", ())
        files[decides].update(path for some in paths for path in ([some] if isinstance(some, str) else some))
    return frozenset(files[True] - files[False])


def input_fields(model: type[StageConfig]) -> list[tuple[str, InputFile]]:
    """The fields of a config that name input files."""
    found = []
    for name, info in model.model_fields.items():
        marks = [mark for mark in info.metadata if isinstance(mark, InputFile)] or _marks(info.annotation)
        if marks:
            found.append((name, marks[0]))
    return found


def _marks(annotation: object) -> list[InputFile]:
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return [mark for mark in metadata if isinstance(mark, InputFile)] or _marks(inner)
    return [mark for part in get_args(annotation) for mark in _marks(part)]


def reader_spec(source: Source) -> dict[str, Any]:
    """The same of a source's reader."""
    cls = load_target(source.target, "")
    return {
        "target": source.target,
        "version": cls.version,
        "config": dict(source.config),
        "libraries": installed(cls),
    }


def is_planted(source: Source) -> bool:
    """Whether the records of a source are planted (`planting.PlantingReader`)."""
    return bool(getattr(load_target(source.target, ""), "planted", False))


def spec_class(spec: Mapping[str, Any]) -> type[Any]:
    """The class that a spec is of."""
    return load_target(spec["target"], spec["python_path"])


def reads_of(spec: Mapping[str, Any]) -> frozenset[str]:
    """The columns that a stage reads with its parameters, and those that it reads where there are any."""
    cls = spec_class(spec)
    besides = frozenset[str](getattr(cls, "reads_if_written", ()))
    if not hasattr(cls, "reads_for"):
        return besides.union(cls.reads)
    return besides.union(cls.reads_for(cls.Config.model_validate(dict(spec["config"]))))


def writes_of(spec: Mapping[str, Any]) -> frozenset[str]:
    """The columns that a map stage writes."""
    cls = spec_class(spec)
    schemas: tuple[pa.Schema, ...] = (cls.documents, cls.scores, getattr(cls, "ledger", pa.schema([])))
    return frozenset(name for schema in schemas for name in schema.names)


def installed(cls: type[Any]) -> dict[str, str]:
    """Distribution -> version of the libraries that a class names as deciding its output, and Python's Unicode version.

    Case, categories and normal forms come from Python's own tables, so every stage may depend on them.
    """
    names: tuple[str, ...] = getattr(cls, "libraries", ())
    return {"unicodedata": unicodedata.unidata_version} | {name: version(name) for name in names}


def data_digest(cls: type[Any]) -> str | None:
    """SHA-256 over the data files that lie beside a stage's code in its own package: word lists, models, agents."""
    path = sys.modules[cls.__module__].__file__
    if path is None or not cls.__module__.startswith("lauter.stages."):
        return None
    folder = Path(path).parent
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc"))
    digest = hashlib.sha256()
    for file in files if folder.name != "stages" else []:
        digest.update(f"{file.relative_to(folder)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def source_digest(cls: type[Any]) -> str:
    """SHA-256 of the module that a class stands in."""
    path = sys.modules[cls.__module__].__file__
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
