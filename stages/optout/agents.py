"""Which crawlers count: versioned lists of agents, as data."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from lauter.stages.optout import data_file

_TOKEN = r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/v?[0-9][A-Za-z0-9._-]*)?"
"""With its version. RFC 9309 section 2.2.1 has `[A-Za-z_-]+`; crawlers declare digits and dots (`archive.org_bot`)."""
_NAME = re.compile(rf"\*|{_TOKEN}(?:\s+{_TOKEN})*|\S+ .*compatible;\s*{_TOKEN}[;)].*", re.ASCII)
"""`*`; a product token, with or without a version, or several words (`Kangaroo Bot`); or as a browser calls itself."""


class Agent(BaseModel):
    """One crawler, or one product token that speaks of use and not of crawling."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(min_length=1)
    """The product token as its operator declares it."""
    operator: str | None = None
    """Who runs it; None where nobody says so."""
    purpose: str = ""
    """What the operator does with what it names."""
    since: Annotated[str | None, Field(pattern=r"^\d{4}(-\d{2}){0,2}$")] = None
    """When it was announced, `2023-08`; None where that is not on record."""
    source: str = ""
    """Where this is said: the operator's page, or a public list."""

    @field_validator("name")
    @classmethod
    def _is_one_name(cls, name: str) -> str:
        # No robots.txt could name `gptbot,`: who writes `GPTBot, CCBot` would silently ask for nobody.
        if _NAME.fullmatch(name.strip()) is None:
            several = ", one entry for each agent" if re.search("[,;|]", name) else ""
            raise ValueError(
                f"{name!r} is no product token (RFC 9309 section 2.2.1): write letters, digits, '.', '_' and '-', "
                f"with or without a version (CCBot/2.0), or '*' alone{several}"
            )
        return name


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class AgentList(BaseModel):
    """A named list of agents; a page is opted out if any of them is disallowed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    version: date | None = None
    """When the list was last changed."""
    description: str = ""
    agents: Annotated[tuple[Annotated[Agent, BeforeValidator(_named)], ...], Field(min_length=1)]
    """Most telling first: evidence names the first that is met. A plain string is an agent with a name alone."""

    @property
    def names(self) -> tuple[str, ...]:
        """The product tokens."""
        return tuple(agent.name for agent in self.agents)


def presets() -> tuple[str, ...]:
    """The names of the lists that come with Lauter."""
    return data_file.preset_names("agents")


def load_preset(name: str) -> AgentList:
    """A list that comes with Lauter. Raises ValueError for an unknown name."""
    return data_file.load_preset(AgentList, "agents", name, "list of agents")


def load_file(path: str) -> AgentList:
    """A user's own list: YAML with `name`, `agents` and optionally `description`. Raises ValueError if it is not."""
    return data_file.load_own(AgentList, path, "list of agents")
