"""From YAML to a checked `Manifest`, before any work.

Every stage's parameters are checked by the stage's own model, every path is made absolute and must be there, and every
column that a stage reads must be written by an earlier one. Anything else is a `ManifestError` with file, line and the
nearest valid name; all problems are told at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from lauter.pipeline.conformance import is_barrier, is_cutter, shortcomings
from lauter.pipeline.contract import InputFile
from lauter.pipeline.declared import plain
from lauter.pipeline.faults import faults, nearest
from lauter.pipeline.manifest import (
    Catalogue,
    Manifest,
    ManifestSection,
    Source,
    SourceSection,
    StageSpec,
    load_target,
)
from lauter.pipeline.marked import marking_faults
from lauter.pipeline.older import INDEX as CORPUS_INDEX
from lauter.pipeline.older import corpus_fields
from lauter.pipeline.older import faults as corpus_faults
from lauter.pipeline.paths import PathError, expand_paths, first_inside, name_pattern
from lauter.pipeline.planted import planted_twice
from lauter.pipeline.specs import input_fields
from lauter.pipeline.stage_order import order_faults
from lauter.pipeline.storage import FileStat, StorageError, open_input
from lauter.pipeline.streams import stream_faults, taken_names
from lauter.pipeline.takedown.demands import Demand, DemandError, parse_tombstones
from lauter.pipeline.yaml_lines import Document, Location, ManifestError
from lauter.pipeline.yaml_lines import load as load_yaml

Model = TypeVar("Model", bound=BaseModel)

CHECKED_FILES = 200
"""Files of a source whose columns are looked at before any work; opening one costs a millisecond, on S3 fifty."""

MESSAGE_CHARACTERS = 300
"""An error may quote a whole file; one line of it is enough."""


def load(path: str, catalogue: Catalogue, out: str | None = None) -> Manifest:
    """Read and check a manifest; raises `ManifestError` with every problem found. Writes nothing.

    `out` is the run folder (absolute path or s3://) that the manifest may not read from.
    """
    resolver = Resolver(load_yaml(Path(path)), catalogue, Path(path).absolute().parent, out)
    manifest = resolver.manifest()
    if manifest is None or resolver.problems:
        raise ManifestError(resolver.problems)
    return manifest


@dataclass
class Resolver:
    """Checks one document and gathers what is wrong with it."""

    document: Document
    catalogue: Catalogue
    folder: Path
    """Where relative paths start."""
    out: str | None
    """Where the build writes: a glob that reaches into it would read the last build's output."""
    problems: list[str] = field(default_factory=list)

    def problem(self, location: Location, message: str) -> None:
        """Note a problem at a place of the document."""
        self.problems.append(self.document.problem(location, message))

    def manifest(self) -> Manifest | None:
        """The whole manifest, or None where the top level itself is wrong."""
        section = self.validate(ManifestSection, self.document.data, ())
        if section is None:
            return None
        sources = [
            found for index, source in enumerate(section.sources) if (found := self.source(source, ("sources", index)))
        ]
        names = [source.name for source in section.sources]
        for index, name in enumerate(names):
            if name in names[:index]:
                self.problem(("sources", index, "name"), f"a source named {name!r} stands above")
        specs = [spec for index, entry in enumerate(section.stages) if (spec := self.stage(entry, ("stages", index)))]
        encoder = self.configured("tokenizer", self.catalogue.encoder, section.tokenizer, ("tokenizer",), "")
        demands = self.demands(section.takedown)
        if self.problems or encoder is None:
            return None
        for index, message in planted_twice(sources):
            self.problem(("sources", index, "paths"), message)
        for place, message in order_faults(specs, sources):
            self.problem(place, message)
        for place, message in marking_faults(sources, specs, encoder, section.sharding):
            self.problem(place, message)
        barriers = [spec for spec in specs if is_barrier(spec.load())]
        cutters = [spec for spec in specs if is_cutter(spec.load())]
        self.check_streams(section, specs, joined=bool(barriers))
        return Manifest(
            path=self.document.path,
            name=section.name,
            seed=section.seed,
            sources=tuple(sources),
            stages=tuple(spec for spec in specs if spec not in (*barriers, *cutters)),
            barrier=barriers[0] if barriers else None,
            encoder=encoder,
            sharding=section.sharding,
            streams=section.streams,
            provider=plain(section.provider),
            takedown=demands,
            cutter=cutters[0] if cutters else None,
        )

    def validate(self, model: type[Model], data: object, location: Location) -> Model | None:
        """A model of the data, or None with the problems noted."""
        if not isinstance(data, dict):
            self.problem(location, "expected a mapping of keys to values")
            return None
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for place, message in faults(model, error):
                self.problem((*location, *place), message)
        except Exception as error:
            # A config's own validator may raise anything.
            self.problem(location, told(error))
        return None

    def source(self, section: SourceSection, location: Location) -> Source | None:
        """A source with its files listed and their columns checked."""
        target = self.catalogue.readers.get(section.kind)
        if target is None:
            hint = nearest(section.kind, list(self.catalogue.readers))
            self.problem((*location, "kind"), f"unknown kind {section.kind!r}{hint}")
            return None
        config = self.validate(load_target(target, "").Config, section.options, (*location, "options"))
        if config is None:
            return None
        source = Source(
            name=section.name,
            kind=section.kind,
            target=target,
            config=config.model_dump(mode="json", exclude_unset=True),
            files=self.files(section, (*location, "paths")),
            optional=section.optional,
            about=plain(section.about),
            expect=plain(section.expect),
        )
        reader = source.make()
        for file in [file for file in source.files if file.size][:CHECKED_FILES]:
            try:
                with open_input(file.uri) as stream:
                    reader.check(stream)
            except (OSError, StorageError) as error:
                self.problem((*location, "paths"), told(error))
                break
            except ValueError as error:
                self.problem((*location, "options"), f"{file.uri}: {error}")
                break
        return source

    def files(self, section: SourceSection, location: Location) -> tuple[FileStat, ...]:
        """The files of a source, sorted by URI, each once; without any, a source must be optional."""
        excluded = [name_pattern(pattern) for pattern in section.exclude]
        files: dict[str, FileStat] = {}
        problems = len(self.problems)
        for index, pattern in enumerate(section.paths):
            before = len(self.problems)
            found = self.expand(pattern, (*location, index))
            if not found and not section.optional and len(self.problems) == before:
                self.problem((*location, index), f"no file matches {pattern!r}")
            files |= {
                file.uri: file
                for file in found
                if not any(pattern.fullmatch(file.uri.rsplit("/", 1)[-1]) for pattern in excluded)
            }
        if not files and not section.optional and len(self.problems) == problems:
            patterns = ", ".join(repr(pattern) for pattern in section.paths)
            self.problem(location, f"no file matches {patterns} after exclude")
        return tuple(files[uri] for uri in sorted(files))

    def expand(self, pattern: str, location: Location) -> list[FileStat]:
        """The files of a path or glob; one that can't be used or listed is a problem."""
        try:
            found = expand_paths(pattern, self.folder)
            inside = first_inside(found, self.out) if self.out else None
            if inside is None:
                return found
            self.problem(location, f"{inside.uri} lies in the run folder {self.out}; take another, or a narrower path")
        except PathError as error:
            self.problem(location, str(error))
        except (OSError, ValueError) as error:
            self.problem(location, f"cannot list {pattern!r}: {told(error)}")
        return []

    def demands(self, patterns: Sequence[str]) -> tuple[Demand, ...]:
        """What the lists of demands hold, in order of the lists."""
        found: list[Demand] = []
        for index, pattern in enumerate(patterns):
            before = len(self.problems)
            files = self.expand(pattern, ("takedown", index))
            if not files and len(self.problems) == before:
                self.problem(("takedown", index), f"no file matches {pattern!r}")
            for file in files:
                try:
                    with open_input(file.uri) as stream:
                        found += parse_tombstones(stream.read(), file.uri)
                except (DemandError, StorageError, OSError) as error:
                    self.problem(("takedown", index), str(error))
        return tuple(found)

    def stage(self, entry: object, location: Location) -> StageSpec | None:
        """`name`, `{name: parameters}` or `{use: module:attribute, with: parameters}`, perhaps with `sources`."""
        if isinstance(entry, str):
            entry = {entry: None}
        if not isinstance(entry, dict):
            self.problem(location, "a stage is a name, or a name with its parameters")
            return None
        if "sources" in entry:
            return self.routed(entry, location)
        if "use" in entry:
            extra = sorted(set(entry) - {"use", "with"})
            if extra or not isinstance(entry["use"], str) or ":" not in entry["use"]:
                self.problem(location, "expected `use: module:attribute` and, if wanted, `with:`")
                return None
            if self.loaded(entry["use"], str(self.folder), (*location, "use")) is None:
                return None
            where = (*location, "with" if "with" in entry else "use")
            name = entry["use"].partition(":")[2]
            return self.configured(name, entry["use"], entry.get("with"), where, str(self.folder))
        if len(entry) != 1:
            self.problem(location, "a stage has one name; its parameters stand indented below it")
            return None
        ((name, parameters),) = entry.items()
        known = {**self.catalogue.stages, **self.catalogue.barriers, **self.catalogue.cutters}
        if name not in known:
            self.problem((*location, name), f"unknown stage{nearest(name, list(known))}")
            return None
        return self.configured(name, known[name], parameters, (*location, name), "")

    def routed(self, entry: Mapping[str, object], location: Location) -> StageSpec | None:
        """A stage that only the records of some sources pass."""
        found = self.stage({key: value for key, value in entry.items() if key != "sources"}, location)
        names = entry["sources"]
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            self.problem((*location, "sources"), "expected a list of names of sources: [web, books]")
            return None
        return None if found is None else replace(found, sources=tuple(dict.fromkeys(names)))

    def loaded(self, target: str, python_path: str, location: Location) -> type[Any] | None:
        """What `module:attribute` names, if it is a stage. A user's module may raise anything while it is imported."""
        try:
            found = load_target(target, python_path)
            lacking = shortcomings(found)
        except (Exception, SystemExit) as error:
            self.problem(location, f"cannot import {target}: {told(error)}")
            return None
        if lacking:
            self.problem(location, f"{target} is no stage: {'; '.join(lacking)}")
            return None
        return found

    def configured(
        self, name: str, target: str, parameters: object, location: Location, python_path: str
    ) -> StageSpec | None:
        """A stage with its parameters checked and its input files found; without parameters it has the defaults."""
        try:
            cls = load_target(target, python_path)
        except Exception as error:
            self.problem(location, f"cannot import {target}: {told(error)}")
            return None
        config = self.validate(cls.Config, {} if parameters is None else parameters, location)
        if config is None:
            return None
        before = len(self.problems)
        # Only what the manifest says: some configs tell a value that was given from one that was not.
        values = config.model_dump(mode="json", exclude_unset=True)
        embedded = getattr(cls.Config, "embedded", ())
        inputs: list[FileStat] = []
        for key, marker in input_fields(cls.Config):
            given = values.get(key)
            if isinstance(given, dict):
                for each, paths in given.items():
                    found = [file for path in paths for file in self.input_files(path, marker, (*location, key, each))]
                    inputs += found
                    given[each] = [file.uri for file in found]
                continue
            if marker.kind == "corpus":
                if given:
                    values[key], found = self.corpora(given, (*location, key))
                    inputs += found
                continue
            resolved: list[str] = []
            for path in [given] if isinstance(given, str) else given or ():
                found = [] if path in embedded else self.input_files(path, marker, (*location, key))
                inputs += found
                resolved += [path] if path in embedded else [file.uri for file in found]
            if isinstance(given, str) and len(resolved) > 1:
                self.problem((*location, key), f"{given!r} names {len(resolved)} files, and this takes one")
            if resolved:
                values[key] = resolved[0] if isinstance(given, str) else resolved
        self.check_config(cls, values, location, missing=len(self.problems) > before)
        if len(self.problems) == before:
            for key in corpus_fields(cls):
                for index, root in enumerate(values.get(key) or ()):
                    for fault in corpus_faults(root, name, cls, values):
                        self.problem((*location, key, index), fault)
        return StageSpec(name, target, values, tuple(inputs), python_path)

    def corpora(self, paths: Sequence[str], location: Location) -> tuple[list[str], list[FileStat]]:
        """(absolute run folders, their corpus.json) of the older corpora that a stage's parameter names."""
        roots, found = [], []
        for index, path in enumerate(paths):
            before = len(self.problems)
            files = self.expand(f"{path.rstrip('/')}/{CORPUS_INDEX}", (*location, index))
            if not files and len(self.problems) == before:
                self.problem((*location, index), f"{path!r} holds no finished corpus; it has no {CORPUS_INDEX}")
            found += files
            roots += [file.uri.removesuffix(f"/{CORPUS_INDEX}") for file in files]
        return roots, found

    def check_config(self, cls: type[Any], values: dict[str, Any], location: Location, *, missing: bool) -> None:
        """What a class itself finds wrong with parameters that its model allows; not asked while a file is missing."""
        if hasattr(cls, "check_config") and not missing:
            try:
                cls.check_config(cls.Config.model_validate(values))
            except ValueError as error:
                self.problem(location, " ".join(str(error).split())[:MESSAGE_CHARACTERS])

    def input_files(self, path: str, marker: InputFile, location: Location) -> list[FileStat]:
        """The files that a stage's parameter names. They are opened by path in every worker, so they must be local."""
        if "://" in path:
            self.problem(location, f"{marker.kind} {path!r} must be a local file; copy it to every node first")
            return []
        before = len(self.problems)
        found = self.expand(path, location)
        if not found and len(self.problems) == before:
            self.problem(location, f"{marker.kind} {path!r} is not there")
        return found

    def check_streams(self, section: ManifestSection, specs: Sequence[StageSpec], *, joined: bool) -> None:
        """What the streams are parted by must be there."""
        sources = [source.name for source in section.sources]
        labelled = any("language" in getattr(spec.load(), "documents", pa.schema([])).names for spec in specs)
        if section.streams is not None:
            for place, message in stream_faults(section.streams, sources, labelled=labelled, joined=joined):
                self.problem(("streams", *place), message)
        for place, message in taken_names(section.streams, sources, section.sharding.stream):
            self.problem(place, message)


def told(error: BaseException) -> str:
    """An exception on one line, with its kind."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:MESSAGE_CHARACTERS]
