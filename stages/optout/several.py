"""Counts with their nouns."""

from __future__ import annotations


def several(count: int, noun: str) -> str:
    """A count and what is counted, whose plural takes an s.

    >>> several(1, "page"), several(2_000, "page")
    ('1 page', '2,000 pages')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
