"""From YAML and `key=value` overrides to a checked `RunSection`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from lauter.pipeline.faults import faults
from lauter.pipeline.mixture import load_mixture
from lauter.pipeline.yaml_lines import Document, Location, ManifestError
from lauter.pipeline.yaml_lines import load as load_yaml
from lauter.trainer.config.phases import PHASES, phase_names, with_phase, without_phases
from lauter.trainer.config.sections import COOLS_DOWN, CorpusSection, RunSection, ScheduleSection


def load(
    path: str,
    overrides: Sequence[str] = (),
    data: Sequence[str] = (),
    *,
    cools_down: bool = False,
    phase: str | None = None,
    needs_data: bool = True,
) -> RunSection:
    """Read and check a config, or one of its phases. Paths of corpora come out absolute.

    `overrides` are `dotted.key=value`, the value read as YAML; an item of a list is named by its index; those of a
    phase's own keys (`phases.0.tokens=1e9`) and of the total that phases count on from (`schedule.total_tokens=1e9`)
    come before a phase's sections are laid over the config, all others after. Where no phase is asked for, all of them
    are checked, and overrides of what belongs to the first training alone don't reach them. `data` are run folders
    relative to the current folder, in place of the config's own. `cools_down`: the schedule's total and cooldown will
    be put in later (`--cooldown`), so its parts need not fit together yet.

    Raises:
        ManifestError: every problem found, with file and line, or with the override that caused it.
    """
    return _load(path, _split(overrides, ALWAYS_FIRST), data, cools_down=cools_down, phase=phase, needs_data=needs_data)


def _load(
    path: str,
    split: tuple[list[str], list[str]],
    data: Sequence[str],
    *,
    cools_down: bool,
    phase: str | None,
    needs_data: bool,
) -> RunSection:
    document = _read(path)
    changed: dict[Location, str] = {}
    before, after = split
    content: dict[str, Any] = document.data
    for override in before:
        content = _overridden(content, override, changed)
    names, index = phase_names(document, content), None
    if phase is None:
        content = without_phases(content)
    else:
        content, index = with_phase(document, content, phase)
    for override in after:
        content = _overridden(content, override, changed)
    folder = Path(path).absolute().parent
    content = _with_mixtures(content, folder)
    try:
        section = RunSection.model_validate(content, context={COOLS_DOWN: cools_down})
    except ValidationError as error:
        told = [
            _told(document, _in_phase(document, place, index, changed), message, changed)
            for place, message in faults(RunSection, error)
        ]
        raise ManifestError(told) from error
    if phase is None:
        # A fault in a later phase is told now, not after weeks.
        split = _split([*before, *after], ALWAYS_FIRST | OF_FIRST)
        for name in names:
            _load(path, split, data, cools_down=False, phase=name, needs_data=needs_data)
    corpora = (
        tuple(CorpusSection(path=_absolute(Path.cwd(), one)) for one in data)
        if data
        else tuple(one.model_copy(update={"path": _absolute(folder, one.path)}) for one in section.data.corpora)
    )
    if needs_data and not corpora:
        raise ManifestError([document.problem(("data",), "no corpus: name one under data.corpora, or give --data DIR")])
    return section.model_copy(update={"data": section.data.model_copy(update={"corpora": corpora})})


def phases(path: str, overrides: Sequence[str] = ()) -> list[str]:
    """Names of a config's phases, in their order. Raises `ManifestError` where they can't be read."""
    document = _read(path)
    content: dict[str, Any] = document.data
    for override in _split(overrides, ALWAYS_FIRST)[0]:
        content = _overridden(content, override, {})
    return phase_names(document, content)


def _read(path: str) -> Document:
    _require_file(path)
    document = load_yaml(Path(path))
    if not isinstance(document.data, dict):
        raise ManifestError([document.problem((), "expected a mapping of keys to values")])
    return document


ALWAYS_FIRST = frozenset({(PHASES,), ("schedule", "total_tokens")})
"""Keys that say where a phase begins: overrides of them and of what is below come before the phase is laid over."""
OF_FIRST = frozenset({("schedule",), ("data", "stages"), ("batch", "ramp")})
"""What a phase does not take over, or only below its own: an override for the first training does no more."""


def _split(overrides: Sequence[str], first: frozenset[tuple[str, ...]]) -> tuple[list[str], list[str]]:
    """Overrides of these keys and of what is below them, and all others."""
    paths = [tuple(one.partition("=")[0].split(".")) for one in overrides]
    before = [any(path[: len(key)] == key for key in first) for path in paths]
    return (
        [one for one, early in zip(overrides, before, strict=True) if early],
        [one for one, early in zip(overrides, before, strict=True) if not early],
    )


def _in_phase(document: Document, place: Location, index: int | None, changed: Mapping[Location, str]) -> Location:
    """Where a key of a phase's config stands: among the phase's own sections, if it is there."""
    inside: Location = (PHASES, index, *place) if index is not None else place
    overridden = any(place[:length] in changed for length in range(1, len(place) + 1))
    return inside if inside in document.lines and not overridden else place


def _with_mixtures(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The config with each mixture's file in place of its path, so that a run keeps what it was trained on."""
    data = content.get("data")
    stages = data.get("stages") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(stages, list):
        return content
    found = []
    for number, stage in enumerate(stages, 1):
        if isinstance(stage, dict) and isinstance(stage.get("mixture"), str):
            mixture = load_mixture(Path(_absolute(folder, stage["mixture"])))
            length = {"tokens": mixture.tokens} if mixture.tokens is not None and number < len(stages) else {}
            stage = {**length, **stage, "mixture": mixture.model_dump(mode="json", exclude_unset=True)}
        found.append(stage)
    return {**content, "data": {**data, "stages": found}}


