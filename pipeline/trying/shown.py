"""How a tried record is shown: as one JSON object, or to people."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from rich.text import Text

from lauter.pipeline.natural_units import natural
from lauter.pipeline.trying.trial import COUNTED, Tried

TONES = {"kept": "green", "dropped": "yellow", "error": "red"}

SHOWN = 400
"""Code points of a text that are shown to people, and of each changed line."""
BEGINNING_LINES = 24
"""Lines of a new text that are shown."""
CHANGED_LINES = 8
"""Changed lines that are shown."""
COMPARED = 20_000
"""Code points of a text up to which its lines are compared, which takes longer than linear time."""

_SPAN = {"start", "end", "type"}


def as_json(tried: Tried) -> str:
    """One line of JSON: the record's own fields, what the stage wrote, and how it ended.

    `natural` has the scores that are stored as whole numbers in the units that people know; `spans` are of the text as
    it was given. Bytes are hexadecimal, a number that JSON has not is null, and a lone surrogate is escaped.
    """
    columns = tried.columns or {}
    units = {name: found for name, value in columns.items() if (found := natural(name, value)) is not None}
    found = {
        **tried.given,
        **({COUNTED: tried.before} if tried.before is not None else {}),
        **columns,
        "verdict": tried.verdict,
        "stage": tried.stage,
        "reason": tried.reason,
        "rule": tried.rule and {name: value for name, value in tried.rule.items() if value is not None},
    }
    if units:
        found["natural"] = units
    if tried.spans is not None:
        found["spans"] = [{"start": start, "end": end, "type": kind} for start, end, kind in tried.spans]
    plain = _plain(found)
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(plain, allow_nan=False)
    return text


def _plain(value: Any) -> Any:  # noqa: ANN401 - anything that a column or a JSON object may hold
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def lines(number: int, tried: Tried) -> Iterator[Text]:
    """What people see of a record: its end and why, what it is, its scores, and what was changed."""
    head = Text.assemble((f"{number:>4}  ", "dim"), (tried.verdict, f"bold {TONES.get(tried.verdict, '')}"))
    if tried.reason:
        head.append(f"  {tried.stage}: {tried.reason}")
    if tried.rule and tried.rule.get("text"):
        head.append(f"  {tried.rule['text']}", style="dim")
    yield head
    name = next((tried.given[key] for key in ("url", "id", "file") if tried.given.get(key)), None)
    if name:
        yield Text(f"      {str(name)[:SHOWN]}{_fault(tried)}", style="dim")
    columns = dict(tried.columns or {})
    after = columns.pop(COUNTED, None)
    spans = {key: columns.pop(key) for key in [*columns] if _are_spans(columns[key])}
    scores = [f"{key} {_shown(key, value)}" for key, value in columns.items() if value is not None and value != []]
    if scores:
        yield Text(f"      {', '.join(scores)}")
    if tried.spans:
        yield Text("      found " + ", ".join(f"{kind} {start}-{end}" for start, end, kind in tried.spans))
    for key, found in spans.items():
        told = ", ".join(f"{each['type']} {each['start']}-{each['end']}" for each in found)
        yield Text(f"      {key}, in the text as it is now: {told}", style="dim")
    yield from _text(tried.before, after)


def _fault(tried: Tried) -> str:
    """Where in its file a record that could not be read stands, and what is wrong with it."""
    if tried.verdict != "error" or "line" not in tried.given:
        return ""
    return f", line {tried.given['line']:,}: {tried.given['fault']}"


def _are_spans(value: Any) -> bool:  # noqa: ANN401 - a value of a column
    # Other lists are of numbers (lines by what they end with) or of structs of other fields.
    return isinstance(value, list) and any(isinstance(item, Mapping) and {*item} == _SPAN for item in value[:1])


def _shown(name: str, value: Any) -> str:  # noqa: ANN401 - a value of a column
    units = natural(name, value)
    found = value if units is None else units
    if isinstance(found, list):
        return "[" + ", ".join(_shown("", item) for item in found) + "]"
    if isinstance(found, Mapping):
        return " ".join(_shown("", item) for item in found.values() if item is not None)
    return f"{found:g}" if isinstance(found, float) else str(_plain(found))[:SHOWN]


def _text(before: str | None, after: str | None) -> Iterator[Text]:
    """The lines that changed; of a text that is new, how it begins."""
    if after is None:
        return
    if before is None or max(len(before), len(after)) > COMPARED:
        if after != before:
            shown = [line[:SHOWN] for line in after.splitlines()[:BEGINNING_LINES]]
            for line in shown:
                yield Text(f"      {line}", style="italic")
            if sum(map(len, shown)) + len(shown) < len(after):
                yield Text(f"      … {len(after):,} code points in all; --json shows them", style="dim")
        return
    changed = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
    for line in changed[:CHANGED_LINES]:
        yield Text(f"      {line[:SHOWN]}", style="red" if line[0] == "-" else "green")
    if len(changed) > CHANGED_LINES:
        yield Text(f"      and {len(changed) - CHANGED_LINES:,} more changed lines", style="dim")
