"""The sidecar of a tokenizer: which ids are control tokens, and what they are for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[int, Field(ge=0, lt=1 << 31)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Control(_Strict):
    """One control token: its id, and the name under which people and templates know it."""

    id: Id
    token: Annotated[str, Field(min_length=1)]


class Sidecar(_Strict):
    """What `sidecar.json` says. No id in it, and none in `reserved`, is ever made of text."""

    bos: Control
    """Comes before every document."""
    eos: Control
    """Comes after every document."""
    pad: Control | None = None
    """Fills up, and overwrites what is taken down."""
    unk: Control | None = None
    """Stands for what the vocabulary lacks, where it lacks anything; the one control token that text can yield."""
    placeholders: Mapping[str, Control] = Field(default_factory=dict)
    """Type of a removed text (`schema.SPAN`) -> the token in its place."""
    added: Mapping[str, Id] = Field(default_factory=dict)
    """Further control tokens, name -> id: those that the vocabulary of `tokenizer.json` lacks, and those of a chat."""
    reserved: tuple[tuple[Id, Id], ...] = ()
    """Half-open ranges [first, end) of further ids that text must not yield, used or not."""

    def controls(self) -> dict[str, Control]:
        """Every control token that has a part: the part -> the token."""
        parts = {"bos": self.bos, "eos": self.eos, "pad": self.pad, "unk": self.unk}
        named = {part: control for part, control in parts.items() if control is not None}
        return named | {f"placeholder {kind!r}": control for kind, control in self.placeholders.items()}

    def ids(self) -> frozenset[int]:
        """Every id that text must not yield."""
        ids = {control.id for control in self.controls().values()} | set(self.added.values())
        return frozenset(ids.union(*(range(first, end) for first, end in self.reserved)))

    def canonical(self) -> bytes:
        """The one way to write it: sorted keys, no spaces, UTF-8."""
        return json.dumps(
            self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":")
        ).encode()


def ranges(ids: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Ids as ascending half-open ranges, as few as can be.

    >>> ranges([7, 1, 2, 0])
    ((0, 3), (7, 8))
    """
    found: list[tuple[int, int]] = []
    for index in sorted(set(ids)):
        if found and found[-1][1] == index:
            found[-1] = (found[-1][0], index + 1)
        else:
            found.append((index, index + 1))
    return tuple(found)