def _require_file(path: str) -> None:
    if Path(path).is_dir():
        raise ManifestError([f"{path} cannot be read: it is a folder; name the YAML file in it"])
    if not Path(path).exists():
        raise ManifestError([f"{path} cannot be read: there is no such file"])


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
    _require_list(content, parts, override)
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


FORMS = {
    "data.corpora": "[{path: DIR}]",
    "data.stages": "[{name: first, tokens: 1e6}, {name: rest}]",
    "batch.ramp": "[{from_tokens: 1e6, sequences: 32}]",
}
"""Lists that a config may leave out, as an override writes one whole."""


def _require_list(content: Mapping[str, Any], parts: Location, override: str) -> None:
    """An item of a list that is not there would come out as a mapping with a number for a key."""
    key = ".".join(str(part) for part in parts[:2])
    if len(parts) < 3 or not isinstance(parts[2], int) or key not in FORMS:
        return
    section = content.get(str(parts[0]))
    if not isinstance(section, Mapping | None) or (section or {}).get(str(parts[1])):
        return
    raise ManifestError([f"override {override!r}: the config has no {key}; give them whole: '{key}={FORMS[key]}'"])


def _told(document: Document, place: Location, message: str, changed: Mapping[Location, str]) -> str:
    """A problem with who caused it: the override at the place or above, those below it that it is about, the file."""
    unknown = message.startswith("unknown key")
    if unknown:
        given = next((key for key in changed if key[: len(place)] == place), place)
        meant = _elsewhere(given) or _elsewhere(place)
        message = f"unknown key; did you mean {' or '.join(map(repr, meant))}?" if meant else message
    for length in range(len(place), 0, -1):
        if place[:length] in changed:
            return f"override {changed[place[:length]]!r}: {message}"
    below = {key[len(place) :]: override for key, override in changed.items() if key[: len(place)] == place}
    # What contradicts itself is found at the place that holds both, and the message names the keys.
    named = [override for rest, override in below.items() if any(_names(message, part) for part in rest)]
    causes = named or (list(below.values()) if place else [])
    if not causes:
        return document.problem(place, message)
    word = "overrides" if len(causes) > 1 else "override"
    where = f"{'.'.join(map(str, place))}: " if place and not unknown else ""
    return f"{word} {', '.join(map(repr, causes))}: {where}{message}"


def _names(message: str, part: str | int) -> bool:
    return re.search(rf"(?<!\w){re.escape(str(part))}(?!\w)", message) is not None


def _elsewhere(key: Location) -> list[str]:
    """Keys of other sections that end as this one does: `goldfish.k` is `data.goldfish.k`."""
    end = tuple(map(str, key))
    tails = (end[start:] for start in range(len(end)))
    found = ([".".join(one) for one in _keys(RunSection) if one[-len(tail) :] == tail] for tail in tails)
    return next((some for some in found if some), [])


def _keys(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Of all sections, but those of lists' items."""
    for name in model.model_fields:
        yield (*above, name)
    for name, field in model.model_fields.items():
        some = () if get_origin(field.annotation) is tuple else get_args(field.annotation)
        for inner in (field.annotation, *some):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _keys(inner, (*above, name))
