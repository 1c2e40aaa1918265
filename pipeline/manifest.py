"""The manifest: what the YAML file may say (`ManifestSection`), and what it says when checked (`Manifest`)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from lauter.pipeline.contract import Reader, StageContext
from lauter.pipeline.declared import AboutSection, ExpectSection, ProviderSection
from lauter.pipeline.storage import FileStat
from lauter.pipeline.streams import StreamsSection
from lauter.pipeline.takedown.demands import Demand

NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"


def _defaults(value: object) -> object:
    """A key with nothing after it means the defaults, as if it were not there."""
    return {} if value is None else value


def _some(value: object) -> object:
    if value is None or value == []:
        raise ValueError("no stage is named; `lauter stages` lists them")
    return value


Mapped = Annotated[dict[str, Any], BeforeValidator(_defaults)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class SourceSection(_Section):
    """One input: files of one kind."""

    name: Annotated[str, Field(pattern=NAME)]
    kind: str
    paths: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """Paths or globs, local (relative to the manifest) or s3://. `**` crosses folders."""
    exclude: Annotated[tuple[Annotated[str, Field(pattern="^[^/]+$")], ...], Field(strict=False)] = ()
    """Globs of file names (without folder) that are left out."""
    optional: bool = False
    """Whether the build goes on, and says so, where no file is found."""
    options: Mapped = {}
    """The reader's own parameters."""
    about: AboutSection | None = None
    """What it is, where it is from and under which terms; for the reports."""
    expect: ExpectSection | None = None
    """How large it is, where its files are elsewhere; for `lauter plan`."""


class RepeatsSection(_Section):
    """Substrings of token ids that are removed while a shard is packed (`steps/repeats.py`)."""

    tokens: Annotated[int, Field(ge=10)] = 50
    """Ids in a row of one document that go where they stood before in the run of a stream that is sorted together,
    about 8 million tokens; 50 is the rule of Lee et al. (arXiv 2107.06499)."""


class ShardingSection(_Section):
    """How kept documents become token shards."""

    stream: Annotated[str, Field(pattern=NAME)] = "main"
    """Name of the one stream there is without `streams`; with it, the first part of all names without `sources`."""
    tokens_per_shard: Annotated[int, Field(ge=1)] = 1 << 26
    """Target tokens of a shard (default 67 M: about 0.1 GB of Parquet, and 0.8 GB of memory while it is packed)."""
    tokens_per_row_group: Annotated[int, Field(ge=1)] = 1 << 22
    """Tokens after which a row group is closed (default 4 M)."""
    cells: Annotated[int, Field(ge=1, le=1 << 16)] = 1024
    """Equal ranges of the shuffle hash; a shard is a run of whole cells, so this bounds the shards of a stream."""
    ranges: Annotated[int, Field(ge=1, le=1 << 16)] | None = None
    """Equal ranges of keys in which documents are compared, a task each: more of them take less memory, and change
    nothing else. Left out, the size of the input decides (`graph/plan.py`)."""
    repeats: RepeatsSection | None = None
    """Remove substrings that stand more than once: `{tokens: 50}`. Default: all stay."""


class ManifestSection(_Section):
    """The file's top level."""

    name: Annotated[str, Field(pattern=NAME)]
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    sources: Annotated[tuple[SourceSection, ...], Field(strict=False, min_length=1)]
    stages: Annotated[tuple[Any, ...], Field(strict=False), BeforeValidator(_some)]
    tokenizer: Mapped = {}
    sharding: Annotated[ShardingSection, BeforeValidator(_defaults)] = ShardingSection()
    streams: StreamsSection | None = None
    """What the token shards are parted by (`streams.py`). Default: all is one stream."""
    provider: ProviderSection | None = None
    """Who answers for the models; for the public summary."""
    takedown: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Lists of demands (`takedown/tombstones.jsonl` of other run folders) that this corpus honours too."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Names a manifest may use -> import path `module:attribute`. The engine is handed one; it knows no name itself."""

    readers: Mapping[str, str]
    stages: Mapping[str, str]
    barriers: Mapping[str, str]
    encoder: str
    cutters: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    """Name of a group of commands (`lauter NAME …`) -> import path of its typer app."""
    endings: Mapping[str, str] = field(default_factory=dict)
    """How a file name ends, `.gz` and the like left out -> the reader that takes it, where no manifest names one."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Column -> import path of what finds its value in a record's own fields, for records that no stage has seen."""


@dataclass(frozen=True, slots=True)
class StageSpec:
    """A stage with its checked parameters."""

    name: str
    target: str
    config: Mapping[str, Any]
    inputs: tuple[FileStat, ...] = ()
    python_path: str = ""
    sources: tuple[str, ...] = ()
    """The sources whose records pass it; empty: all (`routing`)."""

    def load(self) -> type[Any]:
        """Import the stage's class; raises what `load_target` raises."""
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
    about: Mapping[str, Any] = field(default_factory=dict)
    """What was declared of it (`AboutSection`), as plain data; in no task's key."""
    expect: Mapping[str, int] = field(default_factory=dict)
    """How large it was said to be (`ExpectSection`); in no task's key."""

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
    streams: StreamsSection | None = None
    provider: Mapping[str, Any] = field(default_factory=dict)
    """What the provider declared (`ProviderSection`), as plain data; in no task's key."""
    takedown: tuple[Demand, ...] = ()
    """Demands of the lists that the manifest names; in no task's key, since the mask comes last."""
    cutter: StageSpec | None = None
    """The stage that cuts repeated passages out of kept documents."""


def load_target(target: str, python_path: str) -> type[Any]:
    """The class that `module:attribute` names; modules are looked for in `python_path` last, so it shadows nothing.

    Raises `ImportError`, `AttributeError`, and whatever the module raises while it is imported.
    """
    module, _, attribute = target.partition(":")
    if python_path and python_path not in sys.path:
        sys.path.append(python_path)
    loaded: type[Any] = getattr(importlib.import_module(module), attribute)
    return loaded
