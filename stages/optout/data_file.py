"""Policies, lists of agents and lists of hosts as YAML files: read, checked, and told by line what is wrong."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)
_Location = tuple[str | int, ...]

_WORDS = {
    "tuple_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "extra_forbidden": "unknown key",
    "missing": "is missing",
}


def preset_names(folder: str) -> tuple[str, ...]:
    """The names of the files that come with Lauter in a folder of this package, in order."""
    files = (resources.files("lauter.stages.optout") / folder).iterdir()
    return tuple(sorted(item.name.removesuffix(".yaml") for item in files if item.name.endswith(".yaml")))


def load_preset(model: type[Model], folder: str, name: str, what: str) -> Model:
    """A file that comes with Lauter; `what` it is, in words. Raises ValueError for an unknown name."""
    names = preset_names(folder)
    if name not in names:
        raise ValueError(f"unknown {what} {name!r}; there are: {', '.join(names)}")
    path = resources.files("lauter.stages.optout") / folder / f"{name}.yaml"
    return _validated(model, path.read_text("utf-8"), name, what)


def load_own(model: type[Model], path: str, what: str) -> Model:
    """A user's own file. Raises ValueError with file, line and key of what is wrong, OSError if it cannot be read."""
    try:
        text = Path(path).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}:1: no {what}: {error}") from error
    return _validated(model, text, path, what)


def _validated(model: type[Model], text: str, where: str, what: str) -> Model:
    lines: dict[_Location, int] = {}
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            _note_lines(root, (), lines, where)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"{where}:{line}: no valid YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{where}:1: no valid YAML: {error}") from error
    try:
        return model.model_validate({} if data is None else data)
    except ValidationError as error:
        # A misspelt key is the cause of the one that is missing.
        details = sorted(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
        told = [_fault(model, detail["loc"], detail["type"], detail["msg"], lines, where) for detail in details]
        raise ValueError(f"no {what}: {'; '.join(told)}") from error


def _note_lines(node: yaml.Node, location: _Location, lines: dict[_Location, int], where: str) -> None:
    """The line of every key and item. Raises ValueError for a key that stands twice: only one of them would count."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*location, str(key.value))
            if place in lines:
                raise ValueError(
                    f"{where}:{key.start_mark.line + 1}: {key.value} stands in line {lines[place]} already"
                )
            lines[place] = key.start_mark.line + 1
            _note_lines(value, place, lines, where)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[(*location, number)] = item.start_mark.line + 1
            _note_lines(item, (*location, number), lines, where)


def _fault(
    model: type[BaseModel], location: _Location, kind: str, message: str, lines: dict[_Location, int], where: str
) -> str:
    held = location
    while held and held not in lines:
        held = held[:-1]
    words = _WORDS.get(kind) or message.removeprefix("Value error, ")
    if kind == "extra_forbidden" and len(location) == 1:
        words += f", valid are {', '.join(model.model_fields)}"
    key = ".".join(map(str, location))
    return f"{where}:{lines.get(held, 1)}: {key + ': ' if key else ''}{words[:1].lower()}{words[1:]}"
