"""Overrides: `dotted.key=value` on the command line, laid over a config, and named where they cause a fault."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel

from lauter.pipeline.yaml_lines import Document, Location, ManifestError


def overridden(content: dict[str, Any], override: str, changed: dict[Location, str]) -> dict[str, Any]:
    """The content with `dotted.key=value` put in, which `changed` then knows by its place.

    Raises:
        ManifestError: it is none, its value is no YAML, or its place lies in a list or value that can't hold it.
    """
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


def told(
    model: type[BaseModel], document: Document, place: Location, message: str, changed: Mapping[Location, str]
) -> str:
    """A problem with who caused it: the override at the place or above, those below it that it is about, the file."""
    unknown = message.startswith("unknown key")
    if unknown:
        given = next((key for key in changed if key[: len(place)] == place), place)
        meant = _elsewhere(model, given) or _elsewhere(model, place)
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


def _elsewhere(model: type[BaseModel], key: Location) -> list[str]:
    """Keys of other sections that end as this one does: `goldfish.k` is `data.goldfish.k`."""
    end = tuple(map(str, key))
    tails = (end[start:] for start in range(len(end)))
    found = ([".".join(one) for one in _keys(model) if one[-len(tail) :] == tail] for tail in tails)
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
