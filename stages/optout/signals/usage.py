"""Content-Usage: preferences of the IETF aipref drafts, in a rule of robots.txt or an HTTP header.

The value is a dictionary of RFC 9651 section 3.2. Categories are tokens `y` and `n`; anything else is unknown and says
nothing, as does a dictionary that does not parse (draft-ietf-aipref-vocab section 6).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from lauter.stages.optout.signals.lines import Record, evidence, split_path
from lauter.stages.optout.signals.statement import Says, Statement

Usage = Literal["content-usage", "content-usage-draft"]

# RFC 9651 sections 3.3.1 to 3.3.8 and 3.1.2, as far as telling where an item ends needs them.
_KEY = r"[a-z*][a-z0-9_.*-]*"
_ITEM = (
    r"(?:-?[0-9]{1,12}\.[0-9]{1,3}|-?[0-9]{1,15}"
    r'|"(?:[ !#-\[\]-~]|\\["\\])*"'
    r"|[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*"
    r"|:[A-Za-z0-9+/=]*:|\?[01]|@-?[0-9]{1,15}"
    r'|%"(?:[ !#$&-~]|%[0-9a-f]{2})*")'
)
_PARAMETERS = rf"(?:; *{_KEY}(?:={_ITEM})?)*"
_INNER_LIST = rf"\( *(?:{_ITEM}{_PARAMETERS}(?: +{_ITEM}{_PARAMETERS})* *)?\)"
_MEMBER = re.compile(rf"({_KEY})(?:=({_ITEM}|{_INNER_LIST}))?{_PARAMETERS}").match
_COMMA = re.compile(r"[ \t]*,[ \t]*").match

_KEYS: dict[Usage, Sequence[str]] = {
    "content-usage": ("train-ai",),
    # What the drafts of 2025 called it. `bots` was dropped for saying nothing of training.
    "content-usage-draft": ("ai", "genai"),
}


def preferences(value: str) -> dict[str, bool]:
    """Known preferences of a dictionary: True for `y`, False for `n`. Of a repeated key the last counts.

    >>> preferences("train-ai=n, search=y;x=1, bots"), preferences("Train-AI=n")
    ({'train-ai': False, 'search': True}, {})
    """
    value = value.strip(" ")
    found: dict[str, bool] = {}
    at = 0
    while at < len(value):
        member = _MEMBER(value, at)
        if member is None:
            return {}
        found.pop(member[1], None)
        if member[2] in ("y", "n"):
            found[member[1]] = member[2] == "y"
        at = member.end()
        if at < len(value):
            comma = _COMMA(value, at)
            if comma is None or comma.end() == len(value):
                return {}
            at = comma.end()
    return found


def usage_says(value: str) -> dict[Usage, Says]:
    """What a dictionary says of training. Where several keys of one kind differ, `n` counts."""
    known = preferences(value)
    says: dict[Usage, Says] = {}
    for kind, keys in _KEYS.items():
        answers = [known[key] for key in keys if key in known]
        if answers:
            says[kind] = "allow" if all(answers) else "deny"
    return says


def usage_statements(record: Record) -> tuple[Statement, ...]:
    """The statements of one Content-Usage rule."""
    path, value = split_path(record.value)
    return tuple(
        Statement(kind, says, path, record.agents, record.number, evidence(record.text))
        for kind, says in usage_says(value).items()
    )
