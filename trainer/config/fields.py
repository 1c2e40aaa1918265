"""What the fields of a training config are made of."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"

_NUMBER = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?")


def _number(value: object) -> object:
    """YAML 1.1 takes `1e-4`, without a point, for a string."""
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _whole(value: object) -> object:
    """So that 15 trillion may be written 15e12."""
    number = _number(value)
    return int(number) if isinstance(number, float) and number.is_integer() else number


Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Tokens = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
NaturalTokens = Annotated[int, Field(ge=0), BeforeValidator(_whole)]
Number = Annotated[float, BeforeValidator(_number)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Beta = Annotated[Number, Field(ge=0, lt=1)]


class Section(BaseModel):
    """Frozen, strict; an unknown key is an error, and so is a number that is not finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
