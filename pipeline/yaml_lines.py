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

    `${NAME}` and `${NAME:-default}` in strings are replaced from the environment; a relative path that comes from the
    environment is taken from the current folder, one that stands in the file from the file's folder.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError([f"{path}:1: cannot be read: {error}"]) from error
    document = Document(str(path), None)
    problems: list[str] = []
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = _construct(root, (), document, problems) if root is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ManifestError([f"{path}:{line}: no valid YAML: {error.problem}"]) from error
    except yaml.YAMLError as error:
        raise ManifestError([f"{path}:1: no valid YAML: {error}"]) from error
    if problems:
        raise ManifestError(problems)
    return Document(str(path), data, document.lines)


def _construct(node: yaml.Node, location: Location, document: Document, problems: list[str]) -> object:
    document.lines.setdefault(location, node.start_mark.line + 1)
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
            mapping[key] = _construct(value_node, inner, document, problems)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*location, index), document, problems) for index, item in enumerate(node.value)]
    value = yaml.SafeLoader("").construct_object(node)
    return _expand(value, location, document, problems) if isinstance(value, str) else value


def _expand(text: str, location: Location, document: Document, problems: list[str]) -> str:
    def replace(match: re.Match[str]) -> str:
        value = os.environ.get(match[1])
        if value:
            return value if "://" in value else str(Path(value).absolute())
        if match[2] is None:
            problems.append(
                document.problem(location, f"environment variable {match[1]} is not set and has no default")
            )
            return ""
        return match[2]

    return VARIABLE.sub(replace, text)
