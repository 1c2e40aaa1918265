"""A fault that pydantic finds in a manifest, in the manifest's words: lists, mappings, and the nearest valid key."""

from __future__ import annotations

import difflib
from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from lauter.pipeline.yaml_lines import Location

RANK = {"extra_forbidden": 0, "missing": 2, "too_short": 3}
"""A misspelt key comes before the key that is missing because of it, and before what follows from both."""

WORDS = {"tuple_type": "expected a list", "dict_type": "expected a mapping", "model_type": "expected a mapping"}


def faults(model: type[BaseModel], error: ValidationError) -> list[tuple[Location, str]]:
    """Where and what, the cause before what follows from it."""
    details = sorted(error.errors(), key=lambda detail: RANK.get(detail["type"], 1))
    places = [detail["loc"] for detail in details]
    return [
        (detail["loc"], explain(model, detail["loc"], detail["type"], detail["msg"]))
        for detail in details
        # A list of one bad item is also "too short" to pydantic, which does not count the bad one.
        if detail["type"] != "too_short" or not any(_lies_below(place, detail["loc"]) for place in places)
    ]


def _lies_below(place: Location, other: Location) -> bool:
    return len(place) > len(other) and place[: len(other)] == other


def explain(model: type[BaseModel], location: Location, kind: str, message: str) -> str:
    """One fault; an unknown key with the nearest valid one."""
    if kind == "extra_forbidden":
        return f"unknown key{nearest(str(location[-1]), keys_at(model, location[:-1]))}"
    message = WORDS.get(kind) or message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """The keys that are valid at a location of nested models; none where it is no model."""
    current: object = model
    for part in location:
        current = _without_none(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
        else:
            inner = [argument for argument in get_args(current) if argument is not Ellipsis]
            current = inner[-1] if inner else None
    current = _without_none(current)
    if not (isinstance(current, type) and issubclass(current, BaseModel)):
        return []
    return [info.alias or name for name, info in current.model_fields.items()]


def _without_none(annotation: object) -> object:
    if get_origin(annotation) in (Union, UnionType):
        some = [argument for argument in get_args(annotation) if argument is not NoneType]
        annotation = some[0] if len(some) == 1 else annotation
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def nearest(name: str, names: list[str]) -> str:
    """A hint at the valid name that is meant, or at all of them."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; valid are: {', '.join(sorted(names))}" if names else ""
