"""One thing that an owner says of the use of pages, whatever the signal it is said with."""

from __future__ import annotations

from typing import Literal, NamedTuple

Says = Literal["deny", "allow", "note"]


class Statement(NamedTuple):
    """A statement as it was found; whether it ends a page is the policy's choice (`policy.Policy.signals`)."""

    signal: str
    """One of `policy.SIGNALS`."""
    says: Says
    """`note` is for what is recorded and neither reserves nor permits (a licence, terms that were not read)."""
    path: str
    """A robots.txt path pattern (`*`, final `$`), matched against path and query; `/` is the whole origin. Page
    statements have `/`."""
    agents: tuple[str, ...]
    """Whom it speaks to, as declared, in lower case; empty or with `*`: everyone."""
    line: int | None
    """1-based, in the file or header block; None where there are no lines."""
    text: str
    """The words as written, at most `rules.TEXT_LIMIT` code points."""
