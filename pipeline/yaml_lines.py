"""YAML that remembers where everything stood, so that an error can name file and line."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Location = tuple[str | int, ...]

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class ManifestError(Exception):
    """A manifest can't be used. Holds one message per problem, each naming file and line."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as plain data, with the line of every key and item."""

    path: str
    data: Any
    lines: dict[Location, int] = field(default_factory=dict)

    def line(self, location: Location) -> int:
        """The line of a location, or of the nearest thing that holds it."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def problem(self, location: Location, message: str) -> str:
        """`file:line: where: message`."""
        where = ".".join(str(part) for part in location)
        return f"{self.path}:{self.line(location)}: {where + ': ' if where else ''}{message}"


def load(path: Path) -> Document:
    """Read a YAML file; raises `ManifestError` for a file that is absent, no YAML, or has a key twice.

    `${NAME}` and `${NAME:-default}` in strings are replaced from the environment. Relative paths are taken from the
    file's folder, but for a value from the environment that begins a string and holds a `/`: that one is a path as the
    user typed it, and is made absolute from the current folder.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError([f"{path}:1: cannot be read: {error}"]) from error
    document = Document(str(path), None)
    problems: list[str] = []
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = _construct(root, (), document, problems, ()) if root is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        reason = error.problem
        if mark and _starts_with_tab(text, mark.index):
            reason = "a tab indents this line; YAML takes spaces only"
        raise ManifestError([f"{path}:{mark.line + 1 if mark else 1}: no valid YAML: {reason}"]) from error
    except yaml.YAMLError as error:
        raise ManifestError([f"{path}:1: no valid YAML: {error}"]) from error
    except RecursionError as error:
        raise ManifestError([f"{path}:1: no manifest: lists or mappings are nested too deeply"]) from error
    if problems:
        raise ManifestError(problems)
    return Document(str(path), data, document.lines)


def _starts_with_tab(text: str, index: int) -> bool:
    line = text[text.rfind("\n", 0, index) + 1 :].split("\n", 1)[0]
    return "\t" in line[: len(line) - len(line.lstrip())]


def _construct(
    node: yaml.Node, location: Location, document: Document, problems: list[str], above: tuple[yaml.Node, ...]
) -> object:
    document.lines.setdefault(location, node.start_mark.line + 1)
    if node in above:
        problems.append(document.problem(location, "this alias holds itself"))
        return None
    inside = (*above, node)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            inner = (*location, key)
            if key in mapping:
                document.lines[inner] = key_node.start_mark.line + 1
                problems.append(document.problem(inner, "this key stands twice"))
                continue
            document.lines[inner] = key_node.start_mark.line + 1
            mapping[key] = _construct(value_node, inner, document, problems, inside)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [
            _construct(item, (*location, index), document, problems, inside) for index, item in enumerate(node.value)
        ]
    try:
        value = yaml.SafeLoader("").construct_object(node)
    except yaml.YAMLError:
        raise
    except Exception as error:
        # PyYAML takes 2024-99-99 for a date and `!!int x` for a number, and lets Python's own errors through.
        problems.append(document.problem(location, f"no valid value {node.value!r}: {error}; put it in quotes"))
        return None
    return _expand(value, location, document, problems) if isinstance(value, str) else value


def _expand(text: str, location: Location, document: Document, problems: list[str]) -> str:
    def replace(match: re.Match[str]) -> str:
        value = os.environ.get(match[1])
        if value:
            is_relative = "/" in value and "://" not in value and not Path(value).is_absolute()
            return f"{Path.cwd()}/{value}" if is_relative and not match.start() else value
        if match[2] is None:
            problems.append(
                document.problem(location, f"environment variable {match[1]} is not set and has no default")
            )
            return ""
        return match[2]

    return VARIABLE.sub(replace, text)
