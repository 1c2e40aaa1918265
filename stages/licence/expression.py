"""SPDX licence expressions (SPDX specification 2.3, annex D): which of their licences are enough.

    MIT    GPL-2.0-or-later WITH Classpath-exception-2.0    MIT OR (Apache-2.0 AND BSD-3-Clause)

Operators may be in any case, as in version 3.0. An exception of SPDX only ever adds a permission to its licence, so a
licence stays what it is with one. With any other it is unknown: the Commons Clause takes the right to sell away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum

MOST_CHARACTERS = 1_000
"""A longer text is no expression."""
_MOST_DEPTH = 32
_EXCEPTION = re.compile(
    r"(?:[A-Za-z0-9.]+-)+exception(?:-[A-Za-z0-9.]+)*|GPL-CC-1\.0|Linux-syscall-note|LLGPL|SHL-2\.[01]", re.IGNORECASE
)
"""The SPDX License List's exceptions have the word in their names, but for these four."""
_TOKEN = re.compile(r"\s*(?:([()])|([A-Za-z0-9.:+-]+))")


class Grade(IntEnum):
    """What is known of a licence or an expression, the worst first."""

    UNKNOWN = 0
    FORBIDDEN = 1
    ALLOWED = 2


class NoExpression(ValueError):
    """A text is no licence expression."""


def grade(text: str, of: Callable[[str], Grade]) -> Grade:
    """The grade of an expression: OR takes the best of its sides, AND the worst. `of` grades one identifier.

    An unknown side of AND makes the whole unknown unless the other is forbidden: that is known to be enough against it.

    Raises:
        NoExpression: The text is none.
    """
    if len(text) > MOST_CHARACTERS:
        raise NoExpression(f"longer than {MOST_CHARACTERS} characters")
    tokens = _Tokens(text)
    found = _either(tokens, of, 0)
    if tokens.next is not None:
        raise NoExpression(f"{tokens.next!r} where it should end")
    return found


class _Tokens:
    """The tokens of a text, one ahead."""

    def __init__(self, text: str) -> None:
        self._tokens = _cut(text)
        self.next: str | None = next(self._tokens, None)

    def take(self) -> str:
        """The next token; raises NoExpression at the end."""
        token = self.next
        if token is None:
            raise NoExpression("it ends where a licence should stand")
        self.next = next(self._tokens, None)
        return token

    def met(self, operator: str) -> bool:
        """Whether the next token is an operator, which is then taken."""
        if self.next is None or self.next.upper() != operator:
            return False
        self.take()
        return True


def _cut(text: str) -> Iterator[str]:
    text = text.rstrip()
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise NoExpression(f"{text[at:][:20]!r} is no identifier")
        yield found[1] or found[2]
        at = found.end()


def _either(tokens: _Tokens, of: Callable[[str], Grade], depth: int) -> Grade:
    found = _both(tokens, of, depth)
    while tokens.met("OR"):
        found = max(found, _both(tokens, of, depth))
    return found


def _both(tokens: _Tokens, of: Callable[[str], Grade], depth: int) -> Grade:
    found = _one(tokens, of, depth)
    while tokens.met("AND"):
        other = _one(tokens, of, depth)
        found = together(found, other)
    return found


def together(one: Grade, other: Grade) -> Grade:
    """The grade of two licences that both hold."""
    return Grade.FORBIDDEN if Grade.FORBIDDEN in (one, other) else min(one, other)


def _one(tokens: _Tokens, of: Callable[[str], Grade], depth: int) -> Grade:
    token = tokens.take()
    if token == "(":
        if depth == _MOST_DEPTH:
            raise NoExpression("too many parentheses in one another")
        found = _either(tokens, of, depth + 1)
        if not tokens.met(")"):
            raise NoExpression("a parenthesis is not closed")
        return found
    if token == ")" or token.upper() in ("AND", "OR", "WITH"):
        raise NoExpression(f"{token!r} where a licence should stand")
    found = of(token.removesuffix("+"))
    if tokens.met("WITH") and not _EXCEPTION.fullmatch(tokens.take()):
        return Grade.UNKNOWN
    return found


def grader(known: Mapping[str, str], allowed: frozenset[str]) -> Callable[[str], Grade]:
    """How identifiers are graded. `known`: identifier in lower case -> as SPDX writes it; `allowed`: as SPDX writes."""

    def of(identifier: str) -> Grade:
        name = known.get(identifier.lower())
        if name is None:
            return Grade.UNKNOWN
        return Grade.ALLOWED if name in allowed else Grade.FORBIDDEN

    return of
