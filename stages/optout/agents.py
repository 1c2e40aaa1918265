"""Which crawlers count: versioned lists of agents, as data."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class AgentList(BaseModel):
    """A named list of agents; a page is opted out if any of them is disallowed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = ""
    agents: tuple[str, ...] = Field(min_length=1)
    """Product tokens as their operators declare them, most telling first: evidence names the first that is met."""


def presets() -> tuple[str, ...]:
    """The names of the lists that come with Lauter."""
    folder = resources.files("lauter.stages.optout") / "agents"
    return tuple(sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml")))


def load_preset(name: str) -> AgentList:
    """A list that comes with Lauter. Raises ValueError for an unknown name."""
    if name not in presets():
        raise ValueError(f"unknown agent list {name!r}; there are: {', '.join(presets())}")
    return _validated((resources.files("lauter.stages.optout") / "agents" / f"{name}.yaml").read_text("utf-8"), name)


def load_file(path: str) -> AgentList:
    """A user's own list: YAML with `name`, `agents` and optionally `description`. Raises ValueError if it is not."""
    return _validated(Path(path).read_text("utf-8"), path)


def _validated(text: str, where: str) -> AgentList:
    try:
        return AgentList.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise ValueError(f"{where}: not a list of agents: {error}") from error
