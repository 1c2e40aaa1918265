"""The file of names of assistants and their makers, as patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

EMBEDDED = Path(__file__).with_name("brands.yaml")

_PLACE = re.compile(r"\{(name|maker)\}")


class NamesFile(BaseModel):
    """What a file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[str, ...] = Field(min_length=1)
    """A mention anywhere counts."""
    words: tuple[str, ...] = ()
    """Counts in a claim alone."""
    makers: tuple[str, ...] = ()
    """The same."""
    claims: tuple[str, ...] = ()
    """What an assistant says of itself, with one `{name}` or `{maker}`."""

    @field_validator("claims")
    @classmethod
    def _with_a_place(cls, claims: tuple[str, ...]) -> tuple[str, ...]:
        for claim in claims:
            if len(_PLACE.findall(claim)) != 1:
                raise ValueError(f"{claim!r} must have one {{name}} or one {{maker}}")
        return claims


class Patterns(NamedTuple):
    """What is looked for; each match has the name found as its last group that is not None."""

    mention: re.Pattern[str]
    named: re.Pattern[str]
    """Any name, word or maker: a text without one claims nothing, and is spared the slow pattern."""
    claim: re.Pattern[str] | None


@cache
def read_names(path: Path) -> Patterns:
    """The patterns of a file.

    Raises:
        ValueError: it is no such file; the message names it.
    """
    try:
        found = NamesFile.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: can't be read as YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    everyone = (*found.names, *found.words, *found.makers)
    return Patterns(_alone(_any_of(found.names)), _alone(_any_of(everyone)), _claims(found) if found.claims else None)


def _claims(found: NamesFile) -> re.Pattern[str]:
    """All claims as one pattern; within a claim any white space is one space, and a name may be quoted or marked up."""
    of = {"name": _any_of((*found.names, *found.words)), "maker": _any_of((*found.names, *found.makers))}
    parts = []
    for claim in found.claims:
        before, place, after = _PLACE.split(claim)
        parts.append(rf"{_spaced(before)}[\"'“«*_]*{of[place]}[\"'”»*_]*{_spaced(after)}")
    return _alone("|".join(parts))


def _any_of(names: Sequence[str]) -> str:
    # The longest first, so that the evidence is the whole name.
    return f"({'|'.join(_spaced(name) for name in sorted(names, key=lambda name: (-len(name), name)))})"


def _spaced(text: str) -> str:
    return r"\s+".join(map(re.escape, text.split(" ")))


def _alone(pattern: str) -> re.Pattern[str]:
    """Not within a word of letters that stand with spaces; East Asian text has none, so there a name may be within."""
    letter = r"[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
    return re.compile(rf"(?<!{letter})(?:{pattern})(?!{letter})", re.IGNORECASE)
