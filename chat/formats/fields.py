"""Fields of a row, as the readers of all formats take them: what is null is absent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lauter.chat.conversation import ChatError, Tool, shown
from lauter.chat.tools import declared

Row = Mapping[str, Any]


def required(row: Row, name: str) -> object:
    """A field that must be there.

    Raises:
        ChatError: it is missing or null.
    """
    value = row.get(name)
    if value is None:
        raise ChatError(f"no field {name}: the row has {_names(row)}")
    return value


def _names(row: Row) -> str:
    # What is no name of a field may be somebody's words, which no message repeats.
    names = sorted(name for name in map(str, row) if name.isidentifier() and len(name) <= 32)
    others = len(row) - len(names)
    told = [*names, *([f"{others} whose name is no identifier"] if others else [])]
    return ", ".join(told) or "nothing"


def text(value: object, what: str) -> str:
    """A text that says something.

    Raises:
        ChatError: it is no text, empty or blank, or holds half a character of UTF-16.
    """
    if not isinstance(value, str):
        raise ChatError(f"{what} is no text but {type(value).__name__}")
    if not value.strip():
        raise ChatError(f"{what} is empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ChatError(f"{what} is no Unicode at character {error.start}") from error
    return value


def rows(value: object, what: str) -> list[Row]:
    """A list of objects, given as such or as JSON.

    Raises:
        ChatError: it is none.
    """
    found = _from_json(value, what) if isinstance(value, str) else value
    if not isinstance(found, Sequence) or isinstance(found, str | bytes):
        raise ChatError(f"{what} is no list but {type(found).__name__}")
    for place, one in enumerate(found, 1):
        if not isinstance(one, Mapping):
            raise ChatError(f"{what}, place {place}: no object but {type(one).__name__}")
    return list(found)


def tools(row: Row) -> tuple[Tool, ...]:
    """The tools of a row: field `tools`, a list of JSON schemas or such a list as JSON text; often empty or absent.

    Raises:
        ChatError: it is no such list.
    """
    value = row.get("tools")
    return tuple(declared(one) for one in rows(value, "tools")) if value else ()


def output(value: str) -> str:
    """What a tool gave, as JSON: as it is where it is JSON, else as a JSON string."""
    stripped = value.strip()
    try:
        json.loads(stripped, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return json.dumps(value, ensure_ascii=False)
    return stripped


def arguments(value: object) -> str:
    """Arguments of a tool call: a JSON object, as such or as text; nothing is the empty object.

    Raises:
        ChatError: they can't be written as JSON.
    """
    if isinstance(value, str):
        return value.strip() or "{}"
    # A column of structs gives a call every argument that any other row has, null.
    given = {key: one for key, one in value.items() if one is not None} if isinstance(value, Mapping) else value
    try:
        return json.dumps(given if given is not None else {}, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise ChatError(f"arguments of a tool call are no JSON: {error}") from error


def _from_json(value: str, what: str) -> object:
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ChatError(f"{what}: no JSON: {shown(value)}") from error


def _refuse(name: str) -> object:
    # Python reads NaN and Infinity, which JSON has not.
    raise ValueError(name)
