"""The manifest: one YAML file that says what to build, validated whole before any work.

`load` gives a frozen `Manifest` in which every stage's parameters are checked by the stage's own model, every path is
absolute and there, and every column that a stage reads is written by an earlier one. Anything else is a
`ManifestError` with file, line and the nearest valid name.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pyarrow import fs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lauter.pipeline import schema
from lauter.pipeline.contract import InputFile, Reader, StageConfig, StageContext
from lauter.pipeline.storage import FileStat, filesystem, open_input, stat
from lauter.pipeline.yaml_lines import Document, Location, ManifestError
from lauter.pipeline.yaml_lines import load as load_yaml

NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SourceSection(_Section):
    """One input: files of one kind."""

    name: Annotated[str, Field(pattern=NAME)]
    kind: str
    paths: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """Paths or globs, local (relative to the manifest) or s3://. `**` crosses folders."""
    exclude: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Globs of file names (without folder) that are left out."""
    optional: bool = False
    """Whether the build goes on, and says so, where no file is found."""
    options: dict[str, Any] = {}
    """The reader's own parameters."""


class ShardingSection(_Section):
    """How kept documents become token shards."""

    stream: Annotated[str, Field(pattern=NAME)] = "main"
    tokens_per_shard: Annotated[int, Field(ge=1)] = 1 << 28
    """Target tokens of a shard (default 268 M: 0.3-0.5 GB of Parquet)."""
    tokens_per_row_group: Annotated[int, Field(ge=1)] = 1 << 22
    """Tokens after which a row group is closed (default 4 M)."""
    cells: Annotated[int, Field(ge=1, le=1 << 16)] = 64
    """Equal ranges of the shuffle hash; a shard is a run of whole cells, so this bounds the number of shards."""


class ManifestSection(_Section):
    """The file's top level."""

    name: Annotated[str, Field(pattern=NAME)]
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    sources: Annotated[tuple[SourceSection, ...], Field(strict=False, min_length=1)]
    stages: Annotated[tuple[Any, ...], Field(strict=False)]
    tokenizer: dict[str, Any] = {}
    sharding: ShardingSection = ShardingSection()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Names a manifest may use -> import path `module:attribute`. The engine is handed one; it knows no name itself."""

    readers: Mapping[str, str]
    stages: Mapping[str, str]
    barriers: Mapping[str, str]
    encoder: str


@dataclass(frozen=True, slots=True)
class StageSpec:
    """A stage with its checked parameters."""

    name: str
    target: str
    config: Mapping[str, Any]
    inputs: tuple[FileStat, ...] = ()
    python_path: str = ""

    def load(self) -> type[Any]:
        """Import the stage's class; raises `ImportError` or `AttributeError`."""
        return load_target(self.target, self.python_path)

    def make(self, context: StageContext) -> Any:  # noqa: ANN401 - a stage of one of the contract's kinds
        """Construct the stage."""
        cls = self.load()
        return cls(cls.Config.model_validate(dict(self.config)), context)


