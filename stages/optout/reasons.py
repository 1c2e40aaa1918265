"""Why a page is dropped: one reason for every kind of signal, and one for every way of knowing nothing."""

from __future__ import annotations

from lauter.pipeline.contract import Reason
from lauter.stages.optout.policy import SIGNALS

NAMES = {"robots.txt": "robots-disallow", "tdmrep": "tdm-reservation", "ai.txt": "ai-txt", "words": "reserved-in-words"}
"""Reasons of signals that are not called as the signal is."""

UNKNOWN = (
    *(f"robots-{outcome}" for outcome in ("unreachable", "unparsable", "missing", "lost", "forbidden")),
    *(f"file-{outcome}" for outcome in ("unparsable", "unreachable")),
)
"""Reasons that say nothing of an owner's will. `robots-…`: of the robots.txt; `file-…`: of tdmrep.json or ai.txt."""

REASONS = (
    *(Reason(NAMES.get(kind, kind), mirrored=True) for kind in SIGNALS),
    Reason("host-denied", mirrored=True),
    *(Reason(name) for name in UNKNOWN),
    Reason("no-origin", "error"),
)

CODES = {reason.name: code for code, reason in enumerate(REASONS, 1)}
"""Reason -> its code in a verdict."""

OF_SIGNAL = {kind: CODES[NAMES.get(kind, kind)] for kind in SIGNALS}
"""Kind of signal -> the code of its reason."""
