"""From YAML and `key=value` overrides to a checked `RunSection`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lauter.pipeline.faults import faults
from lauter.pipeline.yaml_lines import Document, Location, ManifestError
from lauter.pipeline.yaml_lines import load as load_yaml
from lauter.trainer.config.sections import CorpusSection, RunSection, ScheduleSection


def load(path: str, overrides: Sequence[str] = (), data: Sequence[str] = ()) -> RunSection:
    """Read and check a config. Paths of corpora come out absolute.

    `overrides` are `dotted.key=value`, the value read as YAML; an item of a list is named by its index. `data` are
    run folders relative to the current folder, in place of the config's own.

    Raises:
        ManifestError: every problem found, with file and line, or with the override that caused it.
    """
    document = load_yaml(Path(path))
    if not isinstance(document.data, dict):
        raise ManifestError([document.problem((), "expected a mapping of keys to values")])
    changed: dict[Location, str] = {}
    content: dict[str, Any] = document.data
    for override in overrides:
        content = _overridden(content, override, changed)
    try:
        section = RunSection.model_validate(content)
    except ValidationError as error:
        raise ManifestError(
            [_told(document, place, message, changed) for place, message in faults(RunSection, error)]
        ) from error
    folder = Path(path).absolute().parent
    corpora = (
        tuple(CorpusSection(path=_absolute(Path.cwd(), one)) for one in data)
        if data
        else tuple(one.model_copy(update={"path": _absolute(folder, one.path)}) for one in section.data.corpora)
    )
    if not corpora:
        raise ManifestError([document.problem(("data",), "no corpus: name one under data.corpora, or give --data DIR")])
    return section.model_copy(update={"data": section.data.model_copy(update={"corpora": corpora})})


def schedule_given(overrides: Sequence[str]) -> tuple[str, ...]:
    """Keys of the schedule that overrides give; all of them for `schedule={…}`.

    >>> schedule_given(["seed=1", "schedule.total_tokens=9"])
    ('total_tokens',)
    """
    paths = [override.partition("=")[0].split(".") for override in overrides]
    given = [path[1:2] or list(ScheduleSection.model_fields) for path in paths if path[0] == "schedule"]
    return tuple(dict.fromkeys(key for keys in given for key in keys))


def _absolute(folder: Path, path: str) -> str:
    """A local path from a folder; `s3://` stays as it is."""
    return path if "://" in path else str((folder / path).resolve())


def _overridden(content: dict[str, Any], override: str, changed: dict[Location, str]) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    parts: Location = tuple(int(part) if part.isdecimal() else part for part in key.split("."))
    if not equals or not all(str(part) for part in parts):
        raise ManifestError([f"override {override!r}: expected dotted.key=value"])
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ManifestError([f"override {override!r}: the value is no valid YAML"]) from error
    changed[parts] = override
    result: dict[str, Any] = _with(content, parts, value, override)
    return result


def _with(node: Any, parts: Location, value: object, override: str) -> Any:  # noqa: ANN401 - plain YAML data
    if not parts:
        return value
    head, rest = parts[0], parts[1:]
    if isinstance(node, list):
        if not isinstance(head, int) or head >= len(node):
            raise ManifestError([f"override {override!r}: the list has items 0 to {len(node) - 1}, not {head!r}"])
        return [_with(item, rest, value, override) if index == head else item for index, item in enumerate(node)]
    if node is None:
        node = {}
    if not isinstance(node, dict):
        raise ManifestError([f"override {override!r}: {head!r} lies inside a plain value"])
    return {**node, str(head): _with(node.get(str(head)), rest, value, override)}


def _told(document: Document, place: Location, message: str, changed: dict[Location, str]) -> str:
    for length in range(len(place), 0, -1):
        if place[:length] in changed:
            return f"override {changed[place[:length]]!r}: {message}"
    return document.problem(place, message)
