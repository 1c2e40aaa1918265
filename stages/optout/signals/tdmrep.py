"""tdmrep.json: the file of the TDM Reservation Protocol (W3C community group report, May 2024, section 5)."""

from __future__ import annotations

import json
import re
from typing import Literal

from lauter.stages.optout.signals.lines import evidence
from lauter.stages.optout.signals.statement import Statement

SIZE_LIMIT = 1 << 20
"""Bytes that are read. The largest file that a publisher could need (a rule a folder) is far below it."""

_SPACE = re.compile(r"[\s,]*")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)


def reservation(value: object) -> Literal["deny", "allow"] | None:
    """The meaning of `tdm-reservation`: 1 reserves the rights, 0 does not, anything else says nothing.

    >>> reservation(1), reservation("0"), reservation("maybe")
    ('deny', 'allow', None)
    """
    if not isinstance(value, int | float | str):
        return None
    text = str(int(value)) if isinstance(value, bool) else str(value).strip()
    if text in ("1", "1.0"):
        return "deny"
    return "allow" if text in ("0", "0.0") else None


def tdmrep_statements(body: bytes) -> tuple[Statement, ...] | None:
    """The statements in file order, the first matching location counts; None where the file is no such JSON.

    A single object stands for an array of one. Of an array that breaks off, the objects before the break count: they
    reserve what they reserve. Raises nothing.
    """
    text = _text(body)
    if text is None:
        return None
    start = len(text) - len(text.lstrip())
    if text[start : start + 1] not in ("[", "{"):
        return None
    at = start + (text[start] == "[")
    decoder = json.JSONDecoder()
    found: list[Statement] = []
    line, counted = 1, 0
    while True:
        space = _SPACE.match(text, at)
        at = space.end() if space else at
        if at >= len(text) or text[at] == "]":
            break
        try:
            item, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            if found:
                break
            return None
        line, counted = line + text.count("\n", counted, at), at
        statement = _statement(item, line, " ".join(text[at:end].split()))
        if statement:
            found.append(statement)
        at = end
        if text[start] == "{":
            break
    return tuple(found)


def _text(body: bytes) -> str | None:
    if len(body) > SIZE_LIMIT:
        return None
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _statement(item: object, line: int, text: str) -> Statement | None:
    if not isinstance(item, dict):
        return None
    says = reservation(item.get("tdm-reservation"))
    if says is None:
        return None
    location = item.get("location", "/")
    path = _ORIGIN.sub("", location.strip(), count=1) if isinstance(location, str) else "/"
    if not path.startswith(("/", "*")):
        path = "/" + path
    return Statement("tdmrep", says, path, (), line, evidence(text.encode("utf-8", "replace").decode()))