@dataclass(frozen=True, slots=True)
class Source:
    """An input whose files are listed."""

    name: str
    kind: str
    target: str
    config: Mapping[str, Any]
    files: tuple[FileStat, ...]
    optional: bool

    def make(self) -> Reader:
        """Construct the reader."""
        cls = load_target(self.target, "")
        reader: Reader = cls(cls.Config.model_validate(dict(self.config)), self.name)
        return reader


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that can be run."""

    path: str
    name: str
    seed: int
    sources: tuple[Source, ...]
    stages: tuple[StageSpec, ...]
    barrier: StageSpec | None
    encoder: StageSpec
    sharding: ShardingSection


def load_target(target: str, python_path: str) -> type[Any]:
    """The class that `module:attribute` names; `python_path` is put on the import path first."""
    module, _, attribute = target.partition(":")
    if python_path and python_path not in sys.path:
        sys.path.insert(0, python_path)
    loaded: type[Any] = getattr(importlib.import_module(module), attribute)
    return loaded


def load(path: str, catalogue: Catalogue) -> Manifest:
    """Read and check a manifest; raises `ManifestError` with every problem found. Writes nothing."""
    document = load_yaml(Path(path))
    problems: list[str] = []
    section = _validate(ManifestSection, document.data, (), document, problems)
    if section is None:
        raise ManifestError(problems)
    folder = Path(path).absolute().parent
    sources = [
        found
        for index, source in enumerate(section.sources)
        if (found := _source(source, ("sources", index), folder, catalogue, document, problems))
    ]
    names = [source.name for source in section.sources]
    for index, name in enumerate(names):
        if name in names[:index]:
            problems.append(document.problem(("sources", index, "name"), f"a source named {name!r} stands above"))
    specs = [
        spec
        for index, entry in enumerate(section.stages)
        if (spec := _stage(entry, ("stages", index), folder, catalogue, document, problems))
    ]
    encoder = _configured(
        "tokenizer", catalogue.encoder, section.tokenizer, ("tokenizer",), folder, document, problems, python_path=""
    )
    if not problems:
        has_text = all(load_target(source.target, "").provides_text for source in sources)
        _check_stages(specs, catalogue, document, problems, has_text=has_text)
    if problems or encoder is None:
        raise ManifestError(problems)
    barriers = [spec for spec in specs if spec.target in catalogue.barriers.values()]
    return Manifest(
        path=str(Path(path).absolute()),
        name=section.name,
        seed=section.seed,
        sources=tuple(sources),
        stages=tuple(spec for spec in specs if spec not in barriers),
        barrier=barriers[0] if barriers else None,
        encoder=encoder,
        sharding=section.sharding,
    )


Model = TypeVar("Model", bound=BaseModel)


def _validate(
    model: type[Model], data: object, location: Location, document: Document, problems: list[str]
) -> Model | None:
    if not isinstance(data, dict):
        problems.append(document.problem(location, "expected a mapping of keys to values"))
        return None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # A misspelt key comes before the key that is missing because of it, and before what follows from both.
        order = {"extra_forbidden": 0, "missing": 2, "too_short": 3}
        for detail in sorted(error.errors(), key=lambda detail: order.get(detail["type"], 1)):
            where = (*location, *detail["loc"])
            problems.append(document.problem(where, _explain(model, detail["loc"], detail["type"], detail["msg"])))
        return None


def _explain(model: type[BaseModel], location: Location, kind: str, message: str) -> str:
    if kind != "extra_forbidden":
        return message[0].lower() + message[1:]
    names = _keys(model, location[:-1])
    return f"unknown key{_nearest(str(location[-1]), names)}"


def _keys(model: type[BaseModel], location: Location) -> list[str]:
    """The keys that are valid at a location of nested models."""
    current: object = model
    for part in location:
        if isinstance(part, int):
            current = get_args(current)[0]
        elif isinstance(current, type) and issubclass(current, BaseModel):
            current = current.model_fields[part].annotation
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; valid are: {', '.join(sorted(names))}"


def _source(
    section: SourceSection,
    location: Location,
    folder: Path,
    catalogue: Catalogue,
    document: Document,
    problems: list[str],
) -> Source | None:
    target = catalogue.readers.get(section.kind)
    if target is None:
        hint = _nearest(section.kind, list(catalogue.readers))
        problems.append(document.problem((*location, "kind"), f"unknown kind {section.kind!r}{hint}"))
        return None
    cls = load_target(target, "")
    config = _validate(cls.Config, section.options, (*location, "options"), document, problems)
    if config is None:
        return None
    files: dict[str, FileStat] = {}
    for index, pattern in enumerate(section.paths):
        try:
            found = expand_paths(pattern, folder)
        except OSError as error:
            problems.append(document.problem((*location, "paths", index), f"cannot list {pattern}: {error}"))
            continue
        if not found and not section.optional:
            problems.append(document.problem((*location, "paths", index), f"no file matches {pattern!r}"))
        files.update(
            {
                file.uri: file
                for file in found
                if not any(fnmatchcase(file.uri.rsplit("/", 1)[-1], pattern) for pattern in section.exclude)
            }
        )
    source = Source(
        name=section.name,
        kind=section.kind,
        target=target,
        config=config.model_dump(mode="json"),
        files=tuple(files[uri] for uri in sorted(files)),
        optional=section.optional,
    )
    if source.files:
        try:
            with open_input(source.files[0].uri) as stream:
                source.make().check(stream)
        except ValueError as error:
            problems.append(document.problem((*location, "options"), str(error)))
    return source


def expand_paths(pattern: str, folder: Path) -> list[FileStat]:
    """The files that a path or glob names, sorted by URI; a relative one is taken from `folder`."""
    if pattern.startswith("s3://"):
        return _expand_s3(pattern)
    path = Path(pattern)
    base, relative = (Path(path.anchor), path.relative_to(path.anchor)) if path.is_absolute() else (folder, path)
    base = base.resolve()
    while relative.parts and not any(mark in relative.parts[0] for mark in "*?["):
        base, relative = base / relative.parts[0], Path(*relative.parts[1:])
    # Names are kept as given (links in data folders are common); only `..` is folded.
    base = Path(os.path.normpath(base))
    matches = [base] if not relative.parts else sorted(base.glob(str(relative)))
    return [found for match in matches if match.is_file() and (found := stat(str(match)))]


def _expand_s3(pattern: str) -> list[FileStat]:
    system, path = filesystem(pattern)
    fixed = path.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0]
    if fixed == path:
        found = stat(pattern)
        return [found] if found else []
    selector = fs.FileSelector(fixed.rsplit("/", 1)[0], recursive=True, allow_not_found=True)
    files = [info for info in system.get_file_info(selector) if info.type == fs.FileType.File]
    return [
        FileStat(f"s3://{info.path}", info.size, info.mtime_ns or 0)
        for info in sorted(files, key=lambda info: str(info.path))
        if fnmatchcase(info.path, path)
    ]


def _stage(
    entry: object, location: Location, folder: Path, catalogue: Catalogue, document: Document, problems: list[str]
) -> StageSpec | None:
    """`name`, `{name: parameters}` or `{use: module:attribute, with: parameters}`."""
    if isinstance(entry, str):
        entry = {entry: {}}
    if not isinstance(entry, dict):
        problems.append(document.problem(location, "a stage is a name, or a name with its parameters"))
        return None
    if "use" in entry:
        extra = sorted(set(entry) - {"use", "with"})
        if extra or not isinstance(entry["use"], str) or ":" not in entry["use"]:
            problems.append(document.problem(location, "expected `use: module:attribute` and, if wanted, `with:`"))
            return None
        name, target, parameters = entry["use"].partition(":")[2], entry["use"], entry.get("with") or {}
        location = (*location, "with" if "with" in entry else "use")
        python_path = str(folder)
    else:
        if len(entry) != 1:
            problems.append(document.problem(location, "a stage has one name; its parameters stand indented below it"))
            return None
        ((name, parameters),) = entry.items()
        location = (*location, name)
        known = {**catalogue.stages, **catalogue.barriers}
        if name not in known:
            problems.append(document.problem(location, f"unknown stage{_nearest(name, list(known))}"))
            return None
        target, parameters, python_path = known[name], parameters or {}, ""
    return _configured(name, target, parameters, location, folder, document, problems, python_path=python_path)


def _configured(
    name: str,
    target: str,
    parameters: object,
    location: Location,
    folder: Path,
    document: Document,
    problems: list[str],
    *,
    python_path: str,
) -> StageSpec | None:
    try:
        cls = load_target(target, python_path)
    except (ImportError, AttributeError) as error:
        problems.append(document.problem(location, f"cannot import {target}: {error}"))
        return None
    config = _validate(cls.Config, parameters, location, document, problems)
    if config is None:
        return None
    values = config.model_dump(mode="json")
    inputs: list[FileStat] = []
    for field, marker in input_fields(cls.Config):
        given = values[field]
        paths = [given] if isinstance(given, str) else list(given or ())
        resolved = []
        for path in paths:
            if path in getattr(cls.Config, "embedded", ()):
                resolved.append(path)
                continue
            found = expand_paths(path, folder)
            if not found:
                problems.append(document.problem((*location, field), f"{marker.kind} {path!r} is not there"))
            inputs += found
            resolved += [file.uri for file in found]
        values[field] = (resolved[0] if resolved else given) if isinstance(given, str) else (resolved or given)
    return StageSpec(name, target, values, tuple(inputs), python_path)


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
        return [mark for mark in get_args(annotation)[1:] if isinstance(mark, InputFile)]
    return [mark for part in get_args(annotation) for mark in _marks(part)]


def _check_stages(
    specs: list[StageSpec], catalogue: Catalogue, document: Document, problems: list[str], *, has_text: bool
) -> None:
    """Columns: what a stage reads must have been written before it; and the one rule on barriers."""
    written = set(schema.RECORD.names) - (set() if has_text else {"text"})
    barrier_seen = False
    for index, spec in enumerate(specs):
        cls = spec.load()
        is_barrier = spec.target in catalogue.barriers.values()
        where: Location = ("stages", index)
        if any(spec.name == other.name for other in specs[:index]):
            problems.append(document.problem(where, f"the stage {spec.name!r} stands twice"))
        if barrier_seen:
            problems.append(document.problem(where, "no stage may follow the one that joins all documents; move it up"))
        barrier_seen = barrier_seen or is_barrier
        for column in cls.reads:
            if column not in written and not (column == "text" and "text" in _documents(cls)):
                problems.append(
                    document.problem(
                        where,
                        f"reads column {column!r}, which no earlier stage writes{_nearest(column, sorted(written))}",
                    )
                )
        written |= set(_documents(cls)) | set(() if is_barrier else cls.scores.names)
    if "text" not in written:
        problems.append(document.problem(("stages",), "no stage writes the column 'text'; add `extract`"))


def _documents(cls: type[Any]) -> list[str]:
    return list(cls.documents.names) if hasattr(cls, "documents") else []
