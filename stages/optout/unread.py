"""Files besides robots.txt that could not be read: what they might have said, and whether that ends a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.stages.optout.policy import Policy
from lauter.stages.optout.reasons import CODES
from lauter.stages.optout.snapshot.answer import KINDS, WELL_KNOWN, FileKind

SIGNAL: Mapping[FileKind, str] = {"tdmrep.json": "tdmrep", "ai.txt": "ai.txt"}
"""Kind of file -> the signal that it holds. Licence terms that cannot be read are the signal `rsl-unread`."""

_PATHS = {kind: path for path, kind in WELL_KNOWN.items()}
_UNREACHABLE_SHIFT = 4
"""`index.layout.INDEX`: bit i for a file of kind i that is unparsable, bit 4 + i for one that could not be reached."""


class Unread(NamedTuple):
    """One way in which one kind of file was not read."""

    kind: FileKind
    how: str
    """`unparsable` or `unreachable`."""
    reason: int
    """Code of `reasons.REASONS` where the policy ends the page for it, 0 where it does not."""

    @property
    def rule(self) -> dict[str, object]:
        """`schema.RULE`, in place of the words that nobody could read."""
        return {"agent": None, "signal": SIGNAL[self.kind], "line": None, "text": f"{_PATHS[self.kind]} is {self.how}"}


class UnreadFiles:
    """Under one policy: what the bits of an origin mean. Only files whose signal the policy drops are looked at."""

    def __init__(self, policy: Policy) -> None:
        """An unparsable file follows `on_unparsable`, one that gave no answer `on_unreachable` under `strict`.

        Most servers that fail for tdmrep.json fail for whatever they do not have, so that only the most restrictive
        reading takes this for a file.
        """
        strict = policy.reading == "strict"
        denied = {
            "unparsable": policy.on_unparsable == "deny",
            "unreachable": strict and policy.on_unreachable == "deny",
        }
        shifts = {"unparsable": 0, "unreachable": _UNREACHABLE_SHIFT}
        self.ways: tuple[Unread, ...] = tuple(
            Unread(kind, how, CODES[f"file-{how}"] if denied[how] else 0)
            for how in shifts
            for kind in SIGNAL
            if policy.drops(SIGNAL[kind])
        )
        self._bits = [np.uint8(1 << (KINDS.index(one.kind) + shifts[one.how])) for one in self.ways]

    def of(self, bits: NDArray[np.uint8], skip_tdm: NDArray[np.bool_] | None) -> NDArray[np.int8]:
        """For each origin's bits, the first of `ways` that concerns it, -1 for none; what denies goes first.

        `skip_tdm` marks pages that speak of TDMRep themselves, for which no tdmrep.json counts.
        """
        found = np.full(len(bits), -1, np.int8)
        # From the least telling on, so that what is written last stands.
        order = sorted(range(len(self.ways)), key=lambda i: (self.ways[i].reason != 0, -i))
        for way in order:
            concerned = (bits & self._bits[way]) != 0
            if skip_tdm is not None and self.ways[way].kind == "tdmrep.json":
                concerned &= ~skip_tdm
            found[concerned] = way
        return found
