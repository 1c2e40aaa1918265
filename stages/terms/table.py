"""The table of models and the terms of what they write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

EMBEDDED = Path(__file__).with_name("generators.yaml")


class Generator(BaseModel):
    """One line: a name, in which `*` is anything, and what may be done with what such models write."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1)]
    terms: Literal["allow", "deny"]
    why: str = ""

    @property
    def pattern(self) -> re.Pattern[str]:
        """What the whole name must fit, in lower case."""
        return re.compile(".*".join(map(re.escape, self.name.lower().split("*"))), re.DOTALL)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    generators: tuple[Generator, ...]


@cache
def read_table(path: Path) -> tuple[Generator, ...]:
    """The lines of a file, in order.

    Raises:
        ValueError: it is no such file; the message names it and the line.
    """
    try:
        return _Table.model_validate(yaml.safe_load(path.read_text("utf-8"))).generators
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: can't be read as YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path}: {where}: {first['msg']}") from error


def own_lines(terms: Mapping[str, Literal["allow", "deny"]]) -> tuple[Generator, ...]:
    """The lines of a manifest, which come before those of a file."""
    return tuple(Generator(name=name, terms=each, why="the manifest says so") for name, each in terms.items())


class Terms:
    """Finds the line of a model. A name of a hub, `owner/model`, fits by its last part too."""

    def __init__(self, lines: Sequence[Generator]) -> None:
        self._lines = [(line.pattern, line) for line in lines]
        self._found: dict[str, Generator | None] = {}

    def of(self, name: str) -> Generator | None:
        """The first line that fits; None for a model that no line knows."""
        if name not in self._found:
            given = name.strip().lower()
            names = (given, given.rpartition("/")[2])
            fits = (line for pattern, line in self._lines if any(pattern.fullmatch(each) for each in names))
            self._found[name] = next(fits, None)
        return self._found[name]
