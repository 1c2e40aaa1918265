"""Canaries: texts with a random part that stands nowhere else (Carlini et al. 2019, The Secret Sharer, section 4.2).

A canary is a form with a random string in its place, as "The random number is 281265017". How well a model knows one
is told by its rank among all strings that might stand there, which is why the space of these is written down: `length`
characters of `alphabet` each.

Character i of canary j of a bucket is number i of the 64-bit little-endian words of SHAKE-256 of "seed/bucket/j",
modulo the size of the alphabet: uniform to 2**-56, and the same on every machine.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from pydantic import Field, field_validator

from lauter.pipeline.contract import StageConfig

PLACE = "{}"
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
"""36 signs: 5.17 bits each."""


class CanaryEntry(StageConfig):
    """Canaries of one bucket."""

    bucket: Annotated[str, Field(min_length=1, max_length=100)]
    """The group they are listed in; their ids are `BUCKET:1`, `BUCKET:2`, …"""
    count: int = Field(ge=1, le=1 << 20)
    """How many."""
    repetitions: int = Field(default=1, ge=0, le=1 << 20)
    """Records of each; 0 for controls."""
    length: int = Field(default=24, ge=1, le=10_000)
    """Random characters."""
    alphabet: Annotated[str, Field(min_length=2, max_length=1000)] = ALPHABET
    """The characters that they are drawn from."""
    form: str = PLACE
    """The text, with `{}` where the random characters stand."""
    seed: int = Field(default=0, ge=0, lt=1 << 63)
    """Draws them. It is not the seed of the run: another order must not make other canaries."""

    @field_validator("form")
    @classmethod
    def _has_a_place(cls, form: str) -> str:
        if form.count(PLACE) != 1:
            raise ValueError(f"has one {PLACE}, where the random characters stand")
        return form

    @field_validator("alphabet")
    @classmethod
    def _differs(cls, alphabet: str) -> str:
        if len(set(alphabet)) < len(alphabet):
            raise ValueError("has a character twice")
        return alphabet


def canary(entry: CanaryEntry, number: int) -> str:
    """The text of one canary, counted from 1."""
    key = f"{entry.seed}/{entry.bucket}/{number}".encode()
    drawn = hashlib.shake_256(key).digest(8 * entry.length)
    places = (int.from_bytes(drawn[at : at + 8], "little") for at in range(0, len(drawn), 8))
    return entry.form.replace(PLACE, "".join(entry.alphabet[place % len(entry.alphabet)] for place in places))
