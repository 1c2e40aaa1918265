"""The identifiers of the SPDX License List, and which of them are permissive."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml

PERMISSIVE = ("model", "gold", "silver", "bronze")
"""The ratings of the Blue Oak Council's list that count as permissive: without `lead`. The Stack v2 (arXiv 2402.19173,
section 2) takes the whole list, and what ScanCode calls permissive."""


@cache
def identifiers() -> Mapping[str, tuple[str, ...]]:
    """Rating -> identifiers, those without a rating under `other`."""
    read = yaml.safe_load((files(__package__) / "licences.yaml").read_text(encoding="utf-8"))
    return {rating: tuple(names) for rating, names in read.items()}


@cache
def known() -> Mapping[str, str]:
    """Identifier in lower case -> as SPDX writes it: identifiers are compared without case (annex D)."""
    return {name.lower(): name for names in identifiers().values() for name in names}


def named(entry: str) -> tuple[str, ...]:
    """The identifiers that an entry of a list names: `permissive`, a rating (`lead`), or an identifier.

    Raises:
        ValueError: It is none of these.
    """
    if entry == "permissive":
        return tuple(name for rating in PERMISSIVE for name in identifiers()[rating])
    if entry in identifiers() and entry != "other":
        return identifiers()[entry]
    name = known().get(entry.lower())
    if name is None:
        raise ValueError(f"{entry!r} is no identifier of the SPDX License List, nor `permissive`, nor a rating")
    return (name,)
