"""The stages of a trial, checked as those of a manifest are, and what they read that no stage before them writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lauter.pipeline import schema
from lauter.pipeline.conformance import is_barrier, is_cutter
from lauter.pipeline.manifest import Catalogue, StageSpec, load_target
from lauter.pipeline.resolve import Resolver
from lauter.pipeline.yaml_lines import Document, Location

LANGUAGE = "language"


class TrialFault(Exception):
    """The stage can't be tried so; the message says why and what to do."""


class _Asked(Document):
    """What stands on a command line: a problem is told with the parameter, and has no line."""

    __slots__ = ()

    def problem(self, location: Location, message: str) -> str:
        """`KEY: message`."""
        where = ".".join(str(part) for part in location[3:])
        return f"--set {where}: {message}" if where else message


def specs(name: str, parameters: Mapping[str, Any], after: Sequence[str], catalogue: Catalogue) -> list[StageSpec]:
    """The stages: those before with their defaults, then the one that is tried.

    Raises:
        TrialFault: There is no such stage, it compares documents with each other, or its parameters are wrong.
    """
    entries: list[dict[str, Any]] = [
        *({each: {}} for each in after),
        {"use": name, "with": parameters} if ":" in name else {name: parameters},
    ]
    resolver = Resolver(_Asked(name, {"stages": entries}), catalogue, Path.cwd(), None)
    found = [resolver.stage(entry, ("stages", place)) for place, entry in enumerate(entries)]
    if resolver.problems:
        raise TrialFault("; ".join(resolver.problems))
    chosen = [spec for spec in found if spec is not None]
    for spec in chosen:
        if is_barrier(spec.load()) or is_cutter(spec.load()):
            raise TrialFault(
                f"{spec.name} compares all documents with each other and decides nothing about one alone: name it in a "
                "manifest and build; `lauter explain DIR URL` then shows what it decided"
            )
    return chosen


def reads(spec: StageSpec) -> tuple[str, ...]:
    """The columns that a stage reads with its parameters."""
    cls = spec.load()
    if hasattr(cls, "reads_for"):
        return tuple(cls.reads_for(cls.Config.model_validate(dict(spec.config))))
    return tuple(cls.reads)


def all_reads(spec: StageSpec) -> tuple[str, ...]:
    """The same, and the columns that it reads where there are any."""
    return (*reads(spec), *getattr(spec.load(), "reads_if_written", ()))


def given_columns(
    chosen: Sequence[StageSpec], catalogue: Catalogue, without_text: Sequence[str]
) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
    """How to find, in a record's own fields, the columns that stages read and none before them writes.

    `without_text`: the files that hold no texts.

    Raises:
        TrialFault: A column can't be had; the message names stages that write it.
    """
    written = set(schema.RECORD.names) - ({"text"} if without_text else set())
    found: dict[str, Callable[[Mapping[str, Any]], Any]] = {}
    for spec in chosen:
        cls = spec.load()
        writes = {*cls.documents.names, *cls.scores.names}
        wanted = reads(spec)
        for column in wanted:
            if column in written or (column == "text" and "payload" in wanted):
                continue
            if column in catalogue.given:
                module = catalogue.given[column]
                found[column] = load_target(module, "")
                continue
            where = _some(without_text) if column == "text" else "these files do not hold"
            raise TrialFault(f"{spec.name} reads {column!r}, which {where}{_hint(column, catalogue)}")
        for column in all_reads(spec):
            if column not in written and column in catalogue.given:
                found[column] = load_target(catalogue.given[column], "")
        written |= writes
    return found


def label(language: str | None, catalogue: Catalogue) -> str | None:
    """A language as it is named on the command line, as the column `language` has it.

    Raises:
        TrialFault: It is none that is known.
    """
    if language is None:
        return None
    value: str | None = load_target(catalogue.given[LANGUAGE], "")({LANGUAGE: language})
    if value is None:
        raise TrialFault(f"--language {language}: no language is known by that; write it as deu_Latn, deu or de")
    return value


def _some(names: Sequence[str]) -> str:
    """`a.html does not hold`, or `a.html and 2 others do not hold`."""
    if len(names) == 1:
        return f"{names[0]} does not hold"
    return f"{names[0]} and {len(names) - 1:,} other{'s' if len(names) > 2 else ''} do not hold"


def _hint(column: str, catalogue: Catalogue) -> str:
    """The stages that write a column."""
    writers = [
        name
        for name, target in catalogue.stages.items()
        if column in (*(cls := load_target(target, "")).documents.names, *cls.scores.names)
    ]
    # The one that makes texts of pages comes first; others that write `text` rewrite it.
    makers = [name for name in writers if column not in load_target(catalogue.stages[name], "").reads] or writers
    if column == "text":
        makers = [name for name in writers if "payload" in load_target(catalogue.stages[name], "").reads]
        return f": add --after {makers[0]}, which leaves texts as they are" if makers else ""
    return f": add --after {makers[0]}" if makers else ""
