"""Attributes of one start tag, as the tokenizer of the HTML Standard reads them (sections 13.2.5.32 to 13.2.5.40)."""

from __future__ import annotations

import re

from lauter.stages.character_references import resolved

# A value in quotes may lack its end where the page was cut.
_ATTRIBUTE = re.compile(
    r"[\s/]*(=?[^\s/>=]*)(?:\s*=\s*(?:\"([^\"]*)\"?|'([^']*)'?|([^\s>]*)))?",
)
# In attributes a named reference without `;` mostly stands for itself (`?a=1&copy=2`); a numeric one never does.
_REFERENCE = re.compile(r"&#(?:[xX][0-9a-fA-F]+|[0-9]+);?|&[A-Za-z][A-Za-z0-9]*;")


def attributes(text: str) -> dict[str, str]:
    """Names in lower case and values with character references resolved; of a repeated name the first counts.

    >>> attributes(" NAME=robots content='no&#97;i' hidden name=x /")
    {'name': 'robots', 'content': 'noai', 'hidden': ''}
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _ATTRIBUTE.match(text, at)
        if match is None or match.end() == at:
            at += 1
            continue
        at = match.end()
        name = match[1].lower()
        if name and name not in found:
            found[name] = _REFERENCE.sub(lambda one: resolved(one[0]), match[2] or match[3] or match[4] or "")
    return found
